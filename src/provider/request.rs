//! The body of a chat completion request.
//!
//! All that personas share is serialized once for a run. It also comes first in the messages, so
//! that a provider can serve the shared prefix from its prompt cache.

use super::dialect::{AnswerFormat, Dialect, Unsupported};
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// What every request to an endpoint has in common.
#[derive(Clone, Debug)]
pub struct TemplateSettings {
    pub model: String,
    pub temperature: f64,
    pub system_prompt: Arc<str>,
    /// The `json_schema` object of `response_format`; `None` where plain text is wanted.
    pub reply_schema: Option<Arc<serde_json::Value>>,
}

/// What one request asks.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub user_prompt: &'a str,
    /// The most tokens that the answer may have.
    pub output_cap: u32,
    /// Set where the answer before was no use.
    pub repair: Option<Repair<'a>>,
}

/// An answer that was no use, and what was wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct Repair<'a> {
    pub reply: &'a str,
    pub problem: &'a str,
}

/// No fewer bytes than asking once more takes, beside the reply and what was wrong with it.
const ASKED_ONCE_MORE: usize = 200;

impl Repair<'_> {
    /// No fewer bytes than a prompt grows by with it.
    pub const fn at_most(self) -> usize {
        self.reply.len() + self.problem.len() + ASKED_ONCE_MORE
    }
}

/// A request body in one dialect, with a hole where the persona goes.
pub struct RequestTemplate {
    settings: TemplateSettings,
    dialect: Dialect,
    before: String,
}

/// A reply that is repaired is repeated up to here: one that runs wild shall not be paid twice.
const LONGEST_REPEATED: usize = 8_000;

#[derive(Serialize)]
struct Shared<'a> {
    model: &'a str,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a serde_json::Value>,
}

