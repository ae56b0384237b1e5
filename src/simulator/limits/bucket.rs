//! A token bucket.

use super::{Gauge, Meter};
use std::time::Duration;
use tokio::time::Instant;

/// Fills evenly and is full after a rest.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_minute: u32,
    burst: Duration,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(per_minute: u32, burst: Duration, now: Instant) -> Self {
        let mut bucket = Self { per_minute, burst, level: 0.0, filled_at: now };
        bucket.level = bucket.capacity();
        bucket
    }

    fn capacity(&self) -> f64 {
        (f64::from(self.per_minute) * self.burst.as_secs_f64() / 60.0).max(1.0)
    }

    fn fill(&mut self, now: Instant) {
        let rest = now.saturating_duration_since(self.filled_at).as_secs_f64();
        let gained = rest * f64::from(self.per_minute) / 60.0;
        self.level = (self.level + gained).min(self.capacity());
        self.filled_at = now;
    }

    /// The hair's breadth forgives what floating point loses while a client waits as long as it
    /// was told.
    fn wait_for_level(&self, level: f64) -> Duration {
        let hair = 1e-6 * self.capacity();
        let missing = level.min(self.capacity()) - self.level - hair;
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_millis((missing * 6e4 / f64::from(self.per_minute)).ceil() as u64)
    }
}

impl Meter for Bucket {
    fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// What is more than the bucket holds is let in when it is full, and leaves a debt.
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        self.fill(now);
        self.wait_for_level(amount as f64)
    }

    fn take(&mut self, amount: u64, now: Instant) -> Duration {
        self.fill(now);
        self.level -= amount as f64;
        Duration::ZERO
    }

    /// What is in the bucket stays there, as far as it still fits.
    fn set_rate(&mut self, per_minute: u32, now: Instant) {
        self.fill(now);
        self.per_minute = per_minute;
        self.level = self.level.min(self.capacity());
    }

    fn gauge(&mut self, now: Instant) -> Gauge {
        self.fill(now);
        Gauge {
            limit: self.per_minute,
            remaining: self.level.max(0.0) as u32,
            full_in: self.wait_for_level(self.capacity()),
        }
    }
}
