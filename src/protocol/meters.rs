//! The live numbers, as the limiter and the run state count them.

use super::Distribution;
use crate::model::{
    AnalysisMeter, BatchCounts, BatchState, FailureKind, PerMinute, PersonaIndex, Service, Speed,
    UnixMillis, Usd,
};
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
    /// `None` where an endpoint has no price.
    pub money: Option<MoneyMeter>,
    /// The alarm: set while calls are made and none has given an answer for a minute, with the
    /// time since when.
    pub nothing_since: Option<UnixMillis>,
    /// Whether limits adapt to what the providers say.
    pub adapting: bool,
    pub calls: CallSize,
    #[serde(default)]
    pub batches: BatchMeters,
    /// How the answers that are on disk are spread over the grid.
    pub distribution: Distribution,
    /// How far the analysis is; `None` before it has begun.
    pub analysis: Option<AnalysisMeter>,
    /// Calls that were not made, because the same request had been answered before.
    #[serde(default)]
    pub from_cache: u64,
    /// Verdicts that no critic was asked for, because one had been given on an answer like it.
    #[serde(default)]
    pub similar: u64,
    /// Set where all of this is a replay of what is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// Where a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The run's own time.
    pub at: UnixMillis,
    pub speed: Speed,
    pub state: ReplayState,
    /// How much of a stretch in which nothing happened has just been left out.
    pub left_out: Option<Duration>,
}

/// What a replay is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    Playing,
    Paused,
    /// All that is on record was played.
    Over,
}

/// The batches of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMeters {
    /// Whether the calls go out in batches; where they do not, those that are left are being
    /// cancelled.
    pub on: bool,
    /// Those that are under way and the last that are over, by their numbers.
    pub shown: Vec<BatchMeter>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMeter {
    /// From 1, in the order in which they were planned.
    pub number: u32,
    pub standing: BatchStanding,
    /// How many lines it has.
    pub lines: u32,
    /// As the provider counts them.
    pub counts: BatchCounts,
    /// What its prompts have about.
    pub tokens: u64,
    pub made_at: UnixMillis,
    pub over_at: Option<UnixMillis>,
    /// What there is to say about it, such as why it waits.
    pub note: Option<String>,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStanding {
    /// Its file is on this disk.
    Written,
    /// And with the provider.
    Uploaded,
    /// It is about to be created, or was: nobody knows.
    Creating,
    /// The provider has it, and said this last.
    AtProvider(BatchState),
    /// Over: its results were read.
    Read,
    /// Over: the provider refused it, and ran none of its lines.
    Refused,
    /// Over: it was cancelled before it was created.
    NotCreated,
    /// Over: the provider does not know it any more.
    Lost,
}

impl BatchStanding {
    /// A word or two for people, and for programs with an underscore.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Uploaded => "uploaded",
            Self::Creating => "creating",
            Self::AtProvider(state) => state.as_str(),
            Self::Read => "read",
            Self::Refused => "refused",
            Self::NotCreated => "not_created",
            Self::Lost => "lost",
        }
    }

    /// Whether nothing more comes of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Read | Self::Refused | Self::NotCreated | Self::Lost)
    }
}

impl BatchMeters {
    /// Those that are under way.
    pub fn open(&self) -> impl Iterator<Item = &BatchMeter> {
        self.shown.iter().filter(|batch| !batch.standing.is_over())
    }
}

/// What the run costs, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyMeter {
    pub spent: Usd,
    /// The most that the calls under way can cost.
    pub reserved: Usd,
    /// At the end of the run, at what an interview has cost so far; `None` before the first.
    pub projected: Option<Usd>,
    /// Nothing is sent that could go beyond it.
    pub budget: Option<Usd>,
}

/// How large a call is, in tokens: the mean of those that were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallSize {
    pub prompt: f64,
    pub output: f64,
    /// The cap on an answer.
    pub output_cap: u32,
    /// Whether an endpoint's provider charges the cap and not what was used.
    pub cap_is_charged: bool,
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
    /// Endpoints of one group share one quota for each model, and with it the rates and the pause.
    pub group: Option<String>,
    pub service: Service,
    /// Attempts that gave an answer, and those that did not.
    pub answered: u64,
    pub failed: u64,
    /// What adaptation has made of the limits: 1 is all of it.
    pub adaptation: f64,
    /// From the send to the first byte of an answer, the median of the last ones.
    pub first_byte: Option<Duration>,
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
    /// The slots as they were set, where another number is in force.
    pub configured: Option<u32>,
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
    /// The limit as it was set, where another one is in force.
    pub configured: Option<PerMinute>,
    /// Nobody has set or stated the limit in force: it was found out by what the provider lets in.
    #[serde(default)]
    pub found: bool,
}

impl RateMeter {
    /// The limit as it was set; `None` is "no limit".
    pub fn configured(&self) -> Option<PerMinute> {
        self.configured.or(self.limit.filter(|_| !self.found))
    }

    /// Whether something else than the settings made the limit what it is.
    pub const fn is_not_as_set(&self) -> bool {
        self.configured.is_some() || self.found
    }
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
