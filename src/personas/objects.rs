//! Records that are objects, as in JSON and YAML: flattened into attributes.

use super::{
    Format, PersonaError, Place, ReadError, ReadSummary, Taker,
    place::RoughPlace,
    record::{self, Intake, Parts},
    value::{clean, clean_list, joined, one_line},
};
use crate::model::Attribute;
use serde_json::{Map, Value};
use std::path::Path;

/// Takes records as values; the first one shows whether they have ids and weights.
pub(super) struct Objects<'p, 't, E> {
    pub path: &'p Path,
    format: Format,
    intake: Option<Intake<'p>>,
    take: Taker<'t, E>,
}

impl<'p, 't, E> Objects<'p, 't, E> {
    pub(super) fn new(path: &'p Path, format: Format, take: Taker<'t, E>) -> Self {
        Self { path, format, intake: None, take }
    }

    pub(super) fn record(&mut self, place: Place, value: Value) -> Result<(), ReadError<E>> {
        let Value::Object(object) = value else {
            return Err(PersonaError::Record {
                path: self.path.to_owned(),
                place,
                problem: format!("is {}, not an object; write {{\"age\": 34, ...}}", kind(&value)),
            }
            .into());
        };
        let id = record::id_key(object.keys().map(String::as_str)).map(str::to_owned);
        let weighted = object.keys().any(|key| record::is_weight(key));
        let (path, format) = (self.path, self.format);
        let intake =
            self.intake.get_or_insert_with(|| Intake::new(path, format, id.is_some(), weighted));
        let parts = parts(object, id.as_deref());
        if parts.id.is_none() && parts.attributes.is_empty() {
            intake.skip_blank();
            return Ok(());
        }
        let row = intake.persona(RoughPlace::Exact(place), parts)?;
        (self.take)(row)
    }

    pub(super) fn finish(self) -> Result<ReadSummary, ReadError<E>> {
        let (path, format) = (self.path, self.format);
        Ok(self.intake.unwrap_or_else(|| Intake::new(path, format, false, false)).finish()?)
    }
}

fn parts(object: Map<String, Value>, id: Option<&str>) -> Parts {
    let mut parts = Parts::default();
    for (key, value) in object {
        if Some(key.as_str()) == id {
            parts.id = scalar(&value, false);
        } else if record::is_weight(&key) {
            parts.weight = scalar(&value, false);
        } else {
            flatten(&one_line(&key), value, &mut parts.attributes);
        }
    }
    parts
}

/// Nested objects become `address.city`, lists of objects `children.1.age`, and lists of plain
/// values one text.
fn flatten(name: &str, value: Value, attributes: &mut Vec<Attribute>) {
    let inner = |key: &str| match (name, key) {
        ("", key) => key.to_owned(),
        (name, "") => name.to_owned(),
        (name, key) => format!("{name}.{key}"),
    };
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                flatten(&inner(&one_line(&key)), value, attributes);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (number, item) in (1..).zip(items) {
                flatten(&inner(&format!("{number}")), item, attributes);
            }
        }
        Value::Array(items) => {
            let value = joined(items.iter().filter_map(|item| scalar(item, false)));
            attributes.extend(value.map(|value| Attribute { name: name.to_owned(), value }));
        }
        plain => {
            let value = scalar(&plain, record::is_list(name));
            attributes.extend(value.map(|value| Attribute { name: name.to_owned(), value }));
        }
    }
}

fn scalar(value: &Value, list: bool) -> Option<String> {
    match value {
        Value::String(text) if list => clean_list(text),
        Value::String(text) => clean(text),
        Value::Number(number) => clean(&number.to_string()),
        Value::Bool(truth) => Some(if *truth { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
