//! Reads an answer back: forgiving about the packaging, strict about the contents.
//!
//! A reply is parsed straight into a draft of the answer, with no tree of values in between; the
//! draft keeps what stood in each field, so that an error can show it.

use super::{
    AnswerError,
    text::{lines, one_line},
};
use crate::model::{Answer, Score, Survey, snake_case, strip_controls};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How many `{` of a reply are tried as the start of the answer. A reply has one; a long train of
/// thought in front of it may have a few more.
pub(super) const MOST_STARTS: usize = 64;

/// The answer in a reply. It may be wrapped in a code fence or in other text; scores may be `4`,
/// `4.0` or `"4"`; a list may be a single text.
///
/// # Errors
/// Which field is missing or wrong, and what stands there.
pub fn read_answer(survey: &Survey, text: &str) -> Result<Answer, AnswerError> {
    let mut blame: Option<AnswerError> = None;
    for (start, _) in text.match_indices('{').take(MOST_STARTS) {
        match read_object(survey, &text[start..]) {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                // What is wrong with the contents says more than that some other `{`, perhaps of
                // the grid in an answer that was cut off, is no answer.
                let says_more = match &blame {
                    None => true,
                    Some(AnswerError::Syntax(_) | AnswerError::Missing { .. }) => {
                        matches!(error, AnswerError::Wrong { .. } | AnswerError::EmptyNarrative)
                    }
                    Some(_) => false,
                };
                if says_more {
                    blame = Some(error);
                }
            }
        }
    }
    Err(blame.unwrap_or_else(|| {
        let begin: String = strip_controls(text.trim()).chars().take(60).collect();
        AnswerError::NoObject(begin)
    }))
}

/// One object at the start of `text`; what follows it does not matter.
fn read_object(survey: &Survey, text: &str) -> Result<Answer, AnswerError> {
    let mut draft = Draft { impacts: vec![None; survey.grid.impacts.len()], ..Draft::default() };
    let mut json = serde_json::Deserializer::from_str(text);
    Fields { draft: &mut draft, survey, inside: false }
        .deserialize(&mut json)
        .map_err(|error| AnswerError::Syntax(error.to_string()))?;
    draft.check(survey)
}

/// What stood in the fields of a reply.
#[derive(Default)]
struct Draft {
    narrative: Option<Found>,
    support_level: Option<Found>,
    /// In the order of the survey's dimensions.
    impacts: Vec<Option<Found>>,
    key_concerns: Option<Found>,
    suggested_improvements: Option<Found>,
}

/// What stood in one field.
#[derive(Clone, Debug)]
enum Found {
    Text(String),
    Number(f64),
    Texts(Vec<String>),
    Other(&'static str),
}

impl Found {
    fn words(&self) -> String {
        match self {
            Self::Text(text) if text.chars().nth(40).is_none() => format!("{text:?}"),
            Self::Text(_) => "a long text".to_owned(),
            Self::Number(number) if number.abs() >= 1e9 => format!("{number:e}"),
            Self::Number(number) => number.to_string(),
            Self::Texts(_) => "a list".to_owned(),
            Self::Other(what) => (*what).to_owned(),
        }
    }

    fn wrong(&self, field: &str, expected: &'static str) -> AnswerError {
        AnswerError::Wrong { field: field.to_owned(), expected, found: self.words() }
    }

    fn score(&self, field: &str) -> Result<Score, AnswerError> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| number.fract() == 0.0 && (1.0..=5.0).contains(number))
            .and_then(|number| Score::try_from(number as u8).ok())
            .ok_or_else(|| self.wrong(field, "a whole number from 1 to 5"))
    }

    fn texts(self, field: &str) -> Result<Vec<String>, AnswerError> {
        let items = match self {
            Self::Texts(items) => items,
            Self::Text(text) => vec![text],
            other => return Err(other.wrong(field, "a list of texts")),
        };
        Ok(items.into_iter().map(one_line).filter(|item| !item.is_empty()).collect())
    }
}

