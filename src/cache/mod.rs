//! The exact cache: one file for all runs, from which a request that was answered before is
//! answered again.
//!
//! ```text
//! call --key--> Cache --known?--> reading thread --oneshot--> call       a hit: nothing is sent
//!                 ^  '-no: a miss, at once
//!                 '--- a reply that was read as a good one --> writing thread, batch by batch
//! ```
//!
//! It never holds up the engine. What it is asked, it is asked on threads of its own; what it
//! cannot keep in time, it forgets; where its file cannot be used, the run goes on without it.
//! Several processes may use the file at once. What another one adds after this one has begun is
//! not seen here before the next run: most requests are in no cache, and a look at the keys in
//! memory spares them the way to the file.

mod error;
mod file;
mod key;
mod known;
mod schema;
mod service;

#[cfg(test)]
mod tests;

pub use error::CacheError;
pub use file::{CacheFile, CacheStats, Opened};
pub use key::{CacheKey, KeyStart, Repeat};
pub use service::{Cache, CacheThreads};

use crate::model::Usage;

/// A reply that was read as a good one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedReply {
    pub content: String,
    /// What the provider counted for it when it was given.
    pub usage: Option<Usage>,
}
