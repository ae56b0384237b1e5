//! The question critic's reply: its schema, and reading it back.

use super::{
    AnswerError,
    text::{lines, one_line},
    verdict::object_in,
};
use crate::model::{Critique, Dimension, Domain, Fault, Flaw};
use serde_json::{Map, Value, json};

/// So many findings are kept; a critic that goes on and on says nothing more.
const MOST_FINDINGS: usize = 12;

/// What stands in `response_format.json_schema`.
pub(super) fn critique_schema() -> Value {
    let text = json!({"type": "string"});
    let faults = Fault::ALL.map(Fault::as_str);
    let domains = Domain::ALL.map(Domain::as_str);
    let finding = json!({
        "type": "object",
        "properties": {
            "fault": {"type": "string", "enum": faults},
            "passage": text,
            "why": text,
        },
        "required": ["fault", "passage", "why"],
        "additionalProperties": false,
    });
    json!({
        "name": "question_critique",
        "strict": true,
        "schema": {
            "type": "object",
            "properties": {
                "findings": {"type": "array", "items": finding},
                "rewrite": text,
                "domain": {"type": "string", "enum": domains},
                "support": text,
                "impacts": {"type": "array", "items": text},
            },
            "required": ["findings", "rewrite", "domain", "support", "impacts"],
            "additionalProperties": false,
        },
    })
}

/// The critique in a reply. A domain that does not exist is unknown; what of the grid cannot be
/// used is left out.
///
/// # Errors
/// Where there is no JSON object, or it has no findings or no rewrite.
pub fn read_critique(reply: &str) -> Result<Critique, AnswerError> {
    let object = object_in(reply)?;
    let findings = match object.get("findings") {
        Some(Value::Array(items)) => items.iter().filter_map(finding).take(MOST_FINDINGS).collect(),
        Some(Value::Null) => Vec::new(),
        Some(other) => return Err(wrong("findings", "a list of objects", other)),
        None => return Err(missing("findings")),
    };
    let rewrite = match object.get("rewrite") {
        Some(Value::String(rewrite)) => lines(rewrite.clone()),
        Some(other) => return Err(wrong("rewrite", "a text", other)),
        None => return Err(missing("rewrite")),
    };
    if rewrite.is_empty() {
        return Err(wrong("rewrite", "a question", &Value::String(rewrite)));
    }
    let domain = text(&object, "domain").to_lowercase().replace(['_', ' '], "-");
    let domain = Domain::ALL.into_iter().find(|known| known.as_str() == domain);
    let support = text(&object, "support");
    Ok(Critique {
        findings,
        rewrite,
        domain: domain.unwrap_or_default(),
        support: (!support.is_empty()).then_some(support),
        impacts: impacts(object.get("impacts")),
    })
}

fn finding(value: &Value) -> Option<Flaw> {
    let object = value.as_object()?;
    let name = text(object, "fault").to_lowercase();
    // A model that is not held to the schema has words of its own.
    let fault = [
        ("double", Fault::DoubleBarrelled),
        ("lead", Fault::Leading),
        ("jargon", Fault::Jargon),
        ("ambig", Fault::Ambiguous),
    ];
    let (_, fault) = fault.into_iter().find(|(word, _)| name.contains(word))?;
    let (passage, why) = (text(object, "passage"), text(object, "why"));
    (!why.is_empty() || !passage.is_empty()).then_some(Flaw { fault, passage, why })
}

/// Labels that can be dimensions beside each other.
fn impacts(value: Option<&Value>) -> Vec<Dimension> {
    let labels = value.and_then(Value::as_array).into_iter().flatten();
    let mut impacts: Vec<Dimension> = Vec::new();
    for label in labels.filter_map(Value::as_str) {
        let new = Dimension::from(one_line(label.to_owned()));
        if new.can_stand_beside(&impacts) && impacts.len() < Critique::MOST_IMPACTS {
            impacts.push(new);
        }
    }
    impacts
}

/// One line; blank where there is none.
fn text(object: &Map<String, Value>, key: &str) -> String {
    object
        .get(key)
        .and_then(Value::as_str)
        .map(|text| one_line(text.to_owned()))
        .unwrap_or_default()
}

fn missing(field: &str) -> AnswerError {
    AnswerError::Missing { field: field.to_owned() }
}

fn wrong(field: &str, expected: &'static str, found: &Value) -> AnswerError {
    let found = match found {
        Value::String(text) if text.is_empty() => "nothing",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        Value::Null => "null",
        Value::Bool(_) | Value::Number(_) => "a number",
    };
    AnswerError::Wrong { field: field.to_owned(), expected, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_critique_is_read_whatever_its_packaging() {
        let reply = "Here it is:\n```json\n{\"findings\": [{\"fault\": \"Double-barrelled\", \
                     \"passage\": \"cheap and safe\", \"why\": \"two\\u001b[2J things\"}, 7], \
                     \"rewrite\": \"Should it be safe?\", \"domain\": \"Civic Policy\", \
                     \"support\": \" \", \"impacts\": [\"Cost\", \"cost\", \"Key concerns\", \"\", \
                     \"Safety\", \"Noise\", \"Air\"]}\n```";
        let critique = read_critique(reply).unwrap();
        assert_eq!(critique.domain, Domain::CivicPolicy);
        assert_eq!(critique.support, None);
        let labels: Vec<_> = critique.impacts.iter().map(|d| d.label.as_str()).collect();
        assert_eq!(labels, ["Cost", "Safety", "Noise"]);
        let finding = Flaw {
            fault: Fault::DoubleBarrelled,
            passage: "cheap and safe".into(),
            why: "two[2J things".into(),
        };
        assert_eq!(critique.findings, [finding]);
    }

    #[test]
    fn what_is_no_critique_is_told_why() {
        for (reply, words) in [
            ("I think it is fine.", "no JSON object"),
            (r#"{"rewrite": "Should it?"}"#, "findings is missing"),
            (r#"{"findings": "none", "rewrite": "Should it?"}"#, "must be a list of objects"),
            (r#"{"findings": []}"#, "rewrite is missing"),
            (r#"{"findings": [], "rewrite": "  "}"#, "must be a question"),
        ] {
            let error = read_critique(reply).unwrap_err().to_string();
            assert!(error.contains(words), "{reply}: {error}");
        }
    }
}
