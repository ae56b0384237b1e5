//! The run file: one SQLite file a run, `<runs dir>/<run name>.voxpop`.
//!
//! ```text
//! Import   creates the file and streams every persona into it        --> OpenRun
//! OpenRun  an existing run, locked for this process                  --> Writer
//! Writer   takes Records without ever waiting; its thread commits them every 25 ms and answers
//!          with Notices: an interview is over once its Committed is there
//! RunReader, list   look at any run, live ones too, without a lock
//! ```
//!
//! The tables are in `schema.rs`. The lock is a file beside the run file ([`is_live`] asks for
//! it); the operating system lets go of it when its process dies.
//!
//! Nothing but SQLite may open a run file while this process has it open, not even to copy it: see
//! `connection.rs`.

mod analysis;
mod batches;
mod connection;
mod decode;
mod error;
mod files;
mod import;
mod json;
mod list;
mod lock;
mod open_run;
mod progress;
mod queue;
mod reader;
mod record;
mod recorded;
mod records;
mod requeue;
mod rows;
mod scan;
mod schema;
mod spending;
mod writer;

pub use analysis::{Counted, DigestOnFile};
pub use batches::{BatchLine, LinesTaken, StoredBatch, UncountedLines};
pub use error::StoreError;
pub use files::{EXTENSION, run_path};
pub use import::{Import, NewRun};
pub use json::{AnswerAsJson, AttributesAsJson};
pub use list::{Listed, ListedRun, list};
pub use lock::is_live;
pub use open_run::OpenRun;
pub use reader::{Interview, RunInfo, RunReader};
pub use record::{Notice, Record};
pub use recorded::{Recorded, RecordedEvent};
pub use records::{ExportRecord, Lent};
pub use spending::{Kept, Spending};
pub use writer::{Recorder, Writer};
