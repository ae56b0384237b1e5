//! One endpoint: its slots, its health and its meter. Its rates are those of its quota.

use super::{
    clock::Moment,
    health::Health,
    line::Constraint,
    meters::{Counted, EndpointReading, Meter, RateReading},
    pause::{self, Pause},
    permit::{Grant, PermitRequest, Spent},
    quota::Quota,
    steering::{SlotTerms, Steering},
};
use crate::model::{Failure, Guessed, Limits, PerMinute, SharedQuota, Slots, Tokens};
use std::{num::NonZeroU32, time::Duration};

/// An endpoint as the limiter needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    pub name: String,
    pub model: String,
    pub limits: Limits,
    /// Which of the limits are a first guess, and so no ceiling for adaptation.
    pub guessed: Guessed,
    /// Endpoints of one group share one quota for each model.
    pub group: Option<String>,
    /// Its share beside that of others that could start a call as soon.
    pub weight: NonZeroU32,
    /// The provider charges the output cap at admission, and gives nothing of it back.
    pub charges_cap: bool,
    /// It never says 429: slots are steered by the time to the first byte.
    pub by_first_byte: bool,
}

/// A server that has too much is left alone as long as it asks for, but no longer than this: what
/// it said, it said to one call, and the next one may be told otherwise.
const LONGEST_REST: Duration = Duration::from_secs(30);

impl EndpointSpec {
    /// An endpoint of its own, with limits that somebody set.
    pub fn new(name: impl Into<String>, model: impl Into<String>, limits: Limits) -> Self {
        Self {
            name: name.into(),
            model: model.into(),
            limits,
            guessed: Guessed::default(),
            group: None,
            weight: NonZeroU32::MIN,
            charges_cap: false,
            by_first_byte: false,
        }
    }

    pub(super) fn shared_quota(&self) -> Option<SharedQuota> {
        SharedQuota::of(self.group.as_deref(), &self.model)
    }
}

pub(super) struct Endpoint {
    spec: EndpointSpec,
    /// Its quota, by its place in the line's list.
    pub(super) quota: usize,
    /// Permits that are out. Above the limit after a shrink, until running calls end.
    held: u32,
    pub(super) steering: Steering,
    pub(super) health: Health,
    /// While it has more than it can take. The quota's own pauses are those of 429s.
    rest: Pause,
    /// Whether a call wanted a slot here, and had none, since the last second passed.
    pub(super) wanted: bool,
    last_served: Option<Moment>,
    answered: u64,
    failed: u64,
    meter: Meter,
}

impl Endpoint {
    pub(super) fn new(spec: EndpointSpec, quota: usize) -> Self {
        let terms = SlotTerms {
            set: spec.limits.slots,
            guessed: spec.guessed.slots,
            by_first_byte: spec.by_first_byte,
        };
        Self {
            spec,
            quota,
            held: 0,
            steering: Steering::new(terms),
            health: Health::default(),
            rest: Pause::default(),
            wanted: false,
            last_served: None,
            answered: 0,
            failed: 0,
            meter: Meter::new(),
        }
    }

    pub(super) fn limits(&self, quota: &Quota) -> Limits {
        let (requests_per_minute, tokens_per_minute) = quota.in_force();
        let slots = Slots::clamped(i64::from(self.target()));
        Limits { slots, requests_per_minute, tokens_per_minute }
    }

    pub(super) fn group(&self) -> Option<&str> {
        self.spec.group.as_deref()
    }

    pub(super) fn shared_quota(&self) -> Option<SharedQuota> {
        self.spec.shared_quota()
    }

    pub(super) fn target(&self) -> u32 {
        self.steering.slots()
    }

    pub(super) fn has_free_slot(&self) -> bool {
        self.held < self.target()
    }

    /// How much of its slots is taken, by its weight: the smaller, the sooner it is chosen.
    pub(super) fn load(&self) -> f64 {
        f64::from(self.held) / (f64::from(self.target()) * f64::from(self.spec.weight.get()))
    }

    /// When the next request may go, slots apart, and what holds it back until then; `None` where
    /// that is not only a matter of time.
    pub(super) fn ready_at(&self, quota: &Quota, now: Moment) -> Option<(Moment, Constraint)> {
        let health = self.health.ready_at(self.held, now)?;
        let rested = health.max(self.rest.until());
        let (rate, on) = quota.ready_at();
        Some(if rested > rate { (rested, Constraint::Pause) } else { (rate, on) })
    }

