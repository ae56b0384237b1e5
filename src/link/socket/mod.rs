//! The link between processes of one user: frames on a Unix socket.
//!
//! ```text
//! dashboard                                        engine's process
//! ui -- FrontEndLink -- Attachment ==socket== Server: a task a client -- Seat --> engine
//!                      (client.rs)   frames          \-- Mailbox <-- Outlet <----/
//! ```
//!
//! `place` says where the socket of a run file is, `frames` reads the frames of
//! [`crate::protocol::codec`] off it. The server has a thread of its own: neither writing a
//! snapshot as bytes nor a client that reads nothing takes anything from the engine.

mod client;
mod frames;
mod place;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Answers, AttachError, Attachment, Following, Looked, follow, look};
pub use place::{PlaceError, socket_name};
pub use server::{ServeError, Server};
