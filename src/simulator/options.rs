//! What a simulated provider is told before it starts.

use super::{
    Faults,
    accounts::Key,
    batch::BatchOptions,
    change::{Change, ChangeError, Scheduled},
    conduct::{Conduct, Share},
    kind::{KeyHeader, Kind},
    limits::LimitShape,
    rate_headers::RateHeaders,
    request::Dialect,
    retry_after::RetryAfter,
};
use std::{io, time::Duration};

/// How the provider behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// The same seed gives the same answers, faults and latencies to the same requests.
    pub seed: u64,
    /// Whose ways it has; [`Kind::options`] sets the rest as such a server does.
    pub kind: Kind,
    /// The median time until a reply starts. Zero answers at once.
    pub latency: Duration,
    /// Where it is set, the latency is the time to the first token, and each one after it takes
    /// its time. Otherwise the whole grows with the output about its median.
    pub tokens_per_second: Option<f64>,
    /// How the two rates are enforced.
    pub limit_shape: LimitShape,
    /// `None` is no limit, and then no `x-ratelimit-*-requests` headers either.
    pub requests_per_minute: Option<u32>,
    /// `None` is no limit, and then no `x-ratelimit-*-tokens` headers either.
    pub tokens_per_minute: Option<u32>,
    /// What a request counts for in tokens a minute.
    pub charge: Charge,
    /// Tokens, for each group of keys, until the money is gone and every request gets a 429
    /// `insufficient_quota`.
    pub quota: Option<u64>,
    /// The keys that are served, and who shares limits with whom. Without any, every key is.
    pub keys: Vec<Key>,
    /// How many requests are served at once; the next ones wait.
    pub slots: Option<u32>,
    /// How many may wait for a slot before the next one gets a 503.
    pub queue: Option<u32>,
    /// What the `x-ratelimit-*` headers say.
    pub rate_headers: RateHeaders,
    /// In which form a 429 says how long to wait.
    pub retry_after: RetryAfter,
    /// What it understands of a request.
    pub dialect: Dialect,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// How batches go.
    pub batch: BatchOptions,
    /// The share of requests for embeddings that end with a server error, 0 to 1.
    pub embeddings_failed: f64,
    /// How personas and critics behave.
    pub conduct: Conduct,
    /// What changes while it runs.
    pub schedule: Vec<Scheduled>,
}

/// What a request counts for in tokens a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charge {
    /// The prompt and the output.
    #[default]
    Output,
    /// The prompt and the output cap, however short the output is.
    Cap,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            kind: Kind::default(),
            latency: Duration::from_millis(300),
            tokens_per_second: None,
            limit_shape: LimitShape::default(),
            requests_per_minute: None,
            tokens_per_minute: None,
            charge: Charge::default(),
            quota: None,
            keys: Vec::new(),
            slots: None,
            queue: None,
            rate_headers: RateHeaders::default(),
            retry_after: RetryAfter::default(),
            dialect: Dialect::default(),
            faults: Faults::default(),
            batch: BatchOptions::default(),
            embeddings_failed: 0.0,
            conduct: Conduct::default(),
            schedule: Vec::new(),
        }
    }
}

impl Options {
    /// Refuses what could never be answered, and what contradicts itself.
    pub(super) fn check(&self) -> Result<(), SimulatorError> {
        for (what, limit) in [
            ("requests per minute", self.requests_per_minute),
            ("tokens per minute", self.tokens_per_minute),
            ("number of slots", self.slots),
        ] {
            if limit == Some(0) {
                return Err(SimulatorError::Zero { what });
            }
        }
        if self.tokens_per_second.is_some_and(|speed| !(speed > 0.0 && speed.is_finite())) {
            return Err(SimulatorError::NoSpeed);
        }
        if self.queue.is_some() && self.slots.is_none() {
            return Err(SimulatorError::QueueWithoutSlots);
        }
        if self.tokens_per_minute.is_some() {
            self.can_change(&Change::TokensPerMinute(self.tokens_per_minute))?;
        }
        for (place, key) in self.keys.iter().enumerate() {
            if self.kind.key_header() == KeyHeader::Ignored {
                return Err(SimulatorError::KeysIgnored { kind: self.kind });
            }
            if self.keys[..place].iter().any(|other| other.key == key.key) {
                return Err(SimulatorError::KeyTwice { key: key.key.clone() });
            }
        }
        if let Some(sum) = self.conduct.too_many_slips() {
            return Err(SimulatorError::TooManySlips { sum });
        }
        for scheduled in &self.schedule {
            self.can_change(&scheduled.change)?;
        }
        Ok(())
    }

    /// Refuses a change that this provider cannot make.
    pub(super) fn can_change(&self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::TokensPerMinute(Some(_))
                if matches!(self.limit_shape, LimitShape::LimitReq { .. }) =>
            {
                Err(ChangeError::NoTokens)
            }
            Change::Refuse(key) | Change::Accept(key)
                if !self.keys.iter().any(|known| known.key == *key) =>
            {
                Err(ChangeError::NoSuchKey(key.clone()))
            }
            _ => Ok(()),
        }
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
    Zero { what: &'static str },
    #[error("the simulator's tokens per second must be more than 0; leave it out for none")]
    NoSpeed,
    #[error("a queue is the line before the slots; set a number of slots too")]
    QueueWithoutSlots,
    #[error("{kind} ignores keys; leave them out, or choose another kind of server")]
    KeysIgnored { kind: Kind },
    #[error("the key \"{key}\" is given twice; leave one of the two out")]
    KeyTwice { key: String },
    #[error(
        "contradictions, topics missed and answers off topic add up to {sum}; make them 100% or less"
    )]
    TooManySlips { sum: Share },
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl SimulatorError {
    /// Whether the options are at fault, and not the machine.
    pub const fn is_in_the_options(&self) -> bool {
        !matches!(self, Self::Listen { .. } | Self::Thread(_))
    }
}
