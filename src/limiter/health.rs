//! Whether an endpoint is asked at all: one that fails cools down and comes back by itself.

use super::clock::Moment;
use crate::model::{Failure, Service, UnixMillis};
use std::time::Duration;

/// Failures in a row before an endpoint cools down.
const FAILURES: u32 = 3;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) enum Health {
    /// With the failures since the last reply that was one.
    Well { failures: u32 },
    /// Nothing is sent until then; afterwards one request at a time finds out.
    Cooling { until: Moment, wall: UnixMillis, pauses: u32, failure: Failure },
    /// Until a person mends it.
    Out { failure: Failure },
}

impl Default for Health {
    fn default() -> Self {
        Self::Well { failures: 0 }
    }
}

impl Health {
    /// It served: whatever it was, it is over. One that is out stays so, since what was in flight
    /// when its key was refused may still be answered. True where it is back from a pause.
    pub(super) fn served(&mut self, now: Moment) -> bool {
        let back = matches!(self, Self::Cooling { until, .. } if *until <= now);
        if !self.is_out() {
            *self = Self::default();
        }
        back
    }

    /// It failed. True where it cools down from now on. `random` is uniform in 0..1.
    pub(super) fn failed(&mut self, failure: &Failure, random: f64, now: Moment) -> bool {
        let pauses = match self {
            Self::Well { failures } if *failures + 1 < FAILURES => {
                *failures += 1;
                return false;
            }
            Self::Well { .. } => 0,
            Self::Cooling { until, pauses, .. } if *until <= now => *pauses,
            // What was in flight when it began fails too, and says nothing new.
            Self::Cooling { .. } | Self::Out { .. } => return false,
        };
        let pause = (FIRST_PAUSE * 2_u32.pow(pauses.min(16))).min(LONGEST_PAUSE);
        // Half of it at random, so that several runs do not knock at the same moment.
        let pause = pause.mul_f64(0.75 + 0.5 * random);
        let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        *self = Self::Cooling {
            until: now.plus(pause),
            wall: UnixMillis(UnixMillis::now().0.saturating_add(millis)),
            pauses: pauses + 1,
            failure: failure.clone(),
        };
        true
    }

    pub(super) fn take_out(&mut self, failure: Failure) {
        *self = Self::Out { failure };
    }

    /// A person has mended what was wrong; `Some` where it had been out.
    pub(super) fn put_back(&mut self) -> Option<()> {
        self.is_out().then(|| *self = Self::default())
    }

    pub(super) const fn is_well(&self) -> bool {
        matches!(self, Self::Well { .. })
    }

    pub(super) const fn is_out(&self) -> bool {
        matches!(self, Self::Out { .. })
    }

    /// When it may be asked, with `held` requests under way; `None` is not until something else
    /// happens.
    pub(super) fn ready_at(&self, held: u32, now: Moment) -> Option<Moment> {
        match self {
            Self::Well { .. } => Some(Moment::default()),
            Self::Cooling { until, .. } if *until > now => Some(*until),
            Self::Cooling { .. } if held == 0 => Some(Moment::default()),
            Self::Cooling { .. } | Self::Out { .. } => None,
        }
    }

    /// As screens show it.
    pub(super) fn service(&self) -> Service {
        match self {
            Self::Well { .. } => Service::InService,
            Self::Cooling { wall, failure, .. } => {
                let until = (*wall).max(UnixMillis::now());
                Service::CoolingDown { until, failure: failure.clone() }
            }
            Self::Out { failure } => Service::OutOfService { failure: failure.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    fn at(seconds: f64) -> Moment {
        Moment::default().plus(Duration::from_secs_f64(seconds))
    }

    fn broken() -> Failure {
        Failure::new(FailureKind::Connection, "Connection refused")
    }

    #[test]
    fn it_cools_down_after_failures_in_a_row_and_longer_each_time() {
        let mut health = Health::default();
        assert!(!health.failed(&broken(), 0.5, at(0.0)));
        assert!(!health.failed(&broken(), 0.5, at(0.0)));
        assert!(!health.served(at(0.0)));
        assert!(!health.failed(&broken(), 0.5, at(0.0)));
        assert!(!health.failed(&broken(), 0.5, at(0.0)));
        assert!(health.failed(&broken(), 0.5, at(0.0)));
        assert!(!health.failed(&broken(), 0.5, at(0.1)), "it was in flight");
        assert_eq!(health.ready_at(0, at(0.5)), Some(at(1.0)));
        assert_eq!(health.ready_at(0, at(1.0)), Some(at(0.0)), "now");
        assert_eq!(health.ready_at(1, at(1.0)), None, "one at a time finds out");
        assert!(health.failed(&broken(), 0.5, at(1.1)));
        assert_eq!(health.ready_at(0, at(2.0)), Some(at(3.1)));
        assert_eq!(health.ready_at(0, at(3.2)), Some(at(0.0)));
        assert!(health.served(at(3.2)));
        assert_eq!(health.ready_at(7, at(3.3)), Some(at(0.0)));
    }

    #[test]
    fn one_that_is_out_comes_back_only_by_a_person() {
        let mut health = Health::default();
        health.take_out(Failure::new(FailureKind::KeyRefused, "no such key"));
        assert!(!health.served(at(0.0)));
        assert!(!health.failed(&broken(), 0.5, at(0.0)));
        assert_eq!(health.ready_at(0, at(9e9)), None);
        assert!(matches!(health.service(), Service::OutOfService { .. }));
        assert_eq!(health.put_back(), Some(()));
        assert_eq!(health.ready_at(0, at(0.0)), Some(at(0.0)));
    }
}
