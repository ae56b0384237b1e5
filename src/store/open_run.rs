//! An existing run, taken for writing.

use super::{Notice, StoreError, Writer, connection, lock::RunLock};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// A run that this process, and no other, may write. Dropping it lets go of the run.
#[derive(Debug)]
pub struct OpenRun {
    // Fields are dropped in this order: the file is closed before the lock goes.
    connection: Connection,
    path: PathBuf,
    lock: RunLock,
}

impl OpenRun {
    /// Takes the lock of an existing run; a lock whose process died is free.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another process runs it, and all that can be wrong with a
    /// file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Before the lock, so that no lock file is ever made beside what is no run.
        drop(connection::open_for_reading(path)?);
        let lock = RunLock::take(path)?;
        let connection = connection::open_for_writing(path)?;
        Ok(Self::new(path.to_owned(), connection, lock))
    }

    pub(super) const fn new(path: PathBuf, connection: Connection, lock: RunLock) -> Self {
        Self { connection, path, lock }
    }

    pub(super) const fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The run file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the thread that writes. `notify` is called on that thread.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn writer(self, notify: impl Fn(Notice) + Send + 'static) -> Result<Writer, StoreError> {
        Writer::spawn(self.path, self.connection, self.lock, notify)
    }
}
