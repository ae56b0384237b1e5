//! What a front end asks of the engine. Every command has an id and a visible outcome.

use crate::model::{EndpointIndex, LimitName, PersonaIndex};
use serde::{Deserialize, Serialize};

/// Names a command so that its outcome can be matched to it; chosen by the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// An order with its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub id: CommandId,
    pub order: Order,
}

/// What the engine is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    /// Set one limit of one endpoint, or of all of them.
    SetLimit { endpoint: Option<EndpointIndex>, limit: LimitName, to: LimitValue },
    /// Let limits adapt to what the providers say, or hold them where they were set.
    SetAdaptation { on: bool },
    /// Let the rest of the run go out in batches, or cancel them and go on with single calls.
    SetBatch { on: bool },
    /// Cancel the batches under way and stop: what is done by then is kept.
    CancelBatches,
    /// Send nothing new; what is in flight goes on.
    Pause,
    /// Go on after a pause, and ask again the endpoints that are out of service: somebody says
    /// that what kept them from serving is mended.
    Resume,
    /// Put every failed persona back into the queue.
    RetryFailed,
    /// Send the detail of one persona, now.
    Inspect { persona: PersonaIndex },
    /// Send the talk with a persona, and again whenever something is said in it.
    OpenTalk { persona: PersonaIndex },
    /// Say something to a persona whose talk is open.
    Say { persona: PersonaIndex, text: String },
    /// The talk is no longer looked at.
    CloseTalk { persona: PersonaIndex },
    /// Send the snapshot again: what a front end asks for after a gap.
    SendSnapshot,
    /// Replay faster, or slower, by a step. Only for a replay.
    ChangeSpeed { faster: bool },
    /// Finish what is in flight, then stop.
    FinishAndStop,
    /// Stop now; what is in flight goes back to the queue.
    StopNow,
}

/// A limit as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitValue {
    Exactly(u32),
    /// Not for slots.
    Unlimited,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum CommandOutcome {
    /// It holds from now on; the sentence says what changed.
    Applied { what: String },
    /// It does not; the sentence says why and what to do instead.
    Refused { why: String },
}
