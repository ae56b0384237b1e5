//! What would help, in one sentence with its numbers.

use super::{
    BatchLoad, Binds, Load, Rate, Situation,
    binds::{NEAR, in_service},
    count_up_to, plural, seconds, short_clock, thousands,
};
use crate::{
    model::{FailureKind, InterviewStatus as S, LimitName, Service, Slots, UnixMillis},
    protocol::{CallSize, EndpointMeters},
};
use std::time::Duration;

/// From which gain on a change is worth a word.
const WORTHWHILE: f64 = 1.1;

/// An output cap with so much room above the mean answer cuts few of them off.
const ROOM_ABOVE_MEAN: f64 = 1.3;

/// Rates are averages over so long: before, they say little about the time that a slot is held.
const SETTLED: Duration = Duration::from_secs(15);

/// One sentence without its full stop, and what could be done about it here and now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Empty where there is nothing to say.
    pub text: String,
    pub remedy: Option<Remedy>,
}

/// Something that a front end can order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    MoreSlots,
    FewerSlots,
    MoreRequests,
    MoreTokens,
    /// Let limits adapt to what the providers say.
    Adapt,
}

impl Advice {
    fn new(text: impl Into<String>, remedy: Option<Remedy>) -> Self {
        Self { text: text.into(), remedy }
    }
}

