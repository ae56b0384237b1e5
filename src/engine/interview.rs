//! One persona's way through the survey, as one task: stage after stage, as the table in
//! [`stages`](super::stages) has it.
//!
//! It holds a slot only while its request is on the wire: waiting for rate happens in the
//! dispatcher's line, backing off happens here, without a permit, and so does everything that is
//! decided between two calls.

use super::{
    caching::Caching,
    call::Call,
    endpoint::Endpoint,
    fact::{Ending, Fact, NewSteps},
    ledger::Ledger,
    prompt_bound::PromptBound,
    similar::{Comparison, Fingerprint, Similar, has_held},
    stages::{Next, Stages, Standing},
};
use crate::{
    config::RetryBounds,
    limiter::{Limiter, OutputEstimate},
    model::{
        Attempt, Failure, FailureKind, Fate, Judge, Persona, PersonaIndex, Stage, Step, StepEvent,
        Verdict,
    },
    tokens::TokenEstimate,
};
use std::sync::{Arc, atomic::AtomicBool};
use tokio::sync::mpsc::UnboundedSender;

/// What all interviews of a run share.
pub(super) struct Interviewer {
    pub run: String,
    pub stages: Stages,
    pub bounds: RetryBounds,
    pub limiter: Limiter,
    pub ledger: Ledger,
    pub output: OutputEstimate,
    pub prompt_tokens: TokenEstimate,
    pub prompt_bound: PromptBound,
    /// One for each endpoint, in the limiter's order.
    pub endpoints: Vec<Endpoint>,
    /// `None` where every request is to be sent.
    pub caching: Option<Caching>,
    /// `None` where every answer has its own verdict.
    pub similar: Option<Arc<Similar>>,
    pub facts: UnboundedSender<Fact>,
    /// The run is draining: nobody starts another attempt.
    pub stopping: AtomicBool,
    /// The interviews go on in batches: none of them starts another attempt.
    pub moves_to_batches: AtomicBool,
}

/// A persona from the queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub persona: Persona,
    pub left_off: LeftOff,
}

/// Where an interview was broken off, in this run or an earlier part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOff {
    /// Attempts made so far: the next one counts on from them.
    pub attempts: u32,
    /// Whether any of them was sent. Of an earlier part of the run nobody looks, and says yes.
    pub sent: bool,
    pub steps: Vec<Step>,
}

impl LeftOff {
    /// Whether nothing has happened in the interview.
    pub(super) const fn is_fresh(&self) -> bool {
        self.attempts == 0 && self.steps.is_empty()
    }

    /// The end, with the mark of an interview for which nothing was sent.
    pub(super) fn ends_in(&self, fate: Fate) -> Fate {
        match fate {
            Fate::Answered(answer) if !self.sent => Fate::Cached(answer),
            fate => fate,
        }
    }
}

/// Tells of an interview whose task panicked: its persona must not be in progress for ever.
struct CrashReport<'a> {
    interviewer: &'a Interviewer,
    persona: PersonaIndex,
    attempts: u32,
}

impl Drop for CrashReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let failure = Failure::new(
                FailureKind::Cancelled,
                "the interview crashed: this is a fault of voxpop, please report it",
            );
            self.interviewer.tell(Fact::Ended {
                persona: self.persona,
                weight: None,
                last: None,
                steps: NewSteps::default(),
                left_off: LeftOff { attempts: self.attempts, sent: true, steps: Vec::new() },
                ending: Ending::Settled(Fate::Failed(failure)),
            });
        }
    }
}

impl Interviewer {
    /// Holds the interview, and tells how it ended.
    pub(super) async fn hold(&self, queued: Queued) {
        let Queued { persona, left_off } = queued;
        let _crash =
            CrashReport { interviewer: self, persona: persona.index, attempts: left_off.attempts };
        let mut interview = Interview {
            interviewer: self,
            persona,
            standing: Standing::of(&left_off.steps),
            left_off,
        };
        let (last, steps, ending) = interview.hold().await;
        let Interview { persona, left_off, .. } = interview;
        let weight = persona.weight;
        self.tell(Fact::Ended { persona: persona.index, weight, last, steps, left_off, ending });
    }

    /// The verdict on an answer so near that it holds for this one too. Its vector is asked for
    /// where that is how answers are compared, and stays with the fingerprint.
    async fn near(
        &self,
        fingerprint: Option<&mut Fingerprint>,
        persona: PersonaIndex,
        attempts: &mut u32,
        sent: &mut bool,
    ) -> Option<StepEvent> {
        let (similar, of) = (self.similar.as_deref()?, fingerprint?);
        let found = match similar.embedder() {
            None => similar.nearest(of),
            Some(by) => match similar.comparison(of) {
                Comparison::Idle => None,
                Comparison::Same(donor) => Some((donor, 1.0)),
                Comparison::Vectors(lacking) => {
                    let own = of.text()?;
                    let others = lacking.iter().map(|(_, text)| &**text);
                    let texts: Vec<&str> = std::iter::once(&*own).chain(others).collect();
                    match self.embed(by, persona, &texts, attempts, sent).await {
                        Some(vectors) => {
                            let mut vectors = vectors.into_iter();
                            of.take(vectors.next());
                            let lacking = lacking.iter().map(|(donor, _)| *donor);
                            similar.keep_vectors(of, lacking.zip(vectors));
                            similar.nearest_by_vector(of)
                        }
                        None => similar.nearest(of),
                    }
                }
            },
        };
        let (donor, similarity) = found?;
        let by = Judge::Similar { donor, similarity };
        Some(StepEvent::Judged { verdict: Verdict::Holds, by })
    }

