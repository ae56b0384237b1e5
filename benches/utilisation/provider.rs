//! The provider: the simulator's limits without HTTP, a network in front of them, and a log of
//! what was let in.

use std::{sync::Mutex, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use voxpop::{
    model::{Failure, FailureKind, QuotaSaid, WindowSaid},
    simulator::{Denial, Gauge, Gauges, LimitShape, Metered, RateLimits},
};

/// What is let in, a minute; `None` is no limit.
#[derive(Clone, Copy)]
pub struct Rates {
    pub requests: Option<u32>,
    pub tokens: Option<u32>,
}

impl Rates {
    pub const fn requests(per_minute: u32) -> Self {
        Self { requests: Some(per_minute), tokens: None }
    }

    pub fn times(self, factor: f64) -> Self {
        let times = |rate: u32| (f64::from(rate) * factor).round() as u32;
        Self { requests: self.requests.map(times), tokens: self.tokens.map(times) }
    }
}

/// What a provider says of its limits with each reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    Honest,
    Absent,
    /// As though the limits were twice as high.
    Lying,
}

/// What became of one request.
#[derive(Clone, Copy)]
struct Verdict {
    at: Duration,
    /// What was let in, in the unit of the limit that binds; `None` is a 429.
    admitted: Option<u64>,
}

/// What became of the requests, in the order in which they came.
#[derive(Clone, Default)]
pub struct Log(Vec<Verdict>);

impl Log {
    fn between(&self, from: Duration, to: Duration) -> &[Verdict] {
        let [from, to] = [from, to].map(|at| self.0.partition_point(|verdict| verdict.at < at));
        &self.0[from..to]
    }

    /// What was let in from `from` to `to`.
    pub fn admitted(&self, from: Duration, to: Duration) -> u64 {
        self.between(from, to).iter().filter_map(|verdict| verdict.admitted).sum()
    }

    /// The share of 429s from `from` to `to`.
    pub fn denied(&self, from: Duration, to: Duration) -> f64 {
        let verdicts = self.between(from, to);
        let denied = verdicts.iter().filter(|verdict| verdict.admitted.is_none()).count();
        denied as f64 / verdicts.len().max(1) as f64
    }
}

pub struct Provider {
    limits: Mutex<RateLimits>,
    headers: Headers,
    /// Whether what is used is counted in tokens.
    in_tokens: bool,
    started: Instant,
    log: Mutex<Log>,
}

/// A reply.
pub struct Reply {
    pub said: QuotaSaid,
    pub outcome: Result<Duration, Failure>,
}

impl Provider {
    pub fn new(shape: LimitShape, rates: Rates, headers: Headers) -> Self {
        let started = Instant::now();
        let limits = RateLimits::new(shape, rates.requests, rates.tokens, started);
        let in_tokens = rates.tokens.is_some();
        Self { limits: Mutex::new(limits), headers, in_tokens, started, log: Mutex::default() }
    }

    pub fn set_rates(&self, rates: Rates) {
        let mut limits = self.limits.lock().unwrap();
        limits.set_rates(rates.requests, rates.tokens, Instant::now());
    }

    /// What would be let in for `span` from now on of requests that come at 99 % of the rate, by
    /// a client that knows when it is let in and waits for that.
    pub fn ideal(&self, rates: Rates, span: Duration) -> Log {
        let Some(per_minute) = rates.requests else { return Log::default() };
        let mut limits = self.limits.lock().unwrap().clone();
        let mut now = Instant::now();
        let end = now + span;
        let mut log = Log::default();
        while now < end {
            now += match limits.admit(1, now) {
                Ok(()) => {
                    log.0.push(Verdict { at: now - self.started, admitted: Some(1) });
                    Duration::from_secs(60).div_f64(0.99 * f64::from(per_minute))
                }
                Err(Denial::Later { wait, .. }) => wait,
                Err(Denial::TooLarge { .. }) => span,
            };
        }
        log
    }

    /// What has become of the requests so far.
    pub fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    /// One exchange. A 429 comes at once; an answer takes 0.2 to 2 s, most of which is the time
    /// to its first byte.
    pub async fn exchange(&self, tokens: u64, rng: &mut fastrand::Rng) -> Reply {
        let sent = Instant::now();
        sleep(network(rng)).await;
        let (verdict, gauges) = self.verdict(tokens);
        let said = said(self.headers, gauges);
        match verdict {
            Ok(held) => {
                sleep(held + thinking(rng) + network(rng)).await;
                Reply { said, outcome: Ok(sent.elapsed()) }
            }
            Err(failure) => {
                sleep(network(rng)).await;
                Reply { said, outcome: Err(failure) }
            }
        }
    }

    fn verdict(&self, tokens: u64) -> (Result<Duration, Failure>, Gauges) {
        let now = Instant::now();
        let mut limits = self.limits.lock().unwrap();
        let verdict = limits.admit_held(tokens, now);
        let admitted = verdict.is_ok().then_some(if self.in_tokens { tokens } else { 1 });
        self.log.lock().unwrap().0.push(Verdict { at: now - self.started, admitted });
        (verdict.map_err(|denial| failure(&denial)), limits.gauges(now))
    }
}

/// From the client to the provider or back: 20 ms and what queues on the way add, 5 ms on average.
fn network(rng: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(20) + Duration::from_millis(5).mul_f64(-(1.0 - rng.f64()).ln())
}

/// Lognormal with a median of 0.65 s, within 0.2 and 2 s.
fn thinking(rng: &mut fastrand::Rng) -> Duration {
    // Box and Muller's way to a normal number.
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    Duration::from_secs_f64((0.65 * (0.55 * normal).exp()).clamp(0.2, 2.0))
}

fn failure(denial: &Denial) -> Failure {
    let Denial::Later { metered, wait, .. } = *denial else {
        panic!("no request of this table is larger than its limit");
    };
    let kind = match metered {
        Metered::Requests => FailureKind::RateLimitedRequests,
        Metered::Tokens => FailureKind::RateLimitedTokens,
    };
    Failure { retry_after: Some(wait), ..Failure::new(kind, "slow down") }
}

fn said(headers: Headers, gauges: Gauges) -> QuotaSaid {
    let window = |gauge: Option<Gauge>| {
        let Some(gauge) = gauge else { return WindowSaid::default() };
        let gauge = match headers {
            Headers::Absent => return WindowSaid::default(),
            Headers::Honest => gauge,
            // As the simulator lies: the same use of a limit twice as high.
            Headers::Lying => Gauge {
                limit: gauge.limit * 2,
                remaining: gauge.remaining + gauge.limit,
                full_in: gauge.full_in / 2,
            },
        };
        WindowSaid {
            limit: Some(gauge.limit),
            remaining: Some(u64::from(gauge.remaining)),
            reset: Some(gauge.full_in),
        }
    };
    QuotaSaid { requests: window(gauges.requests), tokens: window(gauges.tokens) }
}

/// Sleeps until so long after the provider began.
pub async fn sleep_to(provider: &Provider, at: Duration) {
    sleep_until(provider.started + at).await;
}
