//! Reads a critic's verdict: forgiving about the packaging, and about fields that do not exist.

use super::{
    AnswerError, Form,
    answer::MOST_STARTS,
    text::{lines, one_line},
};
use crate::model::{Answer, Corrections, Score, Survey, Verdict, snake_case, strip_controls};
use serde_json::{Map, Value};

/// So many issues are kept; a critic that goes on and on says nothing more.
const MOST_ISSUES: usize = 10;

/// The verdict in a reply, on this answer. A correction that changes nothing is none; one of a
/// field that the answer does not have is left out.
///
/// # Errors
/// Where there is no JSON object with a verdict in it, or a field that decides has a wrong type.
pub fn read_verdict(
    survey: &Survey,
    form: Form,
    answer: &Answer,
    reply: &str,
) -> Result<Verdict, AnswerError> {
    let object = object_in(reply)?;
    let off_topic = if form.judges_relevance() {
        match object.get("addresses_question") {
            Some(Value::Bool(addresses)) => !addresses,
            Some(other) => return Err(wrong("addresses_question", "true or false", other)),
            None => return Err(AnswerError::Missing { field: "addresses_question".into() }),
        }
    } else {
        false
    };
    if form == Form::Relevance && !off_topic {
        return Ok(Verdict::Holds);
    }
    let mut issues = match object.get("issues") {
        Some(items @ Value::Array(_)) => texts(items).ok_or_else(|| AnswerError::Wrong {
            field: "issues".into(),
            expected: "a list of texts",
            found: "a list of other things".into(),
        })?,
        Some(Value::String(one)) => vec![one_line(one.clone())],
        Some(Value::Null) | None if form.judges_relevance() => Vec::new(),
        Some(other) => return Err(wrong("issues", "a list of texts", other)),
        None => return Err(AnswerError::Missing { field: "issues".into() }),
    };
    issues.retain(|issue| !issue.is_empty());
    issues.truncate(MOST_ISSUES);
    let corrections = match object.get("corrections") {
        Some(Value::Object(fields)) if form.corrects() => corrections(survey, answer, fields),
        _ => Corrections::default(),
    };
    if issues.is_empty() && off_topic {
        issues.push("the answer does not speak to the question".into());
    }
    if issues.is_empty() && corrections != Corrections::default() {
        let fields = answer.fields_changed(&answer.corrected(&corrections)).join(", ");
        issues.push(format!("corrected without a reason given: {fields}"));
    }
    if issues.is_empty() {
        return Ok(Verdict::Holds);
    }
    Ok(Verdict::NeedsChanges { issues, off_topic, corrections })
}

fn corrections(survey: &Survey, answer: &Answer, fields: &Map<String, Value>) -> Corrections {
    let mut new = Corrections::default();
    // A model that is not held to the schema may put the grid into an object of its own.
    let grid = fields.get("survey").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in fields.iter().chain(grid) {
        let key = snake_case(key);
        match key.as_str() {
            "narrative" => {
                let text = value.as_str().map(|text| lines(text.to_owned()));
                new.narrative = text.filter(|text| !text.is_empty() && *text != answer.narrative);
            }
            "support_level" => {
                new.support_level = score(value).filter(|new| *new != answer.support_level);
            }
            "key_concerns" => {
                new.key_concerns = list(value).filter(|new| *new != answer.key_concerns);
            }
            "suggested_improvements" => {
                let list = list(value);
                new.suggested_improvements =
                    list.filter(|new| *new != answer.suggested_improvements);
            }
            _ => {
                let known = survey.grid.impacts.iter().any(|dimension| dimension.key == key);
                let old = answer.impacts.iter().find(|(other, _)| *other == key);
                if let Some(score) = score(value)
                    && known
                    && old.is_none_or(|(_, old)| *old != score)
                {
                    new.impacts.push((key, score));
                }
            }
        }
    }
    new
}

fn score(value: &Value) -> Option<Score> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let whole = number.fract() == 0.0 && (1.0..=5.0).contains(&number);
    whole.then(|| Score::try_from(number as u8).ok()).flatten()
}

/// A corrected list. An empty one is how many models say that nothing changes: no contradiction is
/// mended by taking away all that a person has said.
fn list(value: &Value) -> Option<Vec<String>> {
    texts(value).filter(|texts| !texts.is_empty())
}

/// The texts of a list, without what is null or blank; `None` where it is no list, or something in
/// it is no text: what a critic says must not be lost because it says it in a form of its own.
fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?.iter().filter(|item| !item.is_null());
    let texts: Option<Vec<_>> =
        items.map(|item| item.as_str().map(|text| one_line(text.to_owned()))).collect();
    texts.map(|texts| texts.into_iter().filter(|text| !text.is_empty()).collect())
}

pub(super) fn wrong(field: &str, expected: &'static str, found: &Value) -> AnswerError {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    AnswerError::Wrong { field: field.to_owned(), expected, found }
}

/// The first JSON object in a reply, which may be wrapped in a code fence or in other text.
pub(super) fn object_in(reply: &str) -> Result<Map<String, Value>, AnswerError> {
    let mut blame = None;
    for (start, _) in reply.match_indices('{').take(MOST_STARTS) {
        let mut values = serde_json::Deserializer::from_str(&reply[start..]).into_iter();
        match values.next() {
            Some(Ok(Value::Object(object))) => return Ok(object),
            Some(Err(error)) => {
                blame.get_or_insert_with(|| AnswerError::Syntax(error.to_string()));
            }
            _ => {}
        }
    }
    Err(blame.unwrap_or_else(|| {
        let begin: String = strip_controls(reply.trim()).chars().take(60).collect();
        AnswerError::NoObject(begin)
    }))
}
