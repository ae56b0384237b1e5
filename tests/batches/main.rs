//! Batches from end to end: the client against the simulated provider, over real HTTP.

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod crash;
mod provider;
