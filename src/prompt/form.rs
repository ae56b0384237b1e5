//! The forms of a request: what all calls of one kind share, before the persona.

use super::{
    critique::critique_schema,
    digest::{digest_schema, summary_schema},
    packed::{packed_review_schema, packed_schema},
    schema::{answer_schema, verdict_schema},
};
use crate::model::{Survey, TemplateName};
use serde_json::Value;

/// What a call tells the model first, and the shape in which it wants the reply. Calls of one form
/// share a prefix that providers can cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// In the role of a persona.
    Answer,
    /// As the critic of contradictions.
    Consistency,
    /// As the critic of relevance.
    Relevance,
    /// As the critic of both.
    Review,
    /// As the critic of the survey's question.
    Critique,
    /// In the role of a persona that is talked with after its answer.
    Chat,
    /// In the roles of several personas, one after the other.
    Packed,
    /// As the critic of both, of several answers.
    PackedReview,
    /// Digests a group of answers.
    Digest,
    /// Summarizes digests.
    Summary,
}

impl Form {
    /// How many forms there are.
    pub const COUNT: usize = 10;

    /// Every form, in the order of [`Self::ordinal`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::Answer,
        Self::Consistency,
        Self::Relevance,
        Self::Review,
        Self::Critique,
        Self::Chat,
        Self::Packed,
        Self::PackedReview,
        Self::Digest,
        Self::Summary,
    ];

    /// Its place in [`Self::ALL`].
    pub const fn ordinal(self) -> usize {
        self as usize
    }

    /// The template of what is told first.
    pub const fn system(self) -> TemplateName {
        match self {
            Self::Answer => TemplateName::System,
            Self::Consistency => TemplateName::Consistency,
            Self::Relevance => TemplateName::Relevance,
            Self::Review => TemplateName::Review,
            Self::Critique => TemplateName::Critique,
            Self::Chat => TemplateName::Chat,
            Self::Packed => TemplateName::Packed,
            Self::PackedReview => TemplateName::PackedReview,
            Self::Digest => TemplateName::Digest,
            Self::Summary => TemplateName::Summary,
        }
    }

    /// What stands in `response_format.json_schema`; `None` where plain text is wanted.
    pub fn schema(self, survey: &Survey) -> Option<Value> {
        match self {
            Self::Answer => Some(answer_schema(survey)),
            Self::Consistency | Self::Relevance | Self::Review => {
                Some(verdict_schema(survey, self))
            }
            Self::Critique => Some(critique_schema()),
            Self::Chat => None,
            Self::Packed => Some(packed_schema(survey)),
            Self::PackedReview => Some(packed_review_schema(survey)),
            Self::Digest => Some(digest_schema(survey)),
            Self::Summary => Some(summary_schema()),
        }
    }

    /// Whether the reply is wanted in plain text.
    pub const fn is_plain_text(self) -> bool {
        matches!(self, Self::Chat)
    }

    /// Whether a critic of this form says if the question was answered.
    pub(super) const fn judges_relevance(self) -> bool {
        matches!(self, Self::Relevance | Self::Review)
    }

    /// Whether a critic of this form corrects fields.
    pub(super) const fn corrects(self) -> bool {
        matches!(self, Self::Consistency | Self::Review)
    }
}