impl Draft {
    fn check(self, survey: &Survey) -> Result<Answer, AnswerError> {
        fn there(found: Option<Found>, field: &str) -> Result<Found, AnswerError> {
            found.ok_or_else(|| AnswerError::Missing { field: field.to_owned() })
        }
        let narrative = match there(self.narrative, "narrative")? {
            Found::Text(text) => lines(text),
            other => return Err(other.wrong("narrative", "a text")),
        };
        if narrative.is_empty() {
            return Err(AnswerError::EmptyNarrative);
        }
        let support_level = there(self.support_level, "support_level")?.score("support_level")?;
        let mut impacts = Vec::with_capacity(self.impacts.len());
        for (dimension, found) in survey.grid.impacts.iter().zip(self.impacts) {
            let score = there(found, &dimension.key)?.score(&dimension.key)?;
            impacts.push((dimension.key.clone(), score));
        }
        let (concerns, improvements) = ("key_concerns", "suggested_improvements");
        Ok(Answer {
            narrative,
            support_level,
            impacts,
            key_concerns: there(self.key_concerns, concerns)?.texts(concerns)?,
            suggested_improvements: there(self.suggested_improvements, improvements)?
                .texts(improvements)?,
        })
    }
}

/// A field of the answer.
#[derive(Clone, Copy)]
enum Field {
    Narrative,
    /// The object around the grid.
    Grid,
    SupportLevel,
    Impact(usize),
    KeyConcerns,
    SuggestedImprovements,
    Unknown,
}

impl Field {
    fn of(key: &str, survey: &Survey) -> Self {
        let exact = |key: &str| match key {
            "narrative" => Some(Self::Narrative),
            "support_level" => Some(Self::SupportLevel),
            "key_concerns" => Some(Self::KeyConcerns),
            "suggested_improvements" => Some(Self::SuggestedImprovements),
            key => {
                let impact = survey.grid.impacts.iter().position(|dimension| dimension.key == key);
                impact.map(Self::Impact).or_else(|| (key == "survey").then_some(Self::Grid))
            }
        };
        // Models that are not held to the schema write "Support Level" or the label.
        exact(key).or_else(|| exact(&snake_case(key))).unwrap_or(Self::Unknown)
    }
}

/// Reads an object's members into the draft: the answer itself, or its grid.
struct Fields<'d> {
    draft: &'d mut Draft,
    survey: &'d Survey,
    /// Whether this is the grid: "survey" has a meaning only around it.
    inside: bool,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(field) = members.next_key_seed(KeySeed(self.survey))? {
            let draft = &mut *self.draft;
            let found = match field {
                Field::Narrative => &mut draft.narrative,
                Field::SupportLevel => &mut draft.support_level,
                Field::KeyConcerns => &mut draft.key_concerns,
                Field::SuggestedImprovements => &mut draft.suggested_improvements,
                Field::Impact(number) => match draft.impacts.get_mut(number) {
                    Some(impact) => impact,
                    None => continue,
                },
                Field::Grid if !self.inside => {
                    members.next_value_seed(Fields { draft, survey: self.survey, inside: true })?;
                    continue;
                }
                Field::Grid | Field::Unknown => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *found = Some(members.next_value_seed(FoundSeed)?);
        }
        Ok(())
    }
}

struct KeySeed<'s>(&'s Survey);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Field, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Field, E> {
        Ok(Field::of(key, self.0))
    }
}

struct FoundSeed;

impl<'de> DeserializeSeed<'de> for FoundSeed {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Found, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FoundSeed {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Text(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found, E> {
        Ok(Found::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Found, E> {
        Ok(Found::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Found, E> {
        Ok(Found::Number(number))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Found, E> {
        Ok(Found::Other(if truth { "true" } else { "false" }))
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        let mut texts = Vec::with_capacity(4);
        let mut all_plain = true;
        while let Some(item) = items.next_element_seed(FoundSeed)? {
            match item {
                Found::Text(text) => texts.push(text),
                Found::Number(number) => texts.push(number.to_string()),
                Found::Other("null") => {}
                Found::Texts(_) | Found::Other(_) => all_plain = false,
            }
        }
        Ok(if all_plain { Found::Texts(texts) } else { Found::Other("a list of other things") })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Found, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other("an object"))
    }
}
