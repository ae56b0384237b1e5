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
    if load.waiting > 0 && load.target > 0 && load.held >= load.target {
        return Binds::Limit(LimitName::Slots);
    }
    // The rates are averages over some seconds: just after a change it is the waiting that tells.
    let waiting = |status| load.waiting > 0 && run.counts.get(status) > 0;
    // Without a limit of ours it is the provider that makes them wait, a moment at a time.
    if waiting(S::WaitingForRequests) && load.requests.limit.is_none() {
        return Binds::Provider(now);
    }
    let rates = [
        (LimitName::RequestsPerMinute, load.requests.share(), waiting(S::WaitingForRequests)),
        (LimitName::TokensPerMinute, load.tokens.share(), waiting(S::WaitingForTokens)),
    ];
    let used_up = rates.iter().find(|(_, share, _)| *share >= NEAR);
    if let Some((limit, ..)) = used_up.or_else(|| rates.iter().find(|(.., waiting)| *waiting)) {
        return Binds::Limit(*limit);
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

/// How long something else has to bind before the screen says so, in milliseconds.
const SETTLED_MS: i64 = 1_500;

/// What binds, for people: two limits that are both nearly used up take turns many times a
/// second, so a change is told only once it has lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    shown: Binds,
    /// What binds instead, and since when.
    other: Option<(Binds, UnixMillis)>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { shown: Binds::Idle, other: None }
    }
}

impl Verdict {
    /// What is shown.
    pub const fn shown(&self) -> Binds {
        self.shown
    }

    /// Takes in what binds now.
    pub fn observe(&mut self, now_binds: Binds, now: UnixMillis) {
        let idle = self.shown == Binds::Idle || now_binds == Binds::Idle;
        if idle || same_kind(now_binds, self.shown) {
            *self = Self { shown: now_binds, other: None };
            return;
        }
        match self.other {
            Some((other, since)) if same_kind(other, now_binds) => {
                if now.0 - since.0 >= SETTLED_MS {
                    *self = Self { shown: now_binds, other: None };
                }
            }
            _ => self.other = Some((now_binds, now)),
        }
    }
}

fn same_kind(a: Binds, b: Binds) -> bool {
    a == b || matches!((a, b), (Binds::Provider(_), Binds::Provider(_)))
}

