//! The servers that can be rehearsed, and in what they differ.

use super::{
    options::Options,
    rate_headers::RateHeaders,
    request::{Dialect, Support},
    retry_after::{RetryAfter, RetryForm},
    words::{UnknownWord, choose},
};
use std::{fmt, str::FromStr};

/// A server whose ways are imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    OpenAi,
    /// Azure OpenAI: the header `api-key`, both forms of the URL, and codes of its own.
    Azure,
    /// No limits and no headers that tell any, but so many sequences at once.
    Vllm,
    /// One request at a time and a queue; ignores keys, and every cap but `max_tokens`.
    Ollama,
    /// Four slots, and a queue without an end.
    LlamaCpp,
    /// Gemini's compatibility layer: a path and errors of its own, and no headers about limits.
    Gemini,
    /// Anthropic's compatibility layer: it ignores the answer's format, and has errors of its own.
    Anthropic,
}

/// In which header a server looks for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer ...`.
    Bearer,
    /// `api-key: ...`, and never without one.
    ApiKey,
    /// Whatever is sent, it is not looked at.
    Ignored,
}

const NAMES: [(&str, Kind); 7] = [
    ("openai", Kind::OpenAi),
    ("azure", Kind::Azure),
    ("vllm", Kind::Vllm),
    ("ollama", Kind::Ollama),
    ("llama.cpp", Kind::LlamaCpp),
    ("gemini", Kind::Gemini),
    ("anthropic", Kind::Anthropic),
];

impl Kind {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| *name)
    }

    /// Under which path it serves, as it belongs into a base URL.
    pub const fn base_path(self) -> &'static str {
        match self {
            Self::Azure => "/openai/v1",
            Self::Gemini => "/v1beta/openai",
            Self::OpenAi | Self::Vllm | Self::Ollama | Self::LlamaCpp | Self::Anthropic => "/v1",
        }
    }

    pub(super) const fn key_header(self) -> KeyHeader {
        match self {
            Self::Azure => KeyHeader::ApiKey,
            Self::Ollama => KeyHeader::Ignored,
            Self::OpenAi | Self::Vllm | Self::LlamaCpp | Self::Gemini | Self::Anthropic => {
                KeyHeader::Bearer
            }
        }
    }

    /// Whether it takes files and batches.
    pub(super) const fn has_batches(self) -> bool {
        matches!(self, Self::OpenAi | Self::Azure)
    }

    /// Whether replies carry `x-request-id`.
    pub(super) const fn numbers_replies(self) -> bool {
        matches!(self, Self::OpenAi | Self::Azure)
    }

    /// Whether replies carry `openai-processing-ms`.
    pub(super) const fn times_replies(self) -> bool {
        matches!(self, Self::OpenAi)
    }

    /// What such a server does unless it is told otherwise.
    pub fn options(self) -> Options {
        let own = Options { kind: self, ..Options::default() };
        let silent = Options {
            rate_headers: RateHeaders::Absent,
            retry_after: RetryAfter { form: RetryForm::None, instead: None },
            ..own.clone()
        };
        match self {
            Self::OpenAi | Self::Azure => own,
            // The default of --max-num-seqs.
            Self::Vllm => Options { slots: Some(256), ..silent },
            Self::Ollama => Options {
                slots: Some(1),
                queue: Some(512),
                dialect: Dialect { max_completion_tokens: Support::Ignored, ..Dialect::default() },
                ..silent
            },
            Self::LlamaCpp => Options { slots: Some(4), ..silent },
            Self::Gemini => silent,
            Self::Anthropic => Options {
                retry_after: RetryAfter { form: RetryForm::Seconds, instead: None },
                dialect: Dialect {
                    json_schema: Support::Ignored,
                    json_object: Support::Ignored,
                    ..Dialect::default()
                },
                ..silent
            },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        choose("kind of server", text, &NAMES)
    }
}
