//! The stages of an interview, and what follows what.
//!
//! ```text
//! off        answer
//! fused      answer -> coverage -> review ------------------------------> done
//!                        |  ^        | wants changes
//!                        v  |        '-> mend (off topic) -> review again -> done, or flagged
//!                     follow-up
//! separate   answer -> consistency -> coverage -> relevance --> final consistency -> done
//!                                       |  ^        |   ^       where anything changed
//!                                       v  |        v   |
//!                                    follow-up      mend, up to five times
//! ```
//!
//! With `pack`, several go through the answer in one call, and likewise through the first review
//! (`together`); each goes on alone from there.
//!
//! An interview is a fold: its [`Standing`] is made of the [`Step`]s that are on file, and
//! [`next`] says from it alone what comes next. So an interview that was broken off anywhere goes
//! on where it was, and the same table serves a run of single calls and one of batches. Coverage is
//! the one stage that calls nobody: it takes no permit.

mod answer;
mod consistency;
mod coverage;
mod follow_up;
mod relevance;
mod review;
mod standing;
mod together;

#[cfg(test)]
mod tests;

pub(super) use coverage::Coverage;
pub(super) use standing::Standing;
pub(super) use together::{Member, Shares, Together};

use super::fact::NewSteps;
use crate::{
    cache::Repeat,
    model::{
        Answer, Fate, Persona, Review, ReviewMode, Stage, Step, StepEvent, Survey, UnixMillis,
    },
    prompt::{AnswerError, Form, PromptError, Prompts},
};
use std::sync::Once;

/// Rounds of mending an answer that misses the question.
const MOST_MENDS: u8 = 5;

/// The critic of both is asked again once.
const MOST_REVIEWS: u8 = 2;

/// What an interview does next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// A call of this stage.
    Ask(Stage),
    /// Nothing: this is how it ended.
    End(Fate),
}

/// What all stages of a run share.
pub(super) struct Stages {
    pub survey: Survey,
    pub prompts: Prompts,
    pub coverage: Coverage,
    /// Done when it was told that a template does not work for a pack.
    pack_failed: Once,
}

/// A call as a stage wants it.
#[derive(Debug)]
pub(super) struct Asked {
    pub stage: Stage,
    pub form: Form,
    pub prompt: String,
    /// Which of several answers to the same request it is: who is asked again, a persona or a
    /// critic, is not to be answered with what was said before.
    pub repeat: Repeat,
}

impl Asked {
    /// One that asks for the first time.
    pub(super) fn new(stage: Stage, form: Form, prompt: String) -> Self {
        Self { stage, form, prompt, repeat: Repeat::default() }
    }

    /// The same after so many of its kind.
    fn after(self, times: u8) -> Self {
        Self { repeat: self.repeat.after(times.into()), ..self }
    }

    /// The same as the words of these personas: nobody else is answered with them, not even who has
    /// the same profile.
    pub(super) fn said_by(self, ids: &[&str]) -> Self {
        Self { repeat: self.repeat.of(ids), ..self }
    }
}

impl Stages {
    pub(super) fn new(survey: Survey, prompts: Prompts) -> Self {
        let coverage = Coverage::new(&survey.review.topics);
        Self { survey, prompts, coverage, pack_failed: Once::new() }
    }

    /// The one table: what follows what.
    pub(super) fn next(&self, standing: &Standing) -> Next {
        next(&self.survey.review, &self.coverage, standing)
    }

    /// The call of a stage.
    ///
    /// # Errors
    /// Where a template of the survey's own does not work for this persona.
    pub(super) fn ask(
        &self,
        stage: Stage,
        persona: &Persona,
        standing: &Standing,
    ) -> Result<Asked, PromptError> {
        let asked = self.ask_for(stage, persona, standing)?;
        Ok(match asked.form {
            Form::Answer => asked.said_by(&[&persona.id]),
            // A verdict holds for whoever says the same.
            _ => asked,
        })
    }

