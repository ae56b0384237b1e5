//! What interviews tell the supervisor. Facts are past: nothing can refuse them.

use super::{
    analysis::{Given, Piece},
    batches::BatchFact,
    interview::LeftOff,
    packing::Packed,
    talks::Said,
};
use crate::{
    model::{Attempt, Failure, Fate, PersonaIndex, Step, UnixMillis, Usd},
    store::Record,
};

/// One thing that happened in an interview.
pub(super) enum Fact {
    /// A request went out.
    Sent { persona: PersonaIndex },
    /// An attempt failed and the interview waits before the next one.
    BackedOff { attempt: Box<Attempt>, until: UnixMillis },
    /// The pause is over and the interview is in the line again.
    RejoinedLine { persona: PersonaIndex },
    /// A stage of the interview is over, and another one follows.
    Stepped { persona: PersonaIndex, attempt: Option<Box<Attempt>>, steps: NewSteps },
    /// From the runner of batches.
    OfBatches(BatchFact),
    /// The interview's task ended.
    Ended {
        persona: PersonaIndex,
        /// The persona's own, where it has one.
        weight: Option<f64>,
        last: Option<Box<Attempt>>,
        steps: NewSteps,
        /// All of it, where the interview may go on one day.
        left_off: LeftOff,
        ending: Ending,
    },
    /// The call of a pack ended.
    Packed(Box<Packed>),
    /// A call of a talk ended.
    Said(Box<Said>),
    /// A piece of the analysis was asked for, to an end.
    PieceEnded { piece: Piece, last: Option<Box<Attempt>>, given: Result<Given, Ending> },
}

/// Steps that are not on file yet.
#[derive(Default)]
pub(super) struct NewSteps {
    /// The number of the first of them.
    pub first: u32,
    pub steps: Vec<Step>,
}

impl NewSteps {
    /// What is to be on file of them.
    pub(super) fn records(self, persona: PersonaIndex) -> impl Iterator<Item = Record> {
        let Self { first, steps } = self;
        let numbered = (first..).zip(steps);
        numbered.map(move |(number, step)| Record::Stepped {
            persona,
            number,
            step: Box::new(step),
        })
    }
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
