//! The live numbers, as the limiter and the run state count them.

use crate::model::{FailureKind, PerMinute, PersonaIndex, UnixMillis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// All live numbers of a run at one moment. They are small, so every delta carries all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meters {
    /// Since this process took the run up.
    pub elapsed: Duration,
    pub endpoints: Vec<EndpointMeters>,
    /// Only kinds that have happened, most frequent first.
    pub failures: Vec<FailureTally>,
    /// Of attempts that gave an answer, over the whole run.
    pub latency: LatencySummary,
    /// Interviews that were over, a minute, over the last minute.
    pub finished_per_minute: f64,
    /// Until the queue is empty at the present pace; `None` where there is no pace yet.
    pub remaining: Option<Duration>,
    pub tokens: TokenTotals,
    /// When an attempt last gave an answer.
    pub last_success: Option<UnixMillis>,
    /// Answers given but not yet on disk.
    pub unsaved: u32,
}

/// One endpoint's limits and how far they are used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointMeters {
    pub name: String,
    pub model: String,
    pub slots: SlotMeter,
    pub requests: RateMeter,
    pub tokens: RateMeter,
    /// Set while the provider told us to wait.
    pub paused_until: Option<UnixMillis>,
}

/// Slots: the rights to have one request in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotMeter {
    /// Requests in flight.
    pub held: u32,
    /// How many may be. After a shrink, `held` is above it until running calls end.
    pub target: u32,
    /// Calls that want a permit and have none, whatever they wait for.
    pub waiting: u32,
}

/// A rate against its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateMeter {
    /// What is used now, a minute: the last 15 seconds, scaled. At the start of a run, what has
    /// passed of them.
    pub now: f64,
    /// In the last 60 seconds.
    pub last_minute: u64,
    /// The limit in force; `None` is "no limit".
    pub limit: Option<PerMinute>,
    /// The limit as it was configured, where another one is in force.
    pub configured: Option<PerMinute>,
}

/// One second of the run, for the charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateSample {
    /// Requests a minute: [`RateMeter::now`], summed over the endpoints.
    pub requests: f32,
    /// Tokens a minute, likewise.
    pub tokens: f32,
    /// Requests in flight at the end of the second.
    pub in_flight: u32,
    /// Failed attempts within the second.
    pub failures: u32,
}

/// One kind of failure, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureTally {
    pub kind: FailureKind,
    /// Attempts that failed so.
    pub attempts: u64,
    /// Personas that failed for good with it.
    pub personas: u32,
    pub last_at: UnixMillis,
    pub last_persona: PersonaIndex,
    /// The last one in the provider's words, on one line.
    pub last_message: String,
}

/// Time from send to last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySummary {
    pub count: u64,
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
}

/// Tokens used by the run so far, as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenTotals {
    pub prompt: u64,
    pub completion: u64,
    pub cached: u64,
}
