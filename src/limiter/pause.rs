//! A time in which nothing goes, because a provider said so.

use super::clock::Moment;
use crate::model::UnixMillis;
use std::time::Duration;

/// A Retry-After is a floor: this much of it is added at random at most, so that those who were
/// told the same do not come back together.
const JITTER: f64 = 0.1;

/// The end of the last pause, past or to come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    until: Moment,
    /// The same by the wall clock, fixed when the pause was set so that it reads the same twice.
    wall: UnixMillis,
}

impl Pause {
    /// Lasts `wait` from now on. A shorter pause than the one that holds changes nothing.
    pub(super) fn extend(&mut self, wait: Duration, now: Moment) {
        let until = now.plus(wait);
        if until > self.until {
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let wall = UnixMillis(UnixMillis::now().0.saturating_add(millis));
            *self = Self { until, wall };
        }
    }

    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    pub(super) const fn until(&self) -> Moment {
        self.until
    }

    /// The end of the pause for screens, while there is one.
    pub(super) fn shown(&self, now: Moment) -> Option<UnixMillis> {
        (self.until > now).then_some(self.wall)
    }
}

/// As long as a server asked for, and a little longer; `random` is uniform in 0..1.
pub(super) fn jittered(retry_after: Duration, random: f64) -> Duration {
    retry_after.saturating_add(retry_after.mul_f64(JITTER * random))
}
