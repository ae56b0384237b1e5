//! What a request asks for: an answer, a verdict on one, or the same answer once more.
//!
//! Nothing marks it. A critic is known by the fields of the form that it is to fill in, or where
//! there is no form, by what its instructions name; a persona that is asked again is shown its own
//! answer.

use super::{
    digest,
    form::Form,
    packed,
    request::{ChatRequest, Message, Role, Wanted},
};
use serde_json::{Deserializer, Map, Value};

/// What is asked.
#[derive(Debug, PartialEq)]
pub enum Task {
    /// A persona's answer.
    Answer,
    /// A critic's word on an answer.
    Judge { scope: Scope, given: Given },
    /// The answer once more, with these topics in it.
    FollowUp { given: Given, topics: Vec<String> },
    /// An answer in the place of one that missed the question.
    Mend,
    /// What many answers come to, or digests of them.
    Digest,
}

/// What a critic is to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub consistency: bool,
    pub relevance: bool,
}

/// An answer that stands in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Given(pub Map<String, Value>);

impl Given {
    pub fn narrative(&self) -> &str {
        self.0.get("narrative").and_then(Value::as_str).unwrap_or_default()
    }

    /// Every number with its name, wherever it stands.
    pub fn numbers(&self) -> Vec<(&str, i64)> {
        let grid = self.0.get("survey").and_then(Value::as_object).into_iter().flatten();
        let all = self.0.iter().chain(grid);
        all.filter_map(|(key, value)| Some((key.as_str(), value.as_i64()?))).collect()
    }
}

impl Task {
    pub fn of(request: &ChatRequest) -> Self {
        // It holds answers too.
        if digest::is_wanted(request) {
            return Self::Digest;
        }
        let user = request.messages.iter().filter(|message| message.role == Role::User);
        let found = user.clone().find_map(|message| Some((message, answer_in(&message.text)?)));
        if let Some(scope) = scope(request) {
            let given = found.map(|(_, found)| found.given).unwrap_or_default();
            return Self::Judge { scope, given };
        }
        // Who is shown an answer and asked for no form is asked something else about it.
        let wants_form = request.wanted != Wanted::Text;
        let Some((message, Found { given, end, .. })) = found.filter(|_| wants_form) else {
            return Self::Answer;
        };
        let after = &message.text[end..];
        let lower = after.to_lowercase();
        let missed = ["not answer", "not address", "misses the question", "missed the question"];
        if missed.iter().any(|words| lower.contains(words)) {
            return Self::Mend;
        }
        Self::FollowUp { given, topics: bullets(after) }
    }
}

impl Default for Given {
    fn default() -> Self {
        Self(Map::new())
    }
}

/// The messages without the answers that stand in them: who is asked, and about what, is the same
/// whether for the first time or again.
pub fn without_answers(messages: &[Message]) -> Vec<Message> {
    let cut = |message: &Message| {
        let mut text = message.text.as_str();
        if message.role == Role::User
            && let Some(found) = answer_in(text)
        {
            text = &text[..found.start];
        }
        Message { role: message.role, text: text.to_owned() }
    };
    messages.iter().map(cut).collect()
}

/// What a critic judges; `None` where the request is no critic's.
fn scope(request: &ChatRequest) -> Option<Scope> {
    let scope = match &request.wanted {
        Wanted::Form(form) | Wanted::FormInText(form) => {
            let of_each = packed::wanted(form).map(|(_, one)| one);
            let Form::Object(fields) = of_each.as_ref().unwrap_or(form) else { return None };
            let has = |name: &str| fields.iter().any(|(key, _)| key == name);
            let judges = has("issues");
            Scope {
                consistency: judges && has("corrections"),
                relevance: has("addresses_question"),
            }
        }
        Wanted::Text | Wanted::Json => {
            let mut told = request.messages.iter().filter(|m| m.role == Role::Instructions);
            let text = told.next().map_or("", |message| message.text.as_str());
            Scope {
                consistency: text.contains("corrections"),
                relevance: text.contains("addresses_question"),
            }
        }
    };
    (scope.consistency || scope.relevance).then_some(scope)
}

