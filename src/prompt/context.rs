//! What a template sees: `survey` and `persona`.

use super::words::label;
use crate::model::{Attribute, Persona, Survey};
use minijinja::value::{Enumerator, Object, Value};
use std::sync::Arc;

/// The paths below `survey`.
pub(super) const SURVEY_PATHS: [&str; 8] = [
    "survey",
    "survey.name",
    "survey.question",
    "survey.domain",
    "survey.grid",
    "survey.grid.support",
    "survey.grid.impacts",
    "survey.themes",
];

/// The survey, built once.
pub(super) fn survey_value(survey: &Survey) -> Value {
    let impacts = survey.grid.impacts.iter().map(|dimension| {
        Value::from_pairs([("label", dimension.label.as_str()), ("key", dimension.key.as_str())])
    });
    Value::from_pairs([
        ("name", Value::from(survey.name.as_str())),
        ("question", Value::from(survey.question.as_str())),
        ("domain", Value::from(survey.domain.as_str())),
        ("themes", survey.summary.themes.iter().map(|theme| theme.name.as_str()).collect()),
        (
            "grid",
            Value::from_pairs([
                ("support", Value::from(survey.grid.support.as_str())),
                ("impacts", impacts.collect()),
            ]),
        ),
    ])
}

/// A persona's values, looked up only when a template asks for them.
#[derive(Debug)]
pub(super) struct PersonaValues {
    id: String,
    attributes: Vec<Attribute>,
    /// Made up to try a template: has every attribute there could be.
    sample: bool,
}

impl PersonaValues {
    pub(super) fn of(persona: &Persona) -> Value {
        Value::from_object(Self {
            id: persona.id.clone(),
            attributes: persona.attributes.clone(),
            sample: false,
        })
    }

    /// With a value for each of `names`, and for any other. It is a number, since a template may
    /// do sums with it.
    pub(super) fn sample(names: &[String]) -> Value {
        // `persona.address` next to `persona.address.city` is a group, not a value.
        let is_group = |name: &str| {
            names.iter().any(|n| n.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
        };
        let mut names: Vec<_> = names.iter().map(String::as_str).filter(|n| !is_group(n)).collect();
        if names.is_empty() {
            names.push("age");
        }
        let attributes =
            names.iter().map(|&name| Attribute { name: name.to_owned(), value: "1".into() });
        Value::from_object(Self { id: "1".into(), attributes: attributes.collect(), sample: true })
    }

    fn list(&self) -> Value {
        let attribute = |attribute: &Attribute| {
            Value::from_pairs([
                ("name", Value::from(attribute.name.as_str())),
                ("label", Value::from(label(&attribute.name))),
                ("value", Value::from(attribute.value.as_str())),
            ])
        };
        self.attributes.iter().map(attribute).collect()
    }
}

impl Object for PersonaValues {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "id" => Some(Value::from(self.id.as_str())),
            "attributes" => Some(self.list()),
            _ => Nested { persona: Arc::clone(self), path: String::new() }
                .find(key)
                .or_else(|| self.sample.then(|| Value::from("1"))),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.attributes.iter().map(|attribute| Value::from(attribute.name.as_str()));
        Enumerator::Values(names.collect())
    }
}

/// Attributes that share the start of their names: `persona.address` of `address.city`.
#[derive(Debug)]
struct Nested {
    persona: Arc<PersonaValues>,
    /// Ends with a dot, or is empty.
    path: String,
}

impl Nested {
    fn find(&self, key: &str) -> Option<Value> {
        let name = format!("{}{key}", self.path);
        let attributes = &self.persona.attributes;
        if let Some(exact) = attributes.iter().find(|attribute| attribute.name == name) {
            return Some(Value::from(exact.value.as_str()));
        }
        let path = format!("{name}.");
        attributes
            .iter()
            .any(|attribute| attribute.name.starts_with(&path))
            .then(|| Value::from_object(Self { persona: Arc::clone(&self.persona), path }))
    }
}

impl Object for Nested {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}
