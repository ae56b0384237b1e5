//! The cache's file: SQLite, opened by each thread and each process for itself.

use super::{CacheError, CacheKey, CachedReply, schema};
use crate::model::{CacheLimits, UnixMillis, Usage};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Other processes write batches of some milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// What is thrown out where the file is full, beyond what must be: a tenth, so that it need not be
/// done with every batch.
const MAKE_ROOM: u64 = 10;

/// A use is noted only where the last one was so long ago: that is exact enough to tell what is
/// used from what is not, and spares a write a hit.
const NOTE_USE_AFTER: Duration = Duration::from_secs(3_600);

/// Making a file takes some milliseconds.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

const DAY_MS: i64 = 86_400_000;

/// The file of the cache, open.
pub struct CacheFile {
    pub(super) connection: Connection,
    path: PathBuf,
    limits: CacheLimits,
}

/// A file that was opened.
pub struct Opened {
    pub file: CacheFile,
    /// Where the old one is, if it was damaged and this one is new.
    pub set_aside: Option<PathBuf>,
}

/// What the cache holds, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    pub entries: u64,
    pub bytes: u64,
    /// As the last run that used it had set them.
    pub limits: CacheLimits,
    /// Calls that were not made, since it was last cleared, and the tokens that they would have
    /// taken.
    pub hits: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// An entry that was found.
pub(super) struct Found {
    pub reply: CachedReply,
    /// Whether its use is to be noted.
    pub stale_use: bool,
}

/// What is to be written.
#[derive(Debug)]
pub(super) enum Change {
    Put(CacheKey, CachedReply),
    /// The entry was used; nothing but its count where nobody need note the time.
    Used {
        key: CacheKey,
        note: bool,
        usage: Option<Usage>,
    },
}

