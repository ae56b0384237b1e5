//! What follows from what came of a line: pure decisions.

use crate::{
    config::RetryBounds,
    engine::{
        interview::gave_nothing,
        retry::{self, Decision, Progress},
    },
    model::{Failure, Fate, Stage, StepEvent},
    store::BatchLine,
};
use std::time::Duration;

/// What a call carries over from the attempts before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    pub failed: u32,
    pub repaired: bool,
    pub cap_raised: bool,
    /// The last attempt gave words of the model's own that are to be repaired.
    pub own_words: bool,
}

impl Carried {
    pub(super) const fn of(line: &BatchLine) -> Self {
        Self {
            failed: line.failed,
            repaired: line.repaired,
            cap_raised: line.cap_raised,
            own_words: false,
        }
    }
}

/// What becomes of a call after an attempt that failed.
#[derive(Debug)]
pub(super) enum After {
    /// It is asked again, in the next batch.
    Again(Carried),
    /// The interview goes on without it.
    GoesOn(Vec<StepEvent>),
    Ends(Fate),
}

/// Decides. Waits mean nothing here: the next batch comes when it comes.
pub(super) fn after(
    failure: &Failure,
    stage: Stage,
    before: Carried,
    own_words: bool,
    bounds: &RetryBounds,
) -> After {
    let failed = before.failed + 1;
    let Carried { repaired, cap_raised, .. } = before;
    let progress = Progress { failed, repaired, cap_raised, spent: Duration::ZERO };
    let again = Carried { failed, repaired, cap_raised, own_words: false };
    let bounds = RetryBounds { total: Duration::MAX, ..*bounds };
    let fate = match retry::decide(failure, &progress, &bounds, 0.0) {
        Decision::RetryIn(_) | Decision::Rejoin | Decision::GiveBack => return After::Again(again),
        // A key or a quota is nothing that a persona is to blame for, and yet it has an end.
        Decision::AskElsewhere if failed < bounds.attempts => return After::Again(again),
        Decision::Repair => return After::Again(Carried { repaired: true, own_words, ..again }),
        Decision::RaiseCap => return After::Again(Carried { cap_raised: true, ..again }),
        Decision::FailPersona | Decision::AskElsewhere => Fate::Failed(failure.clone()),
        Decision::KeepRefusal => Fate::Refused { reason: failure.message.clone() },
    };
    match gave_nothing(stage, &fate) {
        Some(events) => After::GoesOn(events),
        None => After::Ends(fate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    const BOUNDS: RetryBounds = RetryBounds { attempts: 3, total: Duration::from_secs(1) };

    fn after_of(kind: FailureKind, stage: Stage, before: Carried) -> After {
        after(&Failure::new(kind, "no"), stage, before, true, &BOUNDS)
    }

    #[test]
    fn a_line_is_asked_again_as_often_as_a_call_and_repaired_once() {
        let mut carried = Carried::default();
        for failed in 1..3 {
            match after_of(FailureKind::ServerError, Stage::Answer, carried) {
                After::Again(next) => carried = next,
                other => panic!("{other:?}"),
            }
            assert_eq!(carried.failed, failed);
        }
        let last = after_of(FailureKind::ServerError, Stage::Review, carried);
        assert!(matches!(last, After::Ends(Fate::Failed(_))), "{last:?}");
        let After::Again(repair) =
            after_of(FailureKind::Malformed, Stage::Answer, Carried::default())
        else {
            panic!("it is repaired")
        };
        assert!(repair.repaired && repair.own_words);
        let ends = after_of(FailureKind::Malformed, Stage::Answer, repair);
        assert!(matches!(ends, After::Ends(Fate::Failed(_))), "{ends:?}");
        let goes_on = after_of(FailureKind::Malformed, Stage::Review, repair);
        assert!(matches!(goes_on, After::GoesOn(_)), "{goes_on:?}");
        let refused = after_of(FailureKind::Refused, Stage::Answer, Carried::default());
        assert!(matches!(refused, After::Ends(Fate::Refused { .. })), "{refused:?}");
        for failed in 0..2 {
            let before = Carried { failed, ..Carried::default() };
            let key = after_of(FailureKind::KeyRefused, Stage::Answer, before);
            assert_eq!(matches!(key, After::Again(_)), failed < 2, "{key:?}");
        }
    }
}
