//! How a front end reaches an engine.

mod local;

pub use local::{FrontEndLink, LocalOutlet, Orders, local};
