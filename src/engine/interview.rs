//! One persona's way through the survey, as one task.
//!
//! It holds a slot only while its request is on the wire: waiting for rate happens in the
//! dispatcher's line, and backing off happens here, without a permit.

use super::{
    call::Call,
    endpoint::Endpoint,
    fact::{Ending, Fact},
    ledger::Ledger,
    prompt_bound::PromptBound,
};
use crate::{
    config::RetryBounds,
    limiter::{Limiter, OutputEstimate},
    model::{Failure, FailureKind, Fate, Persona, PersonaIndex, Survey},
    prompt::Prompts,
    tokens::TokenEstimate,
};
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc::UnboundedSender;

/// What all interviews of a run share.
pub(super) struct Interviewer {
    pub run: String,
    pub survey: Survey,
    pub prompts: Prompts,
    pub bounds: RetryBounds,
    pub limiter: Limiter,
    pub ledger: Ledger,
    pub output: OutputEstimate,
    pub prompt_tokens: TokenEstimate,
    pub prompt_bound: PromptBound,
    /// One for each endpoint, in the limiter's order.
    pub endpoints: Vec<Endpoint>,
    pub facts: UnboundedSender<Fact>,
    /// The run is draining: nobody starts another attempt.
    pub stopping: AtomicBool,
}

/// A persona from the queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub persona: Persona,
    /// Attempts made before, in this run or an earlier part of it.
    pub attempts: u32,
}

/// Tells of an interview whose task panicked: its persona must not be in progress for ever.
struct CrashReport<'a> {
    interviewer: &'a Interviewer,
    persona: PersonaIndex,
    attempts: u32,
}

impl Drop for CrashReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let failure = Failure::new(
                FailureKind::Cancelled,
                "the interview crashed: this is a fault of voxpop, please report it",
            );
            self.interviewer.tell(Fact::Ended {
                persona: self.persona,
                last: None,
                attempts: self.attempts,
                ending: Ending::Settled(Fate::Failed(failure)),
            });
        }
    }
}

impl Interviewer {
    /// Holds the interview, and tells how it ended.
    pub(super) async fn hold(&self, queued: Queued) {
        let index = queued.persona.index;
        let mut attempts = queued.attempts;
        let _crash = CrashReport { interviewer: self, persona: index, attempts };
        let (last, ending) = match self.prompts.user(&queued.persona) {
            Ok(prompt) => Call::new(self, index, &prompt, &mut attempts).ask().await,
            Err(error) => {
                let failure = Failure::new(FailureKind::BadRequest, error.to_string());
                (None, Ending::Settled(Fate::Failed(failure)))
            }
        };
        self.tell(Fact::Ended { persona: index, last, attempts, ending });
    }

    /// The supervisor outlives every interview but for the moment in which a run is torn down;
    /// what is said then interests nobody.
    pub(super) fn tell(&self, fact: Fact) {
        let _ = self.facts.send(fact);
    }
}
