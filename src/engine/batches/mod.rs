//! A run through the provider's Batch API: the same interviews as by single calls, a stage of many
//! personas at a time.
//!
//! ```text
//! supervisor --Order--> runner (a thread): planner  who is not over -> files of lines, in order
//!     ^                                    courier  upload, create, look, cancel
//!     |                                    results  each line -> the same steps, attempts, ends
//!     '--BatchFact--------------'
//! ```
//!
//! The runner decides nothing by itself: [`BatchRecord`](crate::batch::BatchRecord) says what is
//! next, [`Stages`](super::stages::Stages) what a persona is asked. It writes nothing either: what
//! it wants kept goes to the supervisor and comes back once it is on disk, and only then goes on.
//! It holds no prompt, answer or standing beyond the persona it is at; what it needs to know of one
//! it reads from the run file.
//!
//! Once a batch is read, whoever of it is not through goes into the next files, so that a slow
//! batch holds up nobody but its own.

mod control;
mod courier;
mod desk;
mod ends;
mod fact;
mod files;
mod halt;
mod line;
mod meta;
mod planner;
mod results;
mod runner;
mod shown;

pub(super) use desk::Desk;
pub(super) use fact::BatchFact;
