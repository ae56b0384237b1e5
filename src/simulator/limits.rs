//! The provider's side of the rate limits: a token bucket for requests and one for tokens.

use std::{fmt, time::Duration};
use tokio::time::Instant;

/// Which of the two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metered {
    Requests,
    Tokens,
}

/// A bucket that fills evenly and is full after a rest.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_minute: u32,
    capacity: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    fn new(per_minute: u32, burst: Duration, now: Instant) -> Self {
        let capacity = (f64::from(per_minute) * burst.as_secs_f64() / 60.0).max(1.0);
        Self { per_minute, capacity, level: capacity, filled_at: now }
    }

    /// What drips in per second.
    fn rate(&self) -> f64 {
        f64::from(self.per_minute) / 60.0
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.rate();
        self.level = (self.level + gained).min(self.capacity);
        self.filled_at = now;
    }

    /// How long until this much is there, in whole milliseconds as the headers say it; zero
    /// where it is there now. What is more than the bucket holds is let in when it is full, and
    /// leaves a debt, so that a short burst does not shut out a large request. The hair's
    /// breadth forgives what floating point loses while a client waits as long as it was told.
    fn wait_for(&self, amount: f64) -> Duration {
        let missing = amount.min(self.capacity) - self.level;
        if missing <= 1e-6 * self.capacity.max(1.0) {
            return Duration::ZERO;
        }
        Duration::from_millis((missing / self.rate() * 1e3).ceil() as u64)
    }

    fn gauge(&self) -> Gauge {
        Gauge {
            limit: self.per_minute,
            remaining: self.level.max(0.0) as u32,
            full_in: self.wait_for(self.capacity),
        }
    }
}

/// One limit as the `x-ratelimit-*` headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    pub limit: u32,
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

/// The limits of one key.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl RateLimits {
    /// Full buckets. `burst` is how long a rest it takes to fill an empty one.
    pub fn new(
        requests_per_minute: Option<u32>,
        tokens_per_minute: Option<u32>,
        burst: Duration,
        now: Instant,
    ) -> Self {
        let bucket = |per_minute| Bucket::new(per_minute, burst, now);
        Self { requests: requests_per_minute.map(bucket), tokens: tokens_per_minute.map(bucket) }
    }

    /// Lets one request of so many tokens in, or says why not. Who is denied pays nothing;
    /// who is let in has paid, whatever becomes of the request.
    pub fn admit(&mut self, tokens: u64, now: Instant) -> Result<(), Denial> {
        self.fill(now);
        let asked = [
            (Metered::Requests, &mut self.requests, 1),
            (Metered::Tokens, &mut self.tokens, tokens),
        ];
        for (metered, bucket, amount) in &asked {
            let Some(bucket) = bucket else { continue };
            let (limit, requested) = (bucket.per_minute, *amount);
            if requested > u64::from(limit) {
                return Err(Denial::TooLarge { limit, requested });
            }
            let wait = bucket.wait_for(requested as f64);
            if !wait.is_zero() {
                let used = limit.saturating_sub(bucket.level.max(0.0) as u32);
                return Err(Denial::Later { metered: *metered, limit, used, requested, wait });
            }
        }
        for (_, bucket, amount) in asked {
            if let Some(bucket) = bucket {
                bucket.level -= amount as f64;
            }
        }
        Ok(())
    }

    /// How full the buckets are.
    pub fn gauges(&mut self, now: Instant) -> Gauges {
        self.fill(now);
        Gauges {
            requests: self.requests.as_ref().map(Bucket::gauge),
            tokens: self.tokens.as_ref().map(Bucket::gauge),
        }
    }

    fn fill(&mut self, now: Instant) {
        for bucket in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            bucket.fill(now);
        }
    }
}

/// A duration as the `reset` headers write it, which is Go's way: `20ms`, `1.5s`, `6m0s`.
pub struct GoDuration(pub Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        let seconds = (millis % 60_000) as f64 / 1e3;
        match (hours, minutes) {
            (0, 0) if millis == 0 => f.write_str("0s"),
            (0, 0) if millis < 1_000 => write!(f, "{millis}ms"),
            (0, 0) => write!(f, "{seconds}s"),
            (0, _) => write!(f, "{minutes}m{seconds}s"),
            _ => write!(f, "{hours}h{minutes}m{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, sleep};

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn no_minute_lets_more_in_than_the_burst_and_the_rate() {
        let mut limits = RateLimits::new(Some(600), None, Duration::from_secs(1), Instant::now());
        let mut admitted = 0;
        for _ in 0..60_000 {
            admitted += u32::from(limits.admit(10, Instant::now()).is_ok());
            advance(Duration::from_millis(1)).await;
        }
        assert!((608..=610).contains(&admitted), "{admitted}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_as_long_as_it_was_told_is_let_in() {
        for per_minute in [1, 7, 60, 3_500, 10_007] {
            let mut limits =
                RateLimits::new(Some(per_minute), Some(90_000), MINUTE, Instant::now());
            while limits.admit(3, Instant::now()).is_ok() {}
            for _ in 0..20 {
                let denial = limits.admit(3, Instant::now()).unwrap_err();
                let Denial::Later { metered, wait, .. } = denial else { panic!("{denial:?}") };
                assert_eq!(metered, Metered::Requests);
                sleep(wait).await;
                assert_eq!(limits.admit(3, Instant::now()), Ok(()));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_token_limit_is_named_when_it_is_the_one_that_binds() {
        let mut limits = RateLimits::new(Some(600), Some(6_000), MINUTE, Instant::now());
        assert_eq!(limits.admit(4_000, Instant::now()), Ok(()));
        let later = Denial::Later {
            metered: Metered::Tokens,
            limit: 6_000,
            used: 4_000,
            requested: 2_500,
            wait: Duration::from_secs(5),
        };
        assert_eq!(limits.admit(2_500, Instant::now()), Err(later));
        let never = Denial::TooLarge { limit: 6_000, requested: 6_001 };
        assert_eq!(limits.admit(6_001, Instant::now()), Err(never));
        // The two that were denied paid nothing.
        let gauges = limits.gauges(Instant::now());
        let expected = Gauge { limit: 600, remaining: 599, full_in: Duration::from_millis(100) };
        assert_eq!(gauges.requests, Some(expected));
        let expected = Gauge { limit: 6_000, remaining: 2_000, full_in: Duration::from_secs(40) };
        assert_eq!(gauges.tokens, Some(expected));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_request_on_a_short_burst_is_let_in_and_paid_for_afterwards() {
        let mut limits = RateLimits::new(None, Some(6_000), Duration::from_secs(1), Instant::now());
        assert_eq!(limits.admit(700, Instant::now()), Ok(()));
        let denial = limits.admit(700, Instant::now()).unwrap_err();
        let Denial::Later { wait, .. } = denial else { panic!("{denial:?}") };
        assert_eq!(wait, Duration::from_secs(7));
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (millis, written) in [
            (0, "0s"),
            (20, "20ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (90_951, "1m30.951s"),
            (360_000, "6m0s"),
            (3_723_000, "1h2m3s"),
        ] {
            assert_eq!(GoDuration(Duration::from_millis(millis)).to_string(), written);
        }
    }
}
