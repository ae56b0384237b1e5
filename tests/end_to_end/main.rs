//! The whole program from outside: the real binary, real HTTP on loopback, real signals, a real
//! terminal. A module a promise.
//!
//! `place` is a user's folder with a survey and personas, `asking` a provider that knows whom it
//! is asked about. Nothing waits for a time: tests wait for requests that have arrived, for lines
//! that were printed, for words on the screen.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod asking;
mod attach;
mod bad_input;
mod batch_server;
mod batches;
mod batches_in_trouble;
mod cache;
mod calls;
mod critique;
mod dashboard;
mod endpoints;
mod engine;
mod hostile;
mod isolation;
mod kinds;
mod limits;
mod money;
mod over;
mod packing;
mod place;
mod plan;
mod replay;
mod review;
mod secrets;
mod similar;
mod socket;
mod stops;
mod summary;
mod talk;
mod terminal;
mod thin;
