//! voxpop puts one survey to many AI personas through OpenAI-compatible APIs and shows the run
//! in the terminal.
//!
//! The map, from the bottom up (`tests/layers.rs` holds who may import whom):
//!
//! - [`model`]: the words of the program as pure data
//! - [`protocol`]: what engine and front end say to each other
//! - [`config`], [`personas`], [`prompt`]: what is asked, of whom, in which words
//! - [`lexicon`]: which categories a text speaks of
//! - [`tokens`], [`forecast`]: how much that is, and how long it will take
//! - [`provider`], [`limiter`], [`store`]: one call, the right to make it, and where it is kept
//! - [`batch`]: files of many calls: what goes into which, and what to do next
//! - [`cache`]: replies that need not be asked for again
//! - [`engine`]: the run itself
//! - [`simulator`]: a provider on loopback, for demos and tests
//! - [`link`]: how a front end reaches an engine, in the same process or in another
//! - [`advice`]: what holds a run back, and what would help
//! - [`headless`], [`ui`]: the front ends
//! - [`export`]: a run's records as files
//! - [`cli`], [`commands`], [`launch`]: the command line and what puts all of it together

pub mod advice;
pub mod batch;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod config;
pub mod engine;
pub mod error;
pub mod export;
pub mod forecast;
pub mod headless;
pub mod launch;
pub mod lexicon;
pub mod limiter;
pub mod link;
pub mod logging;
pub mod model;
pub mod personas;
pub mod prompt;
pub mod protocol;
pub mod provider;
pub mod signals;
pub mod simulator;
pub mod store;
pub mod tokens;
pub mod ui;
