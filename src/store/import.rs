//! Making a run file: the run's row and every persona, streamed.

use super::{
    OpenRun, StoreError, connection, files, json::AttributesAsJson, lock, rows, schema, spending,
};
use crate::model::{Persona, Survey, UnixMillis};
use rusqlite::{Connection, OpenFlags, params};
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// What a new run is. No key belongs in its settings.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    pub name: &'a str,
    pub survey: &'a Survey,
    pub settings: &'a serde_json::Value,
    /// Where the personas came from, as the user named it.
    pub personas_from: &'a str,
}

/// A run file in the making: one transaction, memory flat. It has another name until
/// [`Import::finish`], so that a run file is always complete; dropped before, it takes itself
/// away again.
#[derive(Debug)]
pub struct Import {
    // Fields are dropped in this order: the file is closed, then removed, then the lock goes.
    connection: Connection,
    unfinished: Unfinished,
    lock: lock::RunLock,
    path: PathBuf,
    added: u32,
    buffer: Vec<u8>,
}

impl Import {
    /// Creates the run file, and its folder where there is none.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where the file is already there; a full or read-only disk.
    pub fn create(path: &Path, run: &NewRun<'_>) -> Result<Self, StoreError> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| StoreError::io(dir, e))?;
            remove_killed_imports(dir);
        }
        let lock = lock::RunLock::take(path)?;
        if path.exists() {
            return Err(StoreError::Exists { path: path.to_owned() });
        }
        let unfinished = Unfinished(files::unfinished(path));
        File::create(&unfinished.0).map_err(|e| StoreError::io(path, e))?;
        let connection = begin(&unfinished.0, run).map_err(|e| StoreError::sqlite(path, e))?;
        let path = path.to_owned();
        Ok(Self { connection, unfinished, lock, path, added: 0, buffer: Vec::new() })
    }

    /// Adds the next persona.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] where its index is not the next one; a full disk.
    pub fn add(&mut self, persona: &Persona) -> Result<(), StoreError> {
        if persona.index.0 != self.added {
            return Err(StoreError::OutOfOrder { wanted: self.added, found: persona.index });
        }
        insert(&self.connection, persona, &mut self.buffer)
            .map_err(|e| StoreError::sqlite(&self.path, e))?;
        self.added += 1;
        Ok(())
    }

    /// Puts the file on disk under its name; from now on it is a run.
    ///
    /// # Errors
    /// A full disk and the like; the file is taken away then.
    pub fn finish(self) -> Result<OpenRun, StoreError> {
        // Dropped from the last to the first, should one of the steps fail.
        let Self { lock, unfinished, connection, path, added, .. } = self;
        let committed = commit(&connection, added);
        let closed = connection.close().map_err(|(_, error)| error);
        committed.and(closed).map_err(|e| StoreError::sqlite(&path, e))?;
        put_on_disk(&unfinished.0, &path).map_err(|e| StoreError::io(&path, e))?;
        let connection = connection::open_for_writing(&path)?;
        Ok(OpenRun::new(path, connection, lock))
    }
}

/// A file that is taken away; after the rename there is nothing left to take.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Killed imports leave their files, and nobody would ever see them.
fn remove_killed_imports(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.path();
        // "a.voxpop.new" was to become "a.voxpop".
        let run = file.with_extension("");
        if files::is_run_path(&run) && files::unfinished(&run) == file && !lock::is_live(&run) {
            let _ = fs::remove_file(file);
        }
    }
}

fn begin(path: &Path, run: &NewRun<'_>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "page_size", schema::PAGE_SIZE)?;
    // No journal and no sync until the end: a file that is not finished is thrown away.
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", schema::VERSION)?;
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(schema::TABLES)?;
    connection.execute_batch(spending::TABLE)?;
    let (mut survey, mut settings) = (Vec::new(), Vec::new());
    connection.execute(
        "INSERT INTO run VALUES (1, ?, ?, ?, ?, 0, ?, ?, NULL)",
        params![
            run.name,
            rows::json(&mut survey, run.survey)?,
            rows::json(&mut settings, run.settings)?,
            run.personas_from,
            UnixMillis::now().0,
            env!("CARGO_PKG_VERSION"),
        ],
    )?;
    Ok(connection)
}

fn insert(
    connection: &Connection,
    persona: &Persona,
    buffer: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let attributes = rows::json(buffer, &AttributesAsJson(&persona.attributes))?;
    connection.prepare_cached("INSERT INTO persona VALUES (?,?,?,?)")?.execute(params![
        persona.index.0,
        persona.id,
        persona.weight,
        attributes
    ])?;
    Ok(())
}

fn commit(connection: &Connection, personas: u32) -> rusqlite::Result<()> {
    connection.execute("UPDATE run SET personas = ?", [personas])?;
    connection.execute_batch("COMMIT")
}

/// The content first, then the name.
fn put_on_disk(unfinished: &Path, path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(unfinished)?.sync_all()?;
    fs::rename(unfinished, path)?;
    match path.parent() {
        #[cfg(unix)]
        Some(dir) => {
            let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
            File::open(dir)?.sync_all()
        }
        _ => Ok(()),
    }
}
