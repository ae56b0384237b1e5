//! What the answers of a run come to: digests of groups of them, a summary of the digests, and
//! drivers and themes, counted.
//!
//! ```text
//! 50 answers -> Digest -.
//! 50 answers -> Digest --+-> Analysis: main themes, conflicts, surprises; drivers and themes by
//! 50 answers -> Digest -'              support level
//! ```
//!
//! A run of very many answers has digests of digests between them. Each of these is a piece, and
//! has a number: the summary is 0, digests count from 1.

use super::{PersonaIndex, Score, Topic};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the answers of a run are summarized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryMode {
    /// By calls to a model: one for each group of answers, and one for all.
    Model,
    /// By words alone, without a call.
    Words,
    /// Not at all.
    #[default]
    Off,
}

impl SummaryMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Model, Self::Words, Self::Off];

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Words => "words",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for SummaryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is made of the answers after the interviews. Runs from before there were summaries have
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summarizing {
    pub mode: SummaryMode,
    /// The themes that are counted.
    #[serde(default)]
    pub themes: Vec<Topic>,
}

/// One thing that several answers say, with what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub text: String,
    /// Numbers of digests; empty where the finding is of one group itself.
    #[serde(default)]
    pub groups: Vec<u32>,
    #[serde(default)]
    pub personas: Vec<PersonaIndex>,
}

impl Finding {
    /// What it rests on: "groups 1, 2 and 7 more; personas 3, 17".
    pub fn cites(&self) -> String {
        let list = |one: &str, numbers: &mut dyn ExactSizeIterator<Item = String>| {
            let many = numbers.len();
            let shown: Vec<_> = numbers.take(MOST_CITES).collect();
            let what = if many == 1 { one.to_owned() } else { format!("{one}s") };
            let more = match many - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            (many > 0).then(|| format!("{what} {}{more}", shown.join(", ")))
        };
        let groups = list("group", &mut self.groups.iter().map(u32::to_string));
        let personas = list("persona", &mut self.personas.iter().map(ToString::to_string));
        groups.into_iter().chain(personas).collect::<Vec<_>>().join("; ")
    }
}

/// So many numbers are shown of what a finding rests on.
const MOST_CITES: usize = 8;

/// What a group of answers comes to, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub themes: Vec<Finding>,
    pub conflicts: Vec<Finding>,
    pub surprises: Vec<Finding>,
}

impl Findings {
    /// Each sort with its heading, in the order in which they are shown.
    pub fn sorts(&self) -> [(&'static str, &[Finding]); 3] {
        [
            ("Main themes", &self.themes),
            ("Conflicts", &self.conflicts),
            ("Surprises", &self.surprises),
        ]
    }
}

/// What one answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insight {
    pub persona: PersonaIndex,
    /// The answer's support level, by which drivers and themes are counted.
    pub support: Score,
    /// 1 to 3 short plain phrases.
    pub drivers: Vec<String>,
    /// Names of the survey's themes.
    pub themes: Vec<String>,
}

/// Who made a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum MadeBy {
    Model,
    /// Words alone: because it was asked for, or because the model gave nothing.
    Words {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// What a digest is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// A group of answers.
    Answers(Vec<PersonaIndex>),
    /// Other digests, where there are too many for one summary.
    Digests(Vec<u32>),
}

/// One digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    pub number: u32,
    pub covers: Covers,
    pub findings: Findings,
    pub by: MadeBy,
    /// One for each answer that it covers.
    pub insights: Vec<Insight>,
}

/// How many answers share a driver or a theme.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub name: String,
    /// How many answers of each support level, 1 to 5.
    pub by_support: [u32; 5],
    /// What these personas weigh together.
    pub weight: f64,
}

impl Tally {
    /// How many answers in all.
    pub fn count(&self) -> u32 {
        self.by_support.iter().sum()
    }
}

/// What all answers of a run come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    pub findings: Findings,
    pub by: MadeBy,
    /// The digests that it summarizes, or one by one those that it was made of.
    pub covers: Vec<u32>,
    /// How many groups of answers there are.
    pub groups: u32,
    /// The groups that words alone digested because the model gave nothing.
    #[serde(default)]
    pub fell_back: Vec<u32>,
    /// How many answers there are.
    pub answers: u32,
    /// What their personas weigh together, each 1 where it has no weight.
    pub weight: f64,
    /// Those that weigh most come first.
    pub drivers: Vec<Tally>,
    pub themes: Vec<Tally>,
}

impl Analysis {
    /// One sentence on how it was made.
    pub fn origin(&self) -> String {
        let groups = match self.groups {
            1 => "1 group".to_owned(),
            many => format!("{many} groups"),
        };
        let mut words = format!("{} answers in {groups}, summarized by ", self.answers);
        match &self.by {
            MadeBy::Model => words.push_str("the model"),
            MadeBy::Words { why: None } => words.push_str("words alone"),
            MadeBy::Words { why: Some(why) } => {
                words.push_str(&format!("words alone, since the model gave nothing ({why})"));
            }
        }
        if is_weighted(self.answers, self.weight) {
            words.push_str("; shares are weighted");
        }
        match self.fell_back.as_slice() {
            [] => {}
            [one] => words.push_str(&format!("; group {one} by words, the model gave nothing")),
            some => words.push_str(&format!(
                "; {} groups by words, the model gave nothing for them",
                some.len()
            )),
        }
        words
    }
}

/// Whether shares of so many answers, whose personas weigh so much together, are weighted.
pub fn is_weighted(answers: u32, weight: f64) -> bool {
    (weight - f64::from(answers)).abs() > 1e-9
}

/// How far the analysis is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisMeter {
    /// Pieces on disk, of those that are known to be needed.
    pub done: u32,
    pub total: u32,
}

/// The numbers above every persona's: what is about the run as a whole has one of these where a
/// persona stands otherwise.
const PIECES: u32 = 1 << 24;

impl PersonaIndex {
    /// What stands for a piece of the analysis where calls and attempts name a persona.
    pub const fn of_piece(number: u32) -> Self {
        Self(u32::MAX - if number < PIECES { number } else { PIECES - 1 })
    }

    /// The number of the piece that it stands for; `None` for a persona.
    pub const fn piece(self) -> Option<u32> {
        let number = u32::MAX - self.0;
        if number < PIECES { Some(number) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_finding_rests_on_is_shown_in_part_where_it_is_much() {
        let finding = |groups: std::ops::Range<u32>, personas: &[u32]| Finding {
            text: String::new(),
            groups: groups.collect(),
            personas: personas.iter().copied().map(PersonaIndex).collect(),
        };
        assert_eq!(finding(1..3, &[7]).cites(), "groups 1, 2; persona 7");
        assert_eq!(finding(1..2, &[]).cites(), "group 1");
        let many = finding(1..90, &[]).cites();
        assert_eq!(many, "groups 1, 2, 3, 4, 5, 6, 7, 8 and 81 more");
    }

    #[test]
    fn a_piece_is_no_persona() {
        for number in [0, 1, 20_000] {
            assert_eq!(PersonaIndex::of_piece(number).piece(), Some(number));
        }
        assert_eq!(PersonaIndex(0).piece(), None);
        assert_eq!(PersonaIndex(100_000_000).piece(), None);
        assert_eq!(PersonaIndex::of_piece(0).to_string(), "summary");
        assert_eq!(PersonaIndex::of_piece(3).to_string(), "digest-3");
        assert_eq!(PersonaIndex(3).to_string(), "3");
    }
}
