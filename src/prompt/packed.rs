//! The answers of several personas in one reply, and a critic's verdicts on several answers.

use super::{
    AnswerError, Form,
    answer::read_answer,
    schema::{answer_schema, verdict_schema},
    verdict::{object_in, read_verdict},
};
use crate::model::{Answer, Survey, Verdict};
use serde_json::{Value, json};

/// What stands in `response_format.json_schema`: a list of answers, each with its person's number.
pub(super) fn packed_schema(survey: &Survey) -> Value {
    list_schema("survey_answers", "answers", answer_schema(survey))
}

/// The same of verdicts.
pub(super) fn packed_review_schema(survey: &Survey) -> Value {
    list_schema("verdicts", "verdicts", verdict_schema(survey, Form::Review))
}

/// A list, below `key`, of what the schema of one is for, each with its person's number.
fn list_schema(name: &str, key: &str, mut one: Value) -> Value {
    let mut one = one["schema"].take();
    let mut properties = serde_json::Map::new();
    properties.insert("person".into(), json!({"type": "integer"}));
    if let Some(Value::Object(own)) = one.get_mut("properties").map(Value::take) {
        properties.extend(own);
    }
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({
        "name": name,
        "strict": true,
        "schema": {
            "type": "object",
            "properties": {key: {"type": "array", "items": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            }}},
            "required": [key],
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
    read_list("answers", personas, reply, |_, item| read_answer(survey, item))
}

/// The verdict on each of these answers, in their order; `None` where there is none that can be
/// used, or two.
///
/// # Errors
/// Where there is no list of verdicts, or none of them can be used.
pub fn read_packed_review(
    survey: &Survey,
    answers: &[&Answer],
    reply: &str,
) -> Result<Vec<Option<Verdict>>, AnswerError> {
    let read = |place: usize, item: &str| read_verdict(survey, Form::Review, answers[place], item);
    read_list("verdicts", answers.len(), reply, read)
}

/// What `read` makes of the item of each place, from a list below `key`.
fn read_list<T: Clone>(
    key: &str,
    personas: usize,
    reply: &str,
    read: impl Fn(usize, &str) -> Result<T, AnswerError>,
) -> Result<Vec<Option<T>>, AnswerError> {
    let object = object_in(reply)?;
    let Some(Value::Array(items)) = object.get(key) else {
        return Err(AnswerError::Missing { field: key.to_owned() });
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
        match read(place, &item.to_string()) {
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
        let none = AnswerError::Missing { field: format!("{key} with a person's number") };
        return Err(blame.unwrap_or(none));
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Grid, PromptTemplates, Review, Score};

    fn survey() -> Survey {
        Survey {
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
        }
    }

    fn answer(person: Value, narrative: &str) -> Value {
        json!({"person": person, "narrative": narrative, "survey": {"support_level": 4,
            "key_concerns": [], "suggested_improvements": []}})
    }

    #[test]
    fn each_gets_its_own_and_what_is_missing_or_doubled_is_nobodys() {
        let survey = survey();
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

    #[test]
    fn each_verdict_is_on_its_own_answer() {
        let survey = survey();
        let told = |level| Answer {
            narrative: "so".into(),
            support_level: Score::try_from(level).unwrap(),
            impacts: Vec::new(),
            key_concerns: Vec::new(),
            suggested_improvements: Vec::new(),
        };
        let (one, other) = (told(4), told(2));
        let verdict = |person: u64| {
            json!({"person": person, "addresses_question": true, "issues": [],
                "corrections": {"support_level": 4}})
        };
        let reply = json!({"verdicts": [verdict(2), verdict(1), verdict(3)]}).to_string();
        let verdicts = read_packed_review(&survey, &[&one, &other], &reply).unwrap();
        assert_eq!(verdicts[0], Some(Verdict::Holds), "4 is what it has");
        assert!(matches!(&verdicts[1], Some(Verdict::NeedsChanges { corrections, .. })
            if corrections.support_level == Some(one.support_level)));
        let reply = json!({"verdicts": [verdict(1), verdict(1), verdict(2)]}).to_string();
        assert_eq!(read_packed_review(&survey, &[&one, &other], &reply).unwrap()[0], None);
        assert!(read_packed_review(&survey, &[&one], r#"{"verdicts": []}"#).is_err());
    }
}
