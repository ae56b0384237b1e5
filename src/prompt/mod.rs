//! The prompts of a survey, the answer's JSON schema, and reading an answer back.