impl CacheFile {
    /// Opens the file, or makes it, with its folder. One that is damaged is set aside under
    /// another name, and a new one takes its place.
    ///
    /// # Errors
    /// A file of something else or of a newer voxpop; one that is locked or cannot be written.
    pub fn open(path: &Path, limits: CacheLimits) -> Result<Opened, CacheError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| CacheError::io(path, e))?;
        }
        let (connection, set_aside) = match make(path) {
            Err(CacheError::Damaged { .. }) => {
                let aside = set_aside(path)?;
                (make(path)?, Some(aside))
            }
            opened => (opened?, None),
        };
        let file = Self { connection, path: path.to_owned(), limits };
        file.keep_limits().map_err(|e| CacheError::sqlite(path, e))?;
        Ok(Opened { file, set_aside })
    }

    /// Opens it for a look; `None` where there is none yet.
    ///
    /// # Errors
    /// As [`Self::open`], and [`CacheError::Damaged`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>, CacheError> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = connect(path, false)?;
        Ok(Some(Self { connection, path: path.to_owned(), limits: CacheLimits::default() }))
    }

    /// The same file for another thread.
    pub(super) fn again(&self) -> Result<Self, CacheError> {
        let connection = connect(&self.path, false)?;
        Ok(Self { connection, path: self.path.clone(), limits: self.limits })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn keep_limits(&self) -> rusqlite::Result<()> {
        let CacheLimits { megabytes, days } = self.limits;
        for (name, value) in [("megabytes", megabytes), ("days", days)] {
            // Nothing is written where nothing is new: nobody waits for another's batch then.
            if self.number(name)? != Some(u64::from(value)) {
                self.connection
                    .prepare_cached("INSERT OR REPLACE INTO number VALUES (?, ?)")?
                    .execute(params![name, value])?;
            }
        }
        Ok(())
    }

    fn number(&self, name: &str) -> rusqlite::Result<Option<u64>> {
        let mut statement =
            self.connection.prepare_cached("SELECT value FROM number WHERE name = ?")?;
        let value: Option<i64> = statement.query_row([name], |row| row.get(0)).optional()?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    }

    /// The reply under a key, where it is not too old.
    pub(super) fn get(&self, key: &CacheKey, now: UnixMillis) -> rusqlite::Result<Option<Found>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT content, prompt_tokens, completion_tokens, cached_tokens, used_at FROM entry \
             WHERE key = ? AND created_at >= ?",
        )?;
        let row = |row: &rusqlite::Row<'_>| {
            let count =
                |at| row.get(at).map(|n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()));
            let usage = match (count(1)?, count(2)?) {
                (Some(prompt_tokens), Some(completion_tokens)) => {
                    let cached_tokens = count(3)?.unwrap_or(0);
                    Some(Usage { prompt_tokens, completion_tokens, cached_tokens })
                }
                _ => None,
            };
            let stale_use = now.since(UnixMillis(row.get(4)?)) > NOTE_USE_AFTER;
            Ok(Found { reply: CachedReply { content: row.get(0)?, usage }, stale_use })
        };
        statement.query_row(params![key.0, self.oldest(now)], row).optional()
    }

    /// Everything before it is too old.
    const fn oldest(&self, now: UnixMillis) -> i64 {
        now.0 - self.limits.days as i64 * DAY_MS
    }

    /// Hands over a part of every key.
    pub(super) fn for_each_key(&self, mut f: impl FnMut(CacheKey)) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("SELECT key FROM entry")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            f(CacheKey(row.get(0)?));
        }
        Ok(())
    }

    /// Writes a batch, all of it or nothing.
    pub(super) fn write(&self, changes: &[Change], now: UnixMillis) -> rusqlite::Result<()> {
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut put = transaction
            .prepare_cached("INSERT OR REPLACE INTO entry VALUES (NULL,?,?,?,?,?,?,?)")?;
        let mut used = transaction.prepare_cached("UPDATE entry SET used_at = ? WHERE key = ?")?;
        let (mut hits, mut saved) = (0_u64, Usage::default());
        for change in changes {
            match change {
                Change::Put(key, CachedReply { content, usage }) => {
                    let usage = usage.as_ref();
                    put.execute(params![
                        key.0,
                        content,
                        usage.map(|u| integer(u.prompt_tokens)),
                        usage.map(|u| integer(u.completion_tokens)),
                        usage.map(|u| integer(u.cached_tokens)),
                        now.0,
                        now.0
                    ])?;
                }
                Change::Used { key, note, usage } => {
                    hits += 1;
                    let usage = usage.unwrap_or_default();
                    saved.prompt_tokens += usage.prompt_tokens;
                    saved.completion_tokens += usage.completion_tokens;
                    if *note {
                        used.execute(params![now.0, key.0])?;
                    }
                }
            }
        }
        drop((put, used));
        if hits > 0 {
            let mut add = transaction.prepare_cached(
                "INSERT INTO number VALUES (?, ?) \
                 ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            )?;
            for (name, more) in [
                ("hits", hits),
                ("prompt_tokens", saved.prompt_tokens),
                ("completion_tokens", saved.completion_tokens),
            ] {
                add.execute(params![name, integer(more)])?;
            }
        }
        transaction.commit()
    }

    /// Throws out what is too old, and where the file is too large what was not used for longest.
    pub(super) fn make_room(&self, now: UnixMillis) -> rusqlite::Result<()> {
        let first_kept: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM entry WHERE created_at >= ? ORDER BY id LIMIT 1")?
            .query_row([self.oldest(now)], |row| row.get(0))
            .optional()?;
        self.connection
            .prepare_cached("DELETE FROM entry WHERE id < ?")?
            .execute([first_kept.unwrap_or(i64::MAX)])?;
        let most = u64::from(self.limits.megabytes) << 20;
        let bytes = self.bytes()?;
        if bytes > most {
            let entries = self.entries()?;
            let wanted = most - most / MAKE_ROOM;
            let out = u128::from(entries) * u128::from(bytes - wanted) / u128::from(bytes);
            self.connection
                .prepare_cached(
                    "DELETE FROM entry WHERE id IN \
                     (SELECT id FROM entry ORDER BY used_at, id LIMIT ?)",
                )?
                .execute([i64::try_from(out + 1).unwrap_or(i64::MAX)])?;
        }
        Ok(())
    }

    fn entries(&self) -> rusqlite::Result<u64> {
        let count = "SELECT count(*) FROM entry";
        let entries: i64 = self.connection.query_row(count, [], |row| row.get(0))?;
        Ok(u64::try_from(entries).unwrap_or(0))
    }

    /// What is in use of the file.
    fn bytes(&self) -> rusqlite::Result<u64> {
        let pragma = |name| -> rusqlite::Result<u64> {
            let value: i64 = self.connection.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or(0))
        };
        Ok((pragma("page_count")?.saturating_sub(pragma("freelist_count")?)) * pragma("page_size")?)
    }

    /// What it holds.
    ///
    /// # Errors
    /// A file that is damaged or locked.
    pub fn stats(&self) -> Result<CacheStats, CacheError> {
        let stats = || -> rusqlite::Result<CacheStats> {
            let number = |name| self.number(name).map(Option::unwrap_or_default);
            let small = |name, usual: u32| -> rusqlite::Result<u32> {
                Ok(self.number(name)?.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual))
            };
            let usual = CacheLimits::default();
            Ok(CacheStats {
                entries: self.entries()?,
                bytes: self.bytes()?,
                limits: CacheLimits {
                    megabytes: small("megabytes", usual.megabytes)?,
                    days: small("days", usual.days)?,
                },
                hits: number("hits")?,
                prompt_tokens: number("prompt_tokens")?,
                completion_tokens: number("completion_tokens")?,
            })
        };
        stats().map_err(|e| CacheError::sqlite(&self.path, e))
    }

    /// Empties it.
    ///
    /// # Errors
    /// A file that is damaged, locked, or cannot be written.
    pub fn clear(&self) -> Result<(), CacheError> {
        let sql = "BEGIN IMMEDIATE; DELETE FROM entry; \
                   DELETE FROM number WHERE name NOT IN ('megabytes', 'days'); COMMIT";
        self.connection.execute_batch(sql).map_err(|e| CacheError::sqlite(&self.path, e))?;
        // Where another process reads it, the file keeps its size and its room is used again.
        let _ = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
        Ok(())
    }
}

