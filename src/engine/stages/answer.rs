//! The answer: the narrative and the grid.

use super::Asked;
use crate::{
    model::{Answer, Persona, Stage, StepEvent, Survey},
    prompt::{self, AnswerError, Form, PromptError, Prompts},
};

pub(super) fn ask(prompts: &Prompts, persona: &Persona) -> Result<Asked, PromptError> {
    Ok(Asked::new(Stage::Answer, Form::Answer, prompts.user(persona)?))
}

pub(super) fn read(survey: &Survey, reply: &str) -> Result<Vec<StepEvent>, AnswerError> {
    Ok(given(prompt::read_answer(survey, reply)?))
}

pub(super) fn given(answer: Answer) -> Vec<StepEvent> {
    vec![StepEvent::Answered { answer }]
}
