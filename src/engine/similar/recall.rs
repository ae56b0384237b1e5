//! The memory of a run that goes on: judged answers as the run file has them.
//!
//! It is read piece by piece on the thread that reads the run file, between other requests, so that
//! nobody who is to be asked waits for it; and only of the interviews that come last, which is all
//! that a run of a million could remember anyway.

use super::Similar;
use crate::{
    engine::stages::Standing,
    model::{Judge, Persona, PersonaIndex, Step, StepEvent, Verdict},
    store::{RunReader, StoreError},
};

/// Interviews that are looked at. Reading and comparing them takes a second or two.
const RECALLED: usize = 10_000;

/// Interviews of one piece: some 20 ms.
const PIECE: usize = 100;

impl Similar {
    /// Remembers a piece: of the interviews from `from` on, or from the first that matters. Where
    /// the next one begins, where there is one.
    pub(in crate::engine) fn recall(
        &self,
        reader: &RunReader,
        from: Option<PersonaIndex>,
    ) -> Result<Option<PersonaIndex>, StoreError> {
        let from = match from {
            Some(from) => from,
            None => reader.first_of_last_answered(RECALLED)?,
        };
        let personas = reader.answered_from(from, PIECE)?;
        for &index in &personas {
            let steps = reader.steps(index)?;
            if steps.iter().any(|step| has_held(&step.event))
                && let Some(persona) = reader.persona(index)?
            {
                self.recall_one(&persona, &steps);
            }
        }
        let next = personas.last().filter(|_| personas.len() == PIECE);
        Ok(next.map(|last| PersonaIndex(last.0.saturating_add(1))))
    }

    /// Goes through an interview as it went, and learns where it would have learned then.
    fn recall_one(&self, persona: &Persona, steps: &[Step]) {
        let mut standing = Standing::default();
        for Step { stage, event, .. } in steps {
            if has_held(event)
                && let Some(of) = self.fingerprint(*stage, &standing, persona)
            {
                self.learn(of, persona.index);
            }
            standing.take(*stage, event);
        }
    }
}

/// Whether a critic let the answer stand as it was.
pub(in crate::engine) fn has_held(event: &StepEvent) -> bool {
    matches!(event, StepEvent::Judged { verdict: Verdict::Holds, by: Judge::Critic })
}
