//! What can be wrong with a survey, a variable or a flag.

use super::{FileError, Origin};
use std::path::PathBuf;

/// Why no configuration came about. Every message names the place, the key and the remedy, and
/// none of them ever holds an API key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The survey or the `.env` cannot be read as text.
    #[error(transparent)]
    File(#[from] FileError),
    /// The survey is not YAML, or a value in it is wrong.
    #[error("{file}:{line}:{column}: {problem}", file = file.display())]
    Survey { file: PathBuf, line: usize, column: usize, problem: String },
    /// What a run file kept does not work any more.
    #[error("{file}: {problem}", file = file.display())]
    Kept { file: PathBuf, problem: String },
    /// A key that no survey has.
    #[error("{file}:{line}:{column}: unknown key {key:?}; {hint}", file = file.display())]
    UnknownKey { file: PathBuf, line: usize, column: usize, key: String, hint: String },
    /// The one key that every survey needs.
    #[error(
        "{file}: the question is missing; add a line such as `question: Should the council ...?`",
        file = .0.display()
    )]
    NoQuestion(PathBuf),
    /// A line of a `.env` that sets one of our variables and cannot be parsed.
    #[error(
        "{file}:{line}: {variable} cannot be read; write {variable}=\"value\" on one line",
        file = file.display()
    )]
    DotEnv { file: PathBuf, line: usize, variable: String },
    /// A variable or a flag with a value that cannot be used.
    #[error("{origin} {problem}")]
    Value { origin: Origin, problem: String },
    /// The usual key cannot be sent. The text names its variable, and never repeats it.
    #[error("{0}")]
    Key(String),
    /// A public endpoint and no key.
    #[error(
        "no API key for {endpoint}: set OPENAI_API_KEY in the environment, or in a file .env in the \
         folder where you start voxpop"
    )]
    NoKey { endpoint: String },
}
