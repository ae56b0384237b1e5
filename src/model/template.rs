//! The prompts that a survey may bring itself.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A prompt, by its key in the survey file under `prompts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateName {
    /// What all personas are told first: it is shared, so that providers can cache it.
    System,
    /// What differs from persona to persona.
    User,
    /// Asks a persona for topics that its answer leaves out.
    FollowUp,
    /// Asks a persona again whose answer missed the question.
    Mend,
    /// What the consistency critic is told first.
    Consistency,
    /// What the relevance critic is told first.
    Relevance,
    /// What the critic of both is told first.
    Review,
    /// Shows a critic one persona and its answer.
    Judged,
    /// What the question critic is told first.
    Critique,
    /// Shows the question critic a survey's question.
    Critiqued,
    /// What a persona is told first that is talked with after its answer.
    Chat,
    /// One persona, its answer, the talk so far and what was said last.
    Said,
    /// What several personas are told first that answer in one call.
    Packed,
    /// Those personas.
    People,
    /// What the critic of both is told first that judges several answers in one call.
    PackedReview,
    /// Shows it the personas and their answers.
    PackedJudged,
    /// What the model is told first that digests a group of answers.
    Digest,
    /// Shows it the answers.
    DigestAnswers,
    /// What the model is told first that summarizes the digests.
    Summary,
    /// Shows it the digests.
    SummaryDigests,
}

impl TemplateName {
    /// Every template, in the order in which settings list them.
    pub const ALL: [Self; 20] = [
        Self::System,
        Self::User,
        Self::FollowUp,
        Self::Mend,
        Self::Consistency,
        Self::Relevance,
        Self::Review,
        Self::Judged,
        Self::Critique,
        Self::Critiqued,
        Self::Chat,
        Self::Said,
        Self::Packed,
        Self::People,
        Self::PackedReview,
        Self::PackedJudged,
        Self::Digest,
        Self::DigestAnswers,
        Self::Summary,
        Self::SummaryDigests,
    ];

    /// The name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::FollowUp => "follow_up",
            Self::Mend => "mend",
            Self::Consistency => "consistency",
            Self::Relevance => "relevance",
            Self::Review => "review",
            Self::Judged => "judged",
            Self::Critique => "critique",
            Self::Critiqued => "critiqued",
            Self::Chat => "chat",
            Self::Said => "said",
            Self::Packed => "packed",
            Self::People => "people",
            Self::PackedReview => "packed_review",
            Self::PackedJudged => "packed_judged",
            Self::Digest => "digest",
            Self::DigestAnswers => "digest_answers",
            Self::Summary => "summary",
            Self::SummaryDigests => "summary_digests",
        }
    }

    /// The place in a survey file, for messages.
    pub const fn key(self) -> &'static str {
        match self {
            Self::System => "prompts.system",
            Self::User => "prompts.user",
            Self::FollowUp => "prompts.follow_up",
            Self::Mend => "prompts.mend",
            Self::Consistency => "prompts.consistency",
            Self::Relevance => "prompts.relevance",
            Self::Review => "prompts.review",
            Self::Judged => "prompts.judged",
            Self::Critique => "prompts.critique",
            Self::Critiqued => "prompts.critiqued",
            Self::Chat => "prompts.chat",
            Self::Said => "prompts.said",
            Self::Packed => "prompts.packed",
            Self::People => "prompts.people",
            Self::PackedReview => "prompts.packed_review",
            Self::PackedJudged => "prompts.packed_judged",
            Self::Digest => "prompts.digest",
            Self::DigestAnswers => "prompts.digest_answers",
            Self::Summary => "prompts.summary",
            Self::SummaryDigests => "prompts.summary_digests",
        }
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// A survey's own prompt templates (minijinja); a name that is not here keeps the built-in one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTemplates(pub BTreeMap<TemplateName, String>);

impl PromptTemplates {
    /// The survey's own text for a prompt.
    pub fn get(&self, name: TemplateName) -> Option<&str> {
        self.0.get(&name).map(String::as_str)
    }

    /// Whether the survey keeps every built-in prompt.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