impl Situation<'_> {
    /// The sentence about what binds.
    pub fn advice(&self, binds: Binds) -> Advice {
        match binds {
            Binds::Idle => Advice::default(),
            Binds::ToldToWait(until) => {
                let wait = match until.since(self.now) {
                    wait if wait.as_secs() == 0 => "a moment".to_owned(),
                    wait => short_clock(wait),
                };
                Advice::new(format!("the provider told us to wait {wait}: nothing to do"), None)
            }
            Binds::Limit(LimitName::Slots) => self.about_slots(),
            Binds::Limit(LimitName::RequestsPerMinute) => self.about_requests(),
            Binds::Limit(LimitName::TokensPerMinute) => self.about_tokens(),
            Binds::BatchApi => {
                let load = BatchLoad::of(&self.meters.batches);
                let text = if load.batches == 0 {
                    "the files of batches are being written".to_owned()
                } else {
                    format!(
                        "the Batch API binds: {}; each stage may take up to 24 h, and the run may \
                         be left alone",
                        load.words()
                    )
                };
                Advice::new(text, None)
            }
            Binds::BackOff => self.about_back_off(),
            Binds::NothingLeft => {
                let last = match self.counts.get(S::InFlight) {
                    1 => "one is".to_owned(),
                    n => format!("{} are", thousands(u64::from(n))),
                };
                Advice::new(format!("nothing left to send: the last {last} in flight"), None)
            }
            Binds::Latency => {
                let p50 = self.meters.latency.p50;
                let text = if p50.is_zero() {
                    "nothing of ours binds, and no answer has come to measure by".to_owned()
                } else {
                    let each = seconds(p50);
                    format!(
                        "the provider's latency binds: no limit does, half the answers take {each}"
                    )
                };
                Advice::new(text, None)
            }
        }
    }

    fn about_slots(&self) -> Advice {
        let load = self.load();
        let slots = load.slots;
        let held = format!(
            "slots bind: {} of {}",
            thousands(u64::from(slots.held)),
            thousands(u64::from(slots.target))
        );
        if let Some(set) = slots.configured.filter(|&set| set > slots.target)
            && self.meters.adapting
            && self.meters.endpoints.iter().all(in_service)
        {
            let set = thousands(u64::from(set));
            let why = "more would only wait at the provider";
            return Advice::new(
                format!("{held}, held below the {set} set by adaptation: {why}"),
                None,
            );
        }
        let nearly = [("requests/min", load.requests), ("tokens/min", load.tokens)]
            .into_iter()
            .find(|(_, rate)| rate.share() >= NEAR);
        if let Some((name, rate)) = nearly {
            let share = per_cent(&rate);
            return Advice::new(
                format!("{held}, and {name} nearly ({share}): more hardly help"),
                None,
            );
        }
        let text = match self.slots_for_the_quota(&load) {
            Some((wanted, quota)) => {
                format!("{held}; about {} would use all of {quota}", rounded(wanted))
            }
            None if load.requests.limit.is_none() && load.tokens.limit.is_none() => {
                format!("{held}, and no rate is limited: more help until answers get slower")
            }
            None => {
                let more = u64::from(slots.waiting);
                format!("{held}, {} for one", plural(more, "call waits", "calls wait"))
            }
        };
        Advice::new(text, Some(Remedy::MoreSlots))
    }

    /// Little's law: as many slots as the tighter of the two quotas keeps busy, and that quota.
    fn slots_for_the_quota(&self, load: &Load) -> Option<(f64, String)> {
        [(load.requests, "requests/min"), (load.tokens, "tokens/min")]
            .into_iter()
            .filter_map(|(rate, name)| {
                let limit = rate.limit.filter(|_| rate.now > 0.0)?;
                // At the present size of a call a rate of tokens is one of requests.
                let requests = load.requests.now * limit / rate.now;
                let wanted = requests / 60.0 * self.slot_is_held_for(load)?.as_secs_f64();
                let quota = format!("{} {name}", thousands(count_up_to(limit, u64::MAX)));
                (wanted > f64::from(load.slots.target)).then_some((wanted, quota))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The mean time for which a call holds its slot, by what is held and how fast it turns over;
    /// at the start of a run, the median latency.
    fn slot_is_held_for(&self, load: &Load) -> Option<Duration> {
        let latency = self.meters.latency;
        if self.meters.elapsed < SETTLED || load.requests.now <= 0.0 {
            return (latency.count > 0).then_some(latency.p50);
        }
        Duration::try_from_secs_f64(f64::from(load.slots.held) * 60.0 / load.requests.now).ok()
    }

    fn about_requests(&self) -> Advice {
        let rate = self.load().requests;
        let binds = binds_at(LimitName::RequestsPerMinute, &rate);
        if let Some(held_down) = self.held_down(&rate) {
            return Advice::new(format!("{binds}: {held_down}"), None);
        }
        let text = format!(
            "{binds}: more slots will not help; a higher plan, a key of another project or \
             another endpoint would"
        );
        Advice::new(text, Some(Remedy::MoreRequests))
    }

    fn about_tokens(&self) -> Advice {
        let load = self.load();
        let binds = binds_at(LimitName::TokensPerMinute, &load.tokens);
        let smaller = self.smaller_call(&load);
        let held_down = self.held_down(&load.tokens);
        let text = match (smaller, &held_down) {
            (Some(smaller), _) => format!("{binds}: more slots will not help; {smaller}"),
            (None, Some(held_down)) => format!("{binds}: {held_down}"),
            (None, None) => {
                format!("{binds}: more slots will not help; shorter prompts and answers would")
            }
        };
        Advice::new(text, held_down.is_none().then_some(Remedy::MoreTokens))
    }

    /// Which smaller call would let how many more of them through.
    fn smaller_call(&self, load: &Load) -> Option<String> {
        let change = Change::that_saves_most(&self.meters.calls)?;
        // What is saved in tokens helps until requests/min binds.
        let until_requests_bind = match load.requests.limit {
            Some(limit) if load.requests.now > 0.0 => limit / load.requests.now,
            _ => f64::INFINITY,
        };
        let gain = change.gain().min(until_requests_bind);
        (gain >= WORTHWHILE).then(|| format!("{} would give about {gain:.1}x", change.words()))
    }

    /// Why a limit that binds is below the one that was set, or was not set at all.
    fn held_down(&self, rate: &Rate) -> Option<String> {
        let number = |value: f64| thousands(count_up_to(value, u64::MAX));
        let limit = number(rate.limit?);
        if rate.found {
            return Some(format!(
                "adaptation found {limit} by what was let in, and tries for more by itself"
            ));
        }
        let set = number(rate.configured.filter(|_| rate.held_down())?);
        let out: Vec<_> = self
            .meters
            .endpoints
            .iter()
            .filter(|endpoint| !in_service(endpoint))
            .map(|endpoint| endpoint.name.as_str())
            .collect();
        Some(if !out.is_empty() {
            let serve = if out.len() == 1 { "serves" } else { "serve" };
            format!("{limit} of the {set} set, since {} {serve} nobody now", out.join(" and "))
        } else if self.meters.adapting && self.meters.endpoints.iter().any(|e| e.adaptation < 0.999)
        {
            format!(
                "adaptation holds it at {limit} of the {set} set, and raises it again by itself"
            )
        } else {
            format!(
                "the provider allows {limit}, though {set} are set; a higher plan or another endpoint would help"
            )
        })
    }

    fn about_back_off(&self) -> Advice {
        let endpoints = &self.meters.endpoints;
        if !endpoints.is_empty() && !endpoints.iter().any(in_service) {
            return Advice::new(self.about_cooling(), None);
        }
        let backing_off = u64::from(self.counts.get(S::BackingOff));
        let who = plural(backing_off, "persona backs", "personas back");
        let Some(last) = self.meters.failures.iter().max_by_key(|tally| tally.last_at.0) else {
            return Advice::new(format!("{who} off after failures"), None);
        };
        let (help, remedy) = match last.kind {
            FailureKind::RateLimitedRequests | FailureKind::RateLimitedTokens
                if self.meters.adapting =>
            {
                ("adaptation lowers the rate until it fits", None)
            }
            FailureKind::RateLimitedRequests | FailureKind::RateLimitedTokens => {
                ("lower limits would fit", Some(Remedy::Adapt))
            }
            FailureKind::ServerError | FailureKind::Overloaded | FailureKind::Timeout => {
                ("fewer slots would relieve the provider", Some(Remedy::FewerSlots))
            }
            FailureKind::Connection => ("look at the network on the way to the endpoint", None),
            _ => ("the errors say why", None),
        };
        Advice::new(format!("{who} off, last failure {}: {help}", last.kind), remedy)
    }

    fn about_cooling(&self) -> String {
        let cooling = |endpoint: &EndpointMeters| match &endpoint.service {
            Service::CoolingDown { until, failure } => {
                Some((*until, endpoint.name.clone(), failure.kind))
            }
            Service::InService | Service::OutOfService { .. } => None,
        };
        match self.meters.endpoints.iter().filter_map(cooling).min_by_key(|(until, ..)| *until) {
            Some((until, name, kind)) => {
                format!("no endpoint serves: {name} is asked again {} ({kind})", self.when(until))
            }
            None => "every endpoint is out of service until somebody mends it".to_owned(),
        }
    }

    fn when(&self, until: UnixMillis) -> String {
        match until.since(self.now) {
            wait if wait.as_secs() == 0 => "now".to_owned(),
            wait => format!("in {}", short_clock(wait)),
        }
    }
}

/// A call that takes fewer tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// Another cap, where the provider charges the cap.
    Cap {
        to: f64,
        from: CallSize,
    },
    /// Where it charges what was used, a cap saves nothing but by cutting answers off; shorter
    /// ones save.
    HalfTheAnswer(CallSize),
    HalfThePrompt(CallSize),
}

impl Change {
    /// The change to propose; `None` where nothing is known about calls.
    fn that_saves_most(calls: &CallSize) -> Option<Self> {
        let (prompt, output, cap) = (calls.prompt, calls.output, f64::from(calls.output_cap));
        if !(prompt + output > 0.0 && prompt >= 0.0 && output >= 0.0) {
            return None;
        }
        let parts = [Self::HalfTheAnswer(*calls), Self::HalfThePrompt(*calls)];
        if !calls.cap_is_charged {
            return parts.into_iter().max_by(|a, b| a.gain().total_cmp(&b.gain()));
        }
        // Before the first answer half the cap is as good a guess as any.
        let to =
            if output > 0.0 { (output * ROOM_ABOVE_MEAN / 50.0).round() * 50.0 } else { cap / 2.0 };
        let cap = Self::Cap { to: to.max(50.0), from: *calls };
        Some(if cap.gain() >= WORTHWHILE { cap } else { Self::HalfThePrompt(*calls) })
    }

    /// How many times as many calls the same tokens pay for.
    fn gain(self) -> f64 {
        let (from, to) = match self {
            Self::Cap { to, from } => (from.prompt + f64::from(from.output_cap), from.prompt + to),
            Self::HalfTheAnswer(c) => (c.prompt + charged(&c), c.prompt + charged(&c) / 2.0),
            Self::HalfThePrompt(c) => (c.prompt + charged(&c), c.prompt / 2.0 + charged(&c)),
        };
        from / to
    }

    fn words(self) -> String {
        let tokens = |value: f64| plural(count_up_to(value, u64::MAX), "token", "tokens");
        match self {
            Self::Cap { to, .. } => {
                format!("an output cap of {}", thousands(count_up_to(to, u64::MAX)))
            }
            Self::HalfTheAnswer(c) => format!("answers half as long (now {})", tokens(c.output)),
            Self::HalfThePrompt(c) => format!("a prompt half as long (now {})", tokens(c.prompt)),
        }
    }
}

/// What a call's answer is charged with.
fn charged(calls: &CallSize) -> f64 {
    if calls.cap_is_charged { f64::from(calls.output_cap) } else { calls.output }
}

fn binds_at(limit: LimitName, rate: &Rate) -> String {
    // Without a share it is the waiting that tells.
    match rate.limit {
        Some(_) if rate.share() >= NEAR => format!("{} binds at {}", limit.label(), per_cent(rate)),
        _ => format!("{} binds", limit.label()),
    }
}

fn per_cent(rate: &Rate) -> String {
    // What went out before the limit was lowered is no use made of this one.
    format!("{:.0} %", (rate.share() * 100.0).min(100.0))
}

/// A number of slots that was reckoned: two digits of it are meant.
fn rounded(wanted: f64) -> String {
    let step = match wanted {
        ..100.0 => 1.0,
        100.0..1_000.0 => 10.0,
        _ => 100.0,
    };
    thousands(count_up_to((wanted / step).round() * step, u64::from(Slots::MAX)))
}
