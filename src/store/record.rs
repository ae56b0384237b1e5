//! What the writer is told, and what it tells.

use super::{Kept, Spending};
use crate::model::{
    Analysis, Attempt, Digest, Fate, InterviewStatus, LimitChange, PersonaIndex, RunPhase,
    RunSummary, Step, Turn,
};

/// One fact to be kept.
#[derive(Clone, Debug)]
pub enum Record {
    Attempted(Box<Attempt>),
    /// Something happened in an interview of several stages; `number` counts its steps from 0.
    Stepped {
        persona: PersonaIndex,
        number: u32,
        step: Box<Step>,
    },
    /// Something was said in a talk with a persona; `number` counts its turns from 0.
    Talked {
        persona: PersonaIndex,
        number: u32,
        turn: Box<Turn>,
    },
    /// A persona answered in one call with others: so many in all.
    Packed {
        persona: PersonaIndex,
        personas: u32,
    },
    /// The interview is over. `attempts` counts all it ever took.
    Finished {
        persona: PersonaIndex,
        fate: Fate,
        attempts: u32,
    },
    /// An interview that was over goes back to the queue: its fate is dropped, its attempts stay.
    Requeued {
        persona: PersonaIndex,
    },
    /// A group of answers, or of digests, was digested.
    Digested(Box<Digest>),
    /// All answers were summarized.
    Analysed(Box<Analysis>),
    LimitChanged(LimitChange),
    /// Adaptation was switched on or off: a run that goes on later goes on so.
    AdaptationSwitched {
        on: bool,
    },
    /// More money may be spent from now on. `kept` is called when this is on disk.
    MaySpend {
        spending: Spending,
        kept: Kept,
    },
    PhaseChanged(RunPhase),
    Ended(RunSummary),
}

impl Record {
    /// The status that this record leaves a persona in, where it changes one. A piece of the
    /// analysis is done like a persona, so that whoever waits for it hears of it.
    pub(super) const fn status(&self) -> Option<(PersonaIndex, InterviewStatus)> {
        match self {
            Self::Finished { persona, fate, .. } => Some((*persona, fate.status())),
            Self::Requeued { persona } => Some((*persona, InterviewStatus::Queued)),
            Self::Digested(digest) => {
                Some((PersonaIndex::of_piece(digest.number), InterviewStatus::Done))
            }
            Self::Analysed(_) => Some((PersonaIndex::of_piece(0), InterviewStatus::Done)),
            _ => None,
        }
    }
}

/// What the writer thread reports, on its own thread: whoever takes it should pass it on quickly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// One commit is on disk; these personas' statuses changed with it, in the order of the
    /// records. Empty where only attempts and the like were committed.
    Committed(Vec<(PersonaIndex, InterviewStatus)>),
    /// Nothing can be written for now; all records are kept and tried again. Sent once for each
    /// different message.
    Stalled { message: String },
    /// Writing works again after [`Notice::Stalled`].
    Recovered,
}
