//! The consistency critic: the narrative and the numbers against the persona and each other. Its
//! corrections are merged; after any change it has a last look, whose word is final.

use super::{Asked, Standing};
use crate::{
    model::{Answer, Judge, Persona, Stage, StepEvent, Survey, Verdict},
    prompt::{self, AnswerError, Form, PromptError, Prompts},
};

/// Whether the critic has not spoken yet.
pub(super) fn due(standing: &Standing) -> Option<Stage> {
    (standing.consistency.asked == 0).then_some(Stage::Consistency)
}

/// Whether the answer was changed since the critic spoke.
pub(super) fn due_at_last(standing: &Standing) -> Option<Stage> {
    let due = standing.changed() && standing.final_consistency.asked == 0;
    due.then_some(Stage::FinalConsistency)
}

pub(super) fn ask(
    stage: Stage,
    prompts: &Prompts,
    persona: &Persona,
    answer: &Answer,
) -> Result<Asked, PromptError> {
    Ok(Asked::new(stage, Form::Consistency, prompts.judged(persona, answer)?))
}

pub(super) fn read(
    survey: &Survey,
    answer: &Answer,
    reply: &str,
) -> Result<Vec<StepEvent>, AnswerError> {
    let verdict = prompt::read_verdict(survey, Form::Consistency, answer, reply)?;
    Ok(merged(answer, verdict))
}

/// Nothing is merged that nobody would look at again.
pub(super) fn read_last(
    survey: &Survey,
    answer: &Answer,
    reply: &str,
) -> Result<Vec<StepEvent>, AnswerError> {
    let verdict = prompt::read_verdict(survey, Form::Consistency, answer, reply)?;
    Ok(vec![StepEvent::Judged { verdict, by: Judge::Critic }])
}

/// A verdict, and the answer with its corrections where it has any.
pub(super) fn merged(answer: &Answer, verdict: Verdict) -> Vec<StepEvent> {
    let corrected = match &verdict {
        Verdict::NeedsChanges { corrections, .. } => answer.corrected(corrections),
        Verdict::Holds => answer.clone(),
    };
    let fields = answer.fields_changed(&corrected);
    let mut events = vec![StepEvent::Judged { verdict, by: Judge::Critic }];
    if !fields.is_empty() {
        events.push(StepEvent::Corrected { fields, answer: corrected });
    }
    events
}
