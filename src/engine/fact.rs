//! What interviews tell the supervisor. Facts are past: nothing can refuse them.

use crate::model::{Attempt, Failure, Fate, PersonaIndex, UnixMillis, Usd};

/// One thing that happened in an interview.
pub(super) enum Fact {
    /// A request went out.
    Sent { persona: PersonaIndex },
    /// An attempt failed and the interview waits before the next one.
    BackedOff { attempt: Box<Attempt>, until: UnixMillis },
    /// The pause is over and the interview is in the line again.
    RejoinedLine { persona: PersonaIndex },
    /// The interview's task ended.
    Ended { persona: PersonaIndex, last: Option<Box<Attempt>>, attempts: u32, ending: Ending },
}

/// How an interview's task ended.
pub(super) enum Ending {
    /// For good.
    Settled(Fate),
    /// The run is stopping: the persona goes back to the queue.
    GaveBack,
    /// The provider will serve nobody: the persona goes back and the run pauses.
    ProviderRefused(Failure),
    /// The budget has no room for it: likewise.
    OverBudget { spent: Usd, budget: Usd },
    /// No connection, and nobody else has had one lately: likewise.
    FoundNobody(Failure),
}
