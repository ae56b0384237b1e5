//! The front ends without a screen: lines of words, or one JSON object a line.
//!
//! Both take the same updates as the dashboard. Nobody is there to mend a run that has paused by
//! itself, so these front ends stop it; `resume` goes on later. One that is attached to a run of
//! another process only looks on.

mod analysis;
mod chat;
mod json;
mod plain;
mod run;
mod summary;
#[cfg(test)]
mod tests;
mod watch;

pub use analysis::{lines as analysis_lines, object as analysis_object};
pub use chat::{ChatError, Talked, chat};
pub use summary::{describe, write_end};
pub use watch::{Format, look_on, watch};
