//! How a server wants to be asked: which form of structured output it takes, and which name the
//! output cap has. Learned from its 400s, once an endpoint and not once a call.

use crate::model::OutputCapField;

/// How the model is told to answer in JSON, from the strictest down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// The server holds the model to the schema.
    JsonSchema,
    /// The server holds the model to some JSON; the prompt says which.
    JsonObject,
    /// The prompt is all there is.
    Text,
}

/// One way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub format: AnswerFormat,
    pub cap: OutputCapField,
    /// The other name was refused: a server that turns down this one too means something else.
    other_cap_refused: bool,
}

/// A part of a request that a server does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    AnswerFormat,
    OutputCap,
}

impl Dialect {
    /// The way to begin with.
    pub const fn new(cap: OutputCapField) -> Self {
        Self { format: AnswerFormat::JsonSchema, cap, other_cap_refused: false }
    }

    /// The next way to try, where there is one.
    pub const fn without(self, unsupported: Unsupported) -> Option<Self> {
        match (unsupported, self.format, self.cap) {
            (Unsupported::AnswerFormat, AnswerFormat::JsonSchema, _) => {
                Some(Self { format: AnswerFormat::JsonObject, ..self })
            }
            (Unsupported::AnswerFormat, AnswerFormat::JsonObject, _) => {
                Some(Self { format: AnswerFormat::Text, ..self })
            }
            (Unsupported::OutputCap, _, cap) if !self.other_cap_refused => {
                let cap = match cap {
                    OutputCapField::MaxCompletionTokens => OutputCapField::MaxTokens,
                    OutputCapField::MaxTokens => OutputCapField::MaxCompletionTokens,
                };
                Some(Self { cap, other_cap_refused: true, ..self })
            }
            (Unsupported::OutputCap, _, _) | (Unsupported::AnswerFormat, AnswerFormat::Text, _) => {
                None
            }
        }
    }

    /// In words, for the log.
    pub const fn describe(self) -> &'static str {
        match (self.format, self.cap) {
            (AnswerFormat::JsonSchema, OutputCapField::MaxCompletionTokens) => {
                "json_schema and max_completion_tokens"
            }
            (AnswerFormat::JsonSchema, OutputCapField::MaxTokens) => "json_schema and max_tokens",
            (AnswerFormat::JsonObject, OutputCapField::MaxCompletionTokens) => {
                "json_object and max_completion_tokens"
            }
            (AnswerFormat::JsonObject, OutputCapField::MaxTokens) => "json_object and max_tokens",
            (AnswerFormat::Text, OutputCapField::MaxCompletionTokens) => {
                "plain text and max_completion_tokens"
            }
            (AnswerFormat::Text, OutputCapField::MaxTokens) => "plain text and max_tokens",
        }
    }
}
