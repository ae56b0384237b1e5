//! Stages that several personas may go through in one call, with `pack` in the survey: the answer,
//! and the first look of the critic of both.

use super::{Asked, Next, Stages, Standing, answer, review};
use crate::{
    model::{Answer, Persona, PromptTemplates, Stage, StepEvent, TemplateName},
    prompt::{self, AnswerError, Form},
};

/// What several are asked for in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Together {
    Answer,
    Review,
}

/// One of those who are asked together.
pub(in crate::engine) struct Member<'a> {
    pub persona: &'a Persona,
    pub standing: Standing,
}

/// What came of it for each of them; `None` where one has to be asked alone.
pub(in crate::engine) type Shares = Vec<Option<Vec<StepEvent>>>;

impl Together {
    /// The stage that each of them has been through then.
    pub(in crate::engine) const fn stage(self) -> Stage {
        match self {
            Self::Answer => Stage::Answer,
            Self::Review => Stage::Review,
        }
    }
}

impl Stages {
    /// Whether what comes next after an answer is a look of the critic that it may take at several
    /// answers in one call. A survey that has a critic of its own alone keeps it.
    pub(in crate::engine) fn is_reviewed_together(&self, next: &Next, standing: &Standing) -> bool {
        self.survey.pack > 1
            && *next == Next::Ask(Stage::Review)
            && Self::is_first_look(Stage::Review, standing)
            && has_packed_critic(&self.survey.prompts)
    }

    /// The call; `None` where a template of the survey's own does not work for it: for whom it does
    /// not, shows when each is asked alone. It is told once, since every pack may fare alike, and a
    /// run without packs costs more than was planned.
    pub(in crate::engine) fn ask_together(
        &self,
        together: Together,
        members: &[Member<'_>],
    ) -> Option<Asked> {
        let asked = match together {
            Together::Answer => {
                let personas: Vec<_> = members.iter().map(|member| member.persona).collect();
                let ids: Vec<_> = personas.iter().map(|one| one.id.as_str()).collect();
                let prompt = self.prompts.packed(&personas);
                prompt.map(|p| Asked::new(Stage::Packed, Form::Packed, p).said_by(&ids))
            }
            Together::Review => {
                let judged = members.iter();
                let judged = judged.filter_map(|m| Some((m.persona, m.standing.answer()?)));
                let prompt = self.prompts.packed_judged(&judged.collect::<Vec<_>>());
                prompt.map(|prompt| Asked::new(Stage::PackedReview, Form::PackedReview, prompt))
            }
        };
        asked
            .inspect_err(|error| {
                self.pack_failed.call_once(|| {
                    tracing::warn!(
                        "a pack cannot be asked, and each of it is asked alone: {error}"
                    );
                });
            })
            .ok()
    }

    /// What a reply makes happen to each.
    ///
    /// # Errors
    /// What is wrong with the reply: it is repaired once.
    pub(in crate::engine) fn read_together(
        &self,
        together: Together,
        members: &[Member<'_>],
        reply: &str,
    ) -> Result<Shares, AnswerError> {
        match together {
            Together::Answer => {
                let answers = prompt::read_packed(&self.survey, members.len(), reply)?;
                Ok(answers.into_iter().map(|given| given.map(answer::given)).collect())
            }
            Together::Review => {
                let answers: Vec<&Answer> =
                    members.iter().filter_map(|member| member.standing.answer()).collect();
                let verdicts = prompt::read_packed_review(&self.survey, &answers, reply)?;
                let of_each = verdicts.into_iter().zip(answers);
                Ok(of_each
                    .map(|(verdict, answer)| Some(review::merged(answer, verdict?)))
                    .collect())
            }
        }
    }
}

/// Whether the built-in critic judges, or there is one of the survey's own for several answers.
fn has_packed_critic(own: &PromptTemplates) -> bool {
    let has = |name| own.get(name).is_some();
    has(TemplateName::PackedReview) || !has(TemplateName::Review) && !has(TemplateName::Judged)
}
