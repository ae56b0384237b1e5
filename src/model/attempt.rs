//! One HTTP exchange of a call, as it is kept for ever.

use super::{EndpointIndex, Failure, PersonaIndex, UnixMillis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A step of an interview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Answer,
    /// The one call that asks again for what came back malformed.
    Repair,
}

impl Stage {
    /// The name as it stands in files and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Repair => "repair",
        }
    }
}

/// Where the time of an attempt went. The parts follow each other and overlap nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptTiming {
    /// From wanting the permit to being the next in line.
    pub queued: Duration,
    /// At the head of the line, with every slot taken.
    pub waited_for_slot: Duration,
    /// At the head of the line with a free slot, held back by requests/min or tokens/min.
    pub waited_for_rate: Duration,
    /// From the send to the last byte of the reply.
    pub on_the_wire: Duration,
    /// From the last byte to a checked answer.
    pub parsed: Duration,
}

/// Tokens as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// The part of the prompt that came from the provider's cache.
    pub cached_tokens: u64,
}

/// One HTTP exchange: sent, and answered or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub persona: PersonaIndex,
    pub stage: Stage,
    /// From 1, over all runs of this interview: a retry next week goes on counting.
    pub number: u32,
    pub endpoint: EndpointIndex,
    /// When the request was sent.
    pub sent_at: UnixMillis,
    pub timing: AttemptTiming,
    /// The HTTP status; `None` where no reply came.
    pub status: Option<u16>,
    /// The provider's `x-request-id`.
    pub request_id: Option<String>,
    pub usage: Option<Usage>,
    /// `None` where the attempt gave the answer.
    pub failure: Option<Failure>,
    /// The raw body, kept where the attempt failed.
    pub body: Option<String>,
}
