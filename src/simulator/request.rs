//! A chat completion request: only what the simulator needs of it, checked as OpenAI checks it.

use super::{
    form::{Form, strict_violation},
    remembered::Remembered,
    sketch,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::sync::Arc;

/// A request that passed the checks.
#[derive(Debug)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<Message>,
    pub wanted: Wanted,
    /// `max_completion_tokens`, or the older `max_tokens`.
    pub output_cap: Option<u64>,
}

/// What a server understands of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub json_schema: Support,
    pub json_object: Support,
    pub max_completion_tokens: Support,
    pub max_tokens: Support,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    #[default]
    Understood,
    /// As though it had not been sent.
    Ignored,
    /// A 400 that names it.
    Refused,
}

impl Default for Dialect {
    /// Everything is understood.
    fn default() -> Self {
        let understood = Support::Understood;
        Self {
            json_schema: understood,
            json_object: understood,
            max_completion_tokens: understood,
            max_tokens: understood,
        }
    }
}

/// One message, its parts joined.
#[derive(Debug)]
pub struct Message {
    pub role: Role,
    pub text: String,
}

/// Who speaks, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// System and developer: what all personas share.
    Instructions,
    User,
    Other,
}

/// In which form the answer is wanted.
#[derive(Debug, PartialEq)]
pub enum Wanted {
    Text,
    /// JSON of the model's own making.
    Json,
    /// JSON of this form.
    Form(Arc<Form>),
    /// A text, in which the prompt asks for JSON of this form.
    FormInText(Arc<Form>),
}

/// Why a request is a 400.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRequest {
    pub message: String,
    pub param: Option<&'static str>,
    pub code: Option<&'static str>,
}

impl BadRequest {
    fn new(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self { message: message.into(), param, code: None }
    }

    fn unreadable(error: serde_json::Error) -> Self {
        Self::new(
            format!(
                "We could not parse the JSON body of your request. (HINT: This likely means you \
                 aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, \
                 but what was sent was not valid JSON. {error}.)"
            ),
            None,
        )
    }

    /// A parameter that this model does not know, in the words of those that know another.
    fn unsupported(param: &'static str, instead: &str) -> Self {
        Self {
            message: format!(
                "Unsupported parameter: '{param}' is not supported with this model. Use \
                 '{instead}' instead."
            ),
            param: Some(param),
            code: Some("unsupported_parameter"),
        }
    }

