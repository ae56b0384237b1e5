//! What the engine and a front end say to each other: serializable, versioned types and nothing
//! else. The same types travel over the in-process link and over a socket.
//!
//! ```text
//! engine --> Update::Snapshot   once, on joining, and after a gap
//!        --> Update::Delta      what changed since, merged, at most ten times a second
//!        --> Update::Detail     one persona, when asked for
//!        --> Update::Talk       a talk with a persona, when opened and whenever something is said
//!        --> Update::Applied    what became of a command
//! front end --> Command { id, order }
//! ```

pub mod codec;
mod command;
mod detail;
mod distribution;
mod hello;
mod meters;
mod outlet;
mod snapshot;
mod talk;
mod update;

pub use command::{Command, CommandId, CommandOutcome, LimitValue, Order};
pub use detail::{Activity, PersonaDetail};
pub use distribution::{Distribution, ScoreMeter};
pub use hello::{Farewell, FromEngine, FromFrontEnd, Hello, Role, Welcome};
pub use meters::{
    BatchMeter, BatchMeters, BatchStanding, CallSize, EndpointMeters, FailureTally, LatencySummary,
    Meters, MoneyMeter, RateMeter, RateSample, Replay, ReplayState, SlotMeter, TokenTotals,
};
pub use outlet::{FrontEndId, Incoming, Outlet};
pub use snapshot::{Delta, RunHeader, Snapshot, StatusChange, Statuses};
pub use talk::{Conversation, LONGEST_SAID};
pub use update::Update;

/// The version of these types. A front end says it on joining; an engine of another version
/// refuses with a clear line.
pub const PROTOCOL_VERSION: u32 = 1;

/// How many seconds of [`RateSample`]s a snapshot holds.
pub const HISTORY_SECONDS: usize = 300;

/// How many log lines a snapshot holds.
pub const LOG_LINES: usize = 200;

/// How many changes of limits a snapshot holds; the run file has all of them.
pub const LIMIT_CHANGES: usize = 200;
