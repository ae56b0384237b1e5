//! Which files belong to a run.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// How a run file's name ends, without the dot.
pub const EXTENSION: &str = "voxpop";

/// Where the run of this name lives.
pub fn run_path(runs: &Path, name: &str) -> PathBuf {
    runs.join(format!("{name}.{EXTENSION}"))
}

/// Whether a file is named like a run file.
pub(super) fn is_run_path(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
}

/// The run's name as its file's name gives it.
pub(super) fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file beside the run file, which SQLite and the lock name by adding to its whole name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Where a run file is made; it gets its name once all of its personas are in it.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    beside(path, ".new")
}

/// Whether there is a write-ahead log with something in it.
pub(super) fn has_wal(path: &Path) -> bool {
    beside(path, "-wal").metadata().is_ok_and(|wal| wal.len() > 0)
}
