//! Where personas come from: CSV, JSON, JSON lines and YAML files with free columns.
//!
//! ```text
//! file -> format (extension, first bytes) -> csv_rows              -> record -> each(Persona)
//!                                         -> json -> objects ------'     |
//!                                                                       ids: no id twice
//! ```
//!
//! A file is read once, record by record, and nothing of it is kept but 8 bytes an id, so a
//! million personas cost no more memory than ten (YAML is the exception: it is loaded whole).
//! Values become words on the way (`value`): what is null or blank is left out, `3.0` is 3, nested
//! objects are `address.city`. Only when there is an error to tell is the file looked at again, for
//! the exact line.

mod csv_rows;
mod error;
mod format;
mod ids;
mod json;
mod objects;
mod place;
mod record;
mod value;

pub use error::{PersonaError, ReadError};
pub use format::Format;
pub use place::Place;

use crate::{config::EXAMPLE_PERSONAS, model::Persona};
use record::Row;
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    io::Cursor,
    path::Path,
};

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSummary {
    pub count: u32,
    pub format: Format,
    /// Whether the personas have ids of their own, not row numbers.
    pub own_ids: bool,
    pub weighted: bool,
    /// What was left out; one sentence each.
    pub notes: Vec<String>,
}

/// Who takes the rows of a file.
type Taker<'t, E> = &'t mut dyn FnMut(Row) -> Result<(), ReadError<E>>;

/// Reads a file of personas and hands them over one by one, in the order of the file. An error of
/// `each` ends the reading.
///
/// An error may come after personas have been handed over, two personas of one id even at the
/// very end: what came is of use only once this has returned `Ok`.
///
/// # Errors
/// What is wrong with the file, with its line or record and the remedy; or what `each` returned.
pub fn read<E>(
    path: &Path,
    each: &mut dyn FnMut(Persona) -> Result<(), E>,
) -> Result<ReadSummary, ReadError<E>> {
    let mut ids = ids::IdHashes::default();
    // Hashes that were looked into and belong to different ids.
    let mut cleared = HashSet::new();
    let mut look_into = |suspects: HashSet<u64>| -> Result<(), PersonaError> {
        if !suspects.is_subset(&cleared) {
            find_duplicate(path, &suspects)?;
            cleared.extend(suspects);
        }
        Ok(())
    };
    let summary = stream(path, &mut |row: Row| {
        if row.own_id {
            look_into(ids.note(&row.persona.id))?;
        }
        each(row.persona).map_err(ReadError::Stopped)
    })?;
    look_into(ids.suspects())?;
    Ok(summary)
}

/// The personas of the demo.
pub fn example() -> Vec<Persona> {
    let mut personas = Vec::new();
    let text = Cursor::new(EXAMPLE_PERSONAS);
    let path = Path::new("config/example/personas.csv");
    let read = csv_rows::read::<Infallible>(path, (text, 0), b',', &mut |row| {
        personas.push(row.persona);
        Ok(())
    });
    read.expect("config/example/personas.csv is part of the program, and a test reads it");
    personas
}

fn stream<E>(path: &Path, take: Taker<'_, E>) -> Result<ReadSummary, ReadError<E>> {
    let source = format::open_source(path)?;
    match source.format {
        Format::Csv { delimiter } => {
            csv_rows::read(path, (source.file, source.start), delimiter, take)
        }
        Format::Json => json::read_json(path, source, take),
        Format::JsonLines => json::read_lines(path, source, take),
        Format::Yaml => json::read_yaml(path, take),
    }
}

/// Reads the file again to see whether ids of a suspicious hash are the same.
fn find_duplicate(path: &Path, suspects: &HashSet<u64>) -> Result<(), PersonaError> {
    let mut seen = HashMap::new();
    let read = stream::<Infallible>(path, &mut |row| {
        if !suspects.contains(&ids::hash(&row.persona.id)) {
            return Ok(());
        }
        match seen.insert(row.persona.id.clone(), row.place) {
            Some(first) => Err(PersonaError::DuplicateId {
                path: path.to_owned(),
                id: row.persona.id,
                first: first.exact(path),
                second: row.place.exact(path),
            }
            .into()),
            None => Ok(()),
        }
    });
    match read {
        Ok(_) => Ok(()),
        Err(ReadError::Input(error)) => Err(error),
        Err(ReadError::Stopped(never)) => match never {},
    }
}

#[cfg(test)]
mod tests;
