//! A talk with one persona after its answer, as it is kept for ever.

use super::{UnixMillis, Usage};
use serde::{Deserialize, Serialize};

/// One thing said in a talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub at: UnixMillis,
    pub by: TurnBy,
    /// What was said; of a notice, why nothing was.
    pub text: String,
    /// What the call took that this answers; `None` of what people say, and where nobody counted.
    pub usage: Option<Usage>,
}

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnBy {
    /// The person who asks.
    Asker,
    Persona,
    /// The program: the persona gave no answer, and this is why.
    Notice,
}

impl TurnBy {
    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asker => "asker",
            Self::Persona => "persona",
            Self::Notice => "notice",
        }
    }
}
