//! What can go wrong with a run file, each with the remedy.

use crate::model::PersonaIndex;
use rusqlite::{Error as Sqlite, ErrorCode};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a run file cannot be used, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such file.
    #[error("there is no run file {}; `voxpop ls` lists the runs", path.display())]
    Missing { path: PathBuf },
    /// A file, but of something else.
    #[error("{} is not a voxpop run file; `voxpop ls` lists the runs", path.display())]
    NotARun { path: PathBuf },
    /// A run file that cannot be read as one.
    #[error(
        "the run file {} is damaged ({detail}); restore a copy of it, or save what is left with \
         `sqlite3 {} .recover`", path.display(), path.display()
    )]
    Damaged { path: PathBuf, detail: String },
    /// Written by a later voxpop.
    #[error(
        "the run file {} was made by a newer voxpop (format {found}, this one knows up to \
         {known}); update voxpop to open it", path.display()
    )]
    Newer { path: PathBuf, found: i32, known: i32 },
    /// Another process has it.
    #[error(
        "the run {} is being run by {}; wait for it or stop it first", path.display(), By(*pid)
    )]
    Locked { path: PathBuf, pid: Option<u32> },
    /// A new run would overwrite an old one.
    #[error(
        "there is already a run file {}; go on with it by `voxpop resume`, or give the new run \
         another name", path.display()
    )]
    Exists { path: PathBuf },
    /// Personas must be added in the order of their indexes.
    #[error("persona {found} was imported where persona {wanted} was due")]
    OutOfOrder { wanted: u32, found: PersonaIndex },
    /// No room.
    #[error("cannot write {}: the disk is full; make room on it", path.display())]
    DiskFull { path: PathBuf },
    /// A read-only file, folder or disk.
    #[error(
        "cannot write {}: the file, its folder or the disk is read-only; make it writable",
        path.display()
    )]
    ReadOnly { path: PathBuf },
    /// Somebody holds SQLite's own lock, such as a `sqlite3` shell in a transaction.
    #[error("another program holds {} locked; close it there", path.display())]
    Busy { path: PathBuf },
    /// The operating system says no.
    #[error("cannot use {}: {source}; check the disk and the permissions", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Anything else that SQLite says.
    #[error("cannot use the run file {}: {source}; check the disk and the permissions", path.display())]
    Sqlite { path: PathBuf, source: Sqlite },
    /// Closed before everything could be written.
    #[error(
        "{answers} finished interviews could not be saved: {why}; `voxpop resume` asks them again"
    )]
    Unsaved { answers: usize, why: Box<StoreError> },
    /// A bug: the writer thread is gone.
    #[error(
        "the thread that writes {} stopped unexpectedly; what was shown as done is saved, \
         `voxpop resume` goes on", path.display()
    )]
    WriterDied { path: PathBuf },
}

struct By(Option<u32>);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

impl StoreError {
    /// Tells SQLite's errors apart by what can be done about them.
    pub(super) fn sqlite(path: &Path, source: Sqlite) -> Self {
        let path = path.to_owned();
        match &source {
            Sqlite::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::DiskFull { path },
                ErrorCode::ReadOnly => Self::ReadOnly { path },
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { path },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Damaged { path, detail: source.to_string() }
                }
                _ => Self::Sqlite { path, source },
            },
            // A row that does not read as what the schema says was not written by voxpop.
            Sqlite::FromSqlConversionFailure(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::InvalidColumnType(..)
            | Sqlite::Utf8Error(..)
            | Sqlite::QueryReturnedNoRows => Self::Damaged { path, detail: source.to_string() },
            _ => Self::Sqlite { path, source },
        }
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::StorageFull => Self::DiskFull { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => Self::Io { path, source },
        }
    }
}
