//! Batches as a plan: what goes into which file, what came of each line, and what to do next.
//! All of it is pure; whoever carries it out does the I/O.
//!
//! ```text
//! personas -> order       similar ones next to each other, so that they share a prompt prefix
//!          -> lines       a request as a line, named by a CustomId
//!          -> split       into files that the provider takes
//! each file -> BatchRecord::next -> Next (upload, create, look, read ...) -> Event -> apply
//! what came -> Reading    every line once: answered, failed, expired; the rest is missing
//!          -> a name with the next attempt, into the files of the next round
//! ```
//!
//! Nothing is sent twice because of one rule: **after every `apply` the record is committed to the
//! run file, and only then is what `next` says carried out.** A batch that was about to be created
//! when the program died is looked for by its key before it is created again. Lines are taken with
//! their personas' records, and the record of their batch says that it was read in the same commit
//! that plans what is asked again.

mod custom_id;
mod lines;
mod order;
mod queue;
mod reading;
mod record;
mod refusal;
mod split;

pub use custom_id::{CustomId, NoCustomId};
pub use lines::{line_length, push_line};
pub use order::{Likeness, order};
pub use queue::{cut_to, startable};
pub use reading::{Line, LineOutcome, Read, ReadCounts, Reading, Strange};
pub use record::{BatchRecord, End, Event, Next, Rules, Step, look_after};
pub use refusal::{Outsized, enqueued_limit, one_cause_for_all, outsized};
pub use split::{FileLimits, FileSize, LineSize, Placement, Splitter};
