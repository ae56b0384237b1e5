//! What was handed out, counted by the second, and the readings that screens show.

use super::clock::Moment;
use crate::model::{PerMinute, Service, UnixMillis};
use std::time::Duration;

/// The longest span that is read.
const MINUTE: u64 = 60;
/// The span that stands for "now": short enough to show a change, long enough not to flicker.
pub(super) const RECENT: u64 = 15;
/// A power of two that holds a minute and the second it began in.
const SECONDS: usize = 64;

/// One endpoint's numbers at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointReading {
    pub name: String,
    pub model: String,
    /// Permits that are out.
    pub held: u32,
    /// How many may be; after a shrink, fewer than `held` until running calls end.
    pub target: u32,
    /// Calls in the line, whatever they wait for. All endpoints share the line and show the same.
    pub waiting: u32,
    pub requests: RateReading,
    pub tokens: RateReading,
    /// Set while the endpoint is paused.
    pub paused_until: Option<UnixMillis>,
    /// The slots as they were set, where another number is in force.
    pub configured_slots: Option<u32>,
    pub group: Option<String>,
    pub service: Service,
    /// Attempts that gave an answer, and those that did not.
    pub answered: u64,
    pub failed: u64,
    /// What adaptation has made of the rates: 1 is all of them.
    pub adaptation: f64,
    /// From the send to the first byte of an answer, the median of the last ones.
    pub first_byte: Option<Duration>,
}

/// A rate against its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateReading {
    /// A minute: the last 15 seconds, scaled; at the start what has passed of them, at least 1 s.
    pub now: f64,
    /// In the last 60 seconds.
    pub last_minute: u64,
    /// The limit in force; `None` is "no limit".
    pub limit: Option<PerMinute>,
    /// The limit as it was set, where another one is in force.
    pub configured: Option<PerMinute>,
    /// Nobody has set or stated the limit in force: it was found out by what the provider lets in.
    pub found: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    /// Seconds since the epoch; a cell of the ring with another number is out of date.
    number: u64,
    requests: u64,
    tokens: u64,
}

/// Requests and tokens of the last minute, by the second.
#[derive(Clone, Debug)]
pub(super) struct Meter([Second; SECONDS]);

/// What a meter says of one kind of cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) now: f64,
    pub(super) last_minute: u64,
}

fn second_of(at: Moment) -> u64 {
    at.since(Moment::default()).as_secs()
}

impl Meter {
    pub(super) const fn new() -> Self {
        Self([Second { number: 0, requests: 0, tokens: 0 }; SECONDS])
    }

    /// Counts one request and its tokens.
    pub(super) fn count(&mut self, at: Moment, tokens: u64) {
        let number = second_of(at);
        let second = &mut self.0[number as usize % SECONDS];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second.requests += 1;
        second.tokens = second.tokens.saturating_add(tokens);
    }

    /// Takes back a request that was counted at `at` and never sent.
    pub(super) fn uncount(&mut self, at: Moment, tokens: u64) {
        if let Some(second) = self.second_mut(at) {
            second.requests = second.requests.saturating_sub(1);
            second.tokens = second.tokens.saturating_sub(tokens);
        }
    }

    /// Puts right the tokens of a request that was counted at `at`: in its own second, so that
    /// no second ever reads below zero.
    pub(super) fn correct(&mut self, at: Moment, reserved: u64, used: u64) {
        if let Some(second) = self.second_mut(at) {
            second.tokens = second.tokens.saturating_sub(reserved).saturating_add(used);
        }
    }

    /// Requests, then tokens.
    pub(super) fn read(&self, now: Moment) -> (Counted, Counted) {
        (self.counted(now, |second| second.requests), self.counted(now, |second| second.tokens))
    }

    /// Requests and tokens a minute, over the last one: over what has passed of it since the first
    /// of them, at least 1 s.
    pub(super) fn over_a_minute(&self, now: Moment) -> (f64, f64) {
        let last = second_of(now);
        let minute = || {
            self.0.iter().filter(|second| {
                second.requests > 0
                    && last.checked_sub(second.number).is_some_and(|age| age < MINUTE)
            })
        };
        let first = minute().map(|second| second.number).min().unwrap_or(last);
        let elapsed = now.since(Moment::default()).as_secs_f64();
        let scale = MINUTE as f64 / (elapsed - first as f64).clamp(1.0, MINUTE as f64);
        let sum = |cells: fn(&Second) -> u64| minute().map(cells).fold(0, u64::saturating_add);
        (sum(|second| second.requests) as f64 * scale, sum(|second| second.tokens) as f64 * scale)
    }

