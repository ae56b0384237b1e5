//! The cache as the engine uses it: a thread that looks up, a thread that writes, and a handle
//! that waits for neither.

use super::{
    CacheError, CacheFile, CacheKey, CachedReply,
    file::{self, Change},
    known::KnownKeys,
};
use crate::model::UnixMillis;
use rusqlite::ErrorCode;
use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A batch is written when it is this old, or this large.
const BATCH_WITHIN: Duration = Duration::from_millis(200);
const BATCH_MOST: usize = 2_000;

/// Replies that wait to be written. A cache may forget, so what comes beyond is not kept.
const WAITING_MOST: usize = 20_000;

/// Bytes of replies that are written before somebody looks whether the file is too large.
const LOOK_AFTER_BYTES: usize = 8 << 20;

/// How often a batch is tried that another program keeps from being written.
const TRIES: u32 = 3;

/// A disk that takes longer to read one reply than a provider to give one is of no use.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// The engine's way to the cache. Clones are the same cache.
#[derive(Clone)]
pub struct Cache {
    shared: Arc<Shared>,
    look_ups: Sender<Request>,
    writes: Sender<Write>,
}

/// The threads of a cache, for whoever ends them.
pub struct CacheThreads {
    look_ups: Sender<Request>,
    writes: Sender<Write>,
    threads: [JoinHandle<()>; 2],
}

/// What both threads and all handles know.
struct Shared {
    /// It cannot be used any more; it was said why.
    off: AtomicBool,
    /// Replies on their way to the file.
    waiting: AtomicUsize,
    /// A part of every key that may be in the file; `None` until they are read.
    known: RwLock<Option<KnownKeys>>,
}

enum Request {
    /// The first of the keys that has a reply, and its place among them.
    LookUp(Vec<CacheKey>, oneshot::Sender<(usize, CachedReply)>),
    End,
}

enum Write {
    Change(Change),
    End,
}

impl Cache {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the file cannot be opened once more, or there is no room for a thread.
    pub fn start(file: CacheFile) -> Result<(Self, CacheThreads), CacheError> {
        let second = file.again()?;
        let path = file.path().to_owned();
        let shared = Arc::new(Shared {
            off: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            known: RwLock::new(None),
        });
        let (look_ups, requests) = mpsc::channel();
        let (writes, changes) = mpsc::channel();
        let reader = {
            let (shared, writes) = (Arc::clone(&shared), writes.clone());
            move || read(&file, &requests, &writes, &shared)
        };
        let writer = {
            let shared = Arc::clone(&shared);
            move || write(&second, &changes, &shared)
        };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let threads = [
            named("cache-reader").spawn(reader).map_err(|e| CacheError::io(&path, e))?,
            named("cache-writer").spawn(writer).map_err(|e| CacheError::io(&path, e))?,
        ];
        let cache = Self { shared, look_ups: look_ups.clone(), writes: writes.clone() };
        Ok((cache, CacheThreads { look_ups, writes, threads }))
    }

    /// The reply under the first of the keys that has one, and the key's place among them. Where
    /// nothing is known under any of them, it says so at once.
    pub async fn look_up(&self, keys: &[CacheKey]) -> Option<(usize, CachedReply)> {
        if self.shared.off.load(Ordering::Relaxed) || !self.shared.may_know(keys) {
            return None;
        }
        let (answer, found) = oneshot::channel();
        self.look_ups.send(Request::LookUp(keys.to_vec(), answer)).ok()?;
        match tokio::time::timeout(FOUND_WITHIN, found).await {
            Ok(found) => found.ok(),
            Err(_) => {
                if self.shared.turn_off() {
                    without("its disk does not answer");
                }
                None
            }
        }
    }

    /// Keeps a reply that was read as a good one, where there is time for it.
    pub fn put(&self, key: CacheKey, reply: CachedReply) {
        if self.shared.off.load(Ordering::Relaxed)
            || self.shared.waiting.load(Ordering::Relaxed) >= WAITING_MOST
        {
            return;
        }
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        // The thread is gone only where the cache is off.
        let _ = self.writes.send(Write::Change(Change::Put(key, reply)));
    }
}

