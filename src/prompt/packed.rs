//! The answers of several personas in one reply.

use super::{AnswerError, answer::read_answer, schema::answer_schema, verdict::object_in};
use crate::model::{Answer, Survey};
use serde_json::{Value, json};

/// What stands in `response_format.json_schema`: a list of answers, each with its person's number.
pub(super) fn packed_schema(survey: &Survey) -> Value {
    let mut answer = answer_schema(survey)["schema"].take();
    let mut properties = serde_json::Map::new();
    properties.insert("person".into(), json!({"type": "integer"}));
    if let Some(Value::Object(own)) = answer.get_mut("properties").map(Value::take) {
        properties.extend(own);
    }
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({
        "name": "survey_answers",
        "strict": true,
        "schema": {
            "type": "object",
            "properties": {"answers": {"type": "array", "items": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            }}},
            "required": ["answers"],
            "additionalProperties": false,
        },
    })
}

/// The answer of each of so many personas, in their order; `None` for one that is missing, cannot
/// be used, or is there twice: nobody can tell whose it is.
///
/// # Errors
/// Where there is no list of answers, or none of them can be used.
pub fn read_packed(
    survey: &Survey,
    personas: usize,
    reply: &str,
) -> Result<Vec<Option<Answer>>, AnswerError> {
    let object = object_in(reply)?;
    let Some(Value::Array(items)) = object.get("answers") else {
        return Err(AnswerError::Missing { field: "answers".to_owned() });
    };
    let mut answers = vec![None; personas];
    let mut seen = vec![0_u32; personas];
    let mut blame = None;
    for item in items {
        let number = match item.get("person") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(number)) => number.trim().parse().ok(),
            _ => None,
        };
        let place = number.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
        let Some(place) = place.filter(|&place| place < personas) else { continue };
        seen[place] += 1;
        match read_answer(survey, &item.to_string()) {
            Ok(answer) => answers[place] = Some(answer),
            Err(error) => blame = Some(error),
        }
    }
    for (answer, seen) in answers.iter_mut().zip(&seen) {
        if *seen > 1 {
            *answer = None;
        }
    }
    if answers.iter().all(Option::is_none) {
        let none = AnswerError::Missing { field: "an answer with a person's number".to_owned() };
        return Err(blame.unwrap_or(none));
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Grid, PromptTemplates, Review};

    fn answer(person: Value, narrative: &str) -> Value {
        json!({"person": person, "narrative": narrative, "survey": {"support_level": 4,
            "key_concerns": [], "suggested_improvements": []}})
    }

    #[test]
    fn each_gets_its_own_and_what_is_missing_or_doubled_is_nobodys() {
        let survey = Survey {
            name: "n".into(),
            question: "Should it?".into(),
            domain: "unknown".into(),
            grid: Grid { support: "S".into(), impacts: Vec::new() },
            model: "m".into(),
            temperature: 0.7,
            max_output_tokens: 600,
            prompts: PromptTemplates::default(),
            review: Review::default(),
            pack: 5,
            summary: crate::model::Summarizing::default(),
        };
        let reply = json!({"answers": [
            answer(json!(3), "third"),
            answer(json!("1"), "first"),
            answer(json!(2), "second"),
            answer(json!(2), "second again"),
            answer(json!(9), "nobody"),
            {"person": 4, "narrative": "", "survey": {}},
        ]});
        let answers = read_packed(&survey, 5, &reply.to_string()).unwrap();
        let told: Vec<_> =
            answers.iter().map(|a| a.as_ref().map(|a| a.narrative.as_str())).collect();
        assert_eq!(told, [Some("first"), None, Some("third"), None, None]);
        for bad in ["[]", "{}", r#"{"answers": []}"#, r#"{"answers": [{"person": 1}]}"#] {
            assert!(read_packed(&survey, 5, bad).is_err(), "{bad}");
        }
    }
}
