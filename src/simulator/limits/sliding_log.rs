//! A sliding log.

use super::{Gauge, Meter, window::fitted};
use crate::simulator::time::whole_millis;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Remembers what was let in during the window that ends now.
#[derive(Clone, Debug)]
pub struct SlidingLog {
    per_minute: u32,
    /// As it was asked for; see [`fitted`].
    asked: Duration,
    capacity: u64,
    length: Duration,
    /// The oldest first.
    entries: VecDeque<Entry>,
    used: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    leaves_at: Instant,
    amount: u64,
}

impl SlidingLog {
    pub fn new(per_minute: u32, window: Duration) -> Self {
        let (capacity, length) = fitted(per_minute, window);
        let entries = VecDeque::new();
        Self { per_minute, asked: window, capacity, length, entries, used: 0 }
    }

    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.entries.front()
            && oldest.leaves_at <= now
        {
            self.used -= oldest.amount;
            self.entries.pop_front();
        }
    }
}

impl Meter for SlidingLog {
    fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// What is more than the window holds is let in when it is empty, and stays in it for longer.
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        self.forget(now);
        let mut too_much = (self.used + amount.min(self.capacity)).saturating_sub(self.capacity);
        for entry in &self.entries {
            if too_much == 0 {
                break;
            }
            too_much = too_much.saturating_sub(entry.amount);
            if too_much == 0 {
                return whole_millis(entry.leaves_at.saturating_duration_since(now));
            }
        }
        Duration::ZERO
    }

    fn take(&mut self, amount: u64, now: Instant) -> Duration {
        self.forget(now);
        let windows = (amount as f64 / self.capacity as f64).max(1.0);
        self.entries.push_back(Entry { leaves_at: now + self.length.mul_f64(windows), amount });
        self.used += amount;
        Duration::ZERO
    }

    /// What is in the log stays in it as long as it would have.
    fn set_rate(&mut self, per_minute: u32, _now: Instant) {
        self.per_minute = per_minute;
        (self.capacity, self.length) = fitted(per_minute, self.asked);
    }

    fn gauge(&mut self, now: Instant) -> Gauge {
        self.forget(now);
        let remaining = self.capacity.saturating_sub(self.used);
        let full_in = self.entries.back().map_or(Duration::ZERO, |newest| {
            whole_millis(newest.leaves_at.saturating_duration_since(now))
        });
        Gauge {
            limit: self.per_minute,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            full_in,
        }
    }
}
