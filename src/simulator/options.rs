//! What a simulated provider is told before it starts.

use super::Faults;
use std::{io, time::Duration};

/// How the provider behaves.
#[derive(Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// The same seed gives the same answers, faults and latencies to the same requests.
    pub seed: u64,
    /// The median time until a reply starts. Zero answers at once.
    pub latency: Duration,
    /// `None` is no limit, and then no `x-ratelimit-*-requests` headers either.
    pub requests_per_minute: Option<u32>,
    /// `None` is no limit, and then no `x-ratelimit-*-tokens` headers either.
    pub tokens_per_minute: Option<u32>,
    /// How much of the two rates a rested client may use at once. A minute is what OpenAI
    /// states; a second makes a strict provider, which punishes bursts.
    pub burst: Duration,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// When set, a request with another Bearer gets a 401.
    pub key: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            latency: Duration::from_millis(300),
            requests_per_minute: None,
            tokens_per_minute: None,
            burst: Duration::from_secs(60),
            faults: Faults::default(),
            key: None,
        }
    }
}

impl Options {
    /// Refuses limits under which nothing could ever be answered.
    pub(super) fn check(&self) -> Result<(), SimulatorError> {
        for (what, limit) in [
            ("requests per minute", self.requests_per_minute),
            ("tokens per minute", self.tokens_per_minute),
        ] {
            if limit == Some(0) {
                return Err(SimulatorError::NoRate { what });
            }
        }
        Ok(())
    }
}

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The port is taken, or not ours to take.
    #[error(
        "the simulator cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any"
    )]
    Listen { port: u16, source: io::Error },
    /// The machine gives no thread or no event queue.
    #[error(
        "the simulator cannot start its thread: {0}; raise the limits on threads and open files"
    )]
    Thread(#[source] io::Error),
    /// A limit of zero.
    #[error("the simulator's {what} must be at least 1; leave it out for no limit")]
    NoRate { what: &'static str },
}
