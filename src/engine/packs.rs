//! Packs as the supervisor has them: who is asked together, and what becomes of each afterwards.

use super::{
    fact::{Ending, Fact, NewSteps},
    interview::{Interviewer, LeftOff, Queued},
    packing::{Given, Packed},
    run_state::RunState,
    similar::Comparison,
    stages::{Next, Standing, Together},
    supervisor::Supervisor,
};
use crate::{
    model::{InterviewStatus, PersonaIndex, Stage, StepEvent},
    store::Record,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Packs that are asked: those that the first of each stands for.
#[derive(Default)]
pub(super) struct Packs(HashMap<PersonaIndex, Vec<PersonaIndex>>);

impl Packs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn begin(&mut self, members: &[PersonaIndex]) {
        if let Some((first, others)) = members.split_first() {
            self.0.insert(*first, others.to_vec());
        }
    }

    /// Those whose call was aborted are no packs any more: each of them may be asked alone next.
    fn forget_aborted(&mut self, state: &RunState) {
        self.0.retain(|first, _| state.has_task(*first));
    }
}

/// The place in line of the next one that is still in the queue and was never asked. Whoever was
/// asked before stays in line: it starts when there is room for it.
fn next_fresh(
    line: &VecDeque<Queued>,
    left_off: &HashMap<PersonaIndex, LeftOff>,
    state: &RunState,
) -> Option<usize> {
    line.iter().position(|queued| {
        let persona = queued.persona.index;
        let left_off = left_off.get(&persona).unwrap_or(&queued.left_off);
        state.status(persona) == Some(InterviewStatus::Queued) && left_off.is_fresh()
    })
}

