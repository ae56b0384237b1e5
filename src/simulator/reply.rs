//! Replies, as bytes and headers, before anything is sent.

use super::{
    error_body::ApiError,
    kind::Kind,
    limits::{Denial, Gauges, Metered},
    slots::Place,
    time::GoDuration,
};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The bytes that most bodies fit into.
const TYPICAL_BODY: usize = 2048;

/// One reply.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// How long it takes to serve.
    pub after: Duration,
    /// What serves it; `None` for what is answered without any work.
    pub place: Option<Place>,
    pub retry_after: Option<Duration>,
    /// The header `x-should-retry`.
    pub should_retry: Option<bool>,
    /// What the `x-ratelimit-*` headers say; empty where they are left out.
    pub gauges: Gauges,
    pub delivery: Delivery,
}

/// How the bytes of a reply arrive, or fail to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    /// In pieces, over this long.
    Dripped(Duration),
    /// The connection ends properly, halfway through the body.
    Truncated,
    /// The connection is reset, halfway through the body.
    Reset,
    /// The connection is reset, and nothing was sent.
    Dropped,
    /// Nothing is ever sent.
    Never,
}

impl Reply {
    /// A reply at once and whole.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: "application/json",
            body,
            after: Duration::ZERO,
            place: None,
            retry_after: None,
            should_retry: None,
            gauges: Gauges::default(),
            delivery: Delivery::Whole,
        }
    }

    /// A chat completion.
    pub fn completion(completion: &Completion<'_>) -> Self {
        let Completion { id, model, said, finish_reason, prompt_tokens, completion_tokens } =
            *completion;
        let (content, refusal) = match said {
            Said::Content(text) => (Some(text), None),
            Said::Refusal(text) => (None, Some(text)),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wire = WireCompletion {
            id: format!("chatcmpl-{id:016x}"),
            object: "chat.completion",
            created: now.as_secs(),
            model,
            choices: [WireChoice {
                index: 0,
                message: WireMessage { role: "assistant", content, refusal },
                logprobs: None,
                finish_reason,
            }],
            usage: WireUsage {
                prompt_tokens,
                completion_tokens,
                total_tokens: prompt_tokens + completion_tokens,
            },
            system_fingerprint: "fp_simulator",
        };
        Self::new(200, json(&wire))
    }

    /// An error, as this kind of server writes it.
    pub fn error(kind: Kind, status: u16, error: &ApiError<'_>) -> Self {
        Self::new(status, error.body(kind, status))
    }

    /// No reply at all: the connection is reset.
    pub fn dropped() -> Self {
        Self { delivery: Delivery::Dropped, ..Self::new(503, Vec::new()) }
    }

    /// The 429 of a rate limit.
    pub fn denied(kind: Kind, denial: &Denial, code: &str, model: &str) -> Self {
        let (r#type, message, wait) = match *denial {
            Denial::Later { metered, limit, used, requested, wait } => {
                let (r#type, unit, counted) = match metered {
                    Metered::Requests => ("requests", "requests per min (RPM)", "call"),
                    Metered::Tokens => ("tokens", "tokens per min (TPM)", "token"),
                };
                let message = match kind {
                    Kind::Azure => format!(
                        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API \
                         have exceeded {counted} rate limit of your current OpenAI S0 pricing \
                         tier. Please retry after {} seconds.",
                        wait.as_millis().div_ceil(1000)
                    ),
                    Kind::Gemini => format!(
                        "You exceeded your current quota, please check your plan and billing \
                         details. Quota exceeded for metric: {unit}, limit: {limit}, model: \
                         {model}. Please retry in {}s.",
                        wait.as_secs_f64()
                    ),
                    Kind::Anthropic => format!(
                        "This request would exceed your organization's rate limit of {limit} \
                         {unit} (model: {model})."
                    ),
                    _ => format!(
                        "Rate limit reached for {model} in organization org-simulator on {unit}: \
                         Limit {limit}, Used {used}, Requested {requested}. Please try again in \
                         {}. Visit https://platform.openai.com/account/rate-limits to learn more.",
                        GoDuration(wait)
                    ),
                };
                (r#type, message, Some(wait))
            }
            Denial::TooLarge { limit, requested } => {
                let message = format!(
                    "Request too large for {model} in organization org-simulator on tokens per \
                     min (TPM): Limit {limit}, Requested {requested}. The input or output tokens \
                     must be reduced in order to run successfully. Visit \
                     https://platform.openai.com/account/rate-limits to learn more."
                );
                ("tokens", message, None)
            }
        };
        let error = ApiError { message: &message, r#type, param: None, code: Some(code) };
        Self { retry_after: wait, ..Self::error(kind, 429, &error) }
    }
}

/// What a completion says.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    pub id: u64,
    pub model: &'a str,
    pub said: Said<'a>,
    pub finish_reason: &'static str,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// An answer, or that there will be none.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    Content(&'a str),
    Refusal(&'a str),
}

#[derive(Serialize)]
struct WireCompletion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [WireChoice<'a>; 1],
    usage: WireUsage,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct WireChoice<'a> {
    index: u32,
    message: WireMessage<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
}

#[derive(Serialize)]
struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TYPICAL_BODY);
    serde_json::to_writer(&mut bytes, value)
        .expect("these types hold nothing that JSON cannot, and memory takes every byte");
    bytes
}
