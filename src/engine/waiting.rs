//! What every kind of call waits for: a permit with the money for it, and the time between two
//! attempts; and what becomes of both where nobody counted what an attempt took.

use super::{
    fact::{Ending, Fact},
    interview::Interviewer,
    ledger::{Reservation, Short},
};
use crate::{
    limiter::{Permit, PermitRequest, Priority},
    model::{Attempt, EndpointIndex, FailureKind, Stage, Tokens, UnixMillis, Usage, Usd},
};
use std::{sync::atomic::Ordering, time::Duration};

/// A provider that asks for so long a wait is worth a line in the log.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// What an attempt goes out with.
pub(super) struct Clearance {
    pub permit: Permit,
    pub money: Reservation,
}

impl Interviewer {
    /// A permit, and the money for what it allows; `most` is what the call can cost at an
    /// endpoint. Where there is none, the permit goes back unused, and nothing is held while others
    /// spend less than they had reserved.
    pub(super) async fn clearance(
        &self,
        stage: Stage,
        request: PermitRequest,
        most: impl Fn(EndpointIndex) -> Usd,
    ) -> Result<Clearance, Ending> {
        let Self { limiter, ledger, .. } = self;
        let mut request = request;
        loop {
            let mut settled = std::pin::pin!(ledger.settled());
            let permit = limiter.permit(request).await;
            settled.as_mut().enable();
            match ledger.reserve(most(permit.endpoint())) {
                Ok(money) => return Ok(Clearance { permit, money }),
                Err(Short::ForGood { spent, budget }) => {
                    // The budget has no room for this call here; a cheaper endpoint may do.
                    request.avoided = request.avoided.with(permit.endpoint());
                    if !limiter.serves_beside(request.avoided) {
                        return Err(Ending::OverBudget { spent, budget });
                    }
                }
                Err(Short::ForNow) => {
                    drop(permit);
                    if self.leaves_off(stage) {
                        return Err(Ending::GaveBack);
                    }
                    settled.await;
                }
            }
            request.priority = Priority::FollowUp;
        }
    }

    pub(super) async fn back_off(&self, attempt: Box<Attempt>, wait: Duration) {
        let persona = attempt.persona;
        if wait >= LONG_WAIT {
            tracing::warn!("persona {persona} waits {} s", wait.as_secs());
        }
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let until = UnixMillis(UnixMillis::now().0.saturating_add(wait_ms));
        self.tell(Fact::BackedOff { attempt, until });
        tokio::time::sleep(wait).await;
        self.tell(Fact::RejoinedLine { persona });
    }

    /// Another attempt follows at once.
    pub(super) fn again(&self, attempt: Box<Attempt>) {
        let persona = attempt.persona;
        self.tell(Fact::BackedOff { attempt, until: UnixMillis::now() });
        self.tell(Fact::RejoinedLine { persona });
    }

    /// Whether a call of this stage is to be left off before its next attempt.
    pub(super) fn leaves_off(&self, stage: Stage) -> bool {
        self.stopping.load(Ordering::Acquire)
            || stage.is_of_interview() && self.moves_to_batches.load(Ordering::Acquire)
    }
}

/// Gives the slot back after an attempt that nobody counted, with what it may have cost.
pub(super) fn settle_uncounted(
    permit: Permit,
    money: Reservation,
    status: Option<u16>,
    failure: Option<FailureKind>,
) {
    match (status, failure) {
        // Nobody was there to count a token.
        (None, Some(FailureKind::Connection)) => {
            permit.settle(Tokens(0));
            money.give_back();
        }
        // A proxy's page is not billed.
        (Some(200), Some(FailureKind::Connection)) => {
            drop(permit);
            money.give_back();
        }
        // It may have been answered, and billed, all the same.
        (None, _) | (Some(200), _) => {
            drop(permit);
            money.settle_in_full();
        }
        // An error is not billed; without a count the reserved rate stands, since a failed request
        // counts as well.
        (Some(_), _) => {
            drop(permit);
            money.give_back();
        }
    }
}

/// All tokens of a call.
pub(super) const fn total(usage: &Usage) -> Tokens {
    Tokens(usage.prompt_tokens.saturating_add(usage.completion_tokens))
}
