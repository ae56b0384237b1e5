//! Text files as people have them: read whole, checked to be UTF-8, with errors that help.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Why a file cannot be used as text.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing there.
    #[error("{path}: no such file; check the spelling and the folder", path = .0.display())]
    Missing(PathBuf),
    /// A folder, where a file is needed.
    #[error("{path}: is a folder; name a file inside it", path = .0.display())]
    Directory(PathBuf),
    /// The system refuses.
    #[error("{path}: cannot be read: {problem}", path = path.display())]
    Unreadable { path: PathBuf, problem: io::Error },
    /// Bytes that are not UTF-8.
    #[error(
        "{path}:{line}: byte 0x{byte:02X} at column {column} is not UTF-8; save the file as UTF-8 \
         (iconv -f latin1 -t utf-8)", path = path.display()
    )]
    NotUtf8 { path: PathBuf, line: u64, column: u64, byte: u8 },
    /// Two bytes a character, as Excel saves "Unicode text".
    #[error(
        "{path}: is UTF-16; save the file as UTF-8 (iconv -f utf-16 -t utf-8)", path = .0.display()
    )]
    Utf16(PathBuf),
}

impl FileError {
    /// The error for what the system said about `path`.
    pub fn new(path: &Path, problem: io::Error) -> Self {
        match problem.kind() {
            ErrorKind::NotFound => Self::Missing(path.to_owned()),
            ErrorKind::IsADirectory => Self::Directory(path.to_owned()),
            _ => Self::Unreadable { path: path.to_owned(), problem },
        }
    }

    /// Reads `path` again to find the first byte that is not UTF-8. For the error path only: the
    /// happy path never counts lines.
    pub fn not_utf8(path: &Path) -> Self {
        Self::find_not_utf8(path).unwrap_or_else(|| Self::Unreadable {
            path: path.to_owned(),
            problem: io::Error::other("it changed while it was read"),
        })
    }

    /// The same where the trouble may be another one.
    pub fn find_not_utf8(path: &Path) -> Option<Self> {
        match find_bad_byte(path) {
            Ok(bad) => bad.map(|(line, column, byte)| Self::NotUtf8 {
                path: path.to_owned(),
                line,
                column,
                byte,
            }),
            Err(problem) => Some(Self::new(path, problem)),
        }
    }
}

/// Opens a file for reading. A folder is refused here, not at the first read.
pub fn open_file(path: &Path) -> Result<File, FileError> {
    let file = File::open(path).map_err(|problem| FileError::new(path, problem))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(FileError::Directory(path.to_owned())),
        Ok(_) => Ok(file),
        Err(problem) => Err(FileError::new(path, problem)),
    }
}

/// The whole of a UTF-8 file, without its byte order mark.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    open_file(path)?.read_to_end(&mut bytes).map_err(|problem| FileError::new(path, problem))?;
    if is_utf16(&bytes) {
        return Err(FileError::Utf16(path.to_owned()));
    }
    if bytes.starts_with(UTF8_BOM) {
        bytes.drain(..UTF8_BOM.len());
    }
    String::from_utf8(bytes).map_err(|_| FileError::not_utf8(path))
}

/// Whether a file that starts like this is UTF-16.
pub fn is_utf16(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff")
}

/// Line and byte column, both from 1, and the byte.
fn find_bad_byte(path: &Path) -> io::Result<Option<(u64, u64, u8)>> {
    let mut input = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        number += 1;
        if let Err(bad) = std::str::from_utf8(&line) {
            let at = bad.valid_up_to();
            return Ok(line.get(at).map(|&byte| (number, at as u64 + 1, byte)));
        }
    }
}