/// One line: what binds, and what to press. Empty where there is nothing to say.
pub fn advice(binds: Binds, run: &Mirror, now: UnixMillis, keys: &Keymap) -> String {
    let load = load(run);
    let per_cent = |rate: &Rate| format!("{:.0} %", (rate.share() * 100.0).min(999.0));
    match binds {
        Binds::Idle => String::new(),
        Binds::Provider(until) => {
            let wait = format::short_clock(until.since(now));
            format!("The provider told us to wait {wait}: nothing to do.")
        }
        Binds::Limit(LimitName::Slots) => match near(&load) {
            Some((name, rate)) => {
                format!(
                    "Slots bind, and {name} nearly ({}): more slots hardly help.",
                    per_cent(rate)
                )
            }
            None => format!(
                "Slots bind: {} adds some. {} of {} held, {} more wait.",
                keys.name(Action::MoreSlots),
                load.held,
                load.target,
                load.waiting
            ),
        },
        Binds::Limit(LimitName::RequestsPerMinute) => format!(
            "Requests/min binds at {}: {} raises it; slots do not help.",
            per_cent(&load.requests),
            keys.name(Action::MoreRequests)
        ),
        Binds::Limit(LimitName::TokensPerMinute) => format!(
            "Tokens/min binds at {}: {} raises it; a lower output cap helps.",
            per_cent(&load.tokens),
            keys.name(Action::MoreTokens)
        ),
        Binds::BackOff => format!(
            "{} back off after failures: the errors say why.",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::PauseReason,
        protocol::Update,
        ui::{
            fixture::{self, NOW, delta},
            state::{Input, UiState},
        },
    };
    use ratatui::layout::Size;

    /// A run whose endpoint has these numbers, and whose personas these statuses.
    fn run(
        (held, target, waiting): (u32, u32, u32),
        (requests, tokens): (f64, f64),
        statuses: &[S],
        change: impl FnOnce(&mut crate::protocol::Snapshot),
    ) -> Mirror {
        let mut snapshot = fixture::snapshot(0);
        snapshot.statuses.0 = statuses.to_vec();
        let endpoint = &mut snapshot.meters.endpoints[0];
        endpoint.slots = crate::protocol::SlotMeter { held, target, waiting, configured: None };
        // Of 500 and of 200,000.
        endpoint.requests.now = requests;
        endpoint.tokens.now = tokens;
        change(&mut snapshot);
        let mut state = UiState::new(Size { width: 80, height: 24 }, NOW, true);
        state.apply(Input::Update(Update::Snapshot(Box::new(snapshot))));
        state.run.unwrap()
    }

    #[test]
    fn what_binds_is_read_off_the_meters() {
        let (some, low) = (&[S::InFlight, S::Queued][..], (100.0, 10_000.0));
        let backing = &[S::BackingOff, S::BackingOff, S::InFlight, S::Queued][..];
        let limit = Binds::Limit;
        for (slots, rates, statuses, expected) in [
            ((50, 50, 3), low, some, limit(LimitName::Slots)),
            ((55, 50, 3), low, some, limit(LimitName::Slots)),
            ((50, 50, 3), (499.0, 10_000.0), some, limit(LimitName::Slots)),
            ((40, 50, 3), (480.0, 10_000.0), some, limit(LimitName::RequestsPerMinute)),
            ((40, 50, 3), (412.0, 193_000.0), some, limit(LimitName::TokensPerMinute)),
            (
                (4, 50, 1),
                low,
                &[S::WaitingForTokens, S::Queued][..],
                limit(LimitName::TokensPerMinute),
            ),
            (
                (4, 50, 2),
                (100.0, 199_000.0),
                &[S::WaitingForRequests, S::Queued][..],
                limit(LimitName::TokensPerMinute),
            ),
            ((1, 50, 0), low, backing, Binds::BackOff),
            ((1, 50, 0), low, &[S::InFlight, S::Done][..], Binds::Tail),
            ((0, 50, 0), low, &[S::Done][..], Binds::Idle),
            ((50, 50, 0), low, some, Binds::Latency),
        ] {
            let run = run(slots, rates, statuses, |_| {});
            assert_eq!(binds(&run, NOW), expected, "{slots:?} {rates:?} {statuses:?}");
            let keys = Keymap::built_in().unwrap();
            let advice = advice(expected, &run, NOW, &keys);
            assert_eq!(advice.is_empty(), expected == Binds::Idle);
            assert!(advice.len() <= 78, "too long for 80 columns: {advice}");
        }
    }

    #[test]
    fn the_provider_binds_only_while_no_endpoint_may_be_asked() {
        let until = UnixMillis(NOW.0 + 30_000);
        let told = run((0, 50, 3), (0.0, 0.0), &[S::Queued], |snapshot| {
            snapshot.meters.endpoints[0].paused_until = Some(until);
        });
        assert_eq!(binds(&told, NOW), Binds::Provider(until));
        assert_ne!(binds(&told, UnixMillis(until.0 + 1)), Binds::Provider(until));
        let other = run((0, 50, 3), (0.0, 0.0), &[S::Queued], |snapshot| {
            let free = snapshot.meters.endpoints[0].clone();
            snapshot.meters.endpoints[0].paused_until = Some(until);
            snapshot.meters.endpoints.push(free);
        });
        assert_ne!(binds(&other, NOW), Binds::Provider(until));
    }

    #[test]
    fn a_run_that_stands_still_is_given_no_advice() {
        let mut paused = run((50, 50, 3), (0.0, 0.0), &[S::Queued], |_| {});
        let reason = PauseReason::User;
        let phase = RunPhase::Paused { reason };
        paused.apply(crate::protocol::Delta { phase, ..delta(&[]) }, NOW, |_, _, _| {});
        assert_eq!(binds(&paused, NOW), Binds::Idle);
    }

    #[test]
    fn two_limits_that_take_turns_do_not_make_the_screen_flicker() {
        let [slots, tokens] = [LimitName::Slots, LimitName::TokensPerMinute].map(Binds::Limit);
        let mut verdict = Verdict::default();
        let at = |millis| UnixMillis(NOW.0 + millis);
        verdict.observe(slots, at(0));
        assert_eq!(verdict.shown(), slots, "the first is told at once");
        for tenth in 1..100 {
            verdict.observe(if tenth % 3 == 0 { slots } else { tokens }, at(tenth * 100));
            assert_eq!(verdict.shown(), slots);
        }
        for tenth in 100..116 {
            verdict.observe(tokens, at(tenth * 100));
        }
        assert_eq!(verdict.shown(), tokens);
        verdict.observe(Binds::Idle, at(11_700));
        assert_eq!(verdict.shown(), Binds::Idle);
    }

    #[test]
    fn limits_add_up_over_endpoints_unless_one_has_none() {
        let two = |limited: bool| {
            load(&run((5, 10, 1), (100.0, 0.0), &[S::Queued], |snapshot| {
                let mut second = snapshot.meters.endpoints[0].clone();
                if !limited {
                    second.requests.limit = None;
                }
                snapshot.meters.endpoints.push(second);
            }))
        };
        assert_eq!((two(true).held, two(true).target), (10, 20));
        assert_eq!(two(true).requests.limit, Some(1_000.0));
        assert_eq!(two(false).requests.limit, None);
    }
}