    /// Remembers an answer that a critic had no objection to. What was taken over from another
    /// one is not passed on: each would be a little further from what the critic saw.
    pub(super) fn learn(
        &self,
        of: Option<Fingerprint>,
        persona: PersonaIndex,
        events: &[StepEvent],
    ) {
        if let (Some(similar), Some(of)) = (&self.similar, of)
            && events.iter().any(has_held)
        {
            similar.learn(of, persona);
        }
    }

    /// The supervisor outlives every interview but for the moment in which a run is torn down;
    /// what is said then interests nobody.
    pub(super) fn tell(&self, fact: Fact) {
        let _ = self.facts.send(fact);
    }
}

/// An interview under way.
struct Interview<'a> {
    interviewer: &'a Interviewer,
    persona: Persona,
    standing: Standing,
    left_off: LeftOff,
}

impl Interview<'_> {
    /// Goes from stage to stage until there is an end. What the last one gave comes with it.
    async fn hold(&mut self) -> (Option<Box<Attempt>>, NewSteps, Ending) {
        let stages = &self.interviewer.stages;
        let mut last = None;
        let mut steps = NewSteps::default();
        loop {
            let stage = match stages.next(&self.standing) {
                Next::End(fate) => {
                    return (last, steps, Ending::Settled(self.left_off.ends_in(fate)));
                }
                Next::Ask(stage) => stage,
            };
            if last.is_some() || !steps.steps.is_empty() {
                let attempt = last.take();
                let steps = std::mem::take(&mut steps);
                self.interviewer.tell(Fact::Stepped {
                    persona: self.persona.index,
                    attempt,
                    steps,
                });
                if self.interviewer.leaves_off(stage) {
                    return (None, NewSteps::default(), Ending::GaveBack);
                }
            }
            let asked = match stages.ask(stage, &self.persona, &self.standing) {
                Ok(asked) => asked,
                Err(error) => {
                    let failure = Failure::new(FailureKind::BadRequest, error.to_string());
                    return (None, steps, Ending::Settled(Fate::Failed(failure)));
                }
            };
            let LeftOff { attempts, sent, .. } = &mut self.left_off;
            let (interviewer, standing) = (self.interviewer, &self.standing);
            let read = |reply: &str| stages.read(stage, standing, reply);
            let mut call =
                Call::new(interviewer, self.persona.index, &asked, &read, attempts, sent);
            let mut fingerprint = interviewer
                .similar
                .as_ref()
                .and_then(|similar| similar.fingerprint(stage, standing, &self.persona));
            let (attempt, result) = match call.kept().await {
                Some((attempt, events)) => (Some(attempt), Ok(events)),
                None => {
                    let (of, persona) = (fingerprint.as_mut(), self.persona.index);
                    let before = *call.attempts;
                    match interviewer.near(of, persona, call.attempts, call.sent).await {
                        Some(verdict) => (None, Ok(vec![verdict])),
                        // A vector was asked for, and meanwhile somebody stopped the run.
                        None if *call.attempts > before && interviewer.leaves_off(stage) => {
                            return (None, steps, Ending::GaveBack);
                        }
                        None => call.ask().await,
                    }
                }
            };
            if let Ok(events) = &result {
                interviewer.learn(fingerprint, self.persona.index, events);
            }
            last = attempt;
            let events = match result {
                Ok(events) => events,
                Err(ending) => match &ending {
                    Ending::Settled(fate) => match gave_nothing(stage, fate) {
                        Some(events) => events,
                        None => return (last, steps, ending),
                    },
                    _ => return (last, steps, ending),
                },
            };
            steps = stages.take(&mut self.standing, stage, events);
            self.left_off.steps.extend_from_slice(&steps.steps);
        }
    }
}

/// What becomes of a stage after the answer whose call failed. Where the model gave nothing that
/// can be used, the interview goes on without it, and its persona is flagged. Where it could not be
/// reached, the interview fails and keeps its steps: asked again, it goes on from here.
pub(super) fn gave_nothing(stage: Stage, fate: &Fate) -> Option<Vec<StepEvent>> {
    let why = match fate {
        _ if stage == Stage::Answer => return None,
        Fate::Refused { reason } => format!("refused: {reason}"),
        Fate::Failed(failure) if is_the_models(failure.kind) => failure.to_string(),
        _ => return None,
    };
    Some(vec![StepEvent::GaveNothing { why }])
}

const fn is_the_models(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Malformed
            | FailureKind::CutOff
            | FailureKind::Refused
            | FailureKind::BadRequest
            | FailureKind::TooLarge
    )
}
