//! What the engine tells a front end.

use super::{CommandId, CommandOutcome, Conversation, Delta, PersonaDetail, Snapshot};
use serde::{Deserialize, Serialize};

/// One message from the engine, or from the link to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "update")]
pub enum Update {
    Snapshot(Box<Snapshot>),
    Delta(Box<Delta>),
    /// The answer to [`super::Order::Inspect`].
    Detail(Box<PersonaDetail>),
    /// A talk that is open, as it stands now.
    Talk(Box<Conversation>),
    Applied {
        id: CommandId,
        outcome: CommandOutcome,
    },
    /// From the link: the engine is not heard, and is being looked for. A snapshot ends it.
    Reconnecting,
}
