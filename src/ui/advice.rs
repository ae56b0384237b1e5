//! What holds the run back now, and what would help: a table over the live numbers.

use super::{action::Action, format, keymap::Keymap, state::Mirror};
use crate::{
    model::{InterviewStatus as S, LimitName, RunPhase, UnixMillis},
    protocol::RateMeter,
};

/// From which share of its limit on a rate counts as what binds.
const NEAR: f64 = 0.95;

/// What holds the run back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binds {
    /// Nothing is to be done any more, or the run does not run.
    Idle,
    /// The provider told us to wait until then.
    Provider(UnixMillis),
    Limit(LimitName),
    /// More personas wait out a failure than are in flight.
    BackOff,
    /// Everybody left is being asked.
    Tail,
    /// Nothing is short: the provider's latency is all there is.
    Latency,
}

/// The live numbers that the table looks at, summed over the endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    pub held: u32,
    pub target: u32,
    pub waiting: u32,
    pub requests: Rate,
    pub tokens: Rate,
}

/// A rate and its limit, a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    pub now: f64,
    /// `None` is "no limit".
    pub limit: Option<f64>,
    /// As configured, where another one is in force.
    pub configured: Option<f64>,
}

impl Rate {
    /// The share of the limit that is used; 0 without one.
    pub fn share(&self) -> f64 {
        self.limit.map_or(0.0, |limit| if limit > 0.0 { self.now / limit } else { 0.0 })
    }

    fn add(&mut self, meter: &RateMeter, first: bool) {
        let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        let limit = meter.limit.map(|l| f64::from(l.get()));
        let configured = meter.configured.map(|l| f64::from(l.get()));
        self.now += meter.now;
        self.limit = if first { limit } else { sum(self.limit, limit) };
        self.configured = if first { configured } else { sum(self.configured, configured) };
    }
}

/// Sums the meters of all endpoints.
pub fn load(run: &Mirror) -> Load {
    let mut load = Load::default();
    for (n, endpoint) in run.meters.endpoints.iter().enumerate() {
        load.held += endpoint.slots.held;
        load.target += endpoint.slots.target;
        load.waiting += endpoint.slots.waiting;
        load.requests.add(&endpoint.requests, n == 0);
        load.tokens.add(&endpoint.tokens, n == 0);
    }
    load
}

/// What holds the run back now.
pub fn binds(run: &Mirror, now: UnixMillis) -> Binds {
    if !matches!(run.phase, RunPhase::Running) || run.ended() {
        return Binds::Idle;
    }
    let load = load(run);
    let told = run.meters.endpoints.iter().map(|e| e.paused_until.filter(|at| at.0 > now.0));
    // One endpoint that may be asked is enough to go on.
    if let Some(until) =
        told.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min_by_key(|at| at.0))
    {
        return Binds::Provider(until);
    }
    let waiting = |status| run.counts.get(status) > 0;
    if load.waiting > 0 && load.target > 0 && load.held >= load.target {
        return Binds::Limit(LimitName::Slots);
    }
    if load.requests.share() >= NEAR || (load.waiting > 0 && waiting(S::WaitingForRequests)) {
        return Binds::Limit(LimitName::RequestsPerMinute);
    }
    if load.tokens.share() >= NEAR || (load.waiting > 0 && waiting(S::WaitingForTokens)) {
        return Binds::Limit(LimitName::TokensPerMinute);
    }
    let backing_off = run.counts.get(S::BackingOff);
    if backing_off > run.counts.get(S::InFlight) {
        return Binds::BackOff;
    }
    if run.counts.get(S::Queued) == 0 {
        return if run.counts.get(S::InFlight) > 0 { Binds::Tail } else { Binds::Idle };
    }
    Binds::Latency
}

/// One line: what binds, and what to press. Empty where there is nothing to say.
pub fn advice(run: &Mirror, now: UnixMillis, keys: &Keymap) -> String {
    let load = load(run);
    let per_cent = |rate: &Rate| format!("{:.0} %", rate.share() * 100.0);
    match binds(run, now) {
        Binds::Idle => String::new(),
        Binds::Provider(until) => {
            let wait = format::short_clock(until.since(now));
            format!("The provider told us to wait {wait}: nothing to do.")
        }
        Binds::Limit(LimitName::Slots) => {
            let key = keys.name(Action::MoreSlots);
            match near(&load) {
                Some((name, rate)) => format!(
                    "Slots bind, but {name} is at {} too: more slots will hardly help.",
                    per_cent(rate)
                ),
                None => format!(
                    "Slots bind: all {} are in use, {} more wait. {key} adds slots.",
                    load.target, load.waiting
                ),
            }
        }
        Binds::Limit(LimitName::RequestsPerMinute) => format!(
            "Requests/min binds at {}: more slots will not help. {} raises it, if your plan allows.",
            per_cent(&load.requests),
            keys.name(Action::MoreRequests)
        ),
        Binds::Limit(LimitName::TokensPerMinute) => format!(
            "Tokens/min binds at {}: more slots will not help; a lower output cap would. {} raises it.",
            per_cent(&load.tokens),
            keys.name(Action::MoreTokens)
        ),
        Binds::BackOff => format!(
            "{} back off after failures, more than are in flight: see the errors.",
            format::plural(u64::from(run.counts.get(S::BackingOff)), "persona", "personas")
        ),
        Binds::Tail => format!(
            "The last {} in flight: nothing to tune.",
            match run.counts.get(S::InFlight) {
                1 => "one is".to_owned(),
                n => format!("{n} are"),
            }
        ),
        Binds::Latency => {
            let p50 = run.meters.latency.p50;
            if p50.is_zero() {
                "Nothing holds it back: no answer yet to measure by.".to_owned()
            } else {
                format!("Nothing holds it back but the answers' {}.", format::seconds(p50))
            }
        }
    }
}

/// The rate that is near its limit, if one is.
fn near(load: &Load) -> Option<(&'static str, &Rate)> {
    [("requests/min", &load.requests), ("tokens/min", &load.tokens)]
        .into_iter()
        .find(|(_, rate)| rate.share() >= NEAR)
}
