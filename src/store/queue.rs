//! The line in front of the writer thread. Putting a record in takes a lock for the time of a
//! push; the thread is woken at a batch's first record and when it is full, not once a record, so
//! that thousands of records a second do not cost as many context switches.

use super::Record;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The first record of a batch waits this long for others.
const GATHER: Duration = Duration::from_millis(25);

/// A transaction holds at most this many records.
pub(super) const BATCH: usize = 4_000;

/// A record and when it was put in.
#[derive(Debug)]
pub(super) struct Entry {
    pub at: Instant,
    pub record: Record,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Set once: nothing follows, and a writer that cannot write gives up at this time.
    give_up_at: Option<Instant>,
}

impl Queue {
    pub fn push(&self, record: Record) {
        let mut waiting = self.lock();
        waiting.entries.push_back(Entry { at: Instant::now(), record });
        let length = waiting.entries.len();
        drop(waiting);
        if length == 1 || length == BATCH {
            self.changed.notify_one();
        }
    }

    /// Nothing follows. A writer that cannot write tries on for `patience`.
    pub fn close(&self, patience: Duration) {
        self.lock().give_up_at = Some(Instant::now() + patience);
        self.changed.notify_one();
    }

    /// Waits until a batch is due and moves it into `batch`, which must be empty. Returns whether
    /// it is the last one.
    pub fn take(&self, batch: &mut VecDeque<Entry>) -> bool {
        let mut waiting = self.lock();
        loop {
            let closed = waiting.give_up_at.is_some();
            let due = waiting.entries.front().map(|first| first.at + GATHER);
            let now = Instant::now();
            match due {
                _ if closed || waiting.entries.len() >= BATCH => break,
                None => {
                    waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                Some(due) if due <= now => break,
                Some(due) => {
                    (waiting, _) = self
                        .changed
                        .wait_timeout(waiting, due - now)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        std::mem::swap(&mut waiting.entries, batch);
        waiting.give_up_at.is_some()
    }

    /// Waits before the next try of a write that failed; a close ends the wait early, and after
    /// it the wait ends when patience does. Returns whether to try again.
    pub fn wait_to_retry(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut waiting = self.lock();
        let closed_before = waiting.give_up_at.is_some();
        loop {
            let now = Instant::now();
            let until = match waiting.give_up_at {
                Some(_) if !closed_before => return true,
                Some(give_up_at) if give_up_at <= now => return false,
                Some(give_up_at) => until.min(give_up_at),
                None => until,
            };
            if until <= now {
                return true;
            }
            (waiting, _) = self
                .changed
                .wait_timeout(waiting, until - now)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts the records that nobody has taken yet and that `matches` picks.
    pub fn count(&self, matches: impl Fn(&Record) -> bool) -> usize {
        self.lock().entries.iter().filter(|entry| matches(&entry.record)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
