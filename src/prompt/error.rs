//! What can be wrong with a template or with an answer.

/// Why a prompt template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// It does not parse, or fails on a persona made up to try it.
    #[error("{template}, line {line}: {problem}")]
    Template { template: &'static str, line: usize, problem: String },
    /// A name that no template has.
    #[error("{template}, line {line}: unknown variable {name:?}; {hint}")]
    UnknownVariable { template: &'static str, line: usize, name: String, hint: String },
    /// It works for others but not for this persona.
    #[error("{template}, line {line}, for persona {persona:?}: {problem}")]
    Persona { template: &'static str, line: usize, persona: String, problem: String },
}

/// Why a reply is not the answer that was asked for. The text is for a log and for the repair call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// No `{` anywhere.
    #[error("no JSON object in the reply, which begins {0:?}")]
    NoObject(String),
    /// A `{` that starts no valid object.
    #[error("not JSON: {0}")]
    Syntax(String),
    #[error("{field} is missing")]
    Missing { field: String },
    #[error("{field} must be {expected}, not {found}")]
    Wrong { field: String, expected: &'static str, found: String },
    #[error("narrative is empty")]
    EmptyNarrative,
}
