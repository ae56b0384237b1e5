//! The queue as the supervisor has it: personas are loaded ahead of their interviews, an interview
//! begins where there is room, and who was not answered goes back.

use super::Supervisor;
use crate::{
    engine::{
        admission::{self, Occupancy},
        interview::Queued,
        reading::Request,
    },
    model::{InterviewStatus, PersonaIndex, RunPhase},
};

/// Personas loaded ahead of their interviews.
const FETCHED_AHEAD: usize = 1024;

/// Answers that may wait for the disk before no new interview starts. At 2 KB each they are 40 MB.
const UNSAVED_MOST: usize = 20_000;

impl Supervisor {
    /// Asks for the next personas where few are left.
    pub(in crate::engine) fn fetch_ahead(&mut self) {
        let closed = self.only_analysis || self.stop.is_some() || self.desk.is_on();
        if self.on_the_way.len() > FETCHED_AHEAD / 2 || closed {
            return;
        }
        let mut wanted = Vec::new();
        while wanted.len() + self.on_the_way.len() < FETCHED_AHEAD {
            let Some(next) = self.state.next_queued(self.cursor) else {
                self.cursor = PersonaIndex(u32::MAX);
                break;
            };
            self.cursor = PersonaIndex(next.0 + 1);
            if !self.state.has_task(next) && !self.on_the_way.contains(&next) {
                wanted.push(next);
            }
        }
        if wanted.is_empty() {
            return;
        }
        self.on_the_way.extend(&wanted);
        self.reading.ask(Request::Fetch { wanted, fresh: self.fresh });
    }

    /// Starts as many interviews as there is room for.
    pub(super) fn admit(&mut self) {
        if self.state.phase != RunPhase::Running
            || self.unsaved >= UNSAVED_MOST
            || self.desk.is_on()
        {
            return;
        }
        let (by_others, off_by_others) = self.asked_by_others();
        let mut room = admission::room(Occupancy {
            slots: self.limiter.slots_total() as usize,
            in_progress: self.state.in_progress().saturating_sub(by_others),
            backing_off: self.state.backing_off().saturating_sub(off_by_others),
        });
        while room > 0 {
            let Some(queued) = self.next_ready() else { return };
            self.begin(queued);
            room -= 1;
        }
    }

    /// The next persona that is loaded and still in the queue.
    pub(in crate::engine) fn next_ready(&mut self) -> Option<Queued> {
        loop {
            let mut queued = self.fetched.pop_front()?;
            let persona = queued.persona.index;
            self.on_the_way.remove(&persona);
            if self.state.status(persona) != Some(InterviewStatus::Queued) {
                continue;
            }
            if let Some(left_off) = self.left_off.remove(&persona) {
                queued.left_off = left_off;
            }
            return Some(queued);
        }
    }

    pub(in crate::engine) fn give_back(&mut self, persona: PersonaIndex) {
        self.state.set_status(persona, InterviewStatus::Queued);
        self.cursor = self.cursor.min(persona);
    }
}
