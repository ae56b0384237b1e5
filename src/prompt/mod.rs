//! The prompts of a survey, the answer's JSON schema, and reading an answer back.
//!
//! ```text
//! Survey --> Prompts::compile --> system(form)     once: shared by all calls of a form
//!                                 user(persona)    for each persona; likewise what follows up
//!        --> Form::schema                          what the provider is asked to fill in
//!        --> read_answer(reply), read_verdict      Answer or Verdict, or which field is wrong
//!            read_digest, read_summary             Findings, likewise
//! ```
//!
//! The built-in templates are `config/prompts/*.j2`; a survey may bring its own. Both see `survey`
//! (name, question, domain, grid.support, grid.impacts with label and key) and the user template
//! also `persona`: `persona.id`, `persona.attributes` (a list of name, label and value), and each
//! attribute by its name, such as `persona.age` or `persona.address.city`. An attribute that a
//! persona lacks is blank, and false in an `if`. Templates that speak of an answer see `answer`
//! too, those that follow up also `missing` (topics) or `issues`, that of a chat `talk` and `said`.
//! What asks several in one call sees `personas` in the place of `persona`, and what has several
//! judged `judged`, a list of `persona` and `answer`. What digests a group of answers sees
//! `survey.themes` and, in the user template, `answers`; what summarizes sees `digests`. What stands
//! between tags goes through the filter `untagged`, so that no text can end them.

mod answer;
mod answer_values;
mod context;
mod critique;
mod digest;
mod error;
mod follow_up;
mod form;
mod packed;
mod profile;
mod schema;
mod talk;
mod template;
mod text;
mod verdict;
mod words;

pub use answer::read_answer;
pub use critique::read_critique;
pub use digest::{driver, read_digest, read_summary};
pub use error::{AnswerError, PromptError};
pub use follow_up::read_added;
pub use form::Form;
pub use packed::{read_packed, read_packed_review};
pub use schema::{answer_schema, answer_to_wire};
pub use talk::read_said;
pub use template::Prompts;
pub use verdict::read_verdict;

#[cfg(test)]
mod tests;
