//! What the question critic says of a survey's question, before anybody is asked.

use super::Dimension;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A critique of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Critique {
    /// What is wrong with it; empty where it is good as it is.
    pub findings: Vec<Flaw>,
    /// The question as the critic would put it.
    pub rewrite: String,
    pub domain: Domain,
    /// What the support level should be called; `None` where the critic has no proposal.
    pub support: Option<String>,
    /// At most [`Critique::MOST_IMPACTS`].
    pub impacts: Vec<Dimension>,
}

impl Critique {
    /// More dimensions than this are not proposed.
    pub const MOST_IMPACTS: usize = 3;
}

/// One thing that is wrong with a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    pub fault: Fault,
    /// The words of the question that it is about.
    pub passage: String,
    pub why: String,
}

/// What can be wrong with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// People may take it to mean different things.
    Ambiguous,
    /// Words that not everybody knows.
    Jargon,
    /// Two questions in one.
    DoubleBarrelled,
    /// It suggests its answer.
    Leading,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 4] =
        [Self::Ambiguous, Self::Jargon, Self::DoubleBarrelled, Self::Leading];

    /// The name as it goes over the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Jargon => "jargon",
            Self::DoubleBarrelled => "double_barrelled",
            Self::Leading => "leading",
        }
    }

    /// The fault in words, for screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Jargon => "jargon",
            Self::DoubleBarrelled => "two questions in one",
            Self::Leading => "leading",
        }
    }
}

/// The field of a survey, as far as the program knows fields: it decides which topics an answer is
/// expected to speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Domain {
    CivicPolicy,
    ProductDesign,
    EmployeeEngagement,
    MarketingCopy,
    TechnologyAdoption,
    AiAdoption,
    #[default]
    Unknown,
}

impl Domain {
    /// Every domain.
    pub const ALL: [Self; 7] = [
        Self::CivicPolicy,
        Self::ProductDesign,
        Self::EmployeeEngagement,
        Self::MarketingCopy,
        Self::TechnologyAdoption,
        Self::AiAdoption,
        Self::Unknown,
    ];

    /// The name as it stands in survey files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CivicPolicy => "civic-policy",
            Self::ProductDesign => "product-design",
            Self::EmployeeEngagement => "employee-engagement",
            Self::MarketingCopy => "marketing-copy",
            Self::TechnologyAdoption => "technology-adoption",
            Self::AiAdoption => "ai-adoption",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
