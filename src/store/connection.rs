//! Opening the SQLite file: for the writer, and for readers of files they may not write.

use super::{StoreError, files, lock, schema, spending};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{fmt::Write, path::Path, time::Duration};

/// SQLite's own locks are held for moments only, and the writer tries again anyway.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// A write-ahead log that a long reader made grow is cut back to this on the next checkpoint.
const WAL_LIMIT: u32 = 64 << 20;

/// Opens for writing. The caller holds the lock.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |e| StoreError::sqlite(path, e);
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    set_up_writer(&connection).map_err(sqlite)?;
    connection.execute_batch(spending::TABLE).map_err(sqlite)?;
    Ok(connection)
}

/// The settings of a connection that writes a run.
pub(super) fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", WAL_LIMIT)
}

/// Opens for reading, also a file that may not be written or that lies in a folder that may not,
/// and makes sure that it is a run file of a version that is known here.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    check_from_outside(path)?;
    let at_rest = || !files::has_wal(path) && !lock::is_live(path);
    let write_protected = path.metadata().is_ok_and(|m| m.permissions().readonly());
    let opened = if write_protected && at_rest() {
        open_immutable(path)
    } else {
        match open_shared(path) {
            // SQLite wants to make its shared-memory file beside the run file and cannot.
            Err(e) if is_refused(&e) && at_rest() => open_immutable(path),
            opened => opened,
        }
    };
    let connection = opened.map_err(|e| not_sqlite_or(path, e))?;
    check_from_inside(&connection, path)?;
    Ok(connection)
}

/// A connection that may run beside the writer. It is opened for writing, where that is allowed,
/// so that the last one out can tidy up after a killed writer; no statement can write by it.
fn open_shared(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    // Opening reads nothing; this does.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// A connection that takes no lock and makes no file, for a file that nobody changes.
fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(immutable_uri(path), flags)
}

fn is_refused(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// The path as a URI, every unusual byte escaped.
fn immutable_uri(path: &Path) -> String {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec();
    #[cfg(not(unix))]
    let bytes = {
        let text = path.to_string_lossy().replace('\\', "/");
        if path.has_root() { format!("/{text}") } else { text }.into_bytes()
    };
    let mut uri = "file:".to_owned();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/:._-~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

/// What can be told without opening the file. To open it by other means than SQLite would be a
/// grave mistake: on Unix, closing it again lets go of the locks that SQLite holds on it for this
/// whole process ("How to corrupt an SQLite database file", 2.2).
fn check_from_outside(path: &Path) -> Result<(), StoreError> {
    let metadata = path.metadata().map_err(|e| StoreError::io(path, e))?;
    if metadata.is_dir() {
        return Err(StoreError::NotARun { path: path.to_owned() });
    }
    // Less than SQLite's own header; it would take an empty file for an empty database.
    if metadata.len() < 100 {
        return Err(not_sqlite(path, "it is cut off"));
    }
    Ok(())
}

/// What the file says of itself, the write-ahead log included.
fn check_from_inside(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let number = |pragma| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i32>(0))
            .map_err(|e| not_sqlite_or(path, e))
    };
    if number("application_id")? != schema::APPLICATION_ID {
        return Err(StoreError::NotARun { path: path.to_owned() });
    }
    let found = number("user_version")?;
    if found > schema::VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    // A table that is not there is damage too, found here rather than in the middle of a run.
    connection
        .query_row("SELECT personas FROM run WHERE id = 1", [], |_| Ok(()))
        .map_err(|e| StoreError::sqlite(path, e))
}

fn not_sqlite_or(path: &Path, error: rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        not_sqlite(path, "its beginning is garbled")
    } else {
        StoreError::sqlite(path, error)
    }
}

/// A file that is named like a run file was one; any other never was.
fn not_sqlite(path: &Path, detail: &str) -> StoreError {
    let path = path.to_owned();
    if files::is_run_path(&path) {
        StoreError::Damaged { path, detail: detail.to_owned() }
    } else {
        StoreError::NotARun { path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_survives_as_a_uri() {
        assert_eq!(
            immutable_uri(Path::new("/runs/50% of?#ü.voxpop")),
            "file:/runs/50%25%20of%3F%23%C3%BC.voxpop?immutable=1"
        );
    }
}