    /// Whether it has served somebody within this time.
    pub(super) fn has_served_within(&self, span: Duration, now: Moment) -> bool {
        self.last_served.is_some_and(|at| now.since(at) <= span)
    }

    /// What this request takes of the tokens here.
    fn reservation(&self, request: &PermitRequest) -> Tokens {
        if self.spec.charges_cap { request.most } else { request.tokens }
    }

    /// Takes a slot and the rate for one request; `None`, and nothing taken, where one of them is
    /// not there. Gives back what was reserved.
    #[must_use]
    pub(super) fn take(
        &mut self,
        quota: &mut Quota,
        request: &PermitRequest,
        now: Moment,
    ) -> Option<Tokens> {
        let tokens = self.reservation(request);
        if !self.has_free_slot() || !quota.take(tokens, now) {
            return None;
        }
        self.held += 1;
        self.meter.count(now, tokens.0);
        Some(tokens)
    }

    /// Gives back the slot of a grant, and of the rate what was not spent. True where that may
    /// let another request go earlier.
    pub(super) fn give_back(
        &mut self,
        quota: &mut Quota,
        grant: &Grant,
        spent: Spent,
        now: Moment,
    ) -> bool {
        let Grant { at, reserved, .. } = *grant;
        self.held = self.held.saturating_sub(1);
        let (requests, used) = match spent {
            Spent::Nothing => {
                self.meter.uncount(at, reserved.0);
                (1, Tokens(0))
            }
            Spent::Reserved => return false,
            // Where nothing arrived, nothing was charged.
            Spent::Exactly(used) if self.spec.charges_cap && used.0 > 0 => return false,
            Spent::Exactly(used) => {
                self.meter.correct(at, reserved.0, used.0);
                (0, used)
            }
        };
        quota.give_back(at, requests, (reserved, used), now)
    }

    /// A reply that was one.
    pub(super) fn served(&mut self, now: Moment) {
        self.last_served = Some(now);
        self.answered += 1;
        if self.health.served(now) {
            tracing::info!("{} answers again", self.spec.name);
        }
    }

    pub(super) const fn count_failure(&mut self) {
        self.failed += 1;
    }

    /// It has more than it can take. What it asks of one call, it means for all: nothing new is sent
    /// for a while, whatever slots are free.
    pub(super) fn overloaded(&mut self, failure: &Failure, random: f64, now: Moment) {
        if let Some(wait) = failure.retry_after {
            self.rest.extend(pause::jittered(wait, random).min(LONGEST_REST), now);
        }
    }

    /// A person has mended it: there is nothing to wait for.
    pub(super) fn put_back(&mut self) -> Option<()> {
        self.health.put_back()?;
        self.rest.end();
        Some(())
    }

    /// It is broken: after some failures in a row it is left alone for a while.
    pub(super) fn broke(&mut self, failure: &Failure, now: Moment) {
        if self.health.failed(failure, fastrand::f64(), now) {
            tracing::warn!("{} cools down after failures in a row: {failure}", self.spec.name);
        }
    }

    pub(super) fn read(&self, quota: &Quota, waiting: u32, now: Moment) -> EndpointReading {
        let (requests, tokens) = self.meter.read(now);
        let reading =
            |counted: Counted, limit: Option<PerMinute>, set: Option<PerMinute>, found| {
                let configured = set.filter(|_| set != limit);
                RateReading {
                    now: counted.now,
                    last_minute: counted.last_minute,
                    limit,
                    configured,
                    found,
                }
            };
        let in_force = self.limits(quota);
        let (set, found) = (quota.set_rates(), quota.found_rates());
        EndpointReading {
            name: self.spec.name.clone(),
            model: self.spec.model.clone(),
            held: self.held,
            target: self.target(),
            waiting,
            requests: reading(requests, in_force.requests_per_minute, set.0, found.0),
            tokens: reading(tokens, in_force.tokens_per_minute, set.1, found.1),
            paused_until: quota.paused_until(now).max(self.rest.shown(now)),
            configured_slots: (self.steering.set() != in_force.slots)
                .then(|| self.steering.set().get()),
            group: self.spec.group.clone(),
            service: self.health.service(),
            answered: self.answered,
            failed: self.failed,
            adaptation: quota.factor(),
            first_byte: self.steering.first_byte(),
        }
    }
}
