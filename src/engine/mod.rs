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
//! An interview shows as done only after its answer was committed. When all of them are over, the
//! `analysis` says what the answers come to. A run through the Batch API has no interviews as
//! tasks: the runner of [`batches`] tells the same facts.
//!
//! [`view`] shows a run from its file alone, and [`replay()`] plays it again.

mod admission;
mod analysis;
mod attempt_log;
mod batches;
mod caching;
mod call;
mod critique;
mod detail;
mod distribution;
mod embedding;
mod endpoint;
mod fact;
mod interview;
mod ledger;
mod meters;
mod news;
mod orders;
mod packing;
mod packs;
mod prompt_bound;
mod publisher;
mod reading;
mod replay;
mod retry;
mod run_state;
mod setup;
mod silence;
mod similar;
mod spent;
mod stages;
mod supervisor;
mod talk_orders;
mod talker;
mod talks;
mod viewer;
mod waiting;

pub use analysis::{SummaryCalls, is_due, summarize_by_words};
pub use critique::{CritiqueError, Critiqued, critique};
pub use replay::replay;
pub use setup::{EngineError, EngineParts};
pub use supervisor::{RunEnd, run};
pub use talker::TalkAccess;
pub use viewer::{ViewError, view};
