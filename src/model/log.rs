//! The recent log lines that the dashboard shows.

use super::UnixMillis;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Info,
    Warn,
    Error,
}

/// One line of the log, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: UnixMillis,
    pub level: LogLevel,
    pub text: String,
}

/// The last few lines of the log, shared between who writes and who shows them.
#[derive(Clone, Debug)]
pub struct LogRing(Arc<Mutex<Ring>>);

#[derive(Debug)]
struct Ring {
    lines: VecDeque<LogLine>,
    capacity: usize,
    /// How many lines were ever written: the number of the next one.
    written: u64,
}

impl LogRing {
    /// A ring that keeps the newest `capacity` lines.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Ring {
            lines: VecDeque::with_capacity(capacity),
            capacity,
            written: 0,
        })))
    }

    /// Adds a line; the oldest makes room.
    pub fn push(&self, line: LogLine) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.lines.len() == ring.capacity {
            ring.lines.pop_front();
        }
        ring.lines.push_back(line);
        ring.written += 1;
    }

    /// The lines written since `seen` lines had been, and how many there are now.
    pub fn since(&self, seen: u64) -> (Vec<LogLine>, u64) {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = usize::try_from(ring.written.saturating_sub(seen)).unwrap_or(usize::MAX);
        let skip = ring.lines.len().saturating_sub(fresh);
        (ring.lines.iter().skip(skip).cloned().collect(), ring.written)
    }
}
