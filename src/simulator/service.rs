//! From a request to its reply: the whole provider but for the network.
//!
//! Here is what a provider has and who is let in. `chat` answers a chat completion, alone or as a
//! line of a batch, `embeddings` and `models` answer the rest, and `changes` is what changes while
//! it runs.

mod changes;
mod chat;
mod embeddings;
mod models;

pub use changes::{By, Made};

use super::{
    Options,
    accounts::{Accounts, KeyId, KeyProblem, Rates, Refusal},
    batch,
    chance::Chance,
    error_body::ApiError,
    faults::Faults,
    form::Form,
    kind::{KeyHeader, Kind},
    limits::{Denial, Metered},
    outage::Outage,
    refusals,
    remembered::Remembered,
    reply::Reply,
    slots::Slots,
    speed::Speed,
    stats::{Counts, Ending},
    topic::Topic,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// A provider that has started.
pub struct Service {
    /// What never changes: the rest of the options is the state it began with.
    pub options: Options,
    pub started_at: Instant,
    seed: Chance,
    live: Mutex<Live>,
    accounts: Mutex<Accounts>,
    slots: Arc<Slots>,
    pub outage: Outage,
    /// How often each content has been let in, by its hash, so that a retry has luck of its
    /// own. 36 MB for a million different requests; not kept where nothing depends on luck.
    seen: Mutex<HashMap<u64, u32>>,
    forms: Remembered<Form>,
    topics: Remembered<Topic>,
    changes: Mutex<Vec<Made>>,
    pub counts: Arc<Counts>,
    pub files: batch::Files,
    pub batches: batch::Registry,
}

/// What can change from one request to the next.
#[derive(Clone, Copy)]
pub struct Live {
    pub faults: Faults,
    pub speed: Speed,
}

/// What stands around a request's body.
#[derive(Clone, Copy, Default)]
pub struct Asker<'a> {
    /// The key, from whichever header this server looks at.
    pub key: Option<&'a str>,
    /// The model, where the URL names it.
    pub deployment: Option<&'a str>,
}

impl Service {
    /// Starts with everything unused.
    pub fn new(options: Options, now: Instant) -> Self {
        let rates = Rates {
            requests_per_minute: options.requests_per_minute,
            tokens_per_minute: options.tokens_per_minute,
            capacity: 1.0,
        };
        let (keys, quota) = (options.keys.clone(), options.quota);
        let speed =
            Speed { latency: options.latency, tokens_per_second: options.tokens_per_second };
        Self {
            started_at: now,
            seed: Chance::new(options.seed),
            live: Mutex::new(Live { faults: options.faults, speed }),
            accounts: Mutex::new(Accounts::new(keys, options.limit_shape, rates, quota, now)),
            slots: Arc::new(Slots::new(options.slots, options.queue)),
            outage: Outage::default(),
            seen: Mutex::default(),
            forms: Remembered::default(),
            topics: Remembered::default(),
            changes: Mutex::default(),
            counts: Arc::default(),
            files: batch::Files::default(),
            batches: batch::Registry::default(),
            options,
        }
    }

    const fn kind(&self) -> Kind {
        self.options.kind
    }

    /// A request that no path and method takes, or that is too long to be read.
    pub fn wrong(&self, status: u16, message: &str) -> Reply {
        if self.outage.is_on() {
            return self.unreachable();
        }
        self.counts.ended(Ending::BadRequest);
        Reply::error(self.kind(), status, &ApiError::invalid_request(message))
    }

    /// Lets a client in, whatever it is about to ask for.
    ///
    /// # Errors
    /// The reply that it gets while the provider is down, or to a key that is not served.
    pub fn enter(&self, given: Option<&str>) -> Result<KeyId, Box<Reply>> {
        if self.outage.is_on() {
            return Err(Box::new(self.unreachable()));
        }
        self.key(given).map_err(|problem| Box::new(self.key_refused(problem, given)))
    }

    fn unreachable(&self) -> Reply {
        self.counts.ended(Ending::WhileDown);
        Reply::dropped()
    }

    fn key(&self, given: Option<&str>) -> Result<KeyId, KeyProblem> {
        match (self.kind().key_header(), given) {
            (KeyHeader::ApiKey, None) => Err(KeyProblem::Missing),
            _ => self.accounts().find(given),
        }
    }

    fn key_refused(&self, problem: KeyProblem, given: Option<&str>) -> Reply {
        self.counts.ended(Ending::KeyRefused);
        refusals::key_refused(self.kind(), problem, given)
    }

    fn refused(&self, refusal: Refusal, model: &str) -> Reply {
        match refusal {
            Refusal::Limit(denial) => {
                self.counts.ended(match denial {
                    Denial::Later { metered: Metered::Requests, .. } => Ending::LimitedByRequests,
                    Denial::Later { metered: Metered::Tokens, .. } | Denial::TooLarge { .. } => {
                        Ending::LimitedByTokens
                    }
                });
                Reply::denied(self.kind(), &denial, "rate_limit_exceeded", model)
            }
            Refusal::NoQuota => {
                self.counts.ended(Ending::OutOfQuota);
                refusals::no_quota(self.kind())
            }
        }
    }

    /// The branch of chance of one attempt: the seed, the content, and how often it has come.
    fn attempt(&self, body: &[u8], depends_on_luck: bool) -> Chance {
        let content = self.seed.with(b"content").with(body);
        if !depends_on_luck {
            return content;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.entry(content.bits()).or_insert(0);
        *times += 1;
        content.with_number(u64::from(*times))
    }

    /// The faults and the speed as they are now.
    pub fn live(&self) -> Live {
        *self.live_mut()
    }

    /// A branch of the seed.
    pub fn chance(&self, of: &[u8]) -> Chance {
        self.seed.with(of)
    }

    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    pub fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
