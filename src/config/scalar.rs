//! Single values of a YAML file, checked where they stand so that an error has their line.
//!
//! Serde's own words ("invalid type: string, expected f64") help nobody who wrote a survey, so a
//! value arrives as a [`Scalar`] and its type says in plain words what it must be.

use crate::model::{PerMinute, strip_controls, strip_controls_keep_lines};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{fmt, marker::PhantomData, str::FromStr};

/// A value as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Whole(i64),
    Fraction(f64),
    Text(&'a str),
    Nothing,
    List,
    Mapping,
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Whole(value) => value.fmt(f),
            Self::Fraction(value) => value.fmt(f),
            Self::Text(text) => quoted(text).fmt(f),
            Self::Nothing => f.write_str("nothing"),
            Self::List => f.write_str("a list"),
            Self::Mapping => f.write_str("a mapping"),
        }
    }
}

/// A type that one YAML value can be checked into. The error says what it must be.
pub(super) trait Checked: Sized {
    fn check(value: Scalar<'_>) -> Result<Self, String>;

    /// For the few types that a mapping makes sense for.
    fn check_mapping<'de, A: MapAccess<'de>>(mut mapping: A) -> Result<Self, A::Error> {
        while mapping.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Self::check(Scalar::Mapping).map_err(A::Error::custom)
    }
}

/// Deserializes by [`Checked::check`].
pub(super) fn checked<'de, D: Deserializer<'de>, T: Checked>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(CheckedVisitor(PhantomData))
}

struct CheckedVisitor<T>(PhantomData<T>);

impl<'de, T: Checked> Visitor<'de> for CheckedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        T::check(Scalar::Bool(value)).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        T::check(Scalar::Whole(value)).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        self.visit_u128(value.into())
    }

    // Nothing here goes near 2^63; what is beyond is shown as it stands and refused as too large.
    fn visit_u128<E: Error>(self, value: u128) -> Result<T, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<T, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        T::check(Scalar::Fraction(value)).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        T::check(Scalar::Text(value)).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        T::check(Scalar::Nothing).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        T::check(Scalar::List).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mapping: A) -> Result<T, A::Error> {
        T::check_mapping(mapping)
    }
}

macro_rules! deserialize_checked {
    ($([$($generics:tt)*] $name:ty),* $(,)?) => {$(
        impl<'de, $($generics)*> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::config::scalar::checked(from)
            }
        }
    )*};
}
pub(super) use deserialize_checked;

deserialize_checked!(
    [] Line,
    [] Paragraphs,
    [const LEAST: u32, const MOST: u32] Whole<LEAST, MOST>,
    [] Temperature,
    [] Rate,
    [] Switch,
);

/// Text of one line, not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line(pub String);

impl Checked for Line {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Text(text) => {
                let line = strip_controls(text).trim().to_owned();
                if line.is_empty() { Err(blank()) } else { Ok(Self(line)) }
            }
            Scalar::Whole(_) | Scalar::Fraction(_) | Scalar::Bool(_) => {
                Err(format!("must be text; put it in quotes: \"{value}\""))
            }
            other => Err(format!("must be text, not {other}")),
        }
    }
}

/// Text that may have several lines, not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paragraphs(pub String);

impl Checked for Paragraphs {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Text(text) => {
                let text = strip_controls_keep_lines(text).trim().to_owned();
                if text.is_empty() { Err(blank()) } else { Ok(Self(text)) }
            }
            other => Line::check(other).map(|line| Self(line.0)),
        }
    }
}

fn blank() -> String {
    "must not be empty; write a text, or take the key out".to_owned()
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Whole<LEAST, MOST> {
    /// The number, `LEAST` to `MOST`.
    pub(super) const fn get(self) -> u32 {
        self.0
    }
}

impl<const LEAST: u32, const MOST: u32> Checked for Whole<LEAST, MOST> {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let number = match value {
            Scalar::Whole(number) => u32::try_from(number).ok(),
            _ => None,
        };
        match number.filter(|number| (LEAST..=MOST).contains(number)) {
            Some(number) => Ok(Self(number)),
            None => Err(format!("must be a whole number from {LEAST} to {MOST}, not {value}")),
        }
    }
}

/// The sampling temperature, 0 to 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Temperature(pub f64);

impl Checked for Temperature {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let number = match value {
            Scalar::Whole(value) => value as f64,
            Scalar::Fraction(value) => value,
            _ => f64::NAN,
        };
        if (0.0..=2.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("must be a number from 0 to 2, such as 0.7, not {value}"))
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch(pub bool);

impl Checked for Switch {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Bool(value) => Ok(Self(value)),
            other => Err(format!("must be true or false, not {other}")),
        }
    }
}

/// A number a minute, or no limit at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate(pub Option<PerMinute>);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rate) => rate.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

impl Checked for Rate {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let parsed = match value {
            Scalar::Whole(number) => Ok(RateFlag::Number(number)),
            Scalar::Text(text) => text.parse(),
            _ => Err(NotARate(value.to_string())),
        };
        parsed.map_err(|problem| problem.to_string())?.check().map(Self)
    }
}

/// A rate as a flag or a variable gives it: any number, or no limit. Whether the number makes
/// sense is for [`load()`](crate::config::load()) to say, which knows the flag's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateFlag {
    Number(i64),
    Unlimited,
}

/// A text that is neither a number nor "unlimited".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number, such as 500, or unlimited, not {0}")]
pub struct NotARate(String);

impl FromStr for RateFlag {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "unlimited" | "none" => Ok(Self::Unlimited),
            _ => text.parse().map(Self::Number).map_err(|_| NotARate(quoted(text))),
        }
    }
}

impl RateFlag {
    pub(super) fn check(self) -> Result<Option<PerMinute>, String> {
        match self {
            Self::Unlimited => Ok(None),
            Self::Number(value) => PerMinute::try_from(value).map(Some).map_err(|_| {
                format!("must be from 1 to {}, or unlimited, not {value}", PerMinute::MAX)
            }),
        }
    }
}

/// A value from outside, fit for an error message: short, one line, harmless.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let line = strip_controls(text);
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}", format!("{}…", &line[..end])),
        None => format!("{line:?}"),
    }
}

/// The known word that is nearest to a misspelt one, where one is near at all.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace(['-', ' '], "_");
    known
        .iter()
        .map(|&k| (strsim::jaro_winkler(&word, k), k))
        .filter(|&(likeness, _)| likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_no_limit() {
        assert_eq!("500".parse(), Ok(RateFlag::Number(500)));
        assert_eq!(" Unlimited ".parse(), Ok(RateFlag::Unlimited));
        assert_eq!("none".parse(), Ok(RateFlag::Unlimited));
        assert_eq!(
            "fast".parse::<RateFlag>().map_err(|e| e.to_string()),
            Err("must be a whole number, such as 500, or unlimited, not \"fast\"".to_owned())
        );
        assert_eq!(
            RateFlag::Number(0).check(),
            Err("must be from 1 to 1000000000, or unlimited, not 0".to_owned())
        );
    }

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_strange_one_finds_none() {
        let known = ["question", "temperature", "max_output_tokens"];
        assert_eq!(nearest("temprature", &known), Some("temperature"));
        assert_eq!(nearest("Max-Output-Tokens", &known), Some("max_output_tokens"));
        assert_eq!(nearest("zebra", &known), None);
    }

    #[test]
    fn a_value_in_a_message_is_short_and_harmless() {
        assert_eq!(quoted("a\u{1b}[31m"), "\"a[31m\"");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 63);
    }
}
