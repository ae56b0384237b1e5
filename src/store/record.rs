//! What the writer is told, and what it tells.

use super::{Kept, Spending, StoredBatch};
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
    /// The run was moved to the Batch API or back: a run that goes on later goes on so.
    BatchSwitched {
        on: bool,
    },
    /// Batches as they are now, all in one commit; [`Notice::Kept`] gives the ticket back. Without
    /// batches it says that all that was written before is on disk.
    Batches {
        kept: Vec<StoredBatch>,
        ticket: u64,
    },
    /// All of these in one commit.
    Together(Vec<Self>),
    PhaseChanged(RunPhase),
    Ended(RunSummary),
}

impl Record {
    /// The statuses that this record leaves personas in, where it changes any. A piece of the
    /// analysis is done like a persona, so that whoever waits for it hears of it.
    pub(super) fn statuses(&self, into: &mut Vec<(PersonaIndex, InterviewStatus)>) {
        match self {
            Self::Finished { persona, fate, .. } => into.push((*persona, fate.status())),
            Self::Requeued { persona } => into.push((*persona, InterviewStatus::Queued)),
            Self::Digested(digest) => {
                into.push((PersonaIndex::of_piece(digest.number), InterviewStatus::Done));
            }
            Self::Analysed(_) => into.push((PersonaIndex::of_piece(0), InterviewStatus::Done)),
            Self::Together(records) => records.iter().for_each(|record| record.statuses(into)),
            _ => {}
        }
    }

    /// Whether an interview is over with it.
    pub(super) fn ends_interview(&self) -> bool {
        match self {
            Self::Finished { .. } => true,
            Self::Together(records) => records.iter().any(Self::ends_interview),
            _ => false,
        }
    }
}

/// What the writer thread reports, on its own thread: whoever takes it should pass it on quickly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// One commit is on disk; these personas' statuses changed with it, in the order of the
    /// records. Empty where only attempts and the like were committed.
    Committed(Vec<(PersonaIndex, InterviewStatus)>),
    /// The commit with these batches is on disk, and all before it.
    Kept { ticket: u64 },
    /// Nothing can be written for now; all records are kept and tried again. Sent once for each
    /// different message.
    Stalled { message: String },
    /// Writing works again after [`Notice::Stalled`].
    Recovered,
}
