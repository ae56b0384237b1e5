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
    let pending = Mutex::new(Pending {
        writer,
        lines: Vec::new(),
        stamp: Stamp::default(),
        handed_over: Instant::now(),
    });
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
    stamp: Stamp,
    handed_over: Instant,
}

/// RFC 3339 in UTC, to the millisecond. The lines of one second share all but the end.
#[derive(Default)]
struct Stamp {
    second: i64,
    text: String,
}

impl Stamp {
    fn push(&mut self, at: UnixMillis, line: &mut Vec<u8>) {
        let second = at.0.div_euclid(1000);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = jiff::Timestamp::from_second(second)
                .map_or_else(|_| second.to_string(), |time| format!("{time:.0}"));
            self.text.truncate(self.text.trim_end_matches('Z').len());
        }
        line.extend_from_slice(self.text.as_bytes());
        // A Vec takes every byte.
        let _ = write!(line, ".{:03}Z", at.0.rem_euclid(1000));
    }
}

impl Pending {
    /// Adds a line; what a person should see goes on at once, with all before it.
    fn add(&mut self, at: UnixMillis, level: Level, line: &str, at_once: bool) {
        self.stamp.push(at, &mut self.lines);
        // A Vec takes every byte.
        let _ = writeln!(self.lines, " {level:5} {line}");
        if at_once
            || self.lines.len() >= HANDED_OVER_BYTES
            || self.handed_over.elapsed() >= HANDED_OVER_AFTER
        {
            // The non-blocking writer drops lines rather than wait.
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
        let mut text = EventText::with_room();
        event.record(&mut text);
        let line = text.line();
        let at = UnixMillis::now();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.add(at, level, &line, level <= Level::INFO);
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
struct EventText {
    message: String,
    fields: String,
}

impl EventText {
    fn with_room() -> Self {
        Self { message: String::with_capacity(256), fields: String::with_capacity(192) }
    }

    fn line(self) -> String {
        let mut line = self.message;
        if !line.is_empty() && !self.fields.is_empty() {
            line.push(' ');
        }
        line.push_str(&self.fields);
        let plain = line.bytes().fold(true, |all, b| all & (0x20..0x7f).contains(&b));
        if plain { line } else { strip_controls(&line) }
    }

    /// Where the field's value goes, its name being written already.
    fn field(&mut self, field: &Field) -> &mut String {
        if field.name() == "message" {
            return &mut self.message;
        }
        if !self.fields.is_empty() {
            self.fields.push(' ');
        }
        self.fields.push_str(field.name());
        self.fields.push('=');
        &mut self.fields
    }
}

/// Strings and numbers go past the formatting machinery, which took twice as long for them: an
/// attempt's line has a dozen, and there is one an attempt.
impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = write!(self.field(field), "{value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field).push_str(value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field).push_str(itoa::Buffer::new().format(value));
    }
}

#[cfg(test)]
mod tests {
    use super::{Stamp, UnixMillis};

    #[test]
    fn a_stamp_is_rfc_3339_whatever_came_before() {
        let mut stamp = Stamp::default();
        let mut written = |at| {
            let mut line = Vec::new();
            stamp.push(UnixMillis(at), &mut line);
            String::from_utf8(line).unwrap()
        };
        assert_eq!(written(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(1_795_518_233_007), "2026-11-24T11:03:53.007Z");
        assert_eq!(written(1_795_518_233_999), "2026-11-24T11:03:53.999Z");
        assert_eq!(written(1_795_518_234_000), "2026-11-24T11:03:54.000Z");
        assert_eq!(written(-1), "1969-12-31T23:59:59.999Z");
    }
}
