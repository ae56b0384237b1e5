//! The tables of the cache's file.

/// "VxCa": what marks a SQLite file as a cache.
pub(super) const APPLICATION_ID: i32 = 0x5678_4361;

/// The version of the tables, kept as `user_version`.
pub(super) const VERSION: i32 = 1;

/// `entry` grows at its end, so that a put touches one page of replies and one of keys; ids follow
/// the times of creation. Times are milliseconds since 1970 UTC. `number` holds single numbers:
/// counts, and the limits as they were last set.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    content TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS entry_by_use ON entry (used_at);
CREATE TABLE IF NOT EXISTS number (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";
