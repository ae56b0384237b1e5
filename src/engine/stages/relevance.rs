//! The relevance critic, and the persona's answer to it: does the answer speak to the question, and
//! if not, the persona answers again, up to five times.

use super::{Asked, MOST_MENDS, Standing};
use crate::{
    model::{Answer, Judge, Persona, Stage, StepEvent, Survey},
    prompt::{self, AnswerError, Form, PromptError, Prompts},
};

/// The critic looks at every new answer; one that misses the question is mended while there is
/// room and hope.
pub(super) fn due(standing: &Standing) -> Option<Stage> {
    let (relevance, mends) = (&standing.relevance, standing.mends());
    if standing.stuck() {
        None
    } else if relevance.off_topic {
        (mends < MOST_MENDS).then_some(Stage::Mend)
    } else {
        (relevance.asked <= mends).then_some(Stage::Relevance)
    }
}

pub(super) fn ask(
    prompts: &Prompts,
    persona: &Persona,
    answer: &Answer,
) -> Result<Asked, PromptError> {
    let prompt = prompts.judged(persona, answer)?;
    Ok(Asked::new(Stage::Relevance, Form::Relevance, prompt))
}

pub(super) fn read(
    survey: &Survey,
    answer: &Answer,
    reply: &str,
) -> Result<Vec<StepEvent>, AnswerError> {
    let verdict = prompt::read_verdict(survey, Form::Relevance, answer, reply)?;
    Ok(vec![StepEvent::Judged { verdict, by: Judge::Critic }])
}

pub(super) fn mend(
    prompts: &Prompts,
    persona: &Persona,
    answer: &Answer,
    issues: &[String],
) -> Result<Asked, PromptError> {
    let prompt = prompts.mend(persona, answer, issues)?;
    Ok(Asked::new(Stage::Mend, Form::Answer, prompt))
}
