//! Files and batches: `/v1/files` and `/v1/batches`, as OpenAI and Azure have them.
//!
//! `http` is the way in. `files` keeps what is uploaded, and what comes of it, in a temporary
//! folder; `registry` knows every batch and what holds of it now. `check` reads an input file as
//! it is read at validation, and `life` takes a batch from there to its end, its lines answered
//! by the same code that answers a chat completion (`line` is their form). Nothing here holds a
//! file in memory: only where its lines begin.

mod check;
mod files;
mod http;
mod life;
mod line;
mod registry;

pub use files::Files;
pub use http::routes;
pub use registry::{BatchStats, Registry};

use super::{
    FaultKind, accounts::KeyId, error_body::ApiError, reply::Reply, service::Service, stats::Ending,
};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How batches go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchOptions {
    /// From the end of the validation to the last line.
    pub takes: Duration,
    /// The share of lines that the end of the completion window cuts off, 0 to 1.
    pub expired: f64,
    /// The share of lines that end with a server error, 0 to 1.
    pub failed: f64,
    /// The share of lines of which the results have a second copy, or one under a name that
    /// nobody gave, 0 to 1.
    pub strange: f64,
    /// The share of requests about files and batches that end with a 500, every other one after
    /// it was done, 0 to 1.
    pub unclear: f64,
    /// The most prompt tokens of one model that may be in unfinished batches of a group of keys.
    pub enqueued_tokens: Option<u64>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            takes: Duration::from_secs(10),
            expired: 0.0,
            failed: 0.0,
            strange: 0.0,
            unclear: 0.0,
            enqueued_tokens: None,
        }
    }
}

/// Why a request about files or batches is turned down.
#[derive(Debug)]
struct Wrong {
    status: u16,
    message: String,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Wrong {
    fn new(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self { status: 400, message: message.into(), param, code: None }
    }

    fn not_found(what: &str, id: &str) -> Self {
        let message = format!("No such {what} object: {id}");
        Self { status: 404, message, param: Some("id"), code: None }
    }

    /// The disk of this machine, and no fault of the client.
    fn broken(error: &std::io::Error) -> Self {
        let message = format!("The simulator's temporary folder fails: {error}");
        Self { status: 500, message, param: None, code: None }
    }

    /// The reply that says so.
    fn reply(&self, service: &Service) -> Reply {
        service.counts.ended(Ending::BadRequest);
        let error = ApiError {
            param: self.param,
            code: self.code,
            ..ApiError::invalid_request(&self.message)
        };
        Reply::error(service.options.kind, self.status, &error)
    }
}

/// A JSON reply, or why there is none, or the 500 that hides either.
fn reply(service: &Service, guest: &Guest, result: Result<Value, Wrong>) -> Reply {
    match result {
        _ if guest.luck == Luck::NoReply => {
            service.counts.ended(Ending::Fault(FaultKind::ServerError));
            service.batched_failure()
        }
        Ok(value) => {
            service.counts.ended(Ending::FilesAndBatches);
            Reply::new(200, value.to_string().into_bytes())
        }
        Err(wrong) => wrong.reply(service),
    }
}

/// A client that has been let in, and the group of keys that it belongs to.
#[derive(Clone, Copy, Debug)]
struct Guest {
    key: KeyId,
    group: usize,
    luck: Luck,
}

/// What becomes of a request about files and batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    Good,
    /// A 500, and nothing is done.
    NotDone,
    /// A 500 after it was done.
    NoReply,
}

impl Luck {
    /// That of the request with this number.
    fn of(service: &Service, number: u64) -> Self {
        let chance = service.chance(b"unclear").with_number(number);
        match (chance.happens(service.options.batch.unclear), chance.with(b"done").happens(0.5)) {
            (false, _) => Self::Good,
            (true, false) => Self::NotDone,
            (true, true) => Self::NoReply,
        }
    }
}

/// Seconds since 1970, as OpenAI writes its times.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
