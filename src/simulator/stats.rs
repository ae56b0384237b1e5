//! What the provider counted: the other side of what a client believes.

use super::{FaultKind, task::Task};
use serde::{Serialize, Serializer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts since the start. Every request that was received is in exactly one of the counts
/// `answered` to `faults`, from the moment when its reply was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests whose head and body arrived, whatever they asked for.
    pub received: u64,
    /// Completions with a whole and proper answer.
    pub answered: u64,
    /// Completions that the request's own output cap cut off.
    pub cut_off: u64,
    /// Denied by requests per minute.
    pub limited_by_requests: u64,
    /// Denied by tokens per minute, requests that are too large for it included.
    pub limited_by_tokens: u64,
    /// Denied because the quota of the key's group is used up.
    pub out_of_quota: u64,
    /// Turned away with a 503 because too many were waiting for a slot.
    pub queue_full: u64,
    /// Reset because the provider was down.
    pub while_down: u64,
    /// 401.
    pub key_refused: u64,
    /// 400, 404, 405 and 413.
    pub bad_requests: u64,
    /// `GET /v1/models`.
    pub models_listed: u64,
    /// Requests about files and batches that were served.
    pub files_and_batches: u64,
    /// `POST /v1/embeddings` that was let in.
    pub embedded: u64,
    faults: FaultCounts,
    /// What the completions that were let in asked for.
    pub asked_for: AskedFor,
    /// Being served now: one that hangs is in flight until the client gives up.
    pub in_flight: u64,
    /// The most that were ever in flight at once.
    pub most_in_flight: u64,
    /// Of every completion that was let in, faults included.
    pub prompt_tokens: u64,
    /// Of every completion that was let in, faults included.
    pub completion_tokens: u64,
}

/// Completions that were let in, by what they asked for, repairs included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AskedFor {
    pub answers: u64,
    pub verdicts: u64,
    pub follow_ups: u64,
    pub mends: u64,
    /// Summaries of digests as well.
    pub digests: u64,
}

impl Stats {
    /// How many attempts this kind of fault has hit.
    pub const fn faults(&self, kind: FaultKind) -> u64 {
        self.faults.0[kind.ordinal()]
    }

    /// How many attempts a fault of any kind has hit.
    pub fn all_faults(&self) -> u64 {
        self.faults.0.iter().sum()
    }

    fn count(&mut self, ending: Ending) {
        let counter = match ending {
            Ending::Answered => &mut self.answered,
            Ending::CutOff => &mut self.cut_off,
            Ending::LimitedByRequests => &mut self.limited_by_requests,
            Ending::LimitedByTokens => &mut self.limited_by_tokens,
            Ending::OutOfQuota => &mut self.out_of_quota,
            Ending::QueueFull => &mut self.queue_full,
            Ending::WhileDown => &mut self.while_down,
            Ending::KeyRefused => &mut self.key_refused,
            Ending::BadRequest => &mut self.bad_requests,
            Ending::ModelsListed => &mut self.models_listed,
            Ending::FilesAndBatches => &mut self.files_and_batches,
            Ending::Embedded => &mut self.embedded,
            Ending::Fault(kind) => &mut self.faults.0[kind.ordinal()],
        };
        *counter += 1;
    }
}

/// By [`FaultKind::ordinal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FaultCounts([u64; FaultKind::COUNT]);

impl Default for FaultCounts {
    fn default() -> Self {
        Self([0; FaultKind::COUNT])
    }
}

/// Those that have struck, by name.
impl Serialize for FaultCounts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let struck = FaultKind::all().zip(self.0).filter(|(_, count)| *count > 0);
        to.collect_map(struck.map(|(kind, count)| (kind.as_str(), count)))
    }
}

/// How one request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Answered,
    CutOff,
    LimitedByRequests,
    LimitedByTokens,
    OutOfQuota,
    QueueFull,
    WhileDown,
    KeyRefused,
    BadRequest,
    ModelsListed,
    FilesAndBatches,
    Embedded,
    Fault(FaultKind),
}

/// The counts, as the server keeps them.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Stats>);

impl Counts {
    /// The counts as they are now.
    pub fn now(&self) -> Stats {
        *self.lock()
    }

    /// Counts how a request ends.
    pub fn ended(&self, ending: Ending) {
        self.lock().count(ending);
    }

    /// Counts what a completion asks for.
    pub fn asked(&self, task: &Task) {
        let asked_for = &mut self.lock().asked_for;
        *match task {
            Task::Answer => &mut asked_for.answers,
            Task::Judge { .. } => &mut asked_for.verdicts,
            Task::FollowUp { .. } => &mut asked_for.follow_ups,
            Task::Mend => &mut asked_for.mends,
            Task::Digest => &mut asked_for.digests,
        } += 1;
    }

    /// Counts the tokens of a completion that was let in.
    pub fn used(&self, prompt_tokens: u64, completion_tokens: u64) {
        let mut stats = self.lock();
        stats.prompt_tokens += prompt_tokens;
        stats.completion_tokens += completion_tokens;
    }

    /// Counts a request in; it is in flight until the result is dropped, which also happens
    /// when the client gives up.
    pub fn received(self: &Arc<Self>) -> InFlight {
        let mut stats = self.lock();
        stats.received += 1;
        stats.in_flight += 1;
        stats.most_in_flight = stats.most_in_flight.max(stats.in_flight);
        drop(stats);
        InFlight(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request in flight.
pub struct InFlight(Arc<Counts>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}
