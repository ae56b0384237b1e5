//! The name of a line: whose call it is.

use crate::model::{PersonaIndex, Stage};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error},
};
use std::{fmt, str::FromStr};

/// Which call a line is, written as `p17-answer-r0-a1`: 64 characters are enough for it, which is
/// what the strictest of servers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CustomId {
    pub persona: PersonaIndex,
    pub stage: Stage,
    /// Of a stage that may come more than once in an interview, from 0.
    pub round: u16,
    /// From 1. A line that is sent again has a name of its own, so that no late answer to the
    /// first can be taken for one to the second.
    pub attempt: u32,
}

impl CustomId {
    /// The name under which it is sent again; `None` after so many attempts.
    pub fn again(self, most_attempts: u32) -> Option<Self> {
        (self.attempt < most_attempts).then(|| Self { attempt: self.attempt + 1, ..self })
    }
}

impl fmt::Display for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { persona: PersonaIndex(persona), stage, round, attempt } = self;
        write!(f, "p{persona}-{}-r{round}-a{attempt}", stage.as_str())
    }
}

/// A name that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of a line")]
pub struct NoCustomId;

impl FromStr for CustomId {
    type Err = NoCustomId;

    fn from_str(text: &str) -> Result<Self, NoCustomId> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(NoCustomId);
        let (persona, stage, round, attempt) = (part()?, part()?, part()?, part()?);
        if parts.next().is_some() {
            return Err(NoCustomId);
        }
        let stage = IntoDeserializer::<Error>::into_deserializer(stage);
        let id = Self {
            persona: PersonaIndex(number(persona, 'p')?),
            stage: Stage::deserialize(stage).map_err(|_| NoCustomId)?,
            round: number(round, 'r')?,
            attempt: number(attempt, 'a')?,
        };
        // One call has one name: no leading zeros, no signs.
        if id.to_string() == text { Ok(id) } else { Err(NoCustomId) }
    }
}

fn number<T: FromStr>(text: &str, mark: char) -> Result<T, NoCustomId> {
    text.strip_prefix(mark).and_then(|digits| digits.parse().ok()).ok_or(NoCustomId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_no_other_does() {
        for stage in [Stage::Answer, Stage::Repair] {
            let persona = PersonaIndex(u32::MAX);
            let id = CustomId { persona, stage, round: u16::MAX, attempt: u32::MAX };
            assert_eq!(id.to_string().parse(), Ok(id));
            assert!(id.to_string().len() <= 64);
        }
        let id: CustomId = "p17-answer-r0-a1".parse().unwrap();
        assert_eq!(id.again(2).unwrap().to_string(), "p17-answer-r0-a2");
        assert_eq!(id.again(1), None);
        for bad in [
            "",
            "p17",
            "p17-answer-r0",
            "p17-answer-r0-a1-x",
            "p017-answer-r0-a1",
            "p+17-answer-r0-a1",
            "p17-Answer-r0-a1",
            "p17-nothing-r0-a1",
            "q17-answer-r0-a1",
            "p17-answer-r0-a99999999999",
            "p17-answer-r99999-a1",
        ] {
            assert_eq!(bad.parse::<CustomId>(), Err(NoCustomId), "{bad}");
        }
    }
}
