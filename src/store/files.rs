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

/// Whether there is a write-ahead log with something in it.
pub(super) fn has_wal(path: &Path) -> bool {
    beside(path, "-wal").metadata().is_ok_and(|wal| wal.len() > 0)
}

/// Takes away the run file and what SQLite left beside it. Errors are passed over: this tidies up
/// after an error that is already on its way to the user.
pub(super) fn remove_all(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}
