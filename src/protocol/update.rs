//! What the engine tells a front end.

use super::{CommandId, CommandOutcome, Delta, PersonaDetail, Snapshot};
use serde::{Deserialize, Serialize};

/// One message from the engine, or from the link to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "update")]
pub enum Update {
    Snapshot(Box<Snapshot>),
    Delta(Box<Delta>),
    /// The answer to [`super::Order::Inspect`].
    Detail(Box<PersonaDetail>),
    Applied {
        id: CommandId,
        outcome: CommandOutcome,
    },
    /// From the link: the engine is not heard, and is being looked for. A snapshot ends it.
    Reconnecting,
}