impl CacheThreads {
    /// Writes what waits, and ends the threads. It takes as long as one batch, or where the file
    /// is locked, as long as it is tried.
    pub fn end(self) {
        let _ = self.look_ups.send(Request::End);
        let _ = self.writes.send(Write::End);
        for thread in self.threads {
            // One that has panicked has said why.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Whether any of the keys may be in the file. A lock that a panic has poisoned says yes.
    fn may_know(&self, keys: &[CacheKey]) -> bool {
        self.known.read().map_or(true, |known| {
            known.as_ref().is_none_or(|known| keys.iter().any(|key| known.may_have(key.short())))
        })
    }

    fn know(&self, changes: &[Change]) {
        let Ok(mut known) = self.known.write() else { return };
        let Some(known) = known.as_mut() else { return };
        for change in changes {
            if let Change::Put(key, _) = change {
                known.insert(key.short());
            }
        }
    }

    /// There is no cache from now on; true where it was on until now, which is to be said once.
    fn turn_off(&self) -> bool {
        !self.off.swap(true, Ordering::Relaxed)
    }

    /// Turns it off for an error of the file. One that is damaged is set aside, so that the next run
    /// begins a new one.
    fn fail(&self, file: &CacheFile, error: rusqlite::Error) {
        if !self.turn_off() {
            return;
        }
        let error = CacheError::sqlite(file.path(), error);
        let aside = matches!(error, CacheError::Damaged { .. })
            .then(|| file::set_aside(file.path()).ok())
            .flatten();
        let aside =
            aside.map_or_else(String::new, |aside| format!("; it is now {}", aside.display()));
        without(&format!("{error}{aside}"));
    }
}

fn without(why: &str) {
    tracing::warn!("the run goes on without its cache: {why}");
}

/// The thread that looks up.
fn read(file: &CacheFile, requests: &Receiver<Request>, writes: &Sender<Write>, shared: &Shared) {
    for request in requests {
        let Request::LookUp(keys, answer) = request else { return };
        if shared.off.load(Ordering::Relaxed) {
            continue;
        }
        let now = UnixMillis::now();
        for (place, key) in keys.into_iter().enumerate() {
            match file.get(&key, now) {
                Ok(None) => {}
                Ok(Some(found)) => {
                    let usage = found.reply.usage;
                    // Whoever asked may have been stopped.
                    if answer.send((place, found.reply)).is_ok() {
                        let used = Change::Used { key, note: found.stale_use, usage };
                        let _ = writes.send(Write::Change(used));
                    }
                    break;
                }
                Err(error) => {
                    shared.fail(file, error);
                    break;
                }
            }
        }
    }
}

/// The thread that writes.
fn write(file: &CacheFile, changes: &Receiver<Write>, shared: &Shared) {
    // What cannot be written now may be later; a look up still finds what is there.
    if let Err(error) = make_room(file).and_then(|_| read_keys(file, shared))
        && !is_locked(&error)
    {
        shared.fail(file, error);
    }
    let mut batch = Vec::new();
    let mut bytes = 0;
    loop {
        let open = gather(changes, &mut batch);
        let puts = batch.iter().filter(|change| matches!(change, Change::Put(..))).count();
        if !batch.is_empty() && !shared.off.load(Ordering::Relaxed) {
            match write_batch(file, &batch) {
                Ok(()) => shared.know(&batch),
                Err(error) => shared.fail(file, error),
            }
            bytes += batch.iter().map(size).sum::<usize>();
            if bytes >= LOOK_AFTER_BYTES {
                match make_room(file) {
                    // Where another program is at it, there is a next time after the next batch.
                    Ok(made) => bytes = if made { 0 } else { bytes },
                    Err(error) => shared.fail(file, error),
                }
            }
        }
        batch.clear();
        shared.waiting.fetch_sub(puts, Ordering::Relaxed);
        if !open {
            return;
        }
    }
}

/// Throws out what must go; false where another program holds the file.
pub(super) fn make_room(file: &CacheFile) -> rusqlite::Result<bool> {
    match file.make_room(UnixMillis::now()) {
        Err(error) if is_locked(&error) => Ok(false),
        made => made.map(|()| true),
    }
}

fn read_keys(file: &CacheFile, shared: &Shared) -> rusqlite::Result<()> {
    let mut known = KnownKeys::default();
    file.for_each_key(|key| {
        known.insert(key.short());
    })?;
    if let Ok(mut place) = shared.known.write() {
        *place = Some(known);
    }
    Ok(())
}

/// Waits for a change, and takes those that follow it closely. False where no more can come.
fn gather(changes: &Receiver<Write>, batch: &mut Vec<Change>) -> bool {
    match changes.recv() {
        Ok(Write::Change(change)) => batch.push(change),
        Ok(Write::End) | Err(_) => return false,
    }
    let until = Instant::now() + BATCH_WITHIN;
    while batch.len() < BATCH_MOST {
        match changes.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Write::Change(change)) => batch.push(change),
            Ok(Write::End) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    true
}

fn write_batch(file: &CacheFile, batch: &[Change]) -> rusqlite::Result<()> {
    let mut tried = 1;
    loop {
        match file.write(batch, UnixMillis::now()) {
            Err(error) if is_locked(&error) && tried < TRIES => tried += 1,
            done => return done,
        }
    }
}

fn is_locked(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn size(change: &Change) -> usize {
    match change {
        Change::Put(_, reply) => reply.content.len(),
        Change::Used { .. } => 0,
    }
}
