//! Why there is no cache, each with the remedy. None of it ends a run.

use rusqlite::{Error as Sqlite, ErrorCode};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the cache's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file, but of something else: it is left alone.
    #[error(
        "{} is not a cache of voxpop; name another file in VOXPOP_CACHE", path.display()
    )]
    NotACache { path: PathBuf },
    /// Made by a later voxpop.
    #[error(
        "the cache {} was made by a newer voxpop; update voxpop, or name another file in \
         VOXPOP_CACHE", path.display()
    )]
    Newer { path: PathBuf },
    /// It cannot be read as a cache.
    #[error("the cache {} is damaged ({source})", path.display())]
    Damaged { path: PathBuf, source: Sqlite },
    /// Another program holds it.
    #[error("the cache {} is locked by another program; close it there", path.display())]
    Locked { path: PathBuf },
    #[error("the cache {} cannot be used: {source}", path.display())]
    Sqlite { path: PathBuf, source: Sqlite },
    #[error("the cache {} cannot be used: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl CacheError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn sqlite(path: &Path, source: Sqlite) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            _ => Self::Sqlite { path, source },
        }
    }
}
