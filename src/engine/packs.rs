//! Packs as the supervisor has them: who is asked together, and what becomes of each afterwards.

use super::{
    fact::{Ending, Fact, NewSteps},
    interview::Queued,
    packing::{Given, Packed},
    stages::{Next, Standing},
    supervisor::Supervisor,
};
use crate::{
    model::{Answer, InterviewStatus, Persona, PersonaIndex, Stage, StepEvent},
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
        if members.len() == 1 {
            return members.into_iter().for_each(|one| self.start_alone(one));
        }
        let indexes: Vec<_> = members.iter().map(|one| one.persona.index).collect();
        let interviewer = Arc::clone(&self.interviewer);
        let task = tokio::spawn(Box::pin(async move { interviewer.ask_pack(members).await }));
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

    /// Hands the answers of a pack out. Each goes on from there alone, or is asked alone.
    pub(super) fn unpack(&mut self, packed: Packed) {
        let Packed { mut members, given: Given { attempts, sent, last, result } } = packed;
        for member in &mut members {
            member.left_off.sent |= sent;
        }
        let Some(first) = members.first_mut() else { return };
        first.left_off.attempts = attempts;
        let first = first.persona.index;
        self.packs.remove(&first);
        let mut records = self.of_stage(first, last, NewSteps::default());
        for member in &members {
            self.state.end_task(member.persona.index);
        }
        let many = members.len();
        let answers = match result {
            Ok(answers) => answers,
            Err(ending) => match self.judge(first, ending) {
                ending @ (Ending::GaveBack
                | Ending::ProviderRefused(_)
                | Ending::FoundNobody(_)) => {
                    let mut ending = Some(ending);
                    for Queued { persona, left_off } in members {
                        let ending = ending.take().unwrap_or(Ending::GaveBack);
                        records.extend(self.end(persona.index, persona.weight, left_off, ending));
                    }
                    return self.write(records);
                }
                // Too long, refused, or no answer of the shape: alone, each may fare better.
                Ending::Settled(_) | Ending::OverBudget { .. } => vec![None; many],
            },
        };
        let mut alone = Vec::new();
        for (member, answer) in members.into_iter().zip(answers) {
            alone.extend(self.hand_out(member, answer, many, &mut records));
        }
        self.write(records);
        for member in alone {
            self.start_alone(member);
        }
        self.put_back_what_waits();
    }

    /// Gives a member its answer. Where its interview goes on alone, it comes back.
    fn hand_out(
        &mut self,
        mut member: Queued,
        answer: Option<Answer>,
        many: usize,
        records: &mut Vec<Record>,
    ) -> Option<Queued> {
        let Persona { index: persona, weight, .. } = member.persona;
        if let Some(answer) = answer {
            let personas = u32::try_from(many).unwrap_or(u32::MAX);
            records.push(Record::Packed { persona, personas });
            let mut standing = Standing::default();
            let events = vec![StepEvent::Answered { answer }];
            let new = self.interviewer.stages.take(&mut standing, Stage::Answer, events);
            member.left_off.steps.clone_from(&new.steps);
            records.extend(self.of_stage(persona, None, new));
            if let Next::End(fate) = self.interviewer.stages.next(&standing) {
                let ending = Ending::Settled(member.left_off.ends_in(fate));
                records.extend(self.end(persona, weight, member.left_off, ending));
                return None;
            }
        }
        if self.stop.is_some() {
            records.extend(self.end(persona, weight, member.left_off, Ending::GaveBack));
            return None;
        }
        Some(member)
    }
}
