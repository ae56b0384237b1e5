//! Personas from CSV, row by row.

use super::{
    PersonaError, ReadError, ReadSummary, Taker,
    format::Format,
    place::RoughPlace,
    record::{self, Intake, Parts},
    value::{clean, clean_list, one_line},
};
use crate::{config::FileError, model::Attribute};
use csv::{ErrorKind, Position, ReaderBuilder, StringRecord};
use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Id,
    Weight,
    Attribute,
    /// An attribute that may be a list in the shape of a string.
    List,
    /// Without a name, as the row numbers that pandas writes.
    Unnamed,
}

struct Column {
    name: String,
    role: Role,
}

/// Reads `input`, whose text begins at byte `start` of `path`.
pub(super) fn read<E>(
    path: &Path,
    (input, start): (impl Read + Seek, u64),
    delimiter: u8,
    take: Taker<'_, E>,
) -> Result<ReadSummary, ReadError<E>> {
    // Flexible, because the library's own error does not show what the odd row holds.
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .buffer_capacity(256 * 1024)
        .from_reader(input);
    let explain = |error| explain(path, error);
    let columns = columns(path, reader.headers().map_err(explain)?)?;
    let has = |role| columns.iter().any(|column| column.role == role);
    let format = Format::Csv { delimiter };
    let mut intake = Intake::new(path, format, has(Role::Id), has(Role::Weight));
    if has(Role::Unnamed) {
        intake.note("a column without a name is left out");
    }
    let mut row = StringRecord::new();
    // The last row, where its last field spans lines: what a quote that is never closed leaves.
    let mut suspect = None;
    while reader.read_record(&mut row).map_err(explain)? {
        let place = place(&row, start);
        if row.len() != columns.len() {
            return Err(ragged(path, place, columns.len(), &row).into());
        }
        if row.iter().all(|field| field.trim().is_empty()) {
            intake.skip_blank();
            continue;
        }
        suspect = row.iter().next_back().is_some_and(|last| last.contains('\n')).then_some(place);
        take(intake.persona(place, parts(&columns, &row))?)?;
    }
    if let Some(place) = suspect.filter(|_| !ends_with_quote(reader.into_inner())) {
        let place = place.exact(path);
        return Err(PersonaError::OpenQuote { path: path.to_owned(), place }.into());
    }
    Ok(intake.finish()?)
}

fn columns(path: &Path, header: &StringRecord) -> Result<Vec<Column>, PersonaError> {
    let names: Vec<String> = header.iter().map(one_line).collect();
    for (second, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(first) = names.iter().take(second).position(|other| other == name) {
            return Err(PersonaError::DuplicateColumn {
                path: path.to_owned(),
                name: name.clone(),
                first: first + 1,
                second: second + 1,
            });
        }
    }
    let id = record::id_key(names.iter().map(String::as_str)).map(str::to_owned);
    let role = |name: &str| match name {
        "" => Role::Unnamed,
        _ if Some(name) == id.as_deref() => Role::Id,
        _ if record::is_weight(name) => Role::Weight,
        _ if record::is_list(name) => Role::List,
        _ => Role::Attribute,
    };
    Ok(names.into_iter().map(|name| Column { role: role(&name), name }).collect())
}

fn parts(columns: &[Column], row: &StringRecord) -> Parts {
    let mut parts = Parts { attributes: Vec::with_capacity(columns.len()), ..Parts::default() };
    for (column, field) in columns.iter().zip(row) {
        let value = match column.role {
            Role::Attribute => clean(field),
            Role::List => clean_list(field),
            Role::Id => {
                parts.id = clean(field);
                continue;
            }
            Role::Weight => {
                parts.weight = clean(field);
                continue;
            }
            Role::Unnamed => continue,
        };
        if let Some(value) = value {
            parts.attributes.push(Attribute { name: column.name.clone(), value });
        }
    }
    parts
}

fn place(row: &StringRecord, start: u64) -> RoughPlace {
    let (line, byte) = row.position().map_or((1, 0), |at: &Position| (at.line(), at.byte()));
    RoughPlace::Csv { line, byte: byte + start }
}

fn ragged(path: &Path, place: RoughPlace, expected: usize, row: &StringRecord) -> PersonaError {
    let remedy = if row.iter().any(|field| field.contains('\n')) {
        "a quote that nothing closes may have taken in the lines below"
    } else if row.len() > expected {
        "put a value that holds the delimiter in double quotes"
    } else {
        "fill it up with empty fields"
    };
    PersonaError::Ragged {
        path: path.to_owned(),
        place: place.exact(path),
        expected,
        found: row.len(),
        remedy,
    }
}

/// Whether the last byte before the line end is a quote. The reader forgives a missing one.
fn ends_with_quote(mut file: impl Read + Seek) -> bool {
    let mut tail = Vec::new();
    let length = file.seek(SeekFrom::End(0)).unwrap_or_default();
    let read = file
        .seek(SeekFrom::Start(length.saturating_sub(64)))
        .and_then(|_| file.read_to_end(&mut tail));
    read.is_err() || tail.trim_ascii_end().ends_with(b"\"")
}

fn explain(path: &Path, error: csv::Error) -> PersonaError {
    match error.into_kind() {
        ErrorKind::Io(problem) => FileError::new(path, problem).into(),
        // Of the other kinds a reader of rows without serde has only this one.
        _ => FileError::not_utf8(path).into(),
    }
}
