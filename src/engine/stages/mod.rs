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

#[cfg(test)]
mod tests;

pub(super) use coverage::Coverage;
pub(super) use standing::Standing;

use crate::{
    cache::Repeat,
    model::{Answer, Fate, Persona, Review, ReviewMode, Stage, StepEvent, Survey},
    prompt::{AnswerError, Form, PromptError, Prompts},
};

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
}

/// A call as a stage wants it.
#[derive(Debug)]
pub(super) struct Asked {
    pub stage: Stage,
    pub form: Form,
    pub prompt: String,
    /// Which of several answers to the same request it is: who is asked again is not to be
    /// answered with what was of no use before.
    pub repeat: Repeat,
}

impl Asked {
    /// One that asks for the first time.
    pub(super) fn new(stage: Stage, form: Form, prompt: String) -> Self {
        Self { stage, form, prompt, repeat: Repeat::default() }
    }

    /// The same after so many of its kind.
    fn after(self, times: u8) -> Self {
        Self { repeat: Repeat(times.into()), ..self }
    }
}

impl Stages {
    pub(super) fn new(survey: Survey, prompts: Prompts) -> Self {
        let coverage = Coverage::new(&survey.review.topics);
        Self { survey, prompts, coverage }
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
        let Some(answer) = standing.answer() else { return answer::ask(&self.prompts, persona) };
        match stage {
            // The others are no stages of an interview, and never follow.
            Stage::Answer
            | Stage::Repair
            | Stage::Critique
            | Stage::Chat
            | Stage::Packed
            | Stage::Digest
            | Stage::Summary
            | Stage::Embedding => answer::ask(&self.prompts, persona),
            Stage::Consistency | Stage::FinalConsistency => {
                consistency::ask(stage, &self.prompts, persona, answer)
            }
            Stage::FollowUp => {
                follow_up::ask(&self.prompts, persona, answer, &self.coverage.missing(answer))
                    .map(|asked| asked.after(standing.follow_ups()))
            }
            Stage::Relevance => relevance::ask(&self.prompts, persona, answer),
            Stage::Mend => relevance::mend(&self.prompts, persona, answer, standing.open_issues())
                .map(|asked| asked.after(standing.mends())),
            Stage::Review => review::ask(&self.prompts, persona, answer),
        }
    }

    /// Whether the call of a stage is a critic's first look at an answer that nobody has changed
    /// because of it.
    pub(super) const fn is_first_look(stage: Stage, standing: &Standing) -> bool {
        match stage {
            Stage::Consistency => standing.consistency.asked == 0,
            Stage::Relevance => standing.relevance.asked == 0,
            Stage::Review => standing.review.asked == 0,
            Stage::Answer
            | Stage::Repair
            | Stage::FollowUp
            | Stage::Mend
            | Stage::FinalConsistency
            | Stage::Critique
            | Stage::Chat
            | Stage::Packed
            | Stage::Digest
            | Stage::Summary
            | Stage::Embedding => false,
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
            Stage::Answer
            | Stage::Repair
            | Stage::Critique
            | Stage::Chat
            | Stage::Packed
            | Stage::Digest
            | Stage::Summary
            | Stage::Embedding => answer::read(survey, reply),
            Stage::Consistency => consistency::read(survey, answer, reply),
            Stage::FinalConsistency => consistency::read_last(survey, answer, reply),
            Stage::FollowUp => follow_up::read(survey, &self.coverage, answer, reply),
            Stage::Relevance => relevance::read(survey, answer, reply),
            Stage::Mend => answer::read(survey, reply),
            Stage::Review => review::read(survey, answer, standing.reviews(), reply),
        }
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
