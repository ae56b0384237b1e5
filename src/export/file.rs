//! An export that is there in full or not at all.

use super::{ExportError, Format, write_records};
use crate::store::RunReader;
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Writes every record to a file: beside it first, then renamed over it, so that an export that
/// fails leaves the old file as it was. What is no plain file, such as `/dev/null` or a pipe, is
/// written to directly.
///
/// # Errors
/// A run file that cannot be read, or a file that cannot be written.
pub fn export_to_file(reader: &RunReader, format: Format, path: &Path) -> Result<(), ExportError> {
    let failed = |source: io::Error| ExportError::File { path: path.to_owned(), source };
    let name_file = |error| match error {
        ExportError::Write(source) => failed(source),
        other => other,
    };
    // A link stays a link to the new content.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if target.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut out = File::options().write(true).open(&target).map_err(failed)?;
        return super::export(reader, format, &mut out).map_err(name_file);
    }
    if target.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if reader.path().canonicalize().is_ok_and(|run| run == target) {
        return Err(failed(io::Error::other("this is the run file itself")));
    }
    let temporary = Temporary(temporary_path(&target));
    let mut out = File::create(&temporary.0).map_err(failed)?;
    write_records(reader, format, &mut out).map_err(name_file)?;
    out.sync_all().map_err(failed)?;
    drop(out);
    fs::rename(&temporary.0, &target).map_err(failed)
}

fn temporary_path(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    target.with_file_name(name)
}

/// A file that goes away again; after the rename there is nothing left to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
