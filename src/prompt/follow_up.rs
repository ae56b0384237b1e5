//! Reads what a persona says when it is asked again: a whole answer, or one that leaves out what
//! has not changed.

use super::{AnswerError, answer::read_answer, schema::answer_to_wire, verdict::object_in};
use crate::model::{Answer, Survey};
use serde_json::{Map, Value};

/// The answer as it stands after a follow-up. A field that the reply leaves out keeps its value: a
/// persona that adds two sentences often drops the numbers.
///
/// # Errors
/// Where there is no JSON object with anything of an answer in it, or a field has a wrong value.
pub fn read_added(survey: &Survey, before: &Answer, reply: &str) -> Result<Answer, AnswerError> {
    let missing = match read_answer(survey, reply) {
        Ok(answer) => return Ok(answer),
        Err(error @ (AnswerError::Missing { .. } | AnswerError::EmptyNarrative)) => error,
        Err(error) => return Err(error),
    };
    let added = object_in(reply)?;
    let Value::Object(mut whole) = answer_to_wire(before) else { return Err(missing) };
    let grid = |object: &mut Map<String, Value>| match object.remove("survey") {
        Some(Value::Object(grid)) => grid,
        _ => Map::new(),
    };
    let mut merged = grid(&mut whole);
    let mut some = false;
    let mut added = added;
    let new_grid = grid(&mut added);
    for (key, value) in added.into_iter().chain(new_grid) {
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        if key == "narrative" {
            some = true;
            whole.insert(key, value);
        } else if merged.contains_key(&key) {
            some = true;
            merged.insert(key, value);
        }
    }
    if !some {
        return Err(missing);
    }
    whole.insert("survey".into(), merged.into());
    read_answer(survey, &Value::Object(whole).to_string())
}
