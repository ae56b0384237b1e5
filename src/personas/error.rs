//! What can be wrong with a file of personas.

use super::Place;
use crate::config::FileError;
use std::{error::Error, fmt, path::PathBuf};

/// Why a file of personas cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PersonaError {
    /// Missing, unreadable, a folder, or not UTF-8.
    #[error(transparent)]
    File(#[from] FileError),
    /// A pipe or a device: the file has to be read again where two ids look alike.
    #[error("{path}: is not a regular file; save the personas to a file first", path = .0.display())]
    NotRegular(PathBuf),
    /// A format that other programs have to turn into a readable one.
    #[error(
        "{path}: is {what}; save it as CSV or JSON lines, which voxpop reads", path = path.display()
    )]
    Foreign { path: PathBuf, what: &'static str },
    /// Nobody to ask.
    #[error(
        "no personas in {path}; it needs a record for each persona (CSV: a line below the header)",
        path = .0.display()
    )]
    NoPersonas(PathBuf),
    /// A row with more or fewer fields than the header.
    #[error(
        "{path}{place}: this row has {found} fields and the header has {expected}; {remedy}",
        path = path.display()
    )]
    Ragged { path: PathBuf, place: Place, expected: usize, found: usize, remedy: &'static str },
    /// The rest of the file became one field.
    #[error(
        "{path}{place}: a quote is opened here and never closed; close it, or take it out",
        path = path.display()
    )]
    OpenQuote { path: PathBuf, place: Place },
    /// Two columns of one name.
    #[error(
        "{path}: columns {first} and {second} are both called {name:?}; rename one or take it out",
        path = path.display()
    )]
    DuplicateColumn { path: PathBuf, name: String, first: usize, second: usize },
    /// Not JSON, or not YAML.
    #[error("{path}:{line}:{column}: {problem}", path = path.display())]
    Syntax { path: PathBuf, line: usize, column: usize, problem: String },
    /// JSON or YAML of another shape.
    #[error(
        "{path}: {problem}; write a list with one object for each persona, such as \
         [{{\"id\": \"p1\", \"age\": 34}}]",
        path = path.display()
    )]
    Shape { path: PathBuf, problem: &'static str },
    /// Something wrong with one record.
    #[error("{path}{place}: {problem}", path = path.display())]
    Record { path: PathBuf, place: Place, problem: String },
    /// Two personas of one id.
    #[error(
        "{path}{second}: id {id:?} is already that of {first}; give each persona its own",
        path = path.display(), first = first.words()
    )]
    DuplicateId { path: PathBuf, id: String, first: Place, second: Place },
    /// More than can be counted.
    #[error(
        "{path}: more than {most} personas; split the file into several runs",
        path = .0.display(), most = u32::MAX
    )]
    TooMany(PathBuf),
}

/// Why reading ended before the end of the file.
#[derive(Debug)]
pub enum ReadError<E> {
    /// The file is at fault.
    Input(PersonaError),
    /// Who takes the personas wanted no more.
    Stopped(E),
}

impl<E, T: Into<PersonaError>> From<T> for ReadError<E> {
    fn from(error: T) -> Self {
        Self::Input(error.into())
    }
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::Stopped(error) => error.fmt(f),
        }
    }
}

impl<E: Error> Error for ReadError<E> {}
