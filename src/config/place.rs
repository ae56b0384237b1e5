//! Finding the line of a value again, for what turns out wrong only after the file has been read.

use super::{ConfigError, Origin};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, path::PathBuf};

/// A step on the way to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

/// The way to a key of an endpoint; `""` is the endpoint itself.
pub(super) fn of_endpoint<'a>(index: usize, key: &'a str) -> Vec<Step<'a>> {
    let mut path = vec![Step::Key("endpoints"), Step::Item(index)];
    path.extend(key.split('.').filter(|key| !key.is_empty()).map(Step::Key));
    path
}

/// The file that settings were read from.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    pub file: PathBuf,
    /// `None` for a run file, which has no lines.
    pub text: Option<String>,
}

impl Source {
    pub(super) fn origin(&self) -> Origin {
        Origin::File(self.file.clone())
    }

    /// What is wrong with a value of the top of the file, or of what lies on it.
    pub(super) fn error_of(&self, key: &str, origin: &Origin, problem: String) -> ConfigError {
        match origin {
            Origin::File(_) => self.error(&[Step::Key(key)], problem),
            _ => ConfigError::Value { origin: origin.clone(), problem },
        }
    }

    /// What is wrong with a value of the file.
    pub(super) fn error(&self, path: &[Step<'_>], problem: impl fmt::Display) -> ConfigError {
        let file = self.file.clone();
        let problem = format!("{}: {problem}", Path(path));
        match self.text.as_deref().and_then(|text| find(text, path)) {
            Some((line, column)) => ConfigError::Survey { file, line, column, problem },
            None => ConfigError::Kept { file, problem },
        }
    }
}

/// `endpoints[1].limits`, as the YAML library writes it.
struct Path<'a>(&'a [Step<'a>]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Line and column of a value; of the mapping around it where it is not there.
///
/// The YAML library tells places in errors only, so the text is read again by somebody who is
/// content with no value at the end of the path.
fn find(text: &str, path: &[Step<'_>]) -> Option<(usize, usize)> {
    let seed = Stumble(path);
    let error = seed.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.location().map(|at| (at.line(), at.column()))
}

struct Stumble<'a>(&'a [Step<'a>]);

impl<'de> DeserializeSeed<'de> for Stumble<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Stumble<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<(), A::Error> {
        if let Some((Step::Key(wanted), rest)) = self.0.split_first() {
            while let Some(key) = mapping.next_key::<String>()? {
                if key == *wanted {
                    mapping.next_value_seed(Stumble(rest))?;
                } else {
                    mapping.next_value::<IgnoredAny>()?;
                }
            }
        }
        Err(A::Error::custom("here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let Some((Step::Item(wanted), rest)) = self.0.split_first() {
            for _ in 0..*wanted {
                list.next_element::<IgnoredAny>()?;
            }
            list.next_element_seed(Stumble(rest))?;
        }
        Err(A::Error::custom("here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let text = "question: Q\nendpoints:\n  - name: a\n    limits:\n      slots: 5\n  # spare\n  - { name: b, key: { env: X } }\n";
        let at = |index, key| find(text, &of_endpoint(index, key));
        assert_eq!(find(text, &[Step::Key("question")]), Some((1, 11)));
        assert_eq!(at(0, ""), Some((3, 5)));
        assert_eq!(at(0, "limits.slots"), Some((5, 14)));
        assert_eq!(at(1, "name"), Some((7, 13)));
        assert_eq!(at(1, "key"), Some((7, 21)));
        // What is not there is missing from the mapping around it.
        assert_eq!(at(0, "key"), Some((3, 5)));
        assert_eq!(at(0, "limits.requests_per_minute"), Some((5, 7)));
        assert_eq!(find("", &of_endpoint(0, "")), Some((1, 1)));
    }
}
