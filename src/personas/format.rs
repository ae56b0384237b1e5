//! Which format a file is in: by its extension, and by how it begins.

use super::PersonaError;
use crate::config::{FileError, is_utf16, open_file};
use serde::de::IgnoredAny;
use std::{
    fmt,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// A format of persona files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With the byte between fields.
    Csv {
        delimiter: u8,
    },
    /// A list, or an object with one list inside.
    Json,
    JsonLines,
    /// Loaded whole; the others are streamed.
    Yaml,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv { delimiter: b'\t' } => "CSV (tabs)",
            Self::Csv { delimiter: b';' } => "CSV (semicolons)",
            Self::Csv { .. } => "CSV",
            Self::Json => "JSON",
            Self::JsonLines => "JSON lines",
            Self::Yaml => "YAML",
        })
    }
}

/// A file that is ready to be read from its first record on.
pub(super) struct Source {
    pub file: File,
    pub format: Format,
    /// Where the text begins: behind the byte order mark.
    pub start: u64,
}

/// Long enough for a header and a record or two.
const HEAD: u64 = 64 * 1024;

/// Opens a file and finds out what it is.
pub(super) fn open_source(path: &Path) -> Result<Source, PersonaError> {
    let unreadable = |problem| FileError::new(path, problem);
    let mut file = open_file(path)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(PersonaError::NotRegular(path.to_owned()));
    }
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    if is_utf16(&head) {
        return Err(FileError::Utf16(path.to_owned()).into());
    }
    if let Some(what) = foreign(&head) {
        return Err(PersonaError::Foreign { path: path.to_owned(), what });
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let start = (head.len() - text.len()) as u64;
    if text.trim_ascii().is_empty() && head.len() < HEAD as usize {
        return Err(PersonaError::NoPersonas(path.to_owned()));
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let format = sniff(&extension, text);
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    Ok(Source { file, format, start })
}

/// Formats that people do have personas in, by their first bytes.
fn foreign(head: &[u8]) -> Option<&'static str> {
    const FOREIGN: [(&[u8], &str); 6] = [
        (b"PAR1", "a Parquet file"),
        (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
        (b"\x1f\x8b", "compressed (gzip)"),
        (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
        (b"SQLite format 3\0", "a SQLite file"),
    ];
    FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, what)| what)
}

fn sniff(extension: &str, head: &[u8]) -> Format {
    match (extension, head.trim_ascii_start().first()) {
        ("yaml" | "yml", _) => Format::Yaml,
        ("csv" | "tsv" | "tab", _) => Format::Csv { delimiter: delimiter(head) },
        (_, Some(b'[')) => Format::Json,
        ("jsonl" | "ndjson", _) => Format::JsonLines,
        // Lines are commonly saved as .json too.
        (_, Some(b'{')) if first_line_is_an_object_among_others(head) => Format::JsonLines,
        ("json", _) | (_, Some(b'{')) => Format::Json,
        (_, Some(b'-')) if head.trim_ascii_start().starts_with(b"- ") => Format::Yaml,
        (_, Some(b'-')) if head.trim_ascii_start().starts_with(b"---") => Format::Yaml,
        _ => Format::Csv { delimiter: delimiter(head) },
    }
}

fn first_line_is_an_object_among_others(head: &[u8]) -> bool {
    let mut lines = head.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    lines.next().is_some_and(|line| serde_json::from_slice::<IgnoredAny>(line).is_ok())
        && lines.next().is_some_and(|line| line.starts_with(b"{"))
}

/// The byte that stands most often in the header, outside quotes.
fn delimiter(head: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for &byte in head.trim_ascii_start() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(b, _)| *b == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // The first of equals: a comma.
    let most = counts.iter().map(|&(_, count)| count).max();
    counts.iter().find(|&&(_, count)| Some(count) == most).map_or(b',', |&(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_extension_and_by_its_first_bytes() {
        let csv = |delimiter| Format::Csv { delimiter };
        for (extension, head, format) in [
            ("csv", "id,age\n", csv(b',')),
            ("csv", "id;age;\"a,b,c,d\"\n1,2,3,4,5\n", csv(b';')),
            ("tsv", "id\tage\n", csv(b'\t')),
            ("csv", "persona\n", csv(b',')),
            ("txt", "id,age\n", csv(b',')),
            ("", "id,age\n", csv(b',')),
            ("json", " [{}]", Format::Json),
            ("json", "{\"personas\": [\n", Format::Json),
            ("json", "{\"a\": 1}\n{\"a\": 2}\n", Format::JsonLines),
            ("json", "{\"personas\": []}\n", Format::Json),
            ("jsonl", "{\"a\": 1}", Format::JsonLines),
            ("ndjson", "{\"a\": 1}", Format::JsonLines),
            ("jsonl", "[{\"a\": 1}]", Format::Json),
            ("", "[\n{}]", Format::Json),
            ("", "{\"a\": 1}\n{\"a\"", Format::JsonLines),
            ("yml", "- a: 1", Format::Yaml),
            ("", "---\n- a: 1", Format::Yaml),
            ("", "- a: 1", Format::Yaml),
        ] {
            assert_eq!(sniff(extension, head.as_bytes()), format, "{extension} {head:?}");
        }
    }
}
