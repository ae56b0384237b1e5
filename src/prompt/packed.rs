//! The answers of several personas in one reply, and a critic's verdicts on several answers.

use super::{
    AnswerError, Form,
    answer::read_answer,
    schema::{answer_schema, verdict_schema},
    verdict::{object_in, read_verdict, wrong},
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
/// Where there is no list of answers, none of them can be used, or one has a number that no persona
/// has: who counts from 0 gives each the answer of its neighbour.
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
        let person = item.get("person").unwrap_or(&Value::Null);
        let number: Option<f64> = match person {
            Value::Number(number) => number.as_f64(),
            Value::String(number) => number.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else { continue };
        let Some(place) = (0..personas).find(|&place| (place + 1) as f64 == number) else {
            return Err(wrong("person", "the number of one of the profiles", person));
        };
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
    use crate::{model::Score, prompt::tests::survey};

    fn answer(person: Value, narrative: &str) -> Value {
        json!({"person": person, "narrative": narrative, "survey": {"support_level": 4,
            "key_concerns": [], "suggested_improvements": []}})
    }

    #[test]
    fn each_gets_its_own_and_what_is_missing_or_doubled_is_nobodys() {
        let survey = survey(&[]);
        let reply = json!({"answers": [
            answer(json!(3), "third"),
            answer(json!("1"), "first"),
            answer(json!(2), "second"),
            answer(json!(2), "second again"),
            answer(json!("the last"), "nobody"),
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
        let survey = survey(&[]);
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
        let reply = json!({"verdicts": [verdict(2), verdict(1)]}).to_string();
        let verdicts = read_packed_review(&survey, &[&one, &other], &reply).unwrap();
        assert_eq!(verdicts[0], Some(Verdict::Holds), "4 is what it has");
        assert!(matches!(&verdicts[1], Some(Verdict::NeedsChanges { corrections, .. })
            if corrections.support_level == Some(one.support_level)));
        let reply = json!({"verdicts": [verdict(1), verdict(1), verdict(2)]}).to_string();
        assert_eq!(read_packed_review(&survey, &[&one, &other], &reply).unwrap()[0], None);
        assert!(read_packed_review(&survey, &[&one], r#"{"verdicts": []}"#).is_err());
        let reply = json!({"verdicts": [verdict(0), verdict(1)]}).to_string();
        assert!(read_packed_review(&survey, &[&one, &other], &reply).is_err());
    }

    #[test]
    fn numbers_that_nobody_has_are_not_to_be_trusted() {
        let survey = survey(&[]);
        let read = |people: &[Value]| {
            let answers: Vec<_> = people.iter().map(|n| answer(n.clone(), "so")).collect();
            read_packed(&survey, 3, &json!({ "answers": answers }).to_string())
        };
        for people in [
            [json!(0), json!(1), json!(2)],
            [json!("0"), json!("1"), json!("2")],
            [json!(1), json!(2), json!(4)],
            [json!(1), json!(-2), json!(3)],
            [json!(1), json!(2.5), json!(3)],
        ] {
            let error = read(&people).unwrap_err().to_string();
            assert!(error.starts_with("person must be the number of one of"), "{error}");
        }
        let all = read(&[json!(2.0), json!(1), json!(" 3 ")]).unwrap();
        assert!(all.iter().all(Option::is_some), "{all:?}");
    }
}
