//! What to do about a failed attempt: a pure decision.

use crate::{
    config::RetryBounds,
    model::{Failure, FailureKind, Treatment},
};
use std::time::Duration;

/// The first back-off is drawn from 0 to this; each further one from twice the span.
const FIRST_SPAN: Duration = Duration::from_millis(500);

/// No span is longer than this.
const LONGEST_SPAN: Duration = Duration::from_secs(30);

/// An endpoint that asks for a longer wait is out of service.
const LONGEST_FLOOR: Duration = Duration::from_secs(60 * 60);

/// How much of a Retry-After is added at random, so that those who were told the same do not
/// come back together.
const RETRY_AFTER_JITTER: f64 = 0.1;

/// How much higher a cap is raised for an answer that was cut off.
const RAISED_CAP: u32 = 2;

/// The cap for an answer that was cut off under this one.
pub(super) const fn raised(output_cap: u32) -> u32 {
    output_cap.saturating_mul(RAISED_CAP)
}

/// What becomes of a call after a failed attempt.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Wait without a slot, then ask again.
    RetryIn(Duration),
    /// Stand in the line again, which waits as long as the provider asked for.
    Rejoin,
    /// Ask again at once, and say what was wrong.
    Repair,
    /// Ask again at once, with a higher output cap.
    RaiseCap,
    /// The endpoint serves nobody: ask another one at once, if there is one.
    AskElsewhere,
    FailPersona,
    KeepRefusal,
    GiveBack,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Failed attempts of this round, this one included.
    pub failed: u32,
    pub repaired: bool,
    pub cap_raised: bool,
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
    let used_up = progress.failed >= bounds.attempts;
    match failure.kind.treatment() {
        Treatment::FailPersona => return Decision::FailPersona,
        Treatment::KeepRefusal => return Decision::KeepRefusal,
        Treatment::TakeEndpointOut => return Decision::AskElsewhere,
        Treatment::Requeue => return Decision::GiveBack,
        Treatment::Repair if progress.repaired || used_up => return Decision::FailPersona,
        Treatment::RaiseCap if progress.cap_raised || used_up => return Decision::FailPersona,
        Treatment::Repair => return Decision::Repair,
        Treatment::RaiseCap => return Decision::RaiseCap,
        Treatment::Retry => {}
    }
    let floor = failure.retry_after.unwrap_or_default();
    // An endpoint that says to come back next year serves nobody now, and no persona is to blame.
    if floor > LONGEST_FLOOR.max(bounds.total) {
        return Decision::AskElsewhere;
    }
    // Nor is one where the whole quota has to wait: the limiter holds all of its calls back.
    let of_the_quota =
        matches!(failure.kind, FailureKind::RateLimitedRequests | FailureKind::RateLimitedTokens);
    if of_the_quota && floor > bounds.total {
        return Decision::Rejoin;
    }
    let doublings = progress.failed.saturating_sub(1).min(16);
    let span = (FIRST_SPAN * 2_u32.pow(doublings)).min(LONGEST_SPAN);
    let wait = span.mul_f64(random).max(floor.mul_f64(1.0 + RETRY_AFTER_JITTER * random));
    if used_up || progress.spent + wait > bounds.total {
        return Decision::FailPersona;
    }
    Decision::RetryIn(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: RetryBounds = RetryBounds { attempts: 6, total: Duration::from_secs(600) };

    fn after(kind: FailureKind, failed: u32, random: f64) -> Decision {
        let again = failed > 1;
        let progress =
            Progress { failed, repaired: again, cap_raised: again, ..Progress::default() };
        decide(&Failure::new(kind, "no"), &progress, &BOUNDS, random)
    }

    #[test]
    fn each_treatment_leads_to_its_decision() {
        assert_eq!(after(FailureKind::BadRequest, 1, 0.5), Decision::FailPersona);
        assert_eq!(after(FailureKind::Refused, 1, 0.5), Decision::KeepRefusal);
        assert_eq!(after(FailureKind::KeyRefused, 1, 0.5), Decision::AskElsewhere);
        assert_eq!(after(FailureKind::QuotaExhausted, 1, 0.5), Decision::AskElsewhere);
        assert_eq!(after(FailureKind::Cancelled, 1, 0.5), Decision::GiveBack);
        assert_eq!(after(FailureKind::Malformed, 1, 0.5), Decision::Repair);
        assert_eq!(after(FailureKind::Malformed, 2, 0.5), Decision::FailPersona);
        assert_eq!(after(FailureKind::CutOff, 1, 0.5), Decision::RaiseCap);
        assert_eq!(after(FailureKind::CutOff, 2, 0.5), Decision::FailPersona);
        let last = Progress { failed: BOUNDS.attempts, ..Progress::default() };
        let malformed = Failure::new(FailureKind::Malformed, "no");
        assert_eq!(decide(&malformed, &last, &BOUNDS, 0.5), Decision::FailPersona);
        let half_of = |ms| Decision::RetryIn(Duration::from_millis(ms) / 2);
        assert_eq!(after(FailureKind::Overloaded, 1, 0.5), half_of(500));
        assert_eq!(after(FailureKind::ServerError, 3, 0.5), half_of(2000));
        assert_eq!(after(FailureKind::ServerError, 6, 0.5), Decision::FailPersona);
    }

    #[test]
    fn a_retry_after_of_a_year_is_the_endpoints_matter_and_not_a_personas() {
        let mut failure = Failure::new(FailureKind::RateLimitedRequests, "later");
        failure.retry_after = Some(Duration::from_secs(24 * 60 * 60));
        let progress = Progress { failed: 6, ..Progress::default() };
        assert_eq!(decide(&failure, &progress, &BOUNDS, 0.5), Decision::AskElsewhere);
        failure.retry_after = Some(Duration::from_secs(700));
        assert_eq!(decide(&failure, &progress, &BOUNDS, 0.5), Decision::Rejoin);
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
            let progress = Progress { failed, spent, ..Progress::default() };
            if let Decision::RetryIn(wait) = decide(&failure, &progress, &BOUNDS, random) {
                prop_assert!(wait >= floor);
                prop_assert!(spent + wait <= BOUNDS.total);
                prop_assert!(failed < BOUNDS.attempts);
            }
        }
    }
}
