//! One step of an interview that has several: the timeline of a persona, kept for ever.

use super::{Answer, Judge, Stage, UnixMillis, Verdict};
use serde::{Deserialize, Serialize};

/// Something that happened in an interview, in its order. An interview that was broken off goes on
/// from its steps, so they hold all that the next stage needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: UnixMillis,
    pub stage: Stage,
    pub event: StepEvent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEvent {
    /// The persona answered: first, to a follow-up, or again because its answer missed the
    /// question. The whole answer as it stands now.
    Answered { answer: Answer },
    /// The answer said nothing of these topics, and the persona is asked for them.
    TopicsMissed { topics: Vec<String> },
    /// A critic judged the answer.
    Judged { verdict: Verdict, by: Judge },
    /// The critic's corrections were merged; the fields that changed, and the answer since.
    Corrected { fields: Vec<String>, answer: Answer },
    /// The stage gave nothing that could be used, and the interview went on without it.
    GaveNothing { why: String },
}
