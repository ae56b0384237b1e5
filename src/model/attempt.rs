//! One HTTP exchange of a call, as it is kept for ever.

use super::{EndpointIndex, Failure, PersonaIndex, UnixMillis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A step of an interview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The persona answers the survey.
    Answer,
    /// The one call that asks again for what came back malformed, at any stage.
    Repair,
    /// A critic compares the narrative and the numbers with the persona and with each other.
    Consistency,
    /// The persona is asked for topics that its answer leaves out.
    FollowUp,
    /// A critic looks whether the answer speaks to the question.
    Relevance,
    /// The persona answers again, because its answer missed the question.
    Mend,
    /// A critic looks at consistency once more, after changes.
    FinalConsistency,
    /// One critic for consistency and relevance.
    Review,
    /// The critic of the survey's question, before anybody is asked.
    Critique,
    /// The persona is talked with after its answer.
    Chat,
    /// Several personas answer the survey in one call, kept with the first of them.
    Packed,
    /// One critic for the answers of several personas in one call, kept with the first of them.
    PackedReview,
    /// A group of answers is digested.
    Digest,
    /// The digests are summarized.
    Summary,
    /// An answer is put into a vector, to find one that is near it.
    Embedding,
}

impl Stage {
    /// The name as it stands in files and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Repair => "repair",
            Self::Consistency => "consistency",
            Self::FollowUp => "follow_up",
            Self::Relevance => "relevance",
            Self::Mend => "mend",
            Self::FinalConsistency => "final_consistency",
            Self::Review => "review",
            Self::Critique => "critique",
            Self::Chat => "chat",
            Self::Packed => "packed",
            Self::PackedReview => "packed_review",
            Self::Digest => "digest",
            Self::Summary => "summary",
            Self::Embedding => "embedding",
        }
    }

    /// Whether it is a step of an interview, which a batch may take over. The others are calls of
    /// the run as a whole, or of a person who waits for the reply.
    pub const fn is_of_interview(self) -> bool {
        match self {
            Self::Answer
            | Self::Repair
            | Self::Consistency
            | Self::FollowUp
            | Self::Relevance
            | Self::Mend
            | Self::FinalConsistency
            | Self::Review
            | Self::Packed
            | Self::PackedReview
            | Self::Embedding => true,
            Self::Critique | Self::Chat | Self::Digest | Self::Summary => false,
        }
    }

    /// The stage in words, for screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Repair => "repair of the form",
            Self::Consistency => "consistency critic",
            Self::FollowUp => "follow-up",
            Self::Relevance => "relevance critic",
            Self::Mend => "answer to the point",
            Self::FinalConsistency => "final consistency check",
            Self::Review => "critic",
            Self::Critique => "question critic",
            Self::Chat => "chat",
            Self::Packed => "answers of several in one call",
            Self::PackedReview => "critic of several in one call",
            Self::Digest => "digest",
            Self::Summary => "summary",
            Self::Embedding => "embedding of the answer",
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

/// One HTTP exchange: sent, and answered or not; or what took its place.
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
    /// Nothing was sent: the same request had been answered before, and that reply was taken. It
    /// has no status, no usage and no time on the wire.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_cache: bool,
}