    fn missing(param: &'static str) -> Self {
        Self {
            message: format!("Missing required parameter: '{param}'."),
            param: Some(param),
            code: Some("missing_required_parameter"),
        }
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    model: Option<String>,
    messages: Option<Vec<WireMessage>>,
    #[serde(borrow)]
    response_format: Option<ResponseFormat<'a>>,
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    #[serde(default)]
    stream: Option<bool>,
}

#[derive(Deserialize)]
struct WireMessage {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct ResponseFormat<'a> {
    r#type: String,
    /// Unread: that is done once for all requests that share it.
    #[serde(borrow)]
    json_schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JsonSchema {
    name: Option<String>,
    #[serde(default)]
    strict: Option<bool>,
    schema: Option<Value>,
}

impl ChatRequest {
    /// Reads a request body, its schema only where it is none of the remembered ones. A
    /// `deployment` that the URL names is the model, whatever the body says.
    ///
    /// # Errors
    /// What OpenAI would answer with a 400, in its words.
    pub fn parse(
        body: &[u8],
        deployment: Option<&str>,
        dialect: Dialect,
        forms: &Remembered<Form>,
    ) -> Result<Self, BadRequest> {
        let wire: Wire<'_> = serde_json::from_slice(body).map_err(BadRequest::unreadable)?;
        let model = deployment
            .map(str::to_owned)
            .or(wire.model)
            .filter(|model| !model.is_empty())
            .ok_or_else(|| BadRequest::new("you must provide a model parameter", None))?;
        let messages = wire.messages.ok_or_else(|| BadRequest::missing("messages"))?;
        if messages.is_empty() {
            return Err(BadRequest {
                message: "Invalid 'messages': empty array. Expected an array with minimum length \
                          1, but got an empty array instead."
                    .to_owned(),
                param: Some("messages"),
                code: Some("empty_array"),
            });
        }
        if wire.stream == Some(true) {
            let message = "Unsupported value: 'stream' does not support true with this model.";
            return Err(BadRequest {
                message: message.to_owned(),
                param: Some("stream"),
                code: Some("unsupported_value"),
            });
        }
        let output_cap = output_cap(wire.max_completion_tokens, wire.max_tokens, dialect)?;
        let messages: Vec<Message> = messages.into_iter().map(Message::from).collect();
        let wanted = wanted(wire.response_format, &messages, dialect, forms)?;
        Ok(Self { model, messages, wanted, output_cap })
    }
}

impl From<WireMessage> for Message {
    fn from(wire: WireMessage) -> Self {
        let role = match wire.role.as_str() {
            "system" | "developer" => Role::Instructions,
            "user" => Role::User,
            _ => Role::Other,
        };
        let text = match wire.content {
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n")
            }
            None => String::new(),
        };
        Self { role, text }
    }
}

/// The cap on the output, from whichever of its two names the server understands.
fn output_cap(
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    dialect: Dialect,
) -> Result<Option<u64>, BadRequest> {
    let (new, old) = ("max_completion_tokens", "max_tokens");
    let mut found = None;
    for (name, cap, support, other) in [
        (new, max_completion_tokens, dialect.max_completion_tokens, old),
        (old, max_tokens, dialect.max_tokens, new),
    ] {
        match (cap, support) {
            (None, _) | (Some(_), Support::Ignored) => {}
            (Some(_), Support::Refused) => return Err(BadRequest::unsupported(name, other)),
            (Some(0), Support::Understood) => {
                return Err(BadRequest {
                    message: format!(
                        "Invalid '{name}': integer below minimum value. Expected a value >= 1, \
                         but got 0 instead."
                    ),
                    param: Some(name),
                    code: Some("integer_below_min_value"),
                });
            }
            (Some(_), Support::Understood) if found.is_some() => {
                let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time \
                               is not supported.";
                return Err(BadRequest::new(message, Some(old)));
            }
            (Some(_), Support::Understood) => found = cap,
        }
    }
    Ok(found)
}

/// The form that the prompt shows, where no schema is sent along.
fn shown(messages: &[Message], forms: &Remembered<Form>) -> Option<Arc<Form>> {
    let texts = messages.iter().map(|message| message.text.as_str());
    let find = |text: &str| forms.get(text, || sketch::form(text).ok_or(())).ok();
    texts.filter(|text| text.contains('{')).find_map(find)
}

fn wanted(
    format: Option<ResponseFormat<'_>>,
    messages: &[Message],
    dialect: Dialect,
    forms: &Remembered<Form>,
) -> Result<Wanted, BadRequest> {
    let in_text = || shown(messages, forms).map_or(Wanted::Text, Wanted::FormInText);
    let Some(format) = format else { return Ok(in_text()) };
    let support = match format.r#type.as_str() {
        "json_schema" => dialect.json_schema,
        "json_object" => dialect.json_object,
        _ => Support::Understood,
    };
    match support {
        Support::Understood => {}
        Support::Ignored => return Ok(in_text()),
        Support::Refused => {
            return Err(bad_format(format!(
                "Invalid parameter: 'response_format' of type '{}' is not supported with this \
                 model.",
                format.r#type
            )));
        }
    }
    match format.r#type.as_str() {
        "text" => Ok(in_text()),
        "json_object" => {
            if messages.iter().any(|message| message.text.to_lowercase().contains("json")) {
                return Ok(shown(messages, forms).map_or(Wanted::Json, Wanted::Form));
            }
            Err(BadRequest::new(
                "'messages' must contain the word 'json' in some form, to use \
                 'response_format' of type 'json_object'.",
                Some("messages"),
            ))
        }
        "json_schema" => {
            let raw = format
                .json_schema
                .ok_or_else(|| BadRequest::missing("response_format.json_schema"))?
                .get();
            forms.get(raw, || form(raw)).map(Wanted::Form)
        }
        other => Err(bad_format(format!(
            "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and \
             'text'."
        ))),
    }
}

