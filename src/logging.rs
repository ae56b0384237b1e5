//! The log: a file that rolls daily and never holds up who writes, and the ring of recent lines
//! that the dashboard shows.
//!
//! One layer formats each event once, for both. Answers are logged at DEBUG and go to the file
//! only; what a person should see is INFO and louder and also goes to the ring.

use crate::model::{LogLevel, LogLine, LogRing, UnixMillis, strip_controls};
use std::{
    fmt::{self, Write as _},
    io::Write as _,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_appender::{
    non_blocking::{NonBlocking, WorkerGuard},
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt, registry::LookupSpan};

/// How many days of logs are kept.
const DAYS_KEPT: usize = 14;

/// Lines wait no longer than this for others to go with, as far as there are others.
const HANDED_OVER_AFTER: Duration = Duration::from_millis(50);

/// So many bytes of lines go at once.
const HANDED_OVER_BYTES: usize = 16 * 1024;

/// Only voxpop's own events are logged: those of the HTTP stack may hold headers.
const TARGET: &str = "voxpop";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("the log folder {folder} cannot be used: {source}; choose another with --runs")]
    Folder { folder: String, source: InitError },
    #[error("the log folder {folder} cannot be made: {source}; choose another with --runs")]
    NoFolder { folder: String, source: std::io::Error },
    #[error("logging was set up twice")]
    Twice,
}

/// Sets logging up for the process. The guard writes out what is left when it is dropped.
///
/// # Errors
/// Where the folder cannot be written.
pub fn init(folder: &Path, ring: LogRing) -> Result<WorkerGuard, LoggingError> {
    std::fs::create_dir_all(folder).map_err(|source| LoggingError::NoFolder {
        folder: folder.display().to_string(),
        source,
    })?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("voxpop")
        .filename_suffix("log")
        .max_log_files(DAYS_KEPT)
        .build(folder)
        .map_err(|source| LoggingError::Folder { folder: folder.display().to_string(), source })?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let pending = Mutex::new(Pending { writer, lines: Vec::new(), handed_over: Instant::now() });
    let subscriber = tracing_subscriber::registry().with(Recorder { pending, ring });
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LoggingError::Twice)?;
    Ok(guard)
}

struct Recorder {
    pending: Mutex<Pending>,
    ring: LogRing,
}

/// Lines on their way to the file's thread. In a burst they go there together: one by one, each
/// woke that thread, which took a tenth of the CPU of a run at full speed.
struct Pending {
    writer: NonBlocking,
    lines: Vec<u8>,
    handed_over: Instant,
}

impl Pending {
    /// Adds a line; what a person should see goes on at once, with all before it.
    fn add(&mut self, line: fmt::Arguments<'_>, at_once: bool) {
        // Neither can fail that matters: a Vec takes every byte, and the non-blocking writer
        // drops lines rather than wait.
        let _ = self.lines.write_fmt(line);
        if at_once
            || self.lines.len() >= HANDED_OVER_BYTES
            || self.handed_over.elapsed() >= HANDED_OVER_AFTER
        {
            let _ = self.writer.write_all(&self.lines);
            self.lines.clear();
            self.handed_over = Instant::now();
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= Level::DEBUG && metadata.target().starts_with(TARGET)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut text = EventText::default();
        event.record(&mut text);
        let line = text.line();
        let at = UnixMillis::now();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.add(format_args!("{} {level:5} {line}\n", timestamp(at)), level <= Level::INFO);
        drop(pending);
        let level = match level {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            _ => return,
        };
        self.ring.push(LogLine { at, level, text: line });
    }
}

/// An event as text: the fields that say whom it is about, the message, the other fields.
#[derive(Default)]
struct EventText {
    message: String,
    fields: String,
}

impl EventText {
    fn line(self) -> String {
        let line = match (self.message.is_empty(), self.fields.is_empty()) {
            (false, false) => format!("{} {}", self.message, self.fields),
            _ => self.message + &self.fields,
        };
        if line.chars().any(char::is_control) { strip_controls(&line) } else { line }
    }

    fn field(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            self.message.write_fmt(value)
        } else {
            let space = if self.fields.is_empty() { "" } else { " " };
            self.fields.write_fmt(format_args!("{space}{}={value}", field.name()))
        };
    }
}

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, format_args!("{value}"));
    }
}

/// RFC 3339 in UTC, to the millisecond.
fn timestamp(at: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.0.to_string(), |time| format!("{time:.3}"))
}
