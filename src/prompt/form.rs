//! The forms of a request: what all calls of one kind share, before the persona.

use super::{
    digest::{digest_schema, summary_schema},
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
    /// Digests a group of answers.
    Digest,
    /// Summarizes digests.
    Summary,
}

impl Form {
    /// How many forms there are.
    pub const COUNT: usize = 6;

    /// Every form, in the order of [`Self::ordinal`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::Answer,
        Self::Consistency,
        Self::Relevance,
        Self::Review,
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
            Self::Digest => TemplateName::Digest,
            Self::Summary => TemplateName::Summary,
        }
    }

    /// What stands in `response_format.json_schema`.
    pub fn schema(self, survey: &Survey) -> Value {
        match self {
            Self::Answer => answer_schema(survey),
            Self::Consistency | Self::Relevance | Self::Review => verdict_schema(survey, self),
            Self::Digest => digest_schema(survey),
            Self::Summary => summary_schema(),
        }
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
