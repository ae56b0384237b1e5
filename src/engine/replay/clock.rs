//! The run's time, from the time of who watches.

use crate::model::{Speed, UnixMillis};
use std::time::Duration;

/// A stretch of the run that is shorter is never left out.
const LONG: Duration = Duration::from_secs(60);
/// Nor is one that takes no longer to watch.
const WATCHED_ANYWAY: Duration = Duration::from_secs(3);
/// For so long the quiet is watched before the rest of it is left out, and again before it ends.
const SHOWN: Duration = Duration::from_secs(1);

/// Where a replay is in the run.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    at: Duration,
    start: UnixMillis,
    speed: Speed,
    paused: bool,
    /// For how long who watches has seen nothing happen.
    quiet: Duration,
}

impl Clock {
    /// At the start of a run.
    pub(super) const fn new(start: UnixMillis, speed: Speed) -> Self {
        Self { at: Duration::ZERO, start, speed, paused: false, quiet: Duration::ZERO }
    }

    /// The run's time.
    pub(super) fn now(&self) -> UnixMillis {
        let passed = i64::try_from(self.at.as_millis()).unwrap_or(i64::MAX);
        UnixMillis(self.start.0.saturating_add(passed))
    }

    pub(super) const fn speed(&self) -> Speed {
        self.speed
    }

    pub(super) const fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    pub(super) const fn paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Somebody has watched for so long, and the next thing happens at `next`. A long stretch in
    /// which nothing does is not watched to its end; returns how much of it is left out.
    pub(super) fn pass(&mut self, watched: Duration, next: UnixMillis) -> Option<Duration> {
        if self.paused {
            return None;
        }
        self.at += self.speed.of(watched);
        self.quiet += watched;
        let ahead = next.since(self.now());
        let lead = self.speed.of(SHOWN).min(LONG);
        let dull = ahead > LONG && self.speed.watching(ahead) > WATCHED_ANYWAY;
        if !dull || self.quiet < SHOWN {
            return None;
        }
        self.at += ahead - lead;
        Some(ahead - lead)
    }

    /// Something has happened.
    pub(super) const fn happened(&mut self) {
        self.quiet = Duration::ZERO;
    }

    /// The run has not come further than this: what follows is not there yet.
    pub(super) fn hold(&mut self, at: UnixMillis) {
        self.at = self.at.min(at.since(self.start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: UnixMillis = UnixMillis(1_700_000_000_000);
    const TICK: Duration = Duration::from_millis(100);

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(START.0 + seconds * 1000)
    }

    fn clock(speed: &str) -> Clock {
        Clock::new(START, speed.parse().unwrap())
    }

    /// Watches until `next`; how long that takes, and what was left out.
    fn watch(clock: &mut Clock, next: UnixMillis) -> (Duration, Duration) {
        let (mut watched, mut left_out) = (Duration::ZERO, Duration::ZERO);
        while clock.now() < next {
            left_out += clock.pass(TICK, next).unwrap_or_default();
            watched += TICK;
        }
        clock.happened();
        (watched, left_out)
    }

    #[test]
    fn the_run_passes_at_the_speed_that_is_set() {
        let mut clock = clock("20x");
        assert_eq!(watch(&mut clock, at(40)), (Duration::from_secs(2), Duration::ZERO));
        clock.set_speed("0.5x".parse().unwrap());
        assert_eq!(watch(&mut clock, at(45)), (Duration::from_secs(10), Duration::ZERO));
        clock.pause(true);
        assert_eq!(clock.pass(Duration::from_secs(60), at(100_000)), None);
        assert_eq!(clock.now(), at(45));
    }

    #[test]
    fn a_night_is_left_out_but_for_a_moment_at_either_end() {
        let mut clock = clock("20x");
        let night = 8 * 3600;
        let (watched, left_out) = watch(&mut clock, at(night));
        assert_eq!(watched, Duration::from_secs(2));
        assert_eq!(left_out, Duration::from_secs(night.unsigned_abs() - 40));
        assert_eq!(clock.now(), at(night));
    }

    #[test]
    fn a_run_that_is_only_slow_is_watched_as_it_was() {
        // A minute between two answers.
        let mut clock = clock("1x");
        assert_eq!(watch(&mut clock, at(60)).1, Duration::ZERO);
        // Ten minutes, at a speed that makes a second of them.
        let mut clock = self::clock("600x");
        assert_eq!(watch(&mut clock, at(600)), (Duration::from_secs(1), Duration::ZERO));
    }

    #[test]
    fn what_is_not_there_yet_is_waited_for() {
        let mut clock = clock("10000x");
        clock.pass(Duration::from_secs(1), at(20_000));
        clock.hold(at(5));
        assert_eq!(clock.now(), at(5));
        clock.hold(at(50));
        assert_eq!(clock.now(), at(5), "held back, never pushed on");
    }

    proptest! {
        #[test]
        fn it_never_leaves_out_what_happens(
            gaps in proptest::collection::vec(0_i64..100_000, 1..20),
            tenths in 1_u32..100_000,
        ) {
            let mut clock = clock(&format!("{}x", f64::from(tenths) / 10.0));
            let mut next = START;
            for gap in gaps {
                next = UnixMillis(next.0 + gap * 100);
                while clock.now() < next {
                    let before = clock.now();
                    let left_out = clock.pass(TICK, next);
                    prop_assert!(clock.now() > before || tenths < 10);
                    prop_assert!(left_out.is_none() || clock.now() < next);
                }
                clock.hold(next);
                clock.happened();
                prop_assert_eq!(clock.now(), next);
            }
        }
    }
}
