//! What critics say of an answer, and how an answer is corrected by it.

use super::{Answer, PersonaIndex, Score};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the answers of a survey are reviewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewMode {
    /// The first answer stands.
    Off,
    /// One critic for consistency and relevance; it is asked again only where it wanted changes.
    #[default]
    Fused,
    /// A critic for each, and a last look at consistency where something was changed.
    Separate,
}

impl ReviewMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Off, Self::Fused, Self::Separate];

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fused => "fused",
            Self::Separate => "separate",
        }
    }
}

impl fmt::Display for ReviewMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an interview goes on after its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub mode: ReviewMode,
    /// How often a persona is asked for topics that its answer leaves out, at the most.
    pub follow_ups: u8,
    /// The topics that an answer must speak of, with the words that count as speaking of them.
    #[serde(default)]
    pub topics: Vec<Topic>,
}

/// A topic, and the words by which it is recognized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    pub name: String,
    /// Synonyms beside the name itself; word forms need not be listed.
    #[serde(default)]
    pub words: Vec<String>,
}

/// A critic's judgement of one answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Holds,
    NeedsChanges {
        /// What is wrong, in the critic's words. Never empty.
        issues: Vec<String>,
        /// The answer does not speak to the question: no field can mend that, only the persona.
        off_topic: bool,
        corrections: Corrections,
    },
}

/// Who a verdict comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// A call to a critic.
    Critic,
    /// The verdict on an answer so near to this one that it holds for both.
    Similar { donor: PersonaIndex, similarity: f32 },
}

/// Fields that a critic puts in the place of an answer's own. What is `None` or not listed stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Corrections {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrative: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_level: Option<Score>,
    /// Keys of the survey's dimensions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub impacts: Vec<(String, Score)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_concerns: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_improvements: Option<Vec<String>>,
}

impl Answer {
    /// The answer with the corrected fields in the place of its own.
    #[must_use]
    pub fn corrected(&self, corrections: &Corrections) -> Self {
        let new = corrections.clone();
        let impact = |(key, old): &(String, Score)| {
            let score =
                new.impacts.iter().find(|(other, _)| other == key).map_or(*old, |new| new.1);
            (key.clone(), score)
        };
        Self {
            impacts: self.impacts.iter().map(impact).collect(),
            narrative: new.narrative.unwrap_or_else(|| self.narrative.clone()),
            support_level: new.support_level.unwrap_or(self.support_level),
            key_concerns: new.key_concerns.unwrap_or_else(|| self.key_concerns.clone()),
            suggested_improvements: (new.suggested_improvements)
                .unwrap_or_else(|| self.suggested_improvements.clone()),
        }
    }

    /// The keys of the fields in which another answer differs, in the order of the wire.
    pub fn fields_changed(&self, to: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        let mut note = |key: &str, differs: bool| {
            if differs {
                changed.push(key.to_owned());
            }
        };
        note("narrative", self.narrative != to.narrative);
        note("support_level", self.support_level != to.support_level);
        for ((key, old), (_, new)) in self.impacts.iter().zip(&to.impacts) {
            note(key, old != new);
        }
        note("key_concerns", self.key_concerns != to.key_concerns);
        note("suggested_improvements", self.suggested_improvements != to.suggested_improvements);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(number: u8) -> Score {
        Score::try_from(number).unwrap()
    }

    #[test]
    fn corrections_are_merged_field_by_field() {
        let answer = Answer {
            narrative: "I am against it.".into(),
            support_level: score(5),
            impacts: vec![("housing".into(), score(3)), ("transport".into(), score(3))],
            key_concerns: vec!["rent".into()],
            suggested_improvements: vec![],
        };
        let corrections = Corrections {
            support_level: Some(score(1)),
            impacts: vec![("transport".into(), score(2)), ("no_such_field".into(), score(1))],
            ..Corrections::default()
        };
        let corrected = answer.corrected(&corrections);
        assert_eq!(answer.fields_changed(&corrected), ["support_level", "transport"]);
        assert_eq!(
            corrected.impacts,
            [("housing".into(), score(3)), ("transport".into(), score(2))]
        );
        assert_eq!(answer.corrected(&Corrections::default()), answer);
    }
}
