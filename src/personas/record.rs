//! From a record's parts to a persona: its number, its id, its weight.

use super::{Format, PersonaError, ReadSummary, place::RoughPlace};
use crate::model::{Attribute, Persona, PersonaIndex};
use std::path::Path;

/// A persona and where it stands.
pub(super) struct Row {
    pub place: RoughPlace,
    pub persona: Persona,
    /// Whether the id is the input's own, so that it could stand there twice.
    pub own_id: bool,
}

/// The columns that may hold the id, the first of them that a file has wins.
const ID_KEYS: [&str; 3] = ["id", "persona_id", "uuid"];

/// The name among `names` that holds the id, whatever its case.
pub(super) fn id_key<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    ID_KEYS.iter().find_map(|key| names.clone().find(|name| name.eq_ignore_ascii_case(key)))
}

/// Whether a column holds the weight.
pub(super) fn is_weight(name: &str) -> bool {
    name.eq_ignore_ascii_case("weight")
}

/// Whether a column holds lists, perhaps in the shape of strings.
pub(super) fn is_list(name: &str) -> bool {
    name.ends_with("_list")
}

/// The parts of a record, cleaned: `None` where a part is null or blank.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub id: Option<String>,
    pub weight: Option<String>,
    pub attributes: Vec<Attribute>,
}

/// Counts the personas of a file and gives each its index and id.
pub(super) struct Intake<'p> {
    path: &'p Path,
    format: Format,
    own_ids: bool,
    weighted: bool,
    taken: u32,
    blank: u64,
    notes: Vec<String>,
}

impl<'p> Intake<'p> {
    /// For a file whose records have ids and weights of their own, or none.
    pub(super) fn new(path: &'p Path, format: Format, own_ids: bool, weighted: bool) -> Self {
        Self { path, format, own_ids, weighted, taken: 0, blank: 0, notes: Vec::new() }
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A record with nothing in it.
    pub(super) fn skip_blank(&mut self) {
        self.blank += 1;
    }

    pub(super) fn persona(&mut self, place: RoughPlace, parts: Parts) -> Result<Row, PersonaError> {
        let wrong = |problem| PersonaError::Record {
            path: self.path.to_owned(),
            place: place.exact(self.path),
            problem,
        };
        let index = PersonaIndex(self.taken);
        let taken = self.taken.checked_add(1);
        let taken = taken.ok_or_else(|| PersonaError::TooMany(self.path.to_owned()))?;
        let id = match (self.own_ids, parts.id) {
            (true, Some(id)) => id,
            (true, None) => return Err(wrong("the id is missing; give every persona one".into())),
            (false, None) => taken.to_string(),
            (false, Some(id)) => {
                return Err(wrong(format!(
                    "has the id {id:?}, but the first record has none; give every persona one"
                )));
            }
        };
        let weight = match (self.weighted, parts.weight) {
            (true, Some(text)) => Some(weight(&text).map_err(wrong)?),
            (true, None) => {
                return Err(wrong("the weight is missing; give every persona one, or none".into()));
            }
            (false, None) => None,
            (false, Some(_)) => {
                return Err(wrong(
                    "has a weight, but the first record has none; give every persona one, or none"
                        .into(),
                ));
            }
        };
        self.taken = taken;
        let persona = Persona { index, id, weight, attributes: parts.attributes };
        Ok(Row { place, persona, own_id: self.own_ids })
    }

    /// The end of the file.
    pub(super) fn finish(mut self) -> Result<ReadSummary, PersonaError> {
        if self.taken == 0 {
            return Err(PersonaError::NoPersonas(self.path.to_owned()));
        }
        if self.blank > 0 {
            self.note(format!("{} blank records are left out", self.blank));
        }
        Ok(ReadSummary {
            count: self.taken,
            format: self.format,
            own_ids: self.own_ids,
            weighted: self.weighted,
            notes: self.notes,
        })
    }
}

fn weight(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("weight {shown:?} is not a number above 0; correct it, or rename the column")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personas::Place;

    #[test]
    fn there_are_no_more_personas_than_can_be_counted() {
        let mut intake = Intake::new(Path::new("p.csv"), Format::Json, false, false);
        intake.taken = u32::MAX - 1;
        let place = RoughPlace::Exact(Place::Record(1));
        let last = intake.persona(place, Parts::default()).unwrap();
        assert_eq!((last.persona.index.0, last.persona.id.as_str()), (u32::MAX - 1, "4294967295"));
        let error = intake.persona(place, Parts::default()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "p.csv: more than 4294967295 personas; split the file into several runs"
        );
    }
}
