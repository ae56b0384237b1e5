//! Reading the body of a reply with status 200.

use super::client::Completion;
use crate::model::{Failure, FailureKind, Usage, strip_controls};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct ChatCompletion<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    #[serde(default)]
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    content: Option<String>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct UsageBody {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

/// No call has more tokens; what a server says beyond it must not upset any sum.
const MOST_TOKENS: u64 = 100_000_000;

impl UsageBody {
    /// `None` where nothing was counted: an empty object is no count of zero.
    pub(super) fn believed(self) -> Option<Usage> {
        let cached = self.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let usage = Usage {
            prompt_tokens: self.prompt_tokens.min(MOST_TOKENS),
            completion_tokens: self.completion_tokens.min(MOST_TOKENS),
            cached_tokens: cached.unwrap_or(0).min(MOST_TOKENS),
        };
        (usage != Usage::default()).then_some(usage)
    }
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

/// Takes the completion out of the body of a 200. The usage is known even where the completion
/// is no use.
pub(super) fn read(body: &[u8]) -> (Option<Usage>, Result<Completion, Failure>) {
    let reply: ChatCompletion<'_> = match serde_json::from_slice(body) {
        Ok(reply) => reply,
        Err(error) => return (None, Err(unreadable("chat completion", body, &error))),
    };
    let usage = reply.usage.and_then(UsageBody::believed);
    let Some(choice) = reply.choices.into_iter().next() else {
        let failure = Failure::new(FailureKind::Malformed, "the reply has no choices");
        return (usage, Err(failure));
    };
    (usage, completion(choice))
}

/// What a body is that does not read as what it should be.
pub(super) fn unreadable(what: &str, body: &[u8], error: &serde_json::Error) -> Failure {
    // A page of a proxy is nobody's answer: the provider was not reached.
    if body.trim_ascii_start().starts_with(b"<") {
        let message = format!(
            "a web page came back and no {what}: is the base URL right, or is a proxy in the way?"
        );
        return Failure::new(FailureKind::Connection, message);
    }
    Failure::new(FailureKind::Malformed, format!("the reply is no {what}: {error}"))
}

fn completion(choice: Choice<'_>) -> Result<Completion, Failure> {
    if let Some(refusal) = choice.message.refusal.filter(|text| !text.is_empty()) {
        return Err(Failure::new(FailureKind::Refused, strip_controls(&refusal)));
    }
    match choice.finish_reason.as_deref() {
        Some("content_filter") => {
            Err(Failure::new(FailureKind::Refused, "stopped by the provider's content filter"))
        }
        Some("length") => Err(Failure::new(
            FailureKind::CutOff,
            "the answer hit the output cap: raise max_output_tokens",
        )),
        _ => match choice.message.content {
            Some(content) if !content.trim().is_empty() => Ok(Completion { content }),
            _ => Err(Failure::new(FailureKind::Malformed, "the reply has no content")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(body: &str) -> Result<String, FailureKind> {
        read(body.as_bytes()).1.map(|c| c.content).map_err(|f| f.kind)
    }

    #[test]
    fn a_reply_is_told_apart_by_what_it_holds() {
        for (body, expected) in [
            (r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#, Ok("hi")),
            (r#"{"choices":[{"message":{"content":"hi"}}],"usage":null}"#, Ok("hi")),
            (
                r#"{"choices":[{"message":{"content":"h"},"finish_reason":"length"}]}"#,
                Err(FailureKind::CutOff),
            ),
            (
                r#"{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#,
                Err(FailureKind::Refused),
            ),
            (
                r#"{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}"#,
                Err(FailureKind::Refused),
            ),
            (r#"{"choices":[{"message":{"content":" "}}]}"#, Err(FailureKind::Malformed)),
            (r#"{"choices":[]}"#, Err(FailureKind::Malformed)),
            ("<html>", Err(FailureKind::Connection)),
            ("", Err(FailureKind::Malformed)),
            (r#"{"choices":[{"mess"#, Err(FailureKind::Malformed)),
        ] {
            assert_eq!(kind(body), expected.map(str::to_owned), "{body}");
        }
    }

    #[test]
    fn what_a_server_counts_is_believed_within_reason() {
        let usage = |text: &str| read(format!(r#"{{"choices":[],"usage":{text}}}"#).as_bytes()).0;
        assert_eq!(usage("{}"), None);
        assert_eq!(usage("null"), None);
        let absurd = usage(r#"{"prompt_tokens":18446744073709551615}"#).unwrap();
        assert_eq!(absurd.prompt_tokens, MOST_TOKENS);
    }

    #[test]
    fn usage_is_kept_also_of_a_reply_that_is_no_use() {
        let body = r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,
            "prompt_tokens_details":{"cached_tokens":4}}}"#;
        let usage = read(body.as_bytes()).0.unwrap();
        assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens), (7, 2, 4));
    }
}
