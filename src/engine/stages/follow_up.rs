//! The follow-up: a persona is asked, in its role, for the topics that its answer leaves out.

use super::{Asked, Coverage};
use crate::{
    model::{Answer, Persona, Stage, StepEvent, Survey},
    prompt::{self, AnswerError, Form, PromptError, Prompts},
};

pub(super) fn ask(
    prompts: &Prompts,
    persona: &Persona,
    answer: &Answer,
    missing: &[String],
) -> Result<Asked, PromptError> {
    let prompt = prompts.follow_up(persona, answer, missing)?;
    Ok(Asked::new(Stage::FollowUp, Form::Answer, prompt))
}

pub(super) fn read(
    survey: &Survey,
    coverage: &Coverage,
    answer: &Answer,
    reply: &str,
) -> Result<Vec<StepEvent>, AnswerError> {
    let topics = coverage.missing(answer);
    let answer = prompt::read_added(survey, answer, reply)?;
    Ok(vec![StepEvent::TopicsMissed { topics }, StepEvent::Answered { answer }])
}
