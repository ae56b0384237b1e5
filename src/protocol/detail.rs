//! Everything there is to know about one persona.

use crate::model::{Answer, Attempt, Failure, InterviewStatus, Persona, Step, UnixMillis};
use serde::{Deserialize, Serialize};

/// One persona with its prompt, its attempts and its end, for the inspector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonaDetail {
    pub persona: Persona,
    pub status: InterviewStatus,
    /// What it is doing at this moment; `None` where the interview is over or has not begun.
    pub activity: Option<Activity>,
    pub system_prompt: String,
    pub user_prompt: String,
    /// Oldest first. The last raw body is in it, cut where it is very long, and no other.
    pub attempts: Vec<Attempt>,
    /// What critics said and what followed from it, oldest first; empty where there was one call.
    #[serde(default)]
    pub steps: Vec<Step>,
    pub answer: Option<Answer>,
    /// What the critics were not content with.
    #[serde(default)]
    pub flags: Vec<String>,
    /// How many personas answered in one call, this one among them; `None` where it was alone.
    #[serde(default)]
    pub packed: Option<u32>,
    /// Why the interview failed.
    pub failure: Option<Failure>,
    /// What the model said instead of an answer, where it declined.
    pub refusal: Option<String>,
}

/// What an interview in progress is doing, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    pub since: UnixMillis,
    /// While backing off: when the next attempt is due.
    pub until: Option<UnixMillis>,
}
