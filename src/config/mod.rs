//! Settings in layers, each with where its value came from.
//!
//! ```text
//! config/defaults.yaml < survey file < .env < environment < flags
//!        (survey_file)    (survey_file) (dotenv) (dotenv)   (load)
//!                  \          |            |        |       /
//!                   '------> layers: one value at a time, with its Origin
//!                                  |
//!                               Config   validated once; what else the run file keeps of it
//!                                        is RunSettings, which has no key
//! ```
//!
//! A survey may list several endpoints. Each lies on the keys at the top of the survey and on the
//! variables, and below the flags:
//!
//! ```text
//! endpoints:  endpoint_keys  what a survey writes, and what must hold in a list
//!             endpoint_layers  its own values over the shared ones, group by group
//!             endpoints  its key fetched (key_source: where from; secrets: fetching)
//!             prices  what it costs, from the survey or config/prices.yaml
//! ```
//!
//! A plan is not a layer: it brings slots and requests/min at the height of whoever names it, just
//! below the limits that are spelled out there.
//!
//! Values are checked where they stand (`scalar`), so that an error can name file, line and key.
//! [`text_file`](FileError) reads text as people have it, for this folder and for the personas.

mod base_url;
mod cache;
mod dotenv;
mod endpoint_keys;
mod endpoint_layers;
mod endpoints;
mod error;
mod finish;
mod headers;
mod kept;
mod key;
mod key_command;
mod key_source;
mod layered;
mod layers;
mod load;
mod place;
mod plans;
mod prices;
mod review;
mod scalar;
mod secrets;
mod settings;
mod survey_file;
mod text_file;

pub use error::ConfigError;
pub use headers::HeaderSource;
pub use kept::{KeptEndpoint, RunSettings};
pub use key_source::KeySource;
pub use load::{Flags, Keys, Sources, load, load_demo, load_resumed, load_survey_str, load_text};
pub use plans::{Plan, plans};
pub use prices::{embeddings_price, list_price, prices};
pub use review::themes_of_domain;
pub use scalar::{NotARate, RateFlag};
pub use settings::{Config, EndpointSettings, Origin, RetryBounds, Setting};
pub use text_file::{FileError, is_utf16, open_file, read_text};

/// The survey of the demo: a file to start one's own from.
pub const EXAMPLE_SURVEY: &str = include_str!("../../config/example/survey.yaml");

/// The personas of the demo, as CSV.
pub const EXAMPLE_PERSONAS: &str = include_str!("../../config/example/personas.csv");

#[cfg(test)]
mod endpoint_tests;
#[cfg(test)]
mod guess_tests;
#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod tests;
