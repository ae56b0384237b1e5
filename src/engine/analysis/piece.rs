//! One piece of the analysis by a model: a call like any other, through the same limiter and
//! ledger, about no persona.

use super::{
    desk::Material,
    plan::{Piece, SUMMARY},
    words,
};
use crate::{
    engine::{
        call::Call,
        fact::{Ending, Fact},
        interview::Interviewer,
        stages::Asked,
    },
    lexicon::Lexicon,
    model::{Attempt, Digest, Failure, FailureKind, Fate, Findings, MadeBy, PersonaIndex, Stage},
    prompt::{self, AnswerError, Form},
};
use std::sync::Arc;

/// A reply may have so many tokens: for its findings, and for each answer of a group.
const FOR_FINDINGS: u32 = 2_000;
const FOR_AN_ANSWER: u32 = 80;

/// The cap on a reply about so many answers; about digests with 0.
pub(super) fn output_cap(max_output_tokens: u32, answers: usize) -> u32 {
    let answers = u32::try_from(answers).unwrap_or(u32::MAX / 1_000);
    max_output_tokens.max(FOR_FINDINGS + FOR_AN_ANSWER * answers)
}

/// What a model gave.
pub(in crate::engine) enum Given {
    Digest(Box<Digest>),
    /// Of the summary; what can be counted is put to it.
    Findings(Findings),
}

/// Everything that a piece is asked with.
pub(super) struct Order {
    pub piece: Piece,
    pub material: Material,
    /// Attempts made before.
    pub attempts: u32,
    pub lexicon: Arc<Lexicon>,
}

/// Tells of a piece whose task panicked: the run must not wait for it for ever.
struct CrashReport<'a> {
    interviewer: &'a Interviewer,
    piece: &'a Piece,
}

impl Drop for CrashReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let failure = Failure::new(
                FailureKind::Cancelled,
                "the analysis crashed: this is a fault of voxpop, please report it",
            );
            let given = Err(Ending::Settled(Fate::Failed(failure)));
            let piece = self.piece.clone();
            self.interviewer.tell(Fact::PieceEnded { piece, last: None, given });
        }
    }
}

impl Interviewer {
    /// Asks for a piece, and tells how it ended.
    pub(super) async fn ask_for(&self, order: Order) {
        let Order { piece, material, mut attempts, lexicon } = order;
        let _crash = CrashReport { interviewer: self, piece: &piece };
        let (last, given) = match &material {
            Material::Answers(answers) => {
                let read = |reply: &str| self.read_digest(&piece, answers, &lexicon, reply);
                let prompt = self.stages.prompts.answers(answers);
                let many = answers.len();
                self.ask_about(&piece, Form::Digest, prompt, many, &read, &mut attempts).await
            }
            Material::Digests(digests) => {
                let read = |reply: &str| read_summary(&piece, digests, reply);
                let prompt = self.stages.prompts.digests(digests);
                self.ask_about(&piece, Form::Summary, prompt, 0, &read, &mut attempts).await
            }
        };
        self.tell(Fact::PieceEnded { piece: piece.clone(), last, given });
    }

    async fn ask_about(
        &self,
        piece: &Piece,
        form: Form,
        prompt: Result<String, prompt::PromptError>,
        answers: usize,
        read: &(dyn Fn(&str) -> Result<Given, AnswerError> + Sync),
        attempts: &mut u32,
    ) -> (Option<Box<Attempt>>, Result<Given, Ending>) {
        let stage = if form == Form::Digest { Stage::Digest } else { Stage::Summary };
        let prompt = match prompt {
            Ok(prompt) => prompt,
            Err(error) => {
                let failure = Failure::new(FailureKind::BadRequest, error.to_string());
                return (None, Err(Ending::Settled(Fate::Failed(failure))));
            }
        };
        let asked = Asked::new(stage, form, prompt);
        let subject = PersonaIndex::of_piece(piece.number);
        let cap = output_cap(self.stages.survey.max_output_tokens, answers);
        let mut sent = false;
        let call = Call::new(self, subject, &asked, read, attempts, &mut sent);
        call.with_cap(cap).ask().await
    }

    /// Where the model left an answer out, words say what it rests on.
    fn read_digest(
        &self,
        piece: &Piece,
        answers: &[(PersonaIndex, crate::model::Answer)],
        lexicon: &Lexicon,
        reply: &str,
    ) -> Result<Given, AnswerError> {
        let themes = &self.stages.survey.summary.themes;
        let (findings, mut insights) = prompt::read_digest(themes, answers, reply)?;
        for (persona, answer) in answers {
            match insights.iter_mut().find(|insight| insight.persona == *persona) {
                None => insights.push(words::insight(lexicon, *persona, answer)),
                Some(insight) if insight.drivers.is_empty() => {
                    insight.drivers = words::insight(lexicon, *persona, answer).drivers;
                }
                Some(_) => {}
            }
        }
        Ok(Given::Digest(Box::new(Digest {
            number: piece.number,
            covers: piece.of.clone(),
            findings,
            by: MadeBy::Model,
            insights,
        })))
    }
}

fn read_summary(
    piece: &Piece,
    digests: &[(u32, Findings)],
    reply: &str,
) -> Result<Given, AnswerError> {
    let findings = prompt::read_summary(digests, reply)?;
    if piece.number == SUMMARY {
        return Ok(Given::Findings(findings));
    }
    Ok(Given::Digest(Box::new(Digest {
        number: piece.number,
        covers: piece.of.clone(),
        findings,
        by: MadeBy::Model,
        insights: Vec::new(),
    })))
}