/// A connection to a file that is a cache or becomes one. Where several processes make it at once,
/// SQLite lets one of them switch to the write-ahead log and turns the others down without a wait.
fn make(path: &Path) -> Result<Connection, CacheError> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connect(path, true) {
            Err(CacheError::Locked { .. }) if Instant::now() < until => {
                thread::sleep(TRY_AGAIN_AFTER);
            }
            opened => return opened,
        }
    }
}

/// A connection to a file that is a cache; `make` has an empty or missing one become one.
fn connect(path: &Path, make: bool) -> Result<Connection, CacheError> {
    let sqlite = |e| CacheError::sqlite(path, e);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if make {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    let pragma = |name| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(sqlite)
    };
    let ours = |id: i32| id == schema::APPLICATION_ID;
    let is_empty = || {
        let count = "SELECT count(*) FROM sqlite_schema";
        connection.query_row(count, [], |row| row.get::<_, i64>(0)).map(|n| n == 0).map_err(sqlite)
    };
    let fresh = make && is_empty()?;
    // Looked at after that: another process may be making it at this moment.
    if !fresh && !ours(pragma("application_id")?) {
        return Err(CacheError::NotACache { path: path.to_owned() });
    }
    if pragma("user_version")? > schema::VERSION {
        return Err(CacheError::Newer { path: path.to_owned() });
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sqlite)?;
    // A cut of the power may cost the last entries, and nothing else.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(sqlite)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20).map_err(sqlite)?;
    if !ours(pragma("application_id")?) {
        let make = format!(
            "BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
            schema::TABLES,
            schema::APPLICATION_ID,
            schema::VERSION
        );
        connection.execute_batch(&make).map_err(sqlite)?;
    }
    // A table that is not there is damage too.
    for table in ["entry", "number"] {
        let look = format!("SELECT 1 FROM {table} LIMIT 1");
        if let Err(source) = connection.query_row(&look, [], |_| Ok(())).optional() {
            return Err(match CacheError::sqlite(path, source) {
                CacheError::Sqlite { path, source } => CacheError::Damaged { path, source },
                other => other,
            });
        }
    }
    Ok(connection)
}

/// Gives a damaged file another name, beside it. Its log goes along: it would spoil the next one.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, CacheError> {
    let with = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".damaged-{}", UnixMillis::now().0));
    fs::rename(path, &aside).map_err(|e| CacheError::io(path, e))?;
    for end in ["-wal", "-shm"] {
        let _ = fs::rename(with(path, end), with(&aside, end));
    }
    Ok(aside)
}

/// SQLite's integers are signed; no provider counts further.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
