//! When the next frame may be drawn: so many a second, and so many bytes a second.

use std::time::Duration;
use tokio::time::Instant;

/// Bytes a second on the average. The line to the terminal may be a phone's.
const BYTES_PER_SECOND: f64 = 28_000.0;
/// Bytes that may be written at once: the first paint of a usual screen.
const BURST: f64 = 20_000.0;

/// A token bucket over bytes, and a smallest distance between frames.
#[derive(Debug)]
pub struct FrameBudget {
    interval: Duration,
    earliest: Instant,
    /// Bytes left; below zero after a large frame.
    left: f64,
    updated: Instant,
}

impl FrameBudget {
    /// At most so many frames a second.
    pub fn new(frames_per_second: u32, now: Instant) -> Self {
        Self {
            interval: Duration::from_secs(1) / frames_per_second.max(1),
            earliest: now,
            left: BURST,
            updated: now,
        }
    }

    /// A frame was drawn, and took so many bytes.
    pub fn drawn(&mut self, bytes: usize, now: Instant) {
        let passed = now.saturating_duration_since(self.updated).as_secs_f64();
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.left = BYTES_PER_SECOND.mul_add(passed, self.left).min(BURST) - bytes;
        self.updated = now;
        let repay = if self.left < 0.0 { -self.left / BYTES_PER_SECOND } else { 0.0 };
        self.earliest = now + self.interval.max(Duration::from_secs_f64(repay));
    }

    /// From when on the next frame may be drawn.
    pub const fn earliest(&self) -> Instant {
        self.earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_are_paced_by_number_and_large_ones_by_bytes() {
        let start = Instant::now();
        let mut budget = FrameBudget::new(20, start);
        assert_eq!(budget.earliest(), start);
        budget.drawn(500, start);
        assert_eq!(budget.earliest() - start, Duration::from_millis(50));
        let (mut now, mut bytes) = (start, 500);
        while now - start < Duration::from_secs(10) {
            now = budget.earliest();
            budget.drawn(8_000, now);
            bytes += 8_000;
        }
        let per_second = f64::from(bytes) / (now - start).as_secs_f64();
        assert!(per_second < 31_000.0, "{per_second}");
    }
}
