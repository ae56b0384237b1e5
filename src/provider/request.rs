//! The body of a chat completion request.
//!
//! All that personas share is serialized once for a run. It also comes first in the messages, so
//! that a provider can serve the shared prefix from its prompt cache.

use bytes::Bytes;
use serde::Serialize;

/// What every request of a run has in common.
pub struct TemplateSettings<'a> {
    pub model: &'a str,
    pub temperature: f64,
    pub max_output_tokens: u32,
    pub system_prompt: &'a str,
    /// The `json_schema` object of `response_format`.
    pub answer_schema: &'a serde_json::Value,
}

/// A request body with a hole where the persona goes.
pub struct RequestTemplate {
    before: String,
}

/// What follows the user message's text.
const AFTER: &str = "}]}";

#[derive(Serialize)]
struct Shared<'a> {
    model: &'a str,
    temperature: f64,
    max_completion_tokens: u32,
    response_format: ResponseFormat<'a>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: &'a serde_json::Value,
}

impl RequestTemplate {
    /// Serializes the shared part.
    ///
    /// # Errors
    /// Where a value has no form in JSON, such as a temperature that is not a number.
    pub fn new(settings: &TemplateSettings<'_>) -> Result<Self, serde_json::Error> {
        let mut before = serde_json::to_string(&Shared {
            model: settings.model,
            temperature: settings.temperature,
            max_completion_tokens: settings.max_output_tokens,
            response_format: ResponseFormat {
                r#type: "json_schema",
                json_schema: settings.answer_schema,
            },
        })?;
        before.pop();
        before.push_str(r#","messages":[{"role":"system","content":"#);
        before.push_str(&serde_json::to_string(settings.system_prompt)?);
        before.push_str(r#"},{"role":"user","content":"#);
        Ok(Self { before })
    }

    /// The body for one persona.
    pub fn body(&self, user_prompt: &str) -> Bytes {
        let mut body =
            Vec::with_capacity(self.before.len() + user_prompt.len() * 9 / 8 + AFTER.len() + 2);
        body.extend_from_slice(self.before.as_bytes());
        push_json_string(&mut body, user_prompt);
        body.extend_from_slice(AFTER.as_bytes());
        Bytes::from(body)
    }
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

    #[test]
    fn a_string_reads_back_whatever_its_blocks_hold() {
        let long = "plain text that goes on and on, ".repeat(3);
        for text in ["", "\"", &long, &format!("{long}\n{long}\\"), &"äöü€👩".repeat(20)] {
            let mut json = Vec::new();
            push_json_string(&mut json, text);
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn a_body_is_one_json_object_whatever_the_prompts_hold() {
        let hostile = "line\nbreak \"quoted\" \\ \u{1f}";
        let template = RequestTemplate::new(&TemplateSettings {
            model: "gpt-4o-mini",
            temperature: 0.7,
            max_output_tokens: 600,
            system_prompt: hostile,
            answer_schema: &serde_json::json!({"name": "answer"}),
        })
        .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&template.body(hostile)).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
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
}
