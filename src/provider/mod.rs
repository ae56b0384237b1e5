//! The client of an OpenAI-compatible API: one HTTP exchange at a time, told apart by how it
//! ended. Retries, permits and waiting are not its business.
//!
//! ```text
//! RequestTemplate (once a run) -> body (once a persona) -> Client::exchange -> Exchange
//!                                                   reply.rs reads a 200, classify.rs the rest
//! ```

mod classify;
mod client;
mod headers;
mod reply;
mod request;

pub use client::{Client, ClientError, ClientSettings, Completion, Exchange, Unanswered};
pub use request::{RequestTemplate, TemplateSettings};
