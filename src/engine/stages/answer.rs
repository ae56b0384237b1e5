//! The answer: the narrative and the grid.

use super::Asked;
use crate::{
    model::{Persona, Stage, StepEvent, Survey},
    prompt::{self, AnswerError, Form, PromptError, Prompts},
};

pub(super) fn ask(prompts: &Prompts, persona: &Persona) -> Result<Asked, PromptError> {
    Ok(Asked::new(Stage::Answer, Form::Answer, prompts.user(persona)?))
}

pub(super) fn read(survey: &Survey, reply: &str) -> Result<Vec<StepEvent>, AnswerError> {
    let answer = prompt::read_answer(survey, reply)?;
    Ok(vec![StepEvent::Answered { answer }])
}
