//! A talk with one persona about its answer, as a front end sees it.

use crate::model::{PersonaIndex, Turn, UnixMillis};
use serde::{Deserialize, Serialize};

/// So many characters may be said at once.
pub const LONGEST_SAID: usize = 4_000;

/// The whole talk as it stands: the answer to [`super::Order::OpenTalk`], and sent again whenever
/// something is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    pub persona: PersonaIndex,
    /// The persona's own id.
    pub id: String,
    /// Oldest first, those of earlier days included.
    pub turns: Vec<Turn>,
    /// Since when the persona is being asked.
    pub thinking_since: Option<UnixMillis>,
    /// Why there can be no talk with it.
    pub closed: Option<String>,
}