/// Reads and checks a `json_schema`.
fn form(raw: &str) -> Result<Form, BadRequest> {
    let wire: JsonSchema = serde_json::from_str(raw).map_err(BadRequest::unreadable)?;
    let name = wire.name.ok_or_else(|| BadRequest::missing("response_format.json_schema.name"))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(bad_format(format!(
            "Invalid 'response_format.json_schema.name': string does not match pattern. Expected \
             a string that matches the pattern '^[a-zA-Z0-9_-]{{1,64}}$', but got '{name}'."
        )));
    }
    let root =
        wire.schema.ok_or_else(|| BadRequest::missing("response_format.json_schema.schema"))?;
    if wire.strict == Some(true)
        && let Some(violation) = strict_violation(&root)
    {
        let message = format!("Invalid schema for response_format '{name}': {violation}");
        return Err(bad_format(message));
    }
    Ok(Form::of(&root))
}

fn bad_format(message: String) -> BadRequest {
    BadRequest::new(message, Some("response_format"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &[u8]) -> Result<ChatRequest, BadRequest> {
        parse_in(Dialect::default(), body)
    }

    fn parse_in(dialect: Dialect, body: &[u8]) -> Result<ChatRequest, BadRequest> {
        ChatRequest::parse(body, None, dialect, &Remembered::default())
    }

    fn refused(body: Value) -> BadRequest {
        parse(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn texts_and_parts_and_both_names_of_the_cap_are_read() {
        let body = json!({
            "model": "m", "temperature": 0.7, "max_tokens": 600, "unknown": {"x": [1]},
            "messages": [
                {"role": "developer", "content": "Shared."},
                {"role": "user", "content": [{"type": "text", "text": "Age: 3"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": null},
            ],
        });
        let request = parse(body.to_string().as_bytes()).unwrap();
        let read: Vec<_> = request.messages.iter().map(|m| (m.role, m.text.as_str())).collect();
        let expected =
            [(Role::Instructions, "Shared."), (Role::User, "Age: 3\nb"), (Role::Other, "")];
        assert_eq!(read, expected);
        assert_eq!(request.output_cap, Some(600));
        assert_eq!(request.wanted, Wanted::Text);
    }

    #[test]
    fn what_openai_refuses_is_refused() {
        let messages = json!([{"role": "user", "content": "hello"}]);
        assert!(parse(b"{\"model\": ").is_err());
        assert!(refused(json!({"messages": messages})).message.contains("model"));
        assert_eq!(refused(json!({"model": "m"})).param, Some("messages"));
        assert_eq!(refused(json!({"model": "m", "messages": []})).code, Some("empty_array"));
        assert_eq!(
            refused(json!({"model": "m", "messages": messages, "stream": true})).param,
            Some("stream")
        );
        let format = json!({"type": "json_object"});
        let message =
            refused(json!({"model": "m", "messages": messages, "response_format": format}));
        assert!(message.message.contains("the word 'json'"), "{message:?}");
        let format = json!({"type": "json_schema", "json_schema": {
            "name": "a survey", "strict": true, "schema": {"type": "object"}}});
        let message =
            refused(json!({"model": "m", "messages": messages, "response_format": format}));
        assert!(message.message.contains("does not match pattern"), "{message:?}");
    }

    #[test]
    fn what_a_server_does_not_know_is_refused_by_name_or_ignored() {
        let body = |more: Value| {
            let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "json"}]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body.to_string().into_bytes()
        };
        let schema = json!({"type": "json_schema",
            "json_schema": {"name": "s", "schema": {"type": "object"}}});
        let schema = body(json!({ "response_format": schema }));
        let object = body(json!({"response_format": {"type": "json_object"}}));
        let (cap, old_cap) =
            (body(json!({"max_completion_tokens": 9})), body(json!({"max_tokens": 9})));
        let all = Dialect::default();
        let refused = Support::Refused;
        for (dialect, sent, param) in [
            (Dialect { json_schema: refused, ..all }, &schema, "response_format"),
            (Dialect { json_object: refused, ..all }, &object, "response_format"),
            (Dialect { max_completion_tokens: refused, ..all }, &cap, "max_completion_tokens"),
            (Dialect { max_tokens: refused, ..all }, &old_cap, "max_tokens"),
        ] {
            let bad = parse_in(dialect, sent).unwrap_err();
            assert_eq!(bad.param, Some(param));
            assert!(bad.message.contains(param) && bad.message.contains("not supported"));
            for other in [&schema, &object, &cap, &old_cap] {
                assert_eq!(parse_in(dialect, other).is_err(), other == sent);
            }
        }
        let ollama = Dialect { max_completion_tokens: Support::Ignored, ..all };
        assert_eq!(parse_in(ollama, &cap).unwrap().output_cap, None);
        assert_eq!(parse_in(ollama, &old_cap).unwrap().output_cap, Some(9));
        let both = body(json!({"max_tokens": 9, "max_completion_tokens": 8}));
        assert_eq!(parse(&both).unwrap_err().param, Some("max_tokens"));
        assert_eq!(parse_in(ollama, &both).unwrap().output_cap, Some(9));
    }

    #[test]
    fn a_deployment_is_the_model() {
        let body = br#"{"messages": [{"role": "user", "content": "x"}]}"#;
        let forms = Remembered::default();
        let request = ChatRequest::parse(body, Some("mine"), Dialect::default(), &forms).unwrap();
        assert_eq!(request.model, "mine");
    }

    #[test]
    fn without_a_schema_the_form_is_the_one_that_the_prompt_shows() {
        let ask = |format: Value| {
            let prompt =
                "Return one JSON object:\n{\"narrative\": \"...\", \"support_level\": <1-5>}";
            let body = json!({"model": "m", "response_format": format, "messages": [
                {"role": "system", "content": prompt}, {"role": "user", "content": "{Age: 3}"}]});
            parse(body.to_string().as_bytes()).unwrap().wanted
        };
        assert!(matches!(ask(json!({"type": "json_object"})), Wanted::Form(_)));
        assert!(matches!(ask(json!({"type": "text"})), Wanted::FormInText(_)));
        assert!(matches!(ask(Value::Null), Wanted::FormInText(_)));
    }

    #[test]
    fn a_strict_schema_must_be_closed_and_require_everything() {
        let ask = |schema: Value| {
            let body = json!({
                "model": "m", "messages": [{"role": "user", "content": "x"}],
                "response_format": {"type": "json_schema", "json_schema": {
                    "name": "survey", "strict": true, "schema": schema}},
            });
            parse(body.to_string().as_bytes()).map_err(|bad| bad.message)
        };
        let open = json!({"type": "object", "properties": {}, "required": []});
        assert!(ask(open).unwrap_err().contains("'additionalProperties' is required"));
        let optional = json!({
            "type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": "object", "additionalProperties": false,
                "properties": {"b": {"type": "string"}}, "required": []}},
        });
        let message = ask(optional).unwrap_err();
        assert!(message.contains("('properties', 'a')") && message.contains("'b'"), "{message}");
        let good = json!({"type": "object", "additionalProperties": false,
            "properties": {"b": {"type": "string"}}, "required": ["b"]});
        assert!(matches!(ask(good).unwrap().wanted, Wanted::Form(_)));
    }
}
