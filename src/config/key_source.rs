//! Where a key comes from: the words of a survey for it. The key itself is never among them.

use super::{
    key,
    scalar::{Checked, Paragraphs, Scalar, deserialize_checked},
};
use crate::model::strip_controls;
use serde::{
    Deserialize, Serialize,
    de::{Error, MapAccess, value::MapAccessDeserializer},
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where the key of an endpoint, or the secret of a header, comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// `OPENAI_API_KEY`, where it is set.
    #[default]
    Usual,
    /// A variable of the environment or of a `.env`, which must be set.
    Env(String),
    /// The text of a file.
    File(PathBuf),
    /// What a shell command prints.
    Command(String),
    /// There is no key.
    None,
}

impl KeySource {
    /// The same with a file that is found from any folder.
    pub(super) fn in_folder(self, folder: &Path) -> Self {
        match self {
            Self::File(file) if !file.starts_with("~") => {
                let file = folder.join(file);
                Self::File(std::path::absolute(&file).unwrap_or(file))
            }
            other => other,
        }
    }
}

/// Names the place, never the secret: some commands and files have a telling name only.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => f.write_str("OPENAI_API_KEY"),
            Self::Env(variable) => f.write_str(variable),
            Self::File(file) => write!(f, "the file {}", file.display()),
            Self::Command(command) => write!(f, "the command `{}`", strip_controls(command)),
            Self::None => f.write_str("nowhere"),
        }
    }
}

/// `{env: NAME}`, `{file: PATH}` or `{command: "..."}`.
#[derive(Debug)]
pub(super) struct KeyPlace(pub KeySource);

/// What a key in plain text is told. It must not repeat the key.
const PLAIN: &str = "must say where the key is, never the key itself in plain text: write { env: \
                     OPENAI_API_KEY }, { file: PATH } or { command: \"pass show openai\" }";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    env: Option<VariableName>,
    file: Option<Place>,
    command: Option<Place>,
}

impl Places {
    fn source(self) -> Result<KeySource, &'static str> {
        match (self.env, self.file, self.command) {
            (Some(variable), None, None) => Ok(KeySource::Env(variable.0)),
            (None, Some(file), None) => Ok(KeySource::File(file.0.into())),
            (None, None, Some(command)) => Ok(KeySource::Command(command.0)),
            (None, None, None) => Err(PLAIN),
            _ => Err("names more than one place; keep one of env, file and command"),
        }
    }
}

deserialize_checked!([] KeyPlace, [] VariableName, [] Place);

impl Checked for KeyPlace {
    fn check(_key: Scalar<'_>) -> Result<Self, String> {
        Err(PLAIN.into())
    }

    fn check_mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Self, A::Error> {
        let places = Places::deserialize(MapAccessDeserializer::new(mapping))?;
        places.source().map(Self).map_err(A::Error::custom)
    }
}

/// The name of a variable. What could be a key is not repeated.
struct VariableName(String);

impl Checked for VariableName {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let name = match value {
            Scalar::Text(text) => text.trim().trim_start_matches('$'),
            _ => "",
        };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || name.starts_with(|c: char| c.is_ascii_digit())
            || !name.chars().all(word)
        {
            return Err(
                "must be the name of a variable, such as OPENAI_API_KEY: letters, digits and _"
                    .into(),
            );
        }
        Ok(Self(name.to_owned()))
    }
}

/// A path or a command that does not hold the key itself.
struct Place(String);

impl Checked for Place {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let Paragraphs(text) = Paragraphs::check(value)?;
        if key::is_likely_in(&text) { Err(PLAIN.into()) } else { Ok(Self(text)) }
    }
}
