//! Personas from JSON lines, JSON and YAML.

use super::{
    Format, PersonaError, Place, ReadError, ReadSummary, Taker, format::Source, objects::Objects,
};
use crate::config::{FileError, read_text};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::{
    fmt,
    io::{BufRead, BufReader, ErrorKind},
    path::Path,
};

const BUFFER: usize = 256 * 1024;

/// JSON lines: an object a line, blank lines between them allowed.
pub(super) fn read_lines<E>(
    path: &Path,
    source: Source,
    take: Taker<'_, E>,
) -> Result<ReadSummary, ReadError<E>> {
    let mut objects = Objects::new(path, source.format, take);
    let mut input = BufReader::with_capacity(BUFFER, source.file);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let length = input.read_until(b'\n', &mut line);
        if length.map_err(|problem| FileError::new(path, problem))? == 0 {
            return objects.finish();
        }
        number += 1;
        // Without the line end, so that an error at the end has a column of this line.
        let record = line.trim_ascii_end();
        if record.is_empty() {
            continue;
        }
        let text = std::str::from_utf8(record).map_err(|_| FileError::not_utf8(path))?;
        let value = serde_json::from_str(text).map_err(|error| PersonaError::Syntax {
            path: path.to_owned(),
            line: number,
            column: error.column(),
            problem: json_problem(&error),
        })?;
        objects.record(Place::Line(number as u64), value)?;
    }
}

/// JSON: a list of objects, or an object with one such list inside. One record at a time is in
/// memory.
pub(super) fn read_json<E>(
    path: &Path,
    source: Source,
    take: Taker<'_, E>,
) -> Result<ReadSummary, ReadError<E>> {
    let input = BufReader::with_capacity(BUFFER, source.file);
    let mut json = serde_json::Deserializer::from_reader(input);
    let mut list = List::new(Objects::new(path, source.format, take));
    let end = Walk { list: &mut list, level: Level::Top }.deserialize(&mut json);
    let end = end.and_then(|()| json.end());
    list.finish(|| end.map_err(|error| explain_json(path, &error)))
}

/// YAML: of the same shapes, but loaded whole, as its anchors need.
pub(super) fn read_yaml<E>(path: &Path, take: Taker<'_, E>) -> Result<ReadSummary, ReadError<E>> {
    let value: Value = serde_yaml::from_str(&read_text(path)?).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let problem = without_position(&error.to_string(), line, column);
        PersonaError::Syntax { path: path.to_owned(), line, column, problem }
    })?;
    if value.is_null() {
        return Err(PersonaError::NoPersonas(path.to_owned()).into());
    }
    let mut list = List::new(Objects::new(path, Format::Yaml, take));
    let end = Walk { list: &mut list, level: Level::Top }.deserialize(value);
    list.finish(|| end.map_err(|error| explain_json(path, &error)))
}

fn explain_json(path: &Path, error: &serde_json::Error) -> PersonaError {
    if let Some(kind) = error.io_error_kind().filter(|&kind| kind != ErrorKind::UnexpectedEof) {
        return FileError::new(path, kind.into()).into();
    }
    // Bytes that are not UTF-8 show as all kinds of syntax errors.
    if let Some(error) = FileError::find_not_utf8(path) {
        return error.into();
    }
    PersonaError::Syntax {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        problem: json_problem(error),
    }
}

fn json_problem(error: &serde_json::Error) -> String {
    format!("not JSON: {}", without_position(&error.to_string(), error.line(), error.column()))
}

fn without_position(text: &str, line: usize, column: usize) -> String {
    text.replacen(&format!(" at line {line} column {column}"), "", 1)
}

/// The one list of a file, handed on record by record.
struct List<'p, 't, E> {
    objects: Objects<'p, 't, E>,
    found: bool,
    read: u64,
    /// The error of ours that ended the reading: serde has no room for it in its own.
    failed: Option<ReadError<E>>,
}

impl<'p, 't, E> List<'p, 't, E> {
    fn new(objects: Objects<'p, 't, E>) -> Self {
        Self { objects, found: false, read: 0, failed: None }
    }

    /// Ends serde's walk with an error of ours.
    fn fail<T, S: Error>(&mut self, error: ReadError<E>) -> Result<T, S> {
        self.failed = Some(error);
        Err(S::custom("reading ended"))
    }

    fn wrong_shape<T, S: Error>(&mut self, problem: &'static str) -> Result<T, S> {
        let path = self.objects.path.to_owned();
        self.fail(PersonaError::Shape { path, problem }.into())
    }

    fn finish(
        self,
        end: impl FnOnce() -> Result<(), PersonaError>,
    ) -> Result<ReadSummary, ReadError<E>> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        end()?;
        self.objects.finish()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The list itself, or an object around it.
    Top,
    /// In that object: the list, or something to pass over.
    Member,
}

struct Walk<'l, 'p, 't, E> {
    list: &'l mut List<'p, 't, E>,
    level: Level,
}

impl<E> Walk<'_, '_, '_, E> {
    fn plain<S: Error>(self) -> Result<(), S> {
        match self.level {
            Level::Top => self.list.wrong_shape("is a single value"),
            Level::Member => Ok(()),
        }
    }
}

impl<'de, E> DeserializeSeed<'de> for Walk<'_, '_, '_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, E> Visitor<'de> for Walk<'_, '_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of personas")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let list = self.list;
        if std::mem::replace(&mut list.found, true) {
            return list.wrong_shape("holds more than one list");
        }
        while let Some(value) = items.next_element::<Value>()? {
            list.read += 1;
            if let Err(error) = list.objects.record(Place::Record(list.read), value) {
                return list.fail(error);
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key::<IgnoredAny>()?.is_some() {
            if self.level == Level::Member {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(Walk { list: &mut *self.list, level: Level::Member })?;
            }
        }
        match self.level {
            Level::Top if !self.list.found => self.list.wrong_shape("holds no list of personas"),
            _ => Ok(()),
        }
    }

    fn visit_bool<S: Error>(self, _: bool) -> Result<(), S> {
        self.plain()
    }

    fn visit_i64<S: Error>(self, _: i64) -> Result<(), S> {
        self.plain()
    }

    fn visit_u64<S: Error>(self, _: u64) -> Result<(), S> {
        self.plain()
    }

    fn visit_f64<S: Error>(self, _: f64) -> Result<(), S> {
        self.plain()
    }

    fn visit_str<S: Error>(self, _: &str) -> Result<(), S> {
        self.plain()
    }

    fn visit_unit<S: Error>(self) -> Result<(), S> {
        self.plain()
    }
}