impl Supervisor {
    /// Starts an interview, or with `pack` the call of several that have not been asked before.
    pub(super) fn begin(&mut self, queued: Queued) {
        let most = usize::from(self.interviewer.stages.survey.pack);
        if most < 2 || !queued.left_off.is_fresh() {
            return self.start_alone(queued);
        }
        let mut members = vec![queued];
        while members.len() < most
            && let Some(more) = self.next_fresh()
        {
            members.push(more);
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
        self.packs.begin(&indexes);
    }

    /// The next persona that is loaded and may join a pack.
    fn next_fresh(&mut self) -> Option<Queued> {
        let at = next_fresh(&self.fetched, &self.left_off, &self.state)?;
        let queued = self.fetched.remove(at)?;
        self.on_the_way.remove(&queued.persona.index);
        self.left_off.remove(&queued.persona.index);
        Some(queued)
    }

    /// Aborts the tasks that `wanted` picks by their status, and puts their personas back.
    pub(super) fn abort(&mut self, wanted: impl Fn(InterviewStatus) -> bool) {
        self.state.abort(wanted);
        self.packs.forget_aborted(&self.state);
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
        self.packs.0.iter().fold((0, 0), |(all, off), (first, others)| {
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
        let Some(others) = self.packs.0.get(first) else { return };
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
        self.packs.0.remove(&first);
        let mut records = self.of_stage(first, last, NewSteps::default());
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
                        records.extend(self.end(persona.index, persona.weight, left_off, ending));
                    }
                    return self.write(records);
                }
                // Too long, refused, or no answer of the shape: alone, each may fare better.
                Ending::Settled(_) | Ending::OverBudget { .. } => vec![None; many],
            },
        };
        let (mut alone, mut to_review) = (Vec::new(), Vec::new());
        for (mut member, share) in members.into_iter().zip(shares) {
            let mut standing = Standing::of(&member.left_off.steps);
            if let Some(events) = share {
                records.extend(self.take_share(together, &mut member, &mut standing, events, many));
            }
            match self.interviewer.stages.next(&standing) {
                Next::End(fate) => {
                    let Queued { persona, left_off } = member;
                    let ending = Ending::Settled(left_off.ends_in(fate));
                    records.extend(self.end(persona.index, persona.weight, left_off, ending));
                }
                Next::Ask(_) if self.stop.is_some() => {
                    let Queued { persona, left_off } = member;
                    let ending = Ending::GaveBack;
                    records.extend(self.end(persona.index, persona.weight, left_off, ending));
                }
                // Whose verdict is missing from a common one is judged alone.
                next if together == Together::Answer
                    && self.is_reviewed_together(&next, &member, &standing) =>
                {
                    to_review.push(member);
                }
                Next::Ask(_) => alone.push(member),
            }
        }
        self.write(records);
        for member in alone {
            self.start_alone(member);
        }
        self.start_pack(Together::Review, to_review);
        self.put_back_what_waits();
    }

    /// Takes in what one of a pack was given. What is to be on file of it comes back.
    fn take_share(
        &mut self,
        together: Together,
        member: &mut Queued,
        standing: &mut Standing,
        events: Vec<StepEvent>,
        many: usize,
    ) -> Vec<Record> {
        let persona = member.persona.index;
        let personas = u32::try_from(many).unwrap_or(u32::MAX);
        let packed = (together == Together::Answer).then_some(Record::Packed { persona, personas });
        let new = self.interviewer.stages.take(standing, together.stage(), events);
        member.left_off.steps.extend_from_slice(&new.steps);
        packed.into_iter().chain(self.of_stage(persona, None, new)).collect()
    }

    /// Whether the critic looks at an answer together with others. One that may take over the
    /// verdict on an answer near to it does so alone.
    fn is_reviewed_together(&self, next: &Next, member: &Queued, standing: &Standing) -> bool {
        let Interviewer { similar, stages, .. } = &*self.interviewer;
        let may_be_near = || {
            let Some(similar) = similar else { return false };
            let own = similar.fingerprint(Stage::Review, standing, &member.persona);
            own.is_some_and(|own| match similar.embedder() {
                None => similar.nearest(&own).is_some(),
                Some(_) => !matches!(similar.comparison(&own), Comparison::Idle),
            })
        };
        stages.is_reviewed_together(next, standing) && !may_be_near()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Persona;

    #[test]
    fn a_pack_is_filled_with_whoever_was_never_asked_and_the_others_stay_in_line() {
        let queued = |index, attempts| Queued {
            persona: Persona {
                index: PersonaIndex(index),
                id: index.to_string(),
                weight: None,
                attributes: Vec::new(),
            },
            left_off: LeftOff { attempts, ..LeftOff::default() },
        };
        let line = VecDeque::from([queued(0, 3), queued(1, 0), queued(2, 0), queued(3, 0)]);
        let mut state = RunState::new(vec![InterviewStatus::Queued; 4]);
        state.set_status(PersonaIndex(1), InterviewStatus::InBatch);
        let asked = LeftOff { attempts: 1, ..LeftOff::default() };
        let mut left_off = HashMap::from([(PersonaIndex(2), asked)]);
        assert_eq!(next_fresh(&line, &left_off, &state), Some(3));
        left_off.insert(PersonaIndex(2), LeftOff::default());
        assert_eq!(next_fresh(&line, &left_off, &state), Some(2));
    }

    #[tokio::test]
    async fn a_pack_whose_call_is_aborted_is_none_any_more() {
        let mut state = RunState::new(vec![InterviewStatus::Queued; 4]);
        let mut packs = Packs::default();
        for pack in [[0, 1], [2, 3]].map(|pack| pack.map(PersonaIndex)) {
            let task = tokio::spawn(std::future::pending::<()>());
            pack.iter().for_each(|&persona| state.start(persona, task.abort_handle()));
            packs.begin(&pack);
        }
        for persona in [0, 1].map(PersonaIndex) {
            state.progress(persona, InterviewStatus::InFlight, None);
        }
        state.abort(|status| status != InterviewStatus::InFlight);
        packs.forget_aborted(&state);
        assert_eq!(packs.0.keys().collect::<Vec<_>>(), [&PersonaIndex(0)]);
    }
}
