//! What the runner of batches and the supervisor say to each other.

use crate::{
    engine::fact::NewSteps,
    model::{Attempt, Fate, PauseReason, Persona, PersonaIndex},
    protocol::BatchMeter,
    store::StoredBatch,
};

/// What the runner tells. Facts are past, but for [`Self::Keep`], which is waited for.
pub(in crate::engine) enum BatchFact {
    /// Batches as they are now, to be put on disk in one commit.
    Keep { kept: Vec<StoredBatch>, ticket: u64 },
    /// Something came of a line.
    Line(Box<LineRead>),
    /// These are in a batch now.
    Joined(Vec<PersonaIndex>),
    /// These are in none any more, and not over.
    Left(Vec<PersonaIndex>),
    /// A batch as it is to be shown.
    Shown(BatchMeter),
    /// The run cannot go on so.
    Pause(PauseReason),
    /// Nothing is under way here any more: it was stopped, or all is cancelled. So many orders to
    /// begin, cancel or stop had come by then: one that is on its way is not answered by this.
    AtRest { after: u32 },
}

/// What came of a line.
pub(in crate::engine) struct LineRead {
    pub persona: PersonaIndex,
    pub weight: Option<f64>,
    /// `None` where the persona could not be asked.
    pub attempt: Option<Box<Attempt>>,
    pub steps: NewSteps,
    /// How the interview ended, and after how many attempts.
    pub end: Option<(Fate, u32)>,
}

impl LineRead {
    /// The end of an interview of which no line is left to ask.
    pub(super) fn without_call(persona: &Persona, fate: Fate, attempts: u32) -> Self {
        Self {
            persona: persona.index,
            weight: persona.weight,
            attempt: None,
            steps: NewSteps::default(),
            end: Some((fate, attempts)),
        }
    }
}

/// What the supervisor orders.
#[derive(Clone, Copy, Debug)]
pub(super) enum ToRunner {
    /// Put everybody who is not over into batches.
    Begin,
    /// Cancel all, and plan no more. After a stop it is stopped no longer.
    CancelAll,
    /// Ask nothing more of anybody.
    Stop,
    /// Whether anything new may be sent.
    Running(bool),
    /// What has this ticket is on disk.
    Kept(u64),
}

impl ToRunner {
    /// Whether it turns the runner to something else, and so is answered by an [`AtRest`] in time.
    ///
    /// [`AtRest`]: BatchFact::AtRest
    pub(super) const fn is_turn(self) -> bool {
        matches!(self, Self::Begin | Self::CancelAll | Self::Stop)
    }
}
