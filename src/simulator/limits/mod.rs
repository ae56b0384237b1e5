//! The provider's side of the rate limits: requests and tokens, each counted in one of four ways.
//!
//! Everything here is a pure function of the instants passed in, so that an hour of it takes a
//! moment on a paused clock. `shape` says which ways there are; `bucket`, `window`, `sliding_log`
//! and `limit_req` are one each.

mod bucket;
mod limit_req;
mod shape;
mod sliding_log;
#[cfg(test)]
mod tests;
mod window;

pub use shape::{LimitShape, LimitShapeError};

use bucket::Bucket;
use limit_req::LimitReq;
use sliding_log::SlidingLog;
use std::time::Duration;
use tokio::time::Instant;
use window::Window;

/// Which of the two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metered {
    Requests,
    Tokens,
}

/// One limit as the `x-ratelimit-*` headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// A minute.
    pub limit: u32,
    /// What could be used at once.
    pub remaining: u32,
    /// The time until nothing is used any more: the `reset` header.
    pub full_in: Duration,
}

/// Both limits; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    pub requests: Option<Gauge>,
    pub tokens: Option<Gauge>,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Not now; it would have been let in after `wait`.
    Later { metered: Metered, limit: u32, used: u32, requested: u64, wait: Duration },
    /// Not ever: the one request asks for more tokens than a minute has.
    TooLarge { limit: u32, requested: u64 },
}

/// A way to count. All of them let an amount that is more than they hold in when they are empty,
/// and make the next ones wait for it: a short window must not shut out a large request.
trait Meter {
    /// The limit as it is stated, a minute.
    fn per_minute(&self) -> u32;
    /// How long until this much is let in, in whole milliseconds as the headers say it; zero
    /// where that is now.
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration;
    /// Lets this much in, and says how long it is held back before it is served.
    fn take(&mut self, amount: u64, now: Instant) -> Duration;
    /// Goes on at another rate.
    fn set_rate(&mut self, per_minute: u32, now: Instant);
    fn gauge(&mut self, now: Instant) -> Gauge;
}

#[derive(Clone, Debug)]
enum AnyMeter {
    Bucket(Bucket),
    Window(Window),
    Log(SlidingLog),
    LimitReq(LimitReq),
}

impl AnyMeter {
    fn new(shape: LimitShape, per_minute: u32, now: Instant) -> Self {
        match shape {
            LimitShape::TokenBucket { burst } => Self::Bucket(Bucket::new(per_minute, burst, now)),
            LimitShape::FixedWindow { window } => {
                Self::Window(Window::new(per_minute, window, now))
            }
            LimitShape::SlidingLog { window } => Self::Log(SlidingLog::new(per_minute, window)),
            LimitShape::LimitReq { burst, delay } => {
                Self::LimitReq(LimitReq::new(per_minute, burst, delay, now))
            }
        }
    }

    fn meter(&mut self) -> &mut dyn Meter {
        match self {
            Self::Bucket(bucket) => bucket,
            Self::Window(window) => window,
            Self::Log(log) => log,
            Self::LimitReq(leaky) => leaky,
        }
    }
}

/// The limits of those who share a quota.
#[derive(Clone, Debug)]
pub struct RateLimits {
    shape: LimitShape,
    requests: Option<AnyMeter>,
    tokens: Option<AnyMeter>,
}

impl RateLimits {
    /// Unused limits; `None` is no limit, and 0 a minute counts as 1. With
    /// [`LimitShape::LimitReq`] there is no limit on tokens, for nginx cannot see them.
    pub fn new(
        shape: LimitShape,
        requests_per_minute: Option<u32>,
        tokens_per_minute: Option<u32>,
        now: Instant,
    ) -> Self {
        let mut limits = Self { shape, requests: None, tokens: None };
        limits.set_rates(requests_per_minute, tokens_per_minute, now);
        limits
    }

    /// Goes on at other rates. What is used stays used; a limit that is new is unused.
    pub fn set_rates(
        &mut self,
        requests_per_minute: Option<u32>,
        tokens_per_minute: Option<u32>,
        now: Instant,
    ) {
        let shape = self.shape;
        let set = |meter: &mut Option<AnyMeter>, per_minute: Option<u32>| match (
            &mut *meter,
            per_minute.map(|rate| rate.max(1)),
        ) {
            (Some(meter), Some(rate)) => meter.meter().set_rate(rate, now),
            (None, Some(rate)) => *meter = Some(AnyMeter::new(shape, rate, now)),
            (_, None) => *meter = None,
        };
        set(&mut self.requests, requests_per_minute);
        let counts_tokens = !matches!(shape, LimitShape::LimitReq { .. });
        set(&mut self.tokens, tokens_per_minute.filter(|_| counts_tokens));
    }

    /// Lets one request of so many tokens in, or says why not. Who is denied pays nothing;
    /// who is let in has paid, whatever becomes of the request.
    ///
    /// # Errors
    /// Which limit it is that denies, and for how long.
    pub fn admit(&mut self, tokens: u64, now: Instant) -> Result<(), Denial> {
        self.admit_held(tokens, now).map(drop)
    }

    /// As [`Self::admit`], and says how long the request is held back before it is served: only
    /// `limit_req` does that.
    ///
    /// # Errors
    /// Those of [`Self::admit`].
    pub fn admit_held(&mut self, tokens: u64, now: Instant) -> Result<Duration, Denial> {
        let mut asked = [
            (Metered::Requests, &mut self.requests, 1),
            (Metered::Tokens, &mut self.tokens, tokens),
        ];
        for (metered, meter, requested) in &mut asked {
            let Some(meter) = meter.as_mut().map(AnyMeter::meter) else { continue };
            let (metered, requested) = (*metered, *requested);
            let limit = meter.per_minute();
            if requested > u64::from(limit) {
                return Err(Denial::TooLarge { limit, requested });
            }
            let wait = meter.wait_for(requested, now);
            if !wait.is_zero() {
                let used = limit.saturating_sub(meter.gauge(now).remaining);
                return Err(Denial::Later { metered, limit, used, requested, wait });
            }
        }
        let taken = asked.into_iter().filter_map(|(_, meter, amount)| {
            meter.as_mut().map(|meter| meter.meter().take(amount, now))
        });
        Ok(taken.max().unwrap_or_default())
    }

    /// How far the limits are used.
    pub fn gauges(&mut self, now: Instant) -> Gauges {
        let gauge = |meter: &mut Option<AnyMeter>| meter.as_mut().map(|m| m.meter().gauge(now));
        Gauges { requests: gauge(&mut self.requests), tokens: gauge(&mut self.tokens) }
    }
}
