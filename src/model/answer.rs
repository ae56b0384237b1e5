//! What a persona answered.

use serde::{Deserialize, Serialize};

/// A value of the answer grid: 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Score(u8);

/// A number that the grid does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a score must be 1 to 5, not {0}")]
pub struct ScoreOutOfRange(pub u8);

impl Score {
    /// The plain number, 1 to 5.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Score {
    type Error = ScoreOutOfRange;

    fn try_from(value: u8) -> Result<Self, ScoreOutOfRange> {
        if (1..=5).contains(&value) { Ok(Self(value)) } else { Err(ScoreOutOfRange(value)) }
    }
}

impl From<Score> for u8 {
    fn from(score: Score) -> u8 {
        score.0
    }
}

/// A persona's answer: a narrative and the filled-in grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub narrative: String,
    pub support_level: Score,
    /// Each dimension's key with its score, in the survey's order.
    pub impacts: Vec<(String, Score)>,
    pub key_concerns: Vec<String>,
    pub suggested_improvements: Vec<String>,
}

impl Answer {
    /// All that it says in words: the narrative and each entry of the lists.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let lists = self.key_concerns.iter().chain(&self.suggested_improvements);
        std::iter::once(&self.narrative).chain(lists).map(String::as_str)
    }
}
