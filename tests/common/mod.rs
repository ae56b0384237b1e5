//! What the tests share: a real terminal, a real provider, real processes.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod provider;
pub mod terminal;
pub mod voxpop;
