//! Making a run file: the run's row and every persona, streamed.

use super::{
    OpenRun, StoreError, connection, files, json::AttributesAsJson, lock::RunLock, rows, schema,
};
use crate::model::{Persona, Survey, UnixMillis};
use rusqlite::{Connection, OpenFlags, params};
use std::{
    fs::{File, OpenOptions},
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

/// A run file in the making: one transaction, memory flat. Dropped without [`Import::finish`],
/// it takes its files away again; killed, it leaves a file that says what it is.
#[derive(Debug)]
pub struct Import {
    // Fields are dropped in this order: the file is closed, then removed, then the lock goes.
    connection: Connection,
    files: UnfinishedFiles,
    lock: RunLock,
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
            std::fs::create_dir_all(dir).map_err(|e| StoreError::io(dir, e))?;
        }
        let lock = RunLock::take(path)?;
        let files = UnfinishedFiles::create(path)?;
        let connection = begin(path, run).map_err(|e| StoreError::sqlite(path, e))?;
        Ok(Self { connection, files, lock, added: 0, buffer: Vec::new() })
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
            .map_err(|e| StoreError::sqlite(&self.files.path, e))?;
        self.added += 1;
        Ok(())
    }

    /// Puts the file on disk; from now on it is a run.
    ///
    /// # Errors
    /// A full disk and the like; the files are taken away then.
    pub fn finish(mut self) -> Result<OpenRun, StoreError> {
        let path = &self.files.path;
        commit(&self.connection, self.added).map_err(|e| StoreError::sqlite(path, e))?;
        put_on_disk(path).map_err(|e| StoreError::io(path, e))?;
        connection::set_up_writer(&self.connection).map_err(|e| StoreError::sqlite(path, e))?;
        self.files.keep = true;
        Ok(OpenRun::new(self.files.path.clone(), self.connection, self.lock))
    }
}

/// The files of a run that are not yet worth keeping.
#[derive(Debug)]
struct UnfinishedFiles {
    path: PathBuf,
    keep: bool,
}

impl UnfinishedFiles {
    fn create(path: &Path) -> Result<Self, StoreError> {
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => Ok(Self { path: path.to_owned(), keep: false }),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { path: path.to_owned() })
            }
            Err(e) => Err(StoreError::io(path, e)),
        }
    }
}

impl Drop for UnfinishedFiles {
    fn drop(&mut self) {
        if !self.keep {
            files::remove_all(&self.path);
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
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(schema::TABLES)?;
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
    connection.pragma_update(None, "user_version", schema::VERSION)?;
    connection.flush_prepared_statement_cache();
    connection.execute_batch("COMMIT")
}

/// The file's content and its name.
fn put_on_disk(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()?;
    match path.parent() {
        #[cfg(unix)]
        Some(dir) => {
            let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
            File::open(dir)?.sync_all()
        }
        _ => Ok(()),
    }
}
