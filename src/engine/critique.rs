//! The question critic: one call, before there is any run. It goes through a limiter, a ledger and
//! a [`Call`] as every other does, retries and repair included; only nobody keeps it.

use super::{
    call::Call,
    fact::{Ending, Fact},
    interview::Interviewer,
    setup::{EngineError, Found},
    stages::Asked,
};
use crate::{
    config::Config,
    model::{Attempt, Critique, Failure, FailureKind, Fate, PersonaIndex, Stage, Usage, Usd},
    prompt::{self, Form, PromptError},
};
use tokio::sync::mpsc;

/// What the critic said, and what that took.
#[derive(Clone, Debug)]
pub struct Critiqued {
    pub critique: Critique,
    /// Of all attempts, as far as the provider counted.
    pub usage: Usage,
    pub attempts: u32,
    /// Nothing where no price is known.
    pub cost: Usd,
}

/// Why there is no critique.
#[derive(Debug, thiserror::Error)]
pub enum CritiqueError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The critic could not be asked, or gave nothing that can be used.
    #[error("the critic gave nothing that can be used: {0}")]
    Failed(Failure),
    #[error("the model declined to check the question: {0}")]
    Refused(String),
    /// The provider serves nobody.
    #[error("the provider does not serve this: {0}")]
    NotServed(Failure),
    #[error("one call may cost more than the budget of {budget}: give a higher --budget")]
    OverBudget { budget: Usd },
}

/// Has the critic look at the survey's question.
///
/// # Errors
/// Where it cannot be asked, or says nothing that can be used.
pub async fn critique(config: Config) -> Result<Critiqued, CritiqueError> {
    let (facts_out, mut facts) = mpsc::unbounded_channel();
    let (waits_out, _waits) = mpsc::unbounded_channel();
    let interviewer =
        Interviewer::start("critique", config, Found::default(), facts_out, waits_out)?;
    let prompt = interviewer.stages.prompts.critiqued()?;
    let asked = Asked::new(Stage::Critique, Form::Critique, prompt);
    let (mut attempts, mut sent) = (0, false);
    let (read, persona) = (&prompt::read_critique, PersonaIndex(0));
    let call = Call::new(&interviewer, persona, &asked, read, &mut attempts, &mut sent);
    let (last, result) = call.ask().await;
    let mut usage = Usage::default();
    let mut add = |attempt: &Attempt| {
        if let Some(more) = &attempt.usage {
            usage.prompt_tokens += more.prompt_tokens;
            usage.completion_tokens += more.completion_tokens;
            usage.cached_tokens += more.cached_tokens;
        }
    };
    while let Ok(fact) = facts.try_recv() {
        if let Fact::BackedOff { attempt, .. } = fact {
            add(&attempt);
        }
    }
    if let Some(last) = &last {
        add(last);
    }
    let cost = interviewer.ledger.books().spent;
    let critique = result.map_err(|ending| match ending {
        Ending::Settled(Fate::Refused { reason }) => CritiqueError::Refused(reason),
        Ending::Settled(Fate::Failed(failure)) | Ending::FoundNobody(failure) => {
            CritiqueError::Failed(failure)
        }
        Ending::ProviderRefused(failure) => CritiqueError::NotServed(failure),
        Ending::OverBudget { budget, .. } => CritiqueError::OverBudget { budget },
        Ending::GaveBack
        | Ending::Settled(Fate::Answered(_) | Fate::Cached(_) | Fate::Flagged { .. }) => {
            let why = "it was broken off: this is a fault of voxpop, please report it";
            CritiqueError::Failed(Failure::new(FailureKind::Cancelled, why))
        }
    })?;
    Ok(Critiqued { critique, usage, attempts, cost })
}
