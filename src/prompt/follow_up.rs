//! Reads what a persona says when it is asked again: a whole answer, or one that leaves out what
//! has not changed.

use super::{
    AnswerError,
    answer::{MOST_STARTS, read_answer},
    schema::answer_to_wire,
};
use crate::model::{Answer, Dimension, Survey, snake_case};
use serde_json::{Deserializer, Map, Value};

/// The answer as it stands after a follow-up. A field that the reply leaves out, as null or blank
/// too, keeps its value: a persona that adds two sentences often drops the numbers.
///
/// # Errors
/// Where there is no JSON object with anything of an answer in it, or a field has a wrong value.
pub fn read_added(survey: &Survey, before: &Answer, reply: &str) -> Result<Answer, AnswerError> {
    let not_whole = match read_answer(survey, reply) {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let Value::Object(mut whole) = answer_to_wire(before) else { return Err(not_whole) };
    let Some(added) = added_in(survey, reply) else { return Err(not_whole) };
    for (field, value) in added {
        match whole.get_mut("survey") {
            Some(Value::Object(grid)) if field != "narrative" => grid.insert(field, value),
            _ => whole.insert(field, value),
        };
    }
    read_answer(survey, &Value::Object(whole).to_string())
}

/// The fields that a reply fills in: of the first object that has a narrative, or else of the first
/// with anything. In a reply that is broken the latter may be the grid of an answer whose narrative
/// is lost, and is not taken.
fn added_in(survey: &Survey, reply: &str) -> Option<Map<String, Value>> {
    let mut broken = false;
    let mut some = None;
    for (start, _) in reply.match_indices('{').take(MOST_STARTS) {
        let mut objects = Deserializer::from_str(&reply[start..]).into_iter();
        let Some(Ok(object)) = objects.next() else {
            broken = true;
            continue;
        };
        let mut added = Map::new();
        fill_in(&mut added, survey, object);
        if added.contains_key("narrative") {
            return Some(added);
        }
        if !added.is_empty() && !broken {
            some.get_or_insert(added);
        }
    }
    some
}

/// Puts what stands in an object, and in the grid inside it, under the names of the fields.
fn fill_in(added: &mut Map<String, Value>, survey: &Survey, object: Map<String, Value>) {
    for (key, value) in object {
        let Some(field) = field(survey, &key) else { continue };
        match value {
            Value::Object(grid) if field == "survey" => fill_in(added, survey, grid),
            Value::Null => {}
            Value::String(text) if text.trim().is_empty() => {}
            _ if field == "survey" => {}
            value => {
                added.insert(field, value);
            }
        }
    }
}

/// The field that a key means: models that are not held to the schema write "Support Level" or the
/// label.
fn field(survey: &Survey, key: &str) -> Option<String> {
    let is_one = |key: &String| {
        key == "survey"
            || Dimension::RESERVED.contains(&key.as_str())
            || survey.grid.impacts.iter().any(|impact| impact.key == *key)
    };
    [key.to_owned(), snake_case(key)].into_iter().find(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::tests::{answer, survey};

    fn added(reply: &str) -> Result<Answer, AnswerError> {
        read_added(&survey(&["Housing", "Public transport"]), &answer(), reply)
    }

    #[test]
    fn what_is_left_out_keeps_its_value() {
        let kept = Answer { narrative: "I rent. Trams help.".into(), ..answer() };
        let narrative = r#""narrative": "I rent. Trams help.""#;
        for reply in [
            format!("{{{narrative}}}"),
            format!(r#"{{{narrative}, "survey": null}}"#),
            format!(r#"{{{narrative}, "survey": "unchanged"}}"#),
            format!(r#"{{{narrative}, "survey": {{}}}}"#),
            format!(
                r#"{{{narrative}, "survey": {{"support_level": null, "housing": "", "public_transport": null, "key_concerns": null, "suggested_improvements": " "}}}}"#
            ),
            format!(r#"{{{narrative}, "support_level": null, "Housing": null, "more": 5}}"#),
            format!("<think>She is {{\"age\": 34}}, {{so}}.</think>{{{narrative}}}"),
        ] {
            assert_eq!(added(&reply), Ok(kept.clone()), "{reply}");
        }
    }

    #[test]
    fn what_is_said_anew_is_taken_by_whatever_name() {
        let score = |n: u8| crate::model::Score::try_from(n).unwrap();
        let fewer = Answer {
            support_level: score(2),
            impacts: vec![("housing".into(), score(3)), ("public_transport".into(), score(5))],
            ..answer()
        };
        for reply in [
            r#"{"survey": {"support_level": 2, "public_transport": 5}}"#,
            r#"{"Support Level": "2", "Public transport": 5, "narrative": null}"#,
            r#"{"narrative": " ", "Survey": {"Support level": 2.0, "Public Transport": "5"}}"#,
        ] {
            assert_eq!(added(reply), Ok(fewer.clone()), "{reply}");
        }
    }

    #[test]
    fn what_adds_nothing_or_is_wrong_is_told() {
        for (reply, told) in [
            ("No.", "no JSON object"),
            ("{}", "narrative is missing"),
            (r#"{"narrative": "", "survey": null}"#, "not JSON: "),
            (r#"{"narrative": "New.", "survey": {"support_level": 9}}"#, "support_level must be"),
            (r#"{"narrative": 5}"#, "narrative must be a text"),
            // The numbers of an answer that is cut off are not taken without its words.
            (r#"{"survey": {"support_level": 2}, "narrative": "I th"#, "not JSON: "),
            (r#"{"narrative": "New.", "survey": {"support_level": 2},}"#, "not JSON: "),
        ] {
            let error = added(reply).unwrap_err().to_string();
            assert!(error.starts_with(told), "{reply}: {error}");
        }
    }
}