struct Found {
    given: Given,
    start: usize,
    end: usize,
}

/// How many beginnings of an object are tried in a text.
const MOST_TRIED: usize = 16;

/// The answer in a text: an object with a narrative.
fn answer_in(text: &str) -> Option<Found> {
    if !text.contains("\"narrative\"") {
        return None;
    }
    text.match_indices('{').take(MOST_TRIED).find_map(|(start, _)| {
        let mut values = Deserializer::from_str(&text[start..]).into_iter::<Value>();
        let Some(Ok(Value::Object(object))) = values.next() else { return None };
        let narrative = object.get("narrative")?.as_str()?;
        // A form that is shown has dots in the place of the words.
        let is_answer = narrative.chars().any(char::is_alphabetic);
        let end = start + values.byte_offset();
        is_answer.then_some(Found { given: Given(object), start, end })
    })
}

/// The items of a list in a text.
fn bullets(text: &str) -> Vec<String> {
    let items = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))
    });
    items.map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{remembered::Remembered, request::Dialect};
    use serde_json::json;

    const ANSWER: &str = r#"{"narrative":"I am torn.","survey":{"support_level":3,"housing":4}}"#;

    fn task(system: &str, user: &str, schema: Option<Value>) -> Task {
        let mut body = json!({"model": "m", "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]});
        if let Some(fields) = schema {
            let schema = json!({"type": "object", "properties": fields});
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "v", "schema": schema}});
        }
        let (body, forms) = (body.to_string(), Remembered::default());
        let request = ChatRequest::parse(body.as_bytes(), None, Dialect::default(), &forms);
        Task::of(&request.unwrap())
    }

    #[test]
    fn critics_are_known_by_their_fields() {
        let user = format!("Age: 3\n<answer>\n{ANSWER}\n</answer>\nCheck it.");
        let (issues, flag) = (json!({"type": "array"}), json!({"type": "boolean"}));
        let fixes = json!({"type": "object", "properties": {"narrative": {"type": "string"}}});
        for (schema, consistency, relevance) in [
            (json!({"issues": issues, "corrections": fixes}), true, false),
            (json!({"addresses_question": flag, "issues": issues}), false, true),
            (
                json!({"addresses_question": flag, "issues": issues, "corrections": fixes}),
                true,
                true,
            ),
        ] {
            let Task::Judge { scope, given } = task("Should it?", &user, Some(schema)) else {
                panic!("no critic")
            };
            assert_eq!(scope, Scope { consistency, relevance });
            assert_eq!(given.narrative(), "I am torn.");
            assert_eq!(given.numbers(), [("support_level", 3), ("housing", 4)]);
        }
    }

    #[test]
    fn without_a_schema_the_prompt_says_what_is_asked() {
        let user = format!("Age: 3\n{ANSWER}\nCheck it.");
        let shown = "Return JSON:\n{\"addresses_question\": true or false, \"issues\": [\"...\"],\
                     \"corrections\": {\"narrative\": null}}";
        let Task::Judge { scope, .. } = task(shown, &user, None) else { panic!("no critic") };
        assert_eq!(scope, Scope { consistency: true, relevance: true });
        let named = "Say in JSON whether it addresses_question or not.";
        let Task::Judge { scope, .. } = task(named, &user, None) else { panic!("no critic") };
        assert_eq!(scope, Scope { consistency: false, relevance: true });
    }

    #[test]
    fn a_persona_that_is_asked_again_sees_its_answer() {
        let system = "Answer as {\"narrative\": \"...\", \"survey\": {\"support_level\": <1-5>}}";
        let asked = |tail: &str| task(system, &format!("Age: 3\n{ANSWER}\n{tail}"), None);
        let Task::FollowUp { topics, .. } =
            asked("Tell more on:\n- noise\n- parks\nReturn the whole answer again.")
        else {
            panic!("no follow-up")
        };
        assert_eq!(topics, ["noise", "parks"]);
        assert_eq!(asked("It does not answer the question yet:\n- too vague"), Task::Mend);
        assert_eq!(task(system, "Age: 3", None), Task::Answer);
    }
}