    fn second_mut(&mut self, at: Moment) -> Option<&mut Second> {
        let number = second_of(at);
        Some(&mut self.0[number as usize % SECONDS]).filter(|second| second.number == number)
    }

    fn counted(&self, now: Moment, cells: impl Fn(&Second) -> u64) -> Counted {
        let elapsed = now.since(Moment::default()).as_secs_f64();
        let covered = elapsed.clamp(1.0, RECENT as f64);
        Counted {
            now: self.sum(now, RECENT, &cells) * MINUTE as f64 / covered,
            last_minute: self.sum(now, MINUTE, &cells).round() as u64,
        }
    }

    /// The cells of the last `span` seconds. The second in which the span begins counts for the
    /// part of it that lies within, so that a steady rate reads steady.
    fn sum(&self, now: Moment, span: u64, cells: impl Fn(&Second) -> u64) -> f64 {
        let last = second_of(now);
        let within = 1.0 - now.since(Moment::default()).subsec_nanos() as f64 / 1e9;
        let mut whole = 0_u64;
        let mut first = 0.0;
        for second in &self.0 {
            match last.checked_sub(second.number) {
                Some(age) if age < span => whole = whole.saturating_add(cells(second)),
                Some(age) if age == span => first += cells(second) as f64 * within,
                _ => {}
            }
        }
        whole as f64 + first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: f64) -> Moment {
        Moment::default().plus(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn a_steady_rate_reads_steady() {
        let mut meter = Meter::new();
        for tenth in 0..2_000_u32 {
            let now = f64::from(tenth) / 10.0;
            meter.count(at(now), 50);
            if now >= 60.0 {
                let (requests, tokens) = meter.read(at(now));
                assert!((requests.now - 600.0).abs() <= 4.1, "{requests:?} at {now}");
                assert!(requests.last_minute.abs_diff(600) <= 1, "{requests:?} at {now}");
                assert_eq!(tokens.last_minute.div_ceil(50), requests.last_minute);
            }
        }
    }

    #[test]
    fn the_start_is_scaled_by_what_has_passed_and_at_least_a_second() {
        let mut meter = Meter::new();
        for _ in 0..10 {
            meter.count(at(0.1), 0);
        }
        let (requests, _) = meter.read(at(0.2));
        assert_eq!(requests, Counted { now: 600.0, last_minute: 10 });
        let (requests, _) = meter.read(at(5.0));
        assert_eq!(requests, Counted { now: 120.0, last_minute: 10 });
        let (requests, _) = meter.read(at(17.0));
        assert_eq!(requests, Counted { now: 0.0, last_minute: 10 });
        let (requests, _) = meter.read(at(61.0));
        assert_eq!(requests.last_minute, 0);
        let (requests, _) = meter.read(at(64.5));
        assert_eq!(requests.last_minute, 0, "the ring came round to the first second again");
    }

    #[test]
    fn a_minute_tells_more_than_the_moment_after_a_pause() {
        let mut meter = Meter::new();
        for tenth in 0..300 {
            meter.count(at(100.0 + f64::from(tenth) / 10.0), 50);
        }
        assert_eq!(meter.over_a_minute(at(130.0)), (600.0, 30_000.0));
        meter.count(at(150.0), 50);
        assert_eq!(meter.read(at(150.5)).0.now, 4.0);
        let (requests, _) = meter.over_a_minute(at(150.5));
        assert!((350.0..361.0).contains(&requests), "{requests}");
        assert_eq!(meter.over_a_minute(at(500.0)), (0.0, 0.0));
        meter.count(at(500.2), 50);
        assert_eq!(meter.over_a_minute(at(500.4)).0, 60.0);
    }

    #[test]
    fn corrections_go_to_the_second_that_was_counted() {
        let mut meter = Meter::new();
        meter.count(at(1.0), 1_000);
        meter.count(at(1.0), 1_000);
        meter.correct(at(1.0), 1_000, 400);
        meter.uncount(at(1.0), 1_000);
        let (requests, tokens) = meter.read(at(2.0));
        assert_eq!((requests.last_minute, tokens.last_minute), (1, 400));

        meter.count(at(65.0), 10);
        meter.correct(at(1.0), 400, 100_000);
        assert_eq!(meter.read(at(66.0)).1.last_minute, 10, "a second long gone is left alone");
    }
}
