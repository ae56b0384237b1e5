//! The tables of a run file, and telling at a glance whether a file is one.

use super::{StoreError, files};
use std::{fs::File, io::Read, path::Path};

/// "VxPo": what marks a SQLite file as a run file.
pub(super) const APPLICATION_ID: i32 = 0x5678_506f;

/// The version of the tables, kept as `user_version`. Zero is a file whose personas are not all
/// there yet.
pub(super) const VERSION: i32 = 1;

/// Bytes a page: measured, the best of 4, 8, 16 and 32 KiB for answers of 1 to 2 KB.
pub(super) const PAGE_SIZE: u32 = 16 * 1024;

/// `interview` and `fate` have a row only where the interview is over. They are two tables, since
/// a resume scans the narrow one: 1,000,000 rows of it are 20 MB, where a scan past the answers
/// would read all of them. Codes of `status` are `InterviewStatus::code`; times are milliseconds
/// since 1970 UTC; `answer` is JSON as it came over the wire, so
/// `SELECT answer ->> '$.survey.support_level' FROM fate` works in any SQLite.
pub(super) const TABLES: &str = "
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    survey TEXT NOT NULL,
    settings TEXT NOT NULL,
    personas_from TEXT NOT NULL,
    personas INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    voxpop_version TEXT NOT NULL,
    summary TEXT
) STRICT;
CREATE TABLE persona (
    persona INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    weight REAL,
    attributes TEXT NOT NULL
) STRICT;
CREATE TABLE interview (
    persona INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    finished_at INTEGER NOT NULL
) STRICT;
CREATE TABLE fate (
    persona INTEGER PRIMARY KEY,
    answer TEXT,
    refusal TEXT,
    failure TEXT
) STRICT;
CREATE TABLE attempt (
    persona INTEGER NOT NULL,
    number INTEGER NOT NULL,
    stage TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    queued_us INTEGER NOT NULL,
    waited_for_slot_us INTEGER NOT NULL,
    waited_for_rate_us INTEGER NOT NULL,
    on_the_wire_us INTEGER NOT NULL,
    parsed_us INTEGER NOT NULL,
    status INTEGER,
    request_id TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    failure TEXT,
    body TEXT,
    PRIMARY KEY (persona, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE limit_change (
    change INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    limit_name TEXT NOT NULL,
    changed_from INTEGER,
    changed_to INTEGER,
    set_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE phase_change (
    change INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    phase TEXT NOT NULL
) STRICT;
";

/// Looks at the first 100 bytes: a run file, complete and of a version that is known here?
/// Reading them without SQLite gives clear errors, and never waits for an import under way.
pub(super) fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; 100];
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(StoreError::NotARun { path: path.to_owned() });
    }
    let read = read_up_to(file, &mut header).map_err(|e| StoreError::io(path, e))?;
    let path = path.to_owned();
    if read < header.len() || !header.starts_with(b"SQLite format 3\0") {
        if path.extension().is_none_or(|e| e != files::EXTENSION) {
            return Err(StoreError::NotARun { path });
        }
        let detail = if read < header.len() { "it is cut off" } else { "its beginning is garbled" };
        return Err(StoreError::Damaged { path, detail: detail.to_owned() });
    }
    // Offsets of SQLite's file format, section 1.3.
    let number = |at: usize| {
        i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if number(68) != APPLICATION_ID {
        return Err(StoreError::NotARun { path });
    }
    match number(60) {
        0 => Err(StoreError::Unfinished { path }),
        VERSION => Ok(()),
        found if found > VERSION => Err(StoreError::Newer { path, found, known: VERSION }),
        found => Err(StoreError::Damaged { path, detail: format!("it has format {found}") }),
    }
}

fn read_up_to(mut file: File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}
