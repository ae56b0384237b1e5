//! The run itself.
//!
//! ```text
//!            reading thread --persona--> supervisor --spawns--> interview (a task)
//! run file <--record-- writer <-------------|  ^                    |  asks the limiter for a
//!     |                                     |  '------ Fact --------'  permit, then the client
//!     '--- notice: committed --------------> RunState --> publisher --> outlets
//! ```
//!
//! The supervisor is the only one that changes the [`RunState`](run_state::RunState). Interviews
//! tell it [`Fact`](fact::Fact)s; front ends send it commands; the store tells it what is on disk.
//! An interview shows as done only after its answer was committed. A run through the Batch API has
//! no interviews as tasks: the runner of [`batches`] tells the same facts.

mod admission;
mod attempt_log;
mod batches;
mod call;
mod detail;
mod endpoint;
mod fact;
mod interview;
mod ledger;
mod meters;
mod news;
mod orders;
mod prompt_bound;
mod publisher;
mod reading;
mod retry;
mod run_state;
mod setup;
mod silence;
mod stages;
mod supervisor;
mod viewer;

pub use setup::{EngineError, EngineParts};
pub use supervisor::{RunEnd, run};
pub use viewer::{ViewError, view};
