//! A fixed window.

use super::{Gauge, Meter};
use crate::simulator::time::whole_millis;
use std::time::Duration;
use tokio::time::Instant;

/// Counts from nought again in each window, the first of which begins with the provider.
#[derive(Clone, Debug)]
pub struct Window {
    per_minute: u32,
    /// As it was asked for; see [`fitted`].
    asked: Duration,
    capacity: u64,
    length: Duration,
    began_at: Instant,
    used: u64,
}

/// How many fit into a window, and its length: a whole number must fit, or the rate would not be
/// the one that is stated. At 90 a minute a window of 1 s becomes one of 1.33 s for 2.
pub fn fitted(per_minute: u32, window: Duration) -> (u64, Duration) {
    let per_minute = f64::from(per_minute);
    let capacity = (per_minute * window.as_secs_f64() / 60.0).round().max(1.0);
    (capacity as u64, Duration::from_secs_f64(capacity * 60.0 / per_minute))
}

impl Window {
    pub fn new(per_minute: u32, window: Duration, now: Instant) -> Self {
        let (capacity, length) = fitted(per_minute, window);
        Self { per_minute, asked: window, capacity, length, began_at: now, used: 0 }
    }

    /// Begins a new window where the last one has ended.
    fn turn(&mut self, now: Instant) {
        let ended =
            now.saturating_duration_since(self.began_at).as_nanos() / self.length.as_nanos().max(1);
        let ended = u32::try_from(ended).unwrap_or(u32::MAX);
        self.began_at += self.length * ended;
        self.used = self.used.saturating_sub(self.capacity.saturating_mul(u64::from(ended)));
    }

    /// The time until so much of what is used has been forgiven.
    fn until_forgiven(&self, amount: u64, now: Instant) -> Duration {
        let windows = u32::try_from(amount.div_ceil(self.capacity)).unwrap_or(u32::MAX);
        if windows == 0 {
            return Duration::ZERO;
        }
        let at = self.began_at + self.length * windows;
        whole_millis(at.saturating_duration_since(now))
    }
}

impl Meter for Window {
    fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// What is more than a window holds is let into an empty one, and uses up the next ones too.
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        self.turn(now);
        let amount = amount.min(self.capacity);
        self.until_forgiven((self.used + amount).saturating_sub(self.capacity), now)
    }

    fn take(&mut self, amount: u64, now: Instant) -> Duration {
        self.turn(now);
        self.used += amount;
        Duration::ZERO
    }

    /// The window goes on with what is used of it, at most all: the next one counts from nought
    /// again, but for what was owed already.
    fn set_rate(&mut self, per_minute: u32, now: Instant) {
        self.turn(now);
        self.per_minute = per_minute;
        let owed = self.used.saturating_sub(self.capacity);
        (self.capacity, self.length) = fitted(per_minute, self.asked);
        self.used = (self.used - owed).min(self.capacity) + owed;
    }

    fn gauge(&mut self, now: Instant) -> Gauge {
        self.turn(now);
        let remaining = self.capacity.saturating_sub(self.used);
        Gauge {
            limit: self.per_minute,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            full_in: self.until_forgiven(self.used, now),
        }
    }
}
