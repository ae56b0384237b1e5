//! What to do about a failed attempt: a pure decision.

use crate::{
    config::RetryBounds,
    model::{Failure, Treatment},
};
use std::time::Duration;

/// The first back-off is drawn from 0 to this; each further one from twice the span.
const FIRST_SPAN: Duration = Duration::from_millis(500);

/// No span is longer than this.
const LONGEST_SPAN: Duration = Duration::from_secs(30);

/// How much of a Retry-After is added at random, so that those who were told the same do not
/// come back together.
const RETRY_AFTER_JITTER: f64 = 0.1;

/// What becomes of an interview after a failed attempt.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Wait without a slot, then ask again.
    RetryIn(Duration),
    FailPersona,
    KeepRefusal,
    PauseRun,
    GiveBack,
}

/// How far an interview has come.
pub(super) struct Progress {
    /// Failed attempts of this round, this one included.
    pub failed: u32,
    /// How many of them were of a kind that is retried once.
    pub failed_once_kinds: u32,
    /// On the wire and backing off, all in all. Standing in the line and a run that is paused do
    /// not count: they say nothing about this call.
    pub spent: Duration,
}

/// Decides. `random` is uniform in 0..1: exponential back-off with full jitter, as in "Exponential
/// Backoff And Jitter" (AWS Architecture Blog, 2015), with Retry-After as a floor.
pub(super) fn decide(
    failure: &Failure,
    progress: &Progress,
    bounds: &RetryBounds,
    random: f64,
) -> Decision {
    match failure.kind.treatment() {
        Treatment::FailPersona => return Decision::FailPersona,
        Treatment::KeepRefusal => return Decision::KeepRefusal,
        Treatment::PauseRun => return Decision::PauseRun,
        Treatment::Requeue => return Decision::GiveBack,
        Treatment::RetryOnce if progress.failed_once_kinds > 1 => return Decision::FailPersona,
        Treatment::RetryOnce | Treatment::Retry => {}
    }
    let doublings = progress.failed.saturating_sub(1).min(16);
    let span = (FIRST_SPAN * 2_u32.pow(doublings)).min(LONGEST_SPAN);
    let floor = failure.retry_after.unwrap_or_default();
    let wait = span.mul_f64(random).max(floor.mul_f64(1.0 + RETRY_AFTER_JITTER * random));
    if progress.failed >= bounds.attempts || progress.spent + wait > bounds.total {
        return Decision::FailPersona;
    }
    Decision::RetryIn(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;
    use proptest::prelude::*;

    const BOUNDS: RetryBounds = RetryBounds { attempts: 6, total: Duration::from_secs(600) };

    fn after(kind: FailureKind, failed: u32, random: f64) -> Decision {
        let progress = Progress { failed, failed_once_kinds: failed, spent: Duration::ZERO };
        decide(&Failure::new(kind, "no"), &progress, &BOUNDS, random)
    }

    #[test]
    fn each_treatment_leads_to_its_decision() {
        assert_eq!(after(FailureKind::BadRequest, 1, 0.5), Decision::FailPersona);
        assert_eq!(after(FailureKind::Refused, 1, 0.5), Decision::KeepRefusal);
        assert_eq!(after(FailureKind::KeyRefused, 1, 0.5), Decision::PauseRun);
        assert_eq!(after(FailureKind::Cancelled, 1, 0.5), Decision::GiveBack);
        assert_eq!(after(FailureKind::Malformed, 2, 0.5), Decision::FailPersona);
        let half_of = |ms| Decision::RetryIn(Duration::from_millis(ms) / 2);
        assert_eq!(after(FailureKind::Malformed, 1, 0.5), half_of(500));
        assert_eq!(after(FailureKind::ServerError, 3, 0.5), half_of(2000));
        assert_eq!(after(FailureKind::ServerError, 6, 0.5), Decision::FailPersona);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_below_the_floor_nor_beyond_the_bounds(
            failed in 1_u32..10, random in 0.0..1.0, floor_ms in 0_u64..700_000, spent_s in 0_u64..700,
        ) {
            let floor = Duration::from_millis(floor_ms);
            let mut failure = Failure::new(FailureKind::RateLimitedRequests, "slow down");
            failure.retry_after = Some(floor);
            let spent = Duration::from_secs(spent_s);
            let progress = Progress { failed, failed_once_kinds: 0, spent };
            if let Decision::RetryIn(wait) = decide(&failure, &progress, &BOUNDS, random) {
                prop_assert!(wait >= floor);
                prop_assert!(spent + wait <= BOUNDS.total);
                prop_assert!(failed < BOUNDS.attempts);
            }
        }
    }
}
