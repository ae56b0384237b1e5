//! The answer as it goes over the wire.

use super::Form;
use crate::model::{Answer, Survey};
use serde_json::{Map, Value, json};

/// The names of the schemas: at most 64 of `A-Za-z0-9_-`.
const ANSWER: &str = "survey_answer";
const VERDICT: &str = "verdict";

/// What stands in `response_format.json_schema`: `{name, strict, schema}`. Strict schemas want
/// every property required and no others allowed. The narrative comes first: models fill in a
/// schema in its order, and the numbers should follow from the words.
pub fn answer_schema(survey: &Survey) -> Value {
    let score = json!({"type": "integer", "enum": [1, 2, 3, 4, 5]});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mut grid = Map::new();
    grid.insert("support_level".into(), score.clone());
    for dimension in &survey.grid.impacts {
        grid.insert(dimension.key.clone(), score.clone());
    }
    grid.insert("key_concerns".into(), texts.clone());
    grid.insert("suggested_improvements".into(), texts);
    let mut answer = Map::new();
    answer.insert("narrative".into(), json!({"type": "string"}));
    answer.insert("survey".into(), object(grid));
    named(ANSWER, object(answer))
}

/// The schema of a critic's verdict: what it judges depends on its form.
pub(super) fn verdict_schema(survey: &Survey, form: Form) -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mut verdict = Map::new();
    if form.judges_relevance() {
        verdict.insert("addresses_question".into(), json!({"type": "boolean"}));
    }
    verdict.insert("issues".into(), texts);
    if form.corrects() {
        let score = json!({"type": ["integer", "null"], "enum": [1, 2, 3, 4, 5, null]});
        let texts = json!({"type": ["array", "null"], "items": {"type": "string"}});
        let mut fields = Map::new();
        fields.insert("narrative".into(), json!({"type": ["string", "null"]}));
        fields.insert("support_level".into(), score.clone());
        for dimension in &survey.grid.impacts {
            fields.insert(dimension.key.clone(), score.clone());
        }
        fields.insert("key_concerns".into(), texts.clone());
        fields.insert("suggested_improvements".into(), texts);
        verdict.insert("corrections".into(), object(fields));
    }
    named(VERDICT, object(verdict))
}

/// A schema with its name, as `response_format` has it.
pub(super) fn named(name: &str, schema: Value) -> Value {
    json!({"name": name, "strict": true, "schema": schema})
}

pub(super) fn object(properties: Map<String, Value>) -> Value {
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// An answer in the shape in which providers send it.
pub fn answer_to_wire(answer: &Answer) -> Value {
    let mut grid = Map::new();
    grid.insert("support_level".into(), answer.support_level.get().into());
    for (key, score) in &answer.impacts {
        grid.insert(key.clone(), score.get().into());
    }
    grid.insert("key_concerns".into(), answer.key_concerns.clone().into());
    grid.insert("suggested_improvements".into(), answer.suggested_improvements.clone().into());
    json!({"narrative": answer.narrative, "survey": grid})
}
