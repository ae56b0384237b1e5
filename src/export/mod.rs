//! A run's records as JSON lines, JSON or CSV: one record a persona, in the order of the input,
//! those that are still queued included.
//!
//! [`export`] streams from a [`RunReader`] into any writer, [`export_to_file`] into a file that is
//! there in full or not at all. `json.rs` and `csv.rs` are the formats.

mod csv;
mod error;
mod file;
mod json;

use crate::store::RunReader;
use std::io::{BufWriter, Write};

pub use error::ExportError;
pub use file::export_to_file;

/// How the records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// One JSON array.
    Json,
    /// One row a persona, for spreadsheets: lists are joined with "; ", and text that a
    /// spreadsheet would take for a formula gets a leading apostrophe.
    Csv,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Self; 3] = [Self::Jsonl, Self::Json, Self::Csv];

    /// The name on the command line, and how a file of this format ends.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// Writes every record. Memory is flat in their number. A reader that goes away early, as `head`
/// does, is a quiet end.
///
/// # Errors
/// A run file that cannot be read, or a writer that fails.
pub fn export(reader: &RunReader, format: Format, out: &mut dyn Write) -> Result<(), ExportError> {
    match write_records(reader, format, out) {
        Err(ExportError::Write(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn write_records(
    reader: &RunReader,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let result = match format {
        Format::Jsonl => json::lines(reader, &mut out),
        Format::Json => json::array(reader, &mut out),
        Format::Csv => csv::table(reader, &mut out),
    };
    if result.is_err() {
        // What is left in the buffer would only fail again, on dropping it.
        let _ = out.into_parts();
        return result;
    }
    out.flush().map_err(ExportError::Write)
}
