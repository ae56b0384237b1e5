//! What holds a run back now: a table over the live numbers.

use super::{Load, Situation};
use crate::{
    model::{InterviewStatus as S, LimitName, RunPhase, Service, UnixMillis},
    protocol::EndpointMeters,
};

/// From which share of its limit on a rate counts as what binds.
pub(super) const NEAR: f64 = 0.95;

/// What holds the run back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binds {
    /// Nothing is to be done any more, or the run does not run.
    Idle,
    /// The provider told us to wait until then.
    ToldToWait(UnixMillis),
    Limit(LimitName),
    /// The calls are in batches, and the provider takes its time.
    BatchApi,
    /// More personas wait out a failure than are in flight, or every endpoint cools down.
    BackOff,
    /// Everybody left is being asked.
    NothingLeft,
    /// Nothing is short: the provider's latency is all there is.
    Latency,
}

impl Binds {
    /// The name as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::ToldToWait(_) => "told_to_wait",
            Self::Limit(limit) => limit.as_str(),
            Self::BatchApi => "batch_api",
            Self::BackOff => "back_off",
            Self::NothingLeft => "nothing_left",
            Self::Latency => "latency",
        }
    }
}

impl Situation<'_> {
    /// What holds the run back now.
    pub fn binds(&self) -> Binds {
        let count = |status| self.counts.get(status);
        if !matches!(self.phase, RunPhase::Running) || self.counts.over() == self.counts.total() {
            return Binds::Idle;
        }
        let in_flight = count(S::InFlight) + count(S::BackingOff);
        let waits_for_batches =
            count(S::InBatch) > 0 && count(S::Queued) == 0 || self.meters.batches.on;
        if in_flight == 0 && waits_for_batches {
            return Binds::BatchApi;
        }
        let load = self.load();
        let more_back_off = count(S::BackingOff) > count(S::InFlight);
        let waiting = S::ALL.into_iter().filter(|s| s.is_waiting()).map(count).sum::<u32>();
        if count(S::Queued) + waiting + load.slots.waiting == 0 {
            return if more_back_off { Binds::BackOff } else { Binds::NothingLeft };
        }
        if let Some(until) = self.told_to_wait() {
            return Binds::ToldToWait(until);
        }
        if !self.meters.endpoints.is_empty() && !self.meters.endpoints.iter().any(in_service) {
            return Binds::BackOff;
        }
        if load.slots.waiting > 0 && load.slots.target > 0 && load.slots.free == 0 {
            return Binds::Limit(LimitName::Slots);
        }
        // The rates are averages over some seconds: just after a change it is the waiting that
        // tells.
        let waits = |status| load.slots.waiting > 0 && count(status) > 0;
        // Without a limit of ours it is the provider that makes them wait, a moment at a time.
        if waits(S::WaitingForRequests) && load.requests.limit.is_none() {
            return Binds::ToldToWait(self.now);
        }
        if let Some(limit) = used_up(&load) {
            return Binds::Limit(limit);
        }
        for (status, limit) in [
            (S::WaitingForRequests, LimitName::RequestsPerMinute),
            (S::WaitingForTokens, LimitName::TokensPerMinute),
        ] {
            if waits(status) {
                return Binds::Limit(limit);
            }
        }
        if more_back_off { Binds::BackOff } else { Binds::Latency }
    }

    /// When an endpoint may be asked again, where none may be asked now. One that may is enough to
    /// go on.
    fn told_to_wait(&self) -> Option<UnixMillis> {
        let paused = |e: &EndpointMeters| e.paused_until.filter(|until| until.0 > self.now.0);
        let in_service = self.meters.endpoints.iter().filter(|e| in_service(e));
        in_service.map(paused).collect::<Option<Vec<_>>>()?.into_iter().min()
    }
}

/// Whether it is asked at all.
pub(super) fn in_service(endpoint: &EndpointMeters) -> bool {
    endpoint.service == Service::InService
}

/// The rate that is used up the most, if one is.
pub(super) fn used_up(load: &Load) -> Option<LimitName> {
    let (requests, tokens) = (load.requests.share(), load.tokens.share());
    match requests.max(tokens) {
        most if most < NEAR => None,
        _ if requests >= tokens => Some(LimitName::RequestsPerMinute),
        _ => Some(LimitName::TokensPerMinute),
    }
}
