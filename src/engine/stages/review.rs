//! The critic of consistency and relevance in one call; it is asked again only where it wanted
//! changes, and its second word is final.

pub(super) use super::consistency::merged;

use super::{Asked, MOST_REVIEWS, Standing};
use crate::{
    model::{Answer, Judge, Persona, Stage, StepEvent, Survey},
    prompt::{self, AnswerError, Form, PromptError, Prompts},
};

pub(super) fn due(standing: &Standing) -> Option<Stage> {
    let review = &standing.review;
    if standing.stuck() || review.asked >= MOST_REVIEWS {
        None
    } else if review.off_topic {
        Some(Stage::Mend)
    } else {
        (review.asked == 0 || !review.issues.is_empty()).then_some(Stage::Review)
    }
}

pub(super) fn ask(
    prompts: &Prompts,
    persona: &Persona,
    answer: &Answer,
) -> Result<Asked, PromptError> {
    let prompt = prompts.judged(persona, answer)?;
    Ok(Asked::new(Stage::Review, Form::Review, prompt))
}

/// `asked` says how often the critic has spoken before: what it corrects in its last word is kept
/// as an issue, since nobody would look at it again.
pub(super) fn read(
    survey: &Survey,
    answer: &Answer,
    asked: u8,
    reply: &str,
) -> Result<Vec<StepEvent>, AnswerError> {
    let verdict = prompt::read_verdict(survey, Form::Review, answer, reply)?;
    if asked + 1 >= MOST_REVIEWS {
        return Ok(vec![StepEvent::Judged { verdict, by: Judge::Critic }]);
    }
    Ok(merged(answer, verdict))
}
