//! What is used of the limits, summed over endpoints.

use crate::{
    model::{PerMinute, Service, SharedQuota},
    protocol::{EndpointMeters, RateMeter},
};

/// The live numbers of one endpoint or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    pub slots: SlotLoad,
    pub requests: Rate,
    pub tokens: Rate,
}

/// Slots, held and allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotLoad {
    pub held: u32,
    pub target: u32,
    /// How many calls more could start now.
    pub free: u32,
    /// Calls that want a permit and have none.
    pub waiting: u32,
    /// As configured, where another number is in force.
    pub configured: Option<u32>,
}

/// A rate and its limit, a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    pub now: f64,
    /// `None` is "no limit".
    pub limit: Option<f64>,
    /// As configured, where another one is in force.
    pub configured: Option<f64>,
    /// The limit in force, or a part of it, was neither set nor stated: it was found out.
    pub found: bool,
}

/// The share of each limit that is used, 0 to 1; `None` where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    pub slots: Option<f64>,
    pub requests_per_minute: Option<f64>,
    pub tokens_per_minute: Option<f64>,
}

impl SlotLoad {
    /// The share of the slots that is held.
    pub fn share(&self) -> f64 {
        if self.target == 0 { 0.0 } else { f64::from(self.held) / f64::from(self.target) }
    }
}

impl Rate {
    /// The share of the limit that is used; 0 without one. It goes beyond 1 for a moment, since
    /// a rate is an average over some seconds.
    pub fn share(&self) -> f64 {
        self.limit.map_or(0.0, |limit| if limit > 0.0 { self.now / limit } else { 0.0 })
    }

    /// Whether something else than the settings keeps the limit down.
    pub fn held_down(&self) -> bool {
        self.limit.zip(self.configured).is_some_and(|(limit, set)| limit < set)
    }
}

/// Adds up rates; `None`, "no limit", swallows everything.
#[derive(Clone, Copy)]
struct Sum {
    now: f64,
    limit: Option<f64>,
    configured: Option<f64>,
    found: bool,
}

impl Sum {
    const NOTHING: Self = Self { now: 0.0, limit: Some(0.0), configured: Some(0.0), found: false };

    fn add(&mut self, meter: &RateMeter, counts: Counts) {
        let value = |limit: Option<PerMinute>| limit.map(|l| f64::from(l.get()));
        let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        if counts.used {
            self.now += meter.now;
        }
        if counts.in_force {
            self.limit = sum(self.limit, value(meter.limit));
            self.found |= meter.found;
        }
        if counts.configured {
            self.configured = sum(self.configured, value(meter.configured()));
        }
    }

    fn rate(self) -> Rate {
        let configured = self.configured.filter(|_| self.configured != self.limit);
        let found = self.found && self.limit.is_some();
        Rate { now: self.now, limit: self.limit, configured, found }
    }
}

/// What an endpoint adds.
#[derive(Clone, Copy)]
struct Counts {
    used: bool,
    in_force: bool,
    configured: bool,
}

impl Load {
    /// All endpoints together. Endpoints that share a quota have its limits once.
    /// Those of an endpoint that serves nobody at present are configured, but not in force, and
    /// what it has used of them a moment ago says nothing about the others.
    pub fn of_all(endpoints: &[EndpointMeters]) -> Self {
        let mut load = Self::default();
        if endpoints.is_empty() {
            return load;
        }
        let serves = serving(endpoints);
        // What an endpoint has used of a quota that others still draw on is used all the same.
        let drawn_on: Vec<SharedQuota> =
            endpoints.iter().filter(|e| serves(e)).filter_map(shared_quota).collect();
        let draws = |e: &EndpointMeters| shared_quota(e).is_some_and(|q| drawn_on.contains(&q));
        let (mut requests, mut tokens) = (Sum::NOTHING, Sum::NOTHING);
        let mut configured = 0;
        let (mut in_force, mut set) = (Vec::new(), Vec::new());
        for endpoint in endpoints {
            let slots = endpoint.slots;
            let serves = serves(endpoint);
            if serves {
                load.slots.held += slots.held;
                load.slots.target += slots.target;
                load.slots.free += slots.target.saturating_sub(slots.held);
            }
            // All endpoints share one line.
            load.slots.waiting = load.slots.waiting.max(slots.waiting);
            configured += slots.configured.unwrap_or(slots.target);
            let counts = Counts {
                used: serves || draws(endpoint),
                in_force: serves && first_of_quota(endpoint, &mut in_force),
                configured: first_of_quota(endpoint, &mut set),
            };
            requests.add(&endpoint.requests, counts);
            tokens.add(&endpoint.tokens, counts);
        }
        load.slots.configured = Some(configured).filter(|&all| all != load.slots.target);
        load.requests = requests.rate();
        load.tokens = tokens.rate();
        load
    }

    /// One endpoint alone.
    pub fn of_one(endpoint: &EndpointMeters) -> Self {
        Self::of_all(std::slice::from_ref(endpoint))
    }

    /// How far each limit is used.
    pub fn used(&self) -> Used {
        let rate = |rate: &Rate| rate.limit.map(|_| rate.share().clamp(0.0, 1.0));
        Used {
            slots: (self.slots.target > 0).then(|| self.slots.share().clamp(0.0, 1.0)),
            requests_per_minute: rate(&self.requests),
            tokens_per_minute: rate(&self.tokens),
        }
    }
}

/// Who serves: those in service, or else those that will by themselves, or else nobody is told
/// apart.
fn serving(endpoints: &[EndpointMeters]) -> impl Fn(&EndpointMeters) -> bool {
    let in_service = |e: &EndpointMeters| e.service == Service::InService;
    let will_serve = |e: &EndpointMeters| !matches!(e.service, Service::OutOfService { .. });
    let (some_serve, some_will) =
        (endpoints.iter().any(in_service), endpoints.iter().any(will_serve));
    move |endpoint| match (some_serve, some_will) {
        (true, _) => in_service(endpoint),
        (false, true) => will_serve(endpoint),
        (false, false) => true,
    }
}

fn shared_quota(endpoint: &EndpointMeters) -> Option<SharedQuota> {
    SharedQuota::of(endpoint.group.as_deref(), &endpoint.model)
}

/// Whether this is the first endpoint of its quota; one without a group has its own.
fn first_of_quota(endpoint: &EndpointMeters, seen: &mut Vec<SharedQuota>) -> bool {
    let Some(quota) = shared_quota(endpoint) else { return true };
    let first = !seen.contains(&quota);
    if first {
        seen.push(quota);
    }
    first
}
