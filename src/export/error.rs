//! What can go wrong with an export.

use crate::store::StoreError;
use std::{io, path::PathBuf};

/// Why an export was not written in full.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer, such as standard output.
    #[error("cannot write the export: {0}; check where it goes")]
    Write(#[source] io::Error),
    /// The file.
    #[error("cannot write {}: {source}; check the folder and the disk", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        Self::Write(error.into())
    }
}
