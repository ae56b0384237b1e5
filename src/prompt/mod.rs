//! The prompts of a survey, the answer's JSON schema, and reading an answer back.
//!
//! ```text
//! Survey --> Prompts::compile --> system()         once: shared by all personas
//!                                 user(persona)    for each of them
//!        --> answer_schema                         what the provider is asked to fill in
//!        --> read_answer(reply)                    Answer, or which field is wrong
//! ```
//!
//! The built-in templates are `config/prompts/*.j2`; a survey may bring its own. Both see `survey`
//! (name, question, domain, grid.support, grid.impacts with label and key) and the user template
//! also `persona`: `persona.id`, `persona.attributes` (a list of name, label and value), and each
//! attribute by its name, such as `persona.age` or `persona.address.city`. An attribute that a
//! persona lacks is blank, and false in an `if`.

mod answer;
mod context;
mod error;
mod profile;
mod schema;
mod template;
mod text;
mod words;

pub use answer::read_answer;
pub use error::{AnswerError, PromptError};
pub use schema::{answer_schema, answer_to_wire};
pub use template::Prompts;

#[cfg(test)]
mod tests;
