//! Time as the limiter counts it: nanoseconds on tokio's clock since the limiter was made.

use governor::{clock::Clock, nanos::Nanos};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A point in time, in nanoseconds since the [`Epoch`]. Its arithmetic saturates: a provider may
/// ask for any wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(super) const fn nanos(self) -> u64 {
        self.0
    }

    pub(super) fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not.
    pub(super) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The moment that all others are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Moment {
        Moment::default().plus(self.0.elapsed())
    }

    /// The same moment for tokio's timers. One too far for them comes back as tomorrow: whoever
    /// wakes then looks again.
    pub(super) fn instant(self, moment: Moment) -> Instant {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        self.0.checked_add(Duration::from_nanos(moment.0)).unwrap_or_else(|| Instant::now() + DAY)
    }
}

/// The clock that governor reads: it stands at the moment it was last set to, so that a whole
/// pass of the dispatcher reads the time once. It stands at zero while a rate limiter is built,
/// which makes governor count from the epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct StandingClock(Arc<AtomicU64>);

impl StandingClock {
    pub(super) fn set(&self, now: Moment) {
        self.0.store(now.0, Ordering::Release);
    }
}

impl Clock for StandingClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Acquire))
    }
}
