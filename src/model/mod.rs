//! Pure data: the words of voxpop as types. Nothing here does I/O, reads a clock on its own
//! account or knows another folder of the crate.
//!
//! A [`Survey`] is put to many [`Persona`]s. Each of them has one interview, whose place is its
//! [`InterviewStatus`] and whose end is its [`Fate`]: an [`Answer`], a refusal or a [`Failure`].
//! On the way it makes calls, and every HTTP exchange of a call is kept as an [`Attempt`]; what
//! critics make of the answer, and what follows from it, is kept as [`Step`]s. What all answers
//! come to is the [`Analysis`].

mod analysis;
mod answer;
mod attempt;
mod batch;
mod cache;
mod critique;
mod endpoint;
mod failure;
mod ids;
mod interview;
mod limits;
mod log;
mod money;
mod persona;
mod quota;
mod review;
mod run;
mod service;
mod speed;
mod step;
mod survey;
mod talk;
mod template;
mod text;
mod time;

pub use analysis::{
    Analysis, AnalysisMeter, Covers, Digest, Finding, Findings, Insight, MadeBy, Summarizing,
    SummaryMode, Tally, is_weighted,
};
pub use answer::{Answer, Score, ScoreOutOfRange};
pub use attempt::{Attempt, AttemptTiming, Stage, Usage};
pub use batch::{BatchCounts, BatchId, BatchKey, BatchProblem, BatchSaid, BatchState, FileId};
pub use cache::{CacheLimits, CacheSettings};
pub use critique::{Critique, Domain, Fault, Flaw};
pub use endpoint::{AuthHeader, EndpointKind, OutputCapField};
pub use failure::{Failure, FailureKind, Treatment};
pub use ids::{EndpointIndex, PersonaIndex};
pub use interview::{Fate, InterviewStatus, StatusCounts};
pub use limits::{
    Guessed, LimitChange, LimitError, LimitName, LimitSetBy, Limits, PerMinute, Slots, Tokens,
};
pub use log::{LogLevel, LogLine, LogRing};
pub use money::{NotAnAmount, Price, Usd};
pub use persona::{Attribute, Persona};
pub use quota::{QuotaSaid, SharedQuota, WindowSaid};
pub use review::{Corrections, Judge, Review, ReviewMode, Topic, Verdict};
pub use run::{PauseReason, RunPhase, RunSummary, StopReason};
pub use service::Service;
pub use speed::{NotASpeed, Speed};
pub use step::{Step, StepEvent};
pub use survey::{Dimension, Grid, Survey, snake_case};
pub use talk::{Turn, TurnBy};
pub use template::{PromptTemplates, TemplateName};
pub use text::{strip_controls, strip_controls_keep_lines};
pub use time::UnixMillis;
