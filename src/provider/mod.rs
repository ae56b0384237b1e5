//! The client of an OpenAI-compatible API: one HTTP exchange at a time, told apart by how it
//! ended. Retries, permits and waiting are not its business.
//!
//! ```text
//! RequestTemplate (once an endpoint, and again where its dialect turns out to be another)
//!                              -> body (once a persona) -> Client::exchange -> Exchange
//!                                                   reply.rs reads a 200, classify.rs the rest
//! ```
//!
//! `embeddings` asks for vectors of texts, and for nothing said.
//!
//! `batch` is the other way to ask: files of requests, which are answered within a day.

mod batch;
mod classify;
mod client;
mod dialect;
mod embeddings;
mod headers;
mod reply;
mod request;

pub use batch::{BatchError, BatchPage, ContentLines, NewBatch};
pub use client::{Client, ClientError, ClientSettings, Completion, Exchange, Unanswered};
pub use dialect::{AnswerFormat, Dialect, Unsupported};
pub use embeddings::Vector;
pub use request::{Question, Repair, RequestTemplate, TemplateSettings};
