//! Nginx's `limit_req`, with the rounding that makes it stricter than it looks.

use super::{Gauge, Meter};
use std::time::Duration;
use tokio::time::Instant;

/// One request, in the thousandths in which `ngx_http_limit_req_module` counts.
const REQUEST: u64 = 1000;

/// A leaky bucket: each request adds to the excess, which leaks at the rate; beyond the burst a
/// request is turned away. Time is whole milliseconds, and a part of a thousandth that leaks
/// before a request is lost.
#[derive(Clone, Debug)]
pub struct LimitReq {
    per_minute: u32,
    /// Thousandths of a request per second, rounded down as nginx reads `r/m`.
    rate: u64,
    burst: u64,
    delay: bool,
    clock: Instant,
    /// Nothing before the first request.
    last: Option<Last>,
}

/// What the bucket remembers of the last request that was let in.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: u64,
    excess: u64,
}

impl LimitReq {
    pub fn new(per_minute: u32, burst: u32, delay: bool, now: Instant) -> Self {
        let burst = u64::from(burst) * REQUEST;
        Self { per_minute, rate: rate(per_minute), burst, delay, clock: now, last: None }
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.clock).as_millis() as u64
    }

    /// The excess with a request that comes now.
    fn excess(&self, at: u64) -> u64 {
        self.last.map_or(0, |last| {
            let leaked = self.rate.saturating_mul(at.saturating_sub(last.at)) / 1000;
            (last.excess + REQUEST).saturating_sub(leaked)
        })
    }

    /// The time until so much has leaked since the last request.
    fn until_leaked(&self, amount: u64, at: u64) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let leaked_at = last.at + (amount * 1000).div_ceil(self.rate);
        Duration::from_millis(leaked_at.saturating_sub(at))
    }
}

fn rate(per_minute: u32) -> u64 {
    (u64::from(per_minute) * REQUEST / 60).max(1)
}

impl Meter for LimitReq {
    fn per_minute(&self) -> u32 {
        self.per_minute
    }

    fn wait_for(&mut self, _amount: u64, now: Instant) -> Duration {
        let at = self.millis(now);
        if self.excess(at) <= self.burst {
            return Duration::ZERO;
        }
        let too_much = self.last.map_or(0, |last| last.excess + REQUEST - self.burst);
        self.until_leaked(too_much, at)
    }

    fn take(&mut self, _amount: u64, now: Instant) -> Duration {
        let at = self.millis(now);
        let excess = self.excess(at);
        self.last = Some(Last { at, excess });
        Duration::from_millis(if self.delay { excess * 1000 / self.rate } else { 0 })
    }

    fn set_rate(&mut self, per_minute: u32, _now: Instant) {
        self.per_minute = per_minute;
        self.rate = rate(per_minute);
    }

    fn gauge(&mut self, now: Instant) -> Gauge {
        let at = self.millis(now);
        let excess = self.excess(at);
        let remaining = (self.burst + REQUEST).saturating_sub(excess) / REQUEST;
        Gauge {
            limit: self.per_minute,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            full_in: self.until_leaked(self.last.map_or(0, |last| last.excess + REQUEST), at),
        }
    }
}
