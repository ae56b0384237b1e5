//! What kind of server an endpoint is, and how the kinds differ.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The servers that are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndpointKind {
    #[default]
    #[serde(rename = "openai")]
    OpenAi,
    #[serde(rename = "azure")]
    Azure,
    #[serde(rename = "vllm")]
    Vllm,
    #[serde(rename = "ollama")]
    Ollama,
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    #[serde(rename = "gemini")]
    Gemini,
    #[serde(rename = "anthropic")]
    Anthropic,
    /// Any other that speaks the same language.
    #[serde(rename = "compatible")]
    Compatible,
}

/// The header that carries the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthHeader {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// `api-key: KEY`
    ApiKey,
}

/// The field of a request that caps the answer's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputCapField {
    /// Counts reasoning tokens too; some models take no other.
    MaxCompletionTokens,
    /// Deprecated at OpenAI, and all that many compatible servers know.
    MaxTokens,
}

impl OutputCapField {
    /// The name as it goes over the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
        }
    }
}

impl EndpointKind {
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::Azure,
        Self::Vllm,
        Self::Ollama,
        Self::LlamaCpp,
        Self::Gemini,
        Self::Anthropic,
        Self::Compatible,
    ];

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Vllm => "vllm",
            Self::Ollama => "ollama",
            Self::LlamaCpp => "llama.cpp",
            Self::Gemini => "gemini",
            Self::Anthropic => "anthropic",
            Self::Compatible => "compatible",
        }
    }

    /// How the key is sent.
    pub const fn auth(self) -> AuthHeader {
        match self {
            Self::Azure => AuthHeader::ApiKey,
            _ => AuthHeader::Bearer,
        }
    }

    /// The field to start with; a server that refuses it says so in a 400.
    pub const fn output_cap_field(self) -> OutputCapField {
        match self {
            Self::OpenAi | Self::Azure => OutputCapField::MaxCompletionTokens,
            Self::Vllm
            | Self::Ollama
            | Self::LlamaCpp
            | Self::Gemini
            | Self::Anthropic
            | Self::Compatible => OutputCapField::MaxTokens,
        }
    }

    /// Whether nobody is served there without a key.
    pub const fn needs_key(self) -> bool {
        match self {
            Self::OpenAi | Self::Azure | Self::Gemini | Self::Anthropic => true,
            Self::Vllm | Self::Ollama | Self::LlamaCpp | Self::Compatible => false,
        }
    }

    /// Whether it says 429 when it has enough. Of the others it shows only in the time to the
    /// first byte, and slots are all there is to steer.
    pub const fn answers_429(self) -> bool {
        match self {
            Self::OpenAi | Self::Azure | Self::Gemini | Self::Anthropic | Self::Compatible => true,
            Self::Vllm | Self::Ollama | Self::LlamaCpp => false,
        }
    }

    /// Whether it takes batches of calls (`/v1/files`, `/v1/batches`). Of a server that is none of
    /// these nobody knows, and asking tells.
    pub const fn has_batches(self) -> bool {
        match self {
            Self::OpenAi | Self::Azure | Self::Compatible => true,
            Self::Vllm | Self::Ollama | Self::LlamaCpp | Self::Gemini | Self::Anthropic => false,
        }
    }

    /// The base URL of the kind's documentation, for messages.
    pub const fn usual_base_url(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Compatible => "https://api.openai.com/v1",
            Self::Azure => "https://RESOURCE.openai.azure.com/openai/v1",
            Self::Vllm => "http://127.0.0.1:8000/v1",
            Self::Ollama => "http://127.0.0.1:11434/v1",
            Self::LlamaCpp => "http://127.0.0.1:8080/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta/openai",
            Self::Anthropic => "https://api.anthropic.com/v1",
        }
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name_everywhere() {
        for kind in EndpointKind::ALL {
            let name = format!("\"{kind}\"");
            assert_eq!(serde_json::to_string(&kind).unwrap(), name);
            assert_eq!(serde_json::from_str::<EndpointKind>(&name).unwrap(), kind);
        }
    }
}
