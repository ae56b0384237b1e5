//! One endpoint: its slots, its two rates and its meter.

use super::{
    bucket::Bucket,
    clock::Moment,
    line::Constraint,
    meters::{EndpointReading, Meter, Pace, RateReading},
    permit::Spent,
};
use crate::model::{Limits, PerMinute, Slots, Tokens, UnixMillis};
use std::time::Duration;

/// An endpoint as the limiter needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    pub name: String,
    pub model: String,
    pub limits: Limits,
}

/// A limit that has been checked and can be applied to any endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewLimit {
    Slots(Slots),
    Requests(Option<PerMinute>),
    Tokens(Option<PerMinute>),
}

pub(super) struct Endpoint {
    spec: EndpointSpec,
    limits: Limits,
    /// Permits that are out. Above the limit after a shrink, until running calls end.
    held: u32,
    /// `None` is "no limit".
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    /// Kept apart from the buckets: a pause is neither rescaled by a new rate nor lifted by a
    /// refund, and an endpoint without limits has it too.
    pause: Pause,
    meter: Meter,
}

/// The end of the last pause, past or to come.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until: Moment,
    /// The same by the wall clock, fixed when the pause was set so that it reads the same twice.
    wall: UnixMillis,
}

impl Endpoint {
    pub(super) fn new(spec: EndpointSpec, now: Moment) -> Self {
        let limits = spec.limits;
        Self {
            spec,
            limits,
            held: 0,
            requests: limits.requests_per_minute.map(|rate| Bucket::new(rate, now)),
            tokens: limits.tokens_per_minute.map(|rate| Bucket::new(rate, now)),
            pause: Pause::default(),
            meter: Meter::new(),
        }
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    pub(super) const fn target(&self) -> u32 {
        self.limits.slots.get()
    }

    pub(super) const fn has_free_slot(&self) -> bool {
        self.held < self.target()
    }

    /// When the next request may go as far as rate and pause are concerned, and what holds it
    /// back until then.
    pub(super) fn ready_at(&self) -> (Moment, Constraint) {
        let bucket =
            |bucket: &Option<Bucket>| bucket.as_ref().map_or(Moment::default(), Bucket::ready_at);
        [
            (self.pause.until, Constraint::Pause),
            (bucket(&self.tokens), Constraint::Tokens),
            (bucket(&self.requests), Constraint::Requests),
        ]
        .into_iter()
        .max_by_key(|(at, _)| *at)
        .unwrap_or((Moment::default(), Constraint::Requests))
    }

    /// Takes a slot and the rate for one request; takes nothing where one of them is not there.
    #[must_use]
    pub(super) fn take(&mut self, tokens: Tokens, now: Moment) -> bool {
        if !self.has_free_slot() || self.pause.until > now {
            return false;
        }
        if self.tokens.as_mut().is_some_and(|bucket| !bucket.take(tokens.0, now)) {
            return false;
        }
        if self.requests.as_mut().is_some_and(|bucket| !bucket.take(1, now)) {
            if let Some(bucket) = &mut self.tokens {
                bucket.refund(tokens.0, now);
            }
            return false;
        }
        self.held += 1;
        self.meter.count(now, tokens.0);
        true
    }

    /// Gives a slot back that was taken at `at` with `reserved` tokens, and of the rate what was
    /// not spent. True where that may let another request go earlier.
    pub(super) fn give_back(
        &mut self,
        at: Moment,
        reserved: Tokens,
        spent: Spent,
        now: Moment,
    ) -> bool {
        self.held = self.held.saturating_sub(1);
        let (requests, used) = match spent {
            Spent::Nothing => {
                self.meter.uncount(at, reserved.0);
                (1, Tokens(0))
            }
            Spent::Reserved => return false,
            Spent::Exactly(used) => {
                self.meter.correct(at, reserved.0, used.0);
                (0, used)
            }
        };
        let mut earlier = false;
        if let Some(bucket) = self.requests.as_mut().filter(|bucket| bucket.counted(at)) {
            bucket.refund(requests, now);
            earlier |= requests > 0;
        }
        if let Some(bucket) = self.tokens.as_mut().filter(|bucket| bucket.counted(at)) {
            bucket.refund(reserved.0.saturating_sub(used.0), now);
            bucket.charge(used.0.saturating_sub(reserved.0));
            earlier |= used < reserved;
        }
        earlier
    }

    /// Lets nothing go for `wait` from now on. A shorter pause than the one that holds changes
    /// nothing.
    pub(super) fn pause(&mut self, wait: Duration, now: Moment) {
        let until = now.plus(wait);
        if until > self.pause.until {
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let wall = UnixMillis(UnixMillis::now().0.saturating_add(millis));
            self.pause = Pause { until, wall };
        }
    }

    /// Applies a limit at once. The old and the new value, where they differ.
    pub(super) fn set_limit(
        &mut self,
        limit: NewLimit,
        now: Moment,
    ) -> Option<(Option<u32>, Option<u32>)> {
        let before = self.limits;
        let plain = |rate: Option<PerMinute>| rate.map(PerMinute::get);
        let (from, to) = match limit {
            NewLimit::Slots(slots) => {
                self.limits.slots = slots;
                (Some(before.slots.get()), Some(slots.get()))
            }
            NewLimit::Requests(rate) => {
                self.limits.requests_per_minute = rate;
                set_rate(&mut self.requests, rate, now);
                (plain(before.requests_per_minute), plain(rate))
            }
            NewLimit::Tokens(rate) => {
                self.limits.tokens_per_minute = rate;
                set_rate(&mut self.tokens, rate, now);
                (plain(before.tokens_per_minute), plain(rate))
            }
        };
        (from != to).then_some((from, to))
    }

    pub(super) fn read(&self, now: Moment, waiting: u32) -> EndpointReading {
        let (requests, tokens) = self.meter.read(now);
        let reading =
            |pace: Pace, limit: Option<PerMinute>, configured: Option<PerMinute>| RateReading {
                now: pace.now,
                last_minute: pace.last_minute,
                limit,
                configured: configured.filter(|_| configured != limit),
            };
        let (limits, configured) = (self.limits, self.spec.limits);
        EndpointReading {
            name: self.spec.name.clone(),
            model: self.spec.model.clone(),
            held: self.held,
            target: self.target(),
            waiting,
            requests: reading(requests, limits.requests_per_minute, configured.requests_per_minute),
            tokens: reading(tokens, limits.tokens_per_minute, configured.tokens_per_minute),
            paused_until: (self.pause.until > now).then_some(self.pause.wall),
            configured_slots: (configured.slots != limits.slots).then(|| configured.slots.get()),
            group: None,
            service: crate::model::Service::InService,
            answered: 0,
            failed: 0,
            adaptation: 1.0,
            first_byte: None,
        }
    }
}

fn set_rate(bucket: &mut Option<Bucket>, rate: Option<PerMinute>, now: Moment) {
    match (bucket.as_mut(), rate) {
        (Some(bucket), Some(rate)) => bucket.set_rate(rate, now),
        (_, rate) => *bucket = rate.map(|rate| Bucket::new(rate, now)),
    }
}
