//! The one thread that writes a run file.

use super::{
    Notice, Record, StoreError,
    lock::RunLock,
    queue::{BATCH, Entry, Queue},
    rows,
};
use rusqlite::Connection;
use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between two tries of a commit that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Takes records for one run file. Dropping it commits what it holds with one try and lets go of
/// the run; [`Writer::close`] says whether that worked.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    path: PathBuf,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

/// Puts records in a writer's line, as the writer itself does. What comes after the close is lost.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Queue>);

impl Recorder {
    /// See [`Writer::write`].
    pub fn write(&self, record: Record) {
        self.0.push(record);
    }
}

impl Writer {
    pub(super) fn spawn(
        path: PathBuf,
        connection: Connection,
        lock: RunLock,
        notify: impl Fn(Notice) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::default());
        let job = Job { queue: Arc::clone(&queue), path: path.clone(), connection, notify };
        let thread = thread::Builder::new()
            .name("voxpop-store".to_owned())
            .spawn(move || {
                let result = job.run();
                // Only after the connection is closed may another process have the run.
                drop(lock);
                result
            })
            .map_err(|e: io::Error| StoreError::io(&path, e))?;
        Ok(Self { queue, path, thread: Some(thread) })
    }

    /// Puts a record in the line. Never waits for the disk.
    pub fn write(&self, record: Record) {
        self.queue.push(record);
    }

    /// For somebody else to write by.
    pub fn recorder(&self) -> Recorder {
        Recorder(Arc::clone(&self.queue))
    }

    /// Commits everything, moves the write-ahead log into the run file, so that it can be copied
    /// as it is, and lets go of the run. While nothing can be written, it tries on for `patience`.
    ///
    /// # Errors
    /// [`StoreError::Unsaved`] with the number of interviews that were over and are not in the
    /// file.
    pub fn close(mut self, patience: Duration) -> Result<(), StoreError> {
        self.finish(patience)
    }

    fn finish(&mut self, patience: Duration) -> Result<(), StoreError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.queue.close(patience);
        thread.join().unwrap_or_else(|_| Err(StoreError::WriterDied { path: self.path.clone() }))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        let _ = self.finish(Duration::ZERO);
    }
}

struct Job<N> {
    queue: Arc<Queue>,
    path: PathBuf,
    connection: Connection,
    notify: N,
}

impl<N: Fn(Notice)> Job<N> {
    fn run(self) -> Result<(), StoreError> {
        let mut batch = VecDeque::new();
        let mut buffer = Vec::new();
        loop {
            let last = self.queue.take(&mut batch);
            while !batch.is_empty() {
                self.commit_some(&mut batch, &mut buffer)?;
            }
            if last {
                return close(self.connection, &self.path);
            }
            // A stall may have made it huge.
            batch.shrink_to(4 * BATCH);
        }
    }

    /// Commits the front of the batch, trying again until it works or patience is at its end.
    fn commit_some(
        &self,
        batch: &mut VecDeque<Entry>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let count = batch.len().min(BATCH);
        let mut said = None;
        loop {
            match rows::commit(&self.connection, batch.range(..count), buffer) {
                Ok(changes) => {
                    if said.is_some() {
                        (self.notify)(Notice::Recovered);
                    }
                    (self.notify)(Notice::Committed(changes));
                    for entry in batch.drain(..count) {
                        match entry.record {
                            Record::MaySpend { kept, .. } => kept.tell(),
                            Record::Batches { ticket, .. } => {
                                (self.notify)(Notice::Kept { ticket });
                            }
                            _ => {}
                        }
                    }
                    return Ok(());
                }
                Err(error) => {
                    let error = StoreError::sqlite(&self.path, error);
                    let message = error.to_string();
                    if said.as_ref() != Some(&message) {
                        (self.notify)(Notice::Stalled { message: message.clone() });
                        said = Some(message);
                    }
                    if !self.queue.wait_to_retry(RETRY) {
                        let over = Record::ends_interview;
                        let answers = batch.iter().filter(|e| over(&e.record)).count()
                            + self.queue.count(over);
                        return Err(StoreError::Unsaved { answers, why: Box::new(error) });
                    }
                }
            }
        }
    }
}

/// Leaves one file, where no reader is looking; the last reader to leave does it otherwise. A disk
/// too full for it loses nothing: the answers are in the write-ahead log beside the file.
fn close(connection: Connection, path: &Path) -> Result<(), StoreError> {
    connection.flush_prepared_statement_cache();
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.close().map_err(|(_, error)| StoreError::sqlite(path, error))
}
