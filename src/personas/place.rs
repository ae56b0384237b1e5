//! Where a record stands in its file, in the words that help to find it there.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::Path,
};

/// A record's place. Lines and records count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    /// Where records have no lines of their own.
    Record(u64),
}

impl Place {
    /// In a sentence: "line 3".
    pub fn words(self) -> String {
        match self {
            Self::Line(line) => format!("line {line}"),
            Self::Record(record) => format!("record {record}"),
        }
    }
}

/// Behind the path: ":3" or ": record 3".
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, ":{line}"),
            Self::Record(record) => write!(f, ": record {record}"),
        }
    }
}

/// A place as the reader of a format knows it while all is well. Finding the exact line may take
/// a look into the file, so it is left for when there is an error to tell.
#[derive(Clone, Copy, Debug)]
pub(super) enum RoughPlace {
    Exact(Place),
    /// Where the CSV reader went on after the record before: blank lines, and the second half of
    /// a `\r\n`, may still lie ahead of the record.
    Csv {
        line: u64,
        byte: u64,
    },
}

impl RoughPlace {
    pub(super) fn exact(self, path: &Path) -> Place {
        match self {
            Self::Exact(place) => place,
            Self::Csv { line, byte } => {
                Place::Line(line + blank_lines(path, byte).unwrap_or_default())
            }
        }
    }
}

/// How many line ends lie between `byte` and the next character that is none.
fn blank_lines(path: &Path, byte: u64) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(byte))?;
    let mut input = BufReader::new(file);
    let mut lines = 0;
    loop {
        let buffer = input.fill_buf()?;
        let blank = buffer.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        lines += buffer.iter().take(blank).filter(|&&b| b == b'\n').count() as u64;
        if buffer.is_empty() || blank < buffer.len() {
            return Ok(lines);
        }
        input.consume(blank);
    }
}