    fn ask_for(
        &self,
        stage: Stage,
        persona: &Persona,
        standing: &Standing,
    ) -> Result<Asked, PromptError> {
        let Some(answer) = standing.answer() else { return answer::ask(&self.prompts, persona) };
        match stage {
            Stage::Consistency | Stage::FinalConsistency => {
                consistency::ask(stage, &self.prompts, persona, answer)
                    .map(|asked| asked.after(standing.consistency.asked))
            }
            Stage::FollowUp => {
                follow_up::ask(&self.prompts, persona, answer, &self.coverage.missing(answer))
                    .map(|asked| asked.after(standing.follow_ups()))
            }
            Stage::Relevance => relevance::ask(&self.prompts, persona, answer)
                .map(|asked| asked.after(standing.relevance.asked)),
            Stage::Mend => {
                relevance::mend(&self.prompts, persona, answer, standing.off_topic_issues())
                    .map(|asked| asked.after(standing.mends()))
            }
            Stage::Review => review::ask(&self.prompts, persona, answer)
                .map(|asked| asked.after(standing.reviews())),
            // Beside the answer, the table names no other.
            _ => answer::ask(&self.prompts, persona),
        }
    }

    /// Whether the call of a stage is a critic's first look at an answer that nobody has changed
    /// because of it.
    pub(super) const fn is_first_look(stage: Stage, standing: &Standing) -> bool {
        match stage {
            Stage::Consistency => standing.consistency.asked == 0,
            Stage::Relevance => standing.relevance.asked == 0,
            Stage::Review => standing.review.asked == 0,
            _ => false,
        }
    }

    /// What a reply to the call of a stage makes happen.
    ///
    /// # Errors
    /// What is wrong with the reply: it is repaired once.
    pub(super) fn read(
        &self,
        stage: Stage,
        standing: &Standing,
        reply: &str,
    ) -> Result<Vec<StepEvent>, AnswerError> {
        let survey = &self.survey;
        let Some(answer) = standing.answer() else { return answer::read(survey, reply) };
        match stage {
            Stage::Consistency => consistency::read(survey, answer, reply),
            Stage::FinalConsistency => consistency::read_last(survey, answer, reply),
            Stage::FollowUp => follow_up::read(survey, &self.coverage, answer, reply),
            Stage::Relevance => relevance::read(survey, answer, reply),
            Stage::Review => review::read(survey, answer, standing.reviews(), reply),
            _ => answer::read(survey, reply),
        }
    }
}

impl Stages {
    /// Takes in what a stage gave; what is to be kept of it comes back. Without reviews the answer
    /// is the end, and no step is kept: the same would stand in the run file twice.
    pub(super) fn take(
        &self,
        standing: &mut Standing,
        stage: Stage,
        events: Vec<StepEvent>,
    ) -> NewSteps {
        let first = standing.steps();
        let at = UnixMillis::now();
        for event in &events {
            standing.take(stage, event);
        }
        if self.survey.review.mode == ReviewMode::Off {
            return NewSteps::default();
        }
        let steps = events.into_iter().map(|event| Step { at, stage, event }).collect();
        NewSteps { first, steps }
    }
}

fn next(review: &Review, coverage: &Coverage, standing: &Standing) -> Next {
    let Some(answer) = standing.answer() else { return Next::Ask(Stage::Answer) };
    let stage = match review.mode {
        ReviewMode::Off => None,
        ReviewMode::Fused => {
            follow_up(review, coverage, standing, answer).or_else(|| review::due(standing))
        }
        ReviewMode::Separate => consistency::due(standing)
            .or_else(|| follow_up(review, coverage, standing, answer))
            .or_else(|| relevance::due(standing))
            .or_else(|| consistency::due_at_last(standing)),
    };
    if let Some(stage) = stage {
        return Next::Ask(stage);
    }
    let mut issues = standing.open_issues().to_vec();
    issues.extend_from_slice(standing.given_up());
    if review.mode != ReviewMode::Off && review.follow_ups > 0 {
        let missing = coverage.missing(answer);
        issues.extend(missing.iter().map(|topic| format!("says nothing of {topic}")));
    }
    let answer = answer.clone();
    Next::End(if issues.is_empty() {
        Fate::Answered(answer)
    } else {
        Fate::Flagged { answer, issues }
    })
}

fn follow_up(
    review: &Review,
    coverage: &Coverage,
    standing: &Standing,
    answer: &Answer,
) -> Option<Stage> {
    let room = standing.follow_ups() < review.follow_ups;
    (room && !coverage.missing(answer).is_empty()).then_some(Stage::FollowUp)
}
