//! When the next frame may be drawn: so many a second, and so many bytes a second, and on a thin
//! line not before the last one has arrived.

use super::{
    line::{Learner, LineRate},
    output::Written,
};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes a second on the average, on a line of which nothing is known.
const BYTES_PER_SECOND: f64 = 28_000.0;
/// Bytes that may be written at once: the first paint of a usual screen.
const BURST: f64 = 20_000.0;
/// On a thin line, what may still be under way when the next frame is drawn, in seconds.
const UNDER_WAY: f64 = 0.25;

/// A token bucket over bytes, and a smallest distance between frames.
#[derive(Debug)]
pub struct FrameBudget {
    interval: Duration,
    /// What the user says of the line.
    told: Option<LineRate>,
    learner: Learner,
    earliest: Instant,
    /// From when on a frame may be drawn that answers a key.
    earliest_answer: Instant,
    /// Bytes left; below zero after a large frame.
    left: f64,
    updated: Instant,
}

impl FrameBudget {
    /// At most so many frames a second, and no more bytes than the line carries.
    pub fn new(frames_per_second: u32, told: Option<LineRate>, now: Instant) -> Self {
        Self {
            interval: Duration::from_secs(1) / frames_per_second.max(1),
            told,
            learner: Learner::new(now),
            earliest: now,
            earliest_answer: now,
            left: BURST,
            updated: now,
        }
    }

    /// Bytes were handed over, those of a frame or others.
    pub fn sent(&mut self, bytes: usize, now: Instant) {
        let line = self.told.or_else(|| self.learner.rate(now)).map(LineRate::for_frames);
        let thin = line.filter(|&rate| rate < BYTES_PER_SECOND);
        let rate = thin.unwrap_or(BYTES_PER_SECOND);
        let burst = thin.map_or(BURST, |rate| rate * UNDER_WAY);
        let passed = now.saturating_duration_since(self.updated).as_secs_f64();
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.left = rate.mul_add(passed, self.left).min(burst) - bytes;
        self.updated = now;
        let repay = if self.left < 0.0 { -self.left / rate } else { 0.0 };
        let repaid = now + Duration::from_secs_f64(repay);
        self.earliest = repaid.max(now + self.interval);
        // On a usual line a key is answered at once, whatever the average.
        self.earliest_answer = if thin.is_some() { repaid } else { now };
    }

    /// Bytes were written.
    pub fn written(&mut self, written: &Written, now: Instant) {
        if self.learner.written(written, now) {
            // What was written before was written too fast, and has been waited for.
            self.left = 0.0;
            self.updated = now;
            self.sent(written.bytes, now);
        }
    }

    /// From when on the next frame may be drawn; one that answers a key may come earlier.
    pub const fn earliest(&self, answers: bool) -> Instant {
        if answers { self.earliest_answer } else { self.earliest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_are_paced_by_number_and_large_ones_by_bytes() {
        let start = Instant::now();
        let mut budget = FrameBudget::new(20, None, start);
        assert_eq!(budget.earliest(false), start);
        budget.sent(500, start);
        assert_eq!(budget.earliest(false) - start, Duration::from_millis(50));
        let (mut now, mut bytes) = (start, 500);
        while now - start < Duration::from_secs(10) {
            now = budget.earliest(false);
            budget.sent(8_000, now);
            assert_eq!(budget.earliest(true), now, "a key is answered at once");
            bytes += 8_000;
        }
        let per_second = f64::from(bytes) / (now - start).as_secs_f64();
        assert!(per_second < 31_000.0, "{per_second}");
    }

    /// However frames and keys come, no more is under way than one frame.
    #[test]
    fn on_a_thin_line_a_frame_waits_for_the_last_one_also_where_it_answers_a_key() {
        let start = Instant::now();
        let mut budget = FrameBudget::new(20, Some(LineRate::bytes_per_second(1_000)), start);
        let (mut now, mut under_way) = (start, 0.0_f64);
        for (frame, bytes) in [10_000, 300, 2_000, 40, 40, 3_000, 500].into_iter().enumerate() {
            let next = budget.earliest(frame % 2 == 0).max(now);
            under_way = (under_way - (next - now).as_secs_f64() * 1_000.0).max(0.0);
            assert!(under_way <= 250.0, "{under_way} before frame {frame}");
            now = next;
            under_way += f64::from(bytes);
            budget.sent(bytes.try_into().unwrap(), now);
        }
        assert!(now - start < Duration::from_secs(25), "{:?}", now - start);
    }

    #[test]
    fn a_line_that_proves_thin_is_paced_from_then_on() {
        let start = Instant::now();
        let mut budget = FrameBudget::new(20, None, start);
        let mut now = start;
        for _ in 0..2 {
            budget.sent(3_000, now);
            now += Duration::from_secs(3);
            budget.written(&Written { bytes: 3_000, took: Duration::from_secs(3) }, now);
        }
        assert!(budget.earliest(true) - now > Duration::from_secs(3));
    }
}
