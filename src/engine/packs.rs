//! Packs as the supervisor has them: who is asked together, and what becomes of each afterwards.

use super::{
    fact::{Ending, Fact, NewSteps},
    interview::Queued,
    packing::{Given, Packed},
    stages::{Next, Standing, Together},
    supervisor::Supervisor,
};
use crate::{
    model::{InterviewStatus, PersonaIndex, ReviewMode, Stage, Step, StepEvent, UnixMillis},
    store::Record,
};
use std::sync::Arc;

impl Supervisor {
    /// Starts an interview, or with `pack` the call of several that have not been asked before.
    pub(super) fn begin(&mut self, queued: Queued) {
        let most = usize::from(self.interviewer.stages.survey.pack);
        let is_fresh = |one: &Queued| one.left_off.attempts == 0 && one.left_off.steps.is_empty();
        if most < 2 || !is_fresh(&queued) {
            return self.start_alone(queued);
        }
        let mut members = vec![queued];
        while members.len() < most {
            match self.next_ready() {
                Some(more) if is_fresh(&more) => members.push(more),
                Some(other) => self.start_alone(other),
                None => break,
            }
        }
        self.start_pack(Together::Answer, members);
    }

    /// Starts the call of several; one of them is no pack.
    fn start_pack(&mut self, together: Together, members: Vec<Queued>) {
        if members.len() < 2 {
            return members.into_iter().for_each(|one| self.start_alone(one));
        }
        let indexes: Vec<_> = members.iter().map(|one| one.persona.index).collect();
        let interviewer = Arc::clone(&self.interviewer);
        let task =
            tokio::spawn(Box::pin(async move { interviewer.ask_pack(together, members).await }));
        for &persona in &indexes {
            self.state.start(persona, task.abort_handle());
        }
        if let Some((first, others)) = indexes.split_first() {
            self.packs.insert(*first, others.to_vec());
        }
    }

    fn start_alone(&mut self, queued: Queued) {
        let persona = queued.persona.index;
        let interviewer = Arc::clone(&self.interviewer);
        // In a box: spawning moves what it is given six times, and this is some kilobytes.
        let task = tokio::spawn(Box::pin(async move { interviewer.hold(queued).await }));
        self.state.start(persona, task.abort_handle());
    }

    /// Personas in packs that are asked by the call of another, and those of them that back off.
    pub(super) fn asked_by_others(&self) -> (usize, usize) {
        let backs_off =
            |first: &PersonaIndex| self.state.status(*first) == Some(InterviewStatus::BackingOff);
        self.packs.iter().fold((0, 0), |(all, off), (first, others)| {
            (all + others.len(), off + if backs_off(first) { others.len() } else { 0 })
        })
    }

    /// What happens to the first of a pack happens to all of it.
    pub(super) fn follow_the_first(&mut self, fact: &Fact) {
        let (first, progress) = match fact {
            Fact::Sent { persona } => (persona, Some((InterviewStatus::InFlight, None))),
            Fact::BackedOff { attempt, until } => {
                (&attempt.persona, Some((InterviewStatus::BackingOff, Some(*until))))
            }
            Fact::RejoinedLine { persona } => (persona, None),
            _ => return,
        };
        let Some(others) = self.packs.get(first) else { return };
        for &other in others {
            match progress {
                Some((status, until)) => self.state.progress(other, status, until),
                None => self.state.rejoin_line(other),
            }
        }
    }

    /// Hands out what a pack was given. Those who have come to their first review go through it
    /// together; each of the others goes on alone, or is asked alone.
    pub(super) fn unpack(&mut self, packed: Packed) {
        let Packed { together, mut members, given: Given { attempts, sent, last, result } } =
            packed;
        for member in &mut members {
            member.left_off.sent |= sent;
        }
        let Some(first) = members.first_mut() else { return };
        first.left_off.attempts = attempts;
        let first = first.persona.index;
        self.packs.remove(&first);
        self.keep(first, last, NewSteps::default());
        for member in &members {
            self.state.end_task(member.persona.index);
        }
        let many = members.len();
        let shares = match result {
            Ok(shares) => shares,
            Err(ending) => match self.judge(first, ending) {
                ending @ (Ending::GaveBack
                | Ending::ProviderRefused(_)
                | Ending::FoundNobody(_)) => {
                    let mut ending = Some(ending);
                    for Queued { persona, left_off } in members {
                        let ending = ending.take().unwrap_or(Ending::GaveBack);
                        self.end(persona.index, left_off, ending);
                    }
                    return;
                }
                // Too long, refused, or no answer of the shape: alone, each may fare better.
                Ending::Settled(_) | Ending::OverBudget { .. } => vec![None; many],
            },
        };
        let mut to_review = Vec::new();
        for (mut member, share) in members.into_iter().zip(shares) {
            let Some(events) = share else {
                self.go_on_alone(member);
                continue;
            };
            self.take_share(together, &mut member, events, many);
            let standing = Standing::of(&member.left_off.steps);
            match self.interviewer.stages.next(&standing) {
                Next::End(fate) => {
                    let Queued { persona, left_off } = member;
                    let fate = left_off.marked(fate);
                    if let Some(answer) = fate.answer() {
                        self.meters.answered(persona.index, persona.weight, answer);
                    }
                    self.end(persona.index, left_off, Ending::Settled(fate));
                }
                next if self.is_reviewed_together(&next, &member, &standing) => {
                    to_review.push(member);
                }
                Next::Ask(_) => self.go_on_alone(member),
            }
        }
        self.start_pack(Together::Review, to_review);
        self.put_back_what_waits();
    }

    /// Takes in what one of a pack was given.
    fn take_share(
        &mut self,
        together: Together,
        member: &mut Queued,
        events: Vec<StepEvent>,
        many: usize,
    ) {
        let persona = member.persona.index;
        if together == Together::Answer {
            let personas = u32::try_from(many).unwrap_or(u32::MAX);
            self.writer.write(Record::Packed { persona, personas });
        }
        let (at, stage) = (UnixMillis::now(), together.stage());
        let steps: Vec<_> = events.into_iter().map(|event| Step { at, stage, event }).collect();
        if self.interviewer.stages.survey.review.mode != ReviewMode::Off {
            let first = u32::try_from(member.left_off.steps.len()).unwrap_or(u32::MAX);
            self.keep(persona, None, NewSteps { first, steps: steps.clone() });
        }
        member.left_off.steps.extend(steps);
    }

    /// Whether the critic looks at an answer together with others. One that takes over the verdict
    /// on an answer near to it does so alone, without a call; nobody is sent for while the run stops.
    fn is_reviewed_together(&self, next: &Next, member: &Queued, standing: &Standing) -> bool {
        let interviewer = &self.interviewer;
        let is_near = || {
            let similar = interviewer.similar.as_ref();
            let own = similar.and_then(|s| s.fingerprint(Stage::Review, standing, &member.persona));
            interviewer.near(own.as_ref()).is_some()
        };
        self.stop.is_none() && interviewer.stages.is_reviewed_together(next, standing) && !is_near()
    }

    fn go_on_alone(&mut self, member: Queued) {
        if self.stop.is_some() {
            return self.end(member.persona.index, member.left_off, Ending::GaveBack);
        }
        self.start_alone(member);
    }
}