impl RequestTemplate {
    /// Serializes the shared part.
    ///
    /// # Errors
    /// Where a value has no form in JSON, such as a temperature that is not a number.
    pub fn new(settings: TemplateSettings, dialect: Dialect) -> Result<Self, serde_json::Error> {
        let response_format = match (dialect.format, settings.reply_schema.as_deref()) {
            (AnswerFormat::JsonSchema, schema @ Some(_)) => {
                Some(ResponseFormat { r#type: "json_schema", json_schema: schema })
            }
            (AnswerFormat::JsonObject, Some(_)) => {
                Some(ResponseFormat { r#type: "json_object", json_schema: None })
            }
            (AnswerFormat::Text, _) | (_, None) => None,
        };
        let mut before = serde_json::to_string(&Shared {
            model: &settings.model,
            temperature: settings.temperature,
            response_format,
        })?;
        before.pop();
        before.push_str(r#","messages":[{"role":"system","content":"#);
        before.push_str(&serde_json::to_string(&*settings.system_prompt)?);
        before.push_str(r#"},{"role":"user","content":"#);
        Ok(Self { settings, dialect, before })
    }

    /// How it asks.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The same request in the next dialect; `None` where there is none left.
    pub fn without(&self, unsupported: Unsupported) -> Option<Self> {
        let dialect = self.dialect.without(unsupported)?;
        Self::new(self.settings.clone(), dialect).ok()
    }

    /// The body for one persona.
    pub fn body(&self, question: &Question<'_>) -> Bytes {
        let Question { user_prompt, output_cap, repair } = *question;
        let mut body =
            Vec::with_capacity(self.before.len() + user_prompt.len() * 9 / 8 + AFTER.len() + 48);
        body.extend_from_slice(self.before.as_bytes());
        push_json_string(&mut body, user_prompt);
        if let Some(Repair { reply, problem }) = repair {
            body.extend_from_slice(br#"},{"role":"assistant","content":"#);
            push_json_string(&mut body, &reply[..reply.floor_char_boundary(LONGEST_REPEATED)]);
            body.extend_from_slice(br#"},{"role":"user","content":"#);
            let in_json = self.settings.reply_schema.is_some();
            push_json_string(&mut body, &repair_prompt(problem, in_json));
        }
        body.extend_from_slice(AFTER.as_bytes());
        body.extend_from_slice(self.dialect.cap.as_str().as_bytes());
        body.extend_from_slice(b"\":");
        body.extend_from_slice(itoa::Buffer::new().format(output_cap).as_bytes());
        body.push(b'}');
        Bytes::from(body)
    }
}

/// What follows the last message's text, up to the name of the output cap.
const AFTER: &str = r#"}],""#;

/// Asks once more for what came back in no shape, with what reading it said.
fn repair_prompt(problem: &str, in_json: bool) -> String {
    if !in_json {
        return format!(
            "That cannot be read as an answer: {problem}. Say it again in plain words."
        );
    }
    format!(
        "That cannot be read as the answer: {problem}. Give the same answer again as one JSON \
         object of the shape asked for, with every field in it, and nothing before or after it."
    )
}

/// Appends a string as JSON. What needs no escape is copied in blocks that are looked at as a
/// whole, which takes a third of what looking at every byte does; the rest is left to the library.
fn push_json_string(body: &mut Vec<u8>, text: &str) {
    const BLOCK: usize = 32;
    let plain = |block: &[u8]| {
        block.iter().fold(true, |all, &b| all & (b >= 0x20) & (b != b'"') & (b != b'\\'))
    };
    body.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.ceil_char_boundary(BLOCK.min(rest.len()));
        let (block, after) = rest.split_at(end);
        if plain(block.as_bytes()) {
            body.extend_from_slice(block.as_bytes());
        } else {
            let opening = body.len();
            serde_json::to_writer(&mut *body, block)
                .expect("a string has a form in JSON, and a Vec takes every byte");
            // The quotes that the library puts around the block.
            body.remove(opening);
            body.pop();
        }
        rest = after;
    }
    body.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OutputCapField;
    use serde_json::json;

    #[test]
    fn a_string_reads_back_whatever_its_blocks_hold() {
        let long = "plain text that goes on and on, ".repeat(3);
        for text in ["", "\"", &long, &format!("{long}\n{long}\\"), &"äöü€👩".repeat(20)] {
            let mut json = Vec::new();
            push_json_string(&mut json, text);
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }

    fn template(system_prompt: &str, format: AnswerFormat) -> RequestTemplate {
        let settings = TemplateSettings {
            model: "gpt-4o-mini".to_owned(),
            temperature: 0.7,
            system_prompt: system_prompt.into(),
            reply_schema: Some(Arc::new(json!({"name": "answer"}))),
        };
        let mut dialect = Dialect::new(OutputCapField::MaxCompletionTokens);
        dialect.format = format;
        RequestTemplate::new(settings, dialect).unwrap()
    }

    fn body(template: &RequestTemplate, question: &Question<'_>) -> serde_json::Value {
        serde_json::from_slice(&template.body(question)).unwrap()
    }

    #[test]
    fn a_body_is_one_json_object_whatever_the_prompts_hold() {
        let hostile = "line\nbreak \"quoted\" \\ \u{1f}";
        let template = template(hostile, AnswerFormat::JsonSchema);
        let question = Question { user_prompt: hostile, output_cap: 600, repair: None };
        assert_eq!(
            body(&template, &question),
            json!({
                "model": "gpt-4o-mini",
                "temperature": 0.7,
                "max_completion_tokens": 600,
                "response_format": {"type": "json_schema", "json_schema": {"name": "answer"}},
                "messages": [
                    {"role": "system", "content": hostile},
                    {"role": "user", "content": hostile},
                ],
            })
        );
    }

    #[test]
    fn a_repair_repeats_the_reply_and_says_what_is_wrong() {
        let template = template("s", AnswerFormat::JsonObject);
        let long = "ä".repeat(LONGEST_REPEATED);
        let repair = Repair { reply: &long, problem: "housing is missing" };
        let question = Question { user_prompt: "u", output_cap: 600, repair: Some(repair) };
        let body = body(&template, &question);
        assert_eq!(body["messages"][2]["role"], "assistant");
        assert_eq!(body["messages"][2]["content"].as_str().unwrap().len(), LONGEST_REPEATED);
        let asked = body["messages"][3]["content"].as_str().unwrap();
        assert!(asked.contains("housing is missing"), "{asked}");
        let short = Repair { reply: "", ..repair };
        assert!(asked.len() <= short.at_most(), "{asked}");
    }

    #[test]
    fn plain_text_is_asked_for_in_every_dialect() {
        let mut settings = template("s", AnswerFormat::JsonSchema).settings;
        settings.reply_schema = None;
        let mut dialect = Dialect::new(OutputCapField::MaxCompletionTokens);
        for format in [AnswerFormat::JsonSchema, AnswerFormat::JsonObject, AnswerFormat::Text] {
            dialect.format = format;
            let template = RequestTemplate::new(settings.clone(), dialect).unwrap();
            let repair = Some(Repair { reply: "{}", problem: "an answer in words is missing" });
            let body = body(&template, &Question { user_prompt: "u", output_cap: 7, repair });
            assert_eq!(body.get("response_format"), None);
            let asked = body["messages"][3]["content"].as_str().unwrap();
            assert!(!asked.contains("JSON"), "{asked}");
        }
    }

    #[test]
    fn a_server_that_knows_less_is_asked_for_less() {
        let schema = template("s", AnswerFormat::JsonSchema);
        let object = schema.without(Unsupported::AnswerFormat).unwrap();
        let text = object.without(Unsupported::AnswerFormat).unwrap();
        let old = text.without(Unsupported::OutputCap).unwrap();
        assert!(old.without(Unsupported::AnswerFormat).is_none());
        assert!(old.without(Unsupported::OutputCap).is_none(), "no going back and forth");
        let question = Question { user_prompt: "u", output_cap: 7, repair: None };
        assert_eq!(body(&object, &question)["response_format"], json!({"type": "json_object"}));
        let last = body(&old, &question);
        assert!(last.get("response_format").is_none());
        assert_eq!((&last["max_tokens"], last.get("max_completion_tokens")), (&json!(7), None));
    }
}
