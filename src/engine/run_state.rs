//! The truth about a run in memory: one status byte a persona, and a little more for each
//! interview in progress.

use crate::model::{InterviewStatus, PersonaIndex, RunPhase, StatusCounts, UnixMillis};
use crate::protocol::{Activity, StatusChange, Statuses};
use std::collections::HashMap;
use tokio::task::AbortHandle;

/// The state of a run. Only the supervisor changes it.
pub(super) struct RunState {
    pub phase: RunPhase,
    statuses: Vec<InterviewStatus>,
    counts: StatusCounts,
    in_progress: HashMap<PersonaIndex, InProgress>,
    backing_off: usize,
    /// What the head of the line waits for: whoever stands behind it waits for the same.
    line_waits_for: InterviewStatus,
    /// Personas whose status changed since the last delta, doubles included.
    changed: Vec<PersonaIndex>,
}

/// An interview whose task is alive.
struct InProgress {
    task: AbortHandle,
    activity: Activity,
}

impl RunState {
    /// A run as the run file has it.
    pub(super) fn new(statuses: Vec<InterviewStatus>) -> Self {
        Self {
            phase: RunPhase::Running,
            counts: StatusCounts::of(&statuses),
            statuses,
            in_progress: HashMap::new(),
            backing_off: 0,
            line_waits_for: InterviewStatus::WaitingForSlot,
            changed: Vec::new(),
        }
    }

    pub(super) const fn counts(&self) -> &StatusCounts {
        &self.counts
    }

    pub(super) fn total(&self) -> u32 {
        self.counts.total()
    }

    pub(super) fn status(&self, persona: PersonaIndex) -> Option<InterviewStatus> {
        self.statuses.get(persona.as_usize()).copied()
    }

    pub(super) fn statuses(&self) -> Statuses {
        Statuses(self.statuses.clone())
    }

    /// How many interviews have a task.
    pub(super) fn in_progress(&self) -> usize {
        self.in_progress.len()
    }

    /// How many of them are backing off.
    pub(super) const fn backing_off(&self) -> usize {
        self.backing_off
    }

    pub(super) fn has_task(&self, persona: PersonaIndex) -> bool {
        self.in_progress.contains_key(&persona)
    }

    pub(super) fn activity(&self, persona: PersonaIndex) -> Option<Activity> {
        self.in_progress.get(&persona).map(|progress| progress.activity.clone())
    }

    /// The next queued persona at or after `from`, whether or not it has been fetched.
    pub(super) fn next_queued(&self, from: PersonaIndex) -> Option<PersonaIndex> {
        let rest = self.statuses.get(from.as_usize()..)?;
        let offset = rest.iter().position(|&status| status == InterviewStatus::Queued)?;
        u32::try_from(from.as_usize() + offset).ok().map(PersonaIndex)
    }

    /// Everyone with this status, in order.
    pub(super) fn all_with(&self, wanted: InterviewStatus) -> Vec<PersonaIndex> {
        let indexed = (0..).map(PersonaIndex).zip(&self.statuses);
        indexed.filter(|&(_, &status)| status == wanted).map(|(persona, _)| persona).collect()
    }

    /// An interview's task has started and wants a permit.
    pub(super) fn start(&mut self, persona: PersonaIndex, task: AbortHandle) {
        let activity = Activity { since: UnixMillis::now(), until: None };
        self.in_progress.insert(persona, InProgress { task, activity });
        self.set_status(persona, self.line_waits_for);
    }

    /// An interview that had backed off stands in the line again.
    pub(super) fn rejoin_line(&mut self, persona: PersonaIndex) {
        self.progress(persona, self.line_waits_for, None);
    }

    /// The head of the line waits for something, and so do all behind it.
    pub(super) fn line_waits_for(&mut self, status: InterviewStatus) {
        if self.line_waits_for == status {
            return;
        }
        self.line_waits_for = status;
        let in_line = |persona: &&PersonaIndex| {
            self.statuses.get(persona.as_usize()).is_some_and(|status| status.is_waiting())
        };
        for persona in self.in_progress.keys().filter(in_line).copied().collect::<Vec<_>>() {
            self.set_status(persona, status);
        }
    }

    /// An interview in progress does something else now. `until` says when that is over, where it
    /// is known.
    pub(super) fn progress(
        &mut self,
        persona: PersonaIndex,
        status: InterviewStatus,
        until: Option<UnixMillis>,
    ) {
        // A fact may arrive after a stop has taken the task away.
        let Some(progress) = self.in_progress.get_mut(&persona) else { return };
        progress.activity = Activity { since: UnixMillis::now(), until };
        self.set_status(persona, status);
    }

    /// An interview's task is over; its status stays until somebody sets it.
    pub(super) fn end_task(&mut self, persona: PersonaIndex) {
        self.in_progress.remove(&persona);
    }

    /// Aborts the tasks that `wanted` picks by their status, and puts their personas back.
    pub(super) fn abort(&mut self, wanted: impl Fn(InterviewStatus) -> bool) {
        let statuses = &self.statuses;
        let picked: Vec<_> = (self.in_progress.extract_if(|persona, _| {
            statuses.get(persona.as_usize()).is_some_and(|&status| wanted(status))
        }))
        .collect();
        for (persona, progress) in picked {
            progress.task.abort();
            self.set_status(persona, InterviewStatus::Queued);
        }
    }

    /// Sets a status and keeps every count in step.
    pub(super) fn set_status(&mut self, persona: PersonaIndex, status: InterviewStatus) {
        let Some(current) = self.statuses.get_mut(persona.as_usize()) else { return };
        let before = std::mem::replace(current, status);
        if before == status {
            return;
        }
        self.counts.change(before, status);
        self.backing_off -= usize::from(before == InterviewStatus::BackingOff);
        self.backing_off += usize::from(status == InterviewStatus::BackingOff);
        self.changed.push(persona);
    }

    /// Whether a status changed since the last delta.
    pub(super) const fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The changes since the last call: sorted, each persona once, with its status now.
    pub(super) fn take_changes(&mut self) -> Vec<StatusChange> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        let statuses = &self.statuses;
        (changed.into_iter())
            .map(|persona| StatusChange { persona, status: statuses[persona.as_usize()] })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_and_changes_follow_the_statuses(
            steps in proptest::collection::vec((0_u32..40, 0..InterviewStatus::COUNT), 0..200),
        ) {
            let mut state = RunState::new(vec![InterviewStatus::Queued; 40]);
            let mut seen = state.statuses();
            for (index, status) in steps {
                state.set_status(PersonaIndex(index), InterviewStatus::ALL[status]);
            }
            prop_assert_eq!(state.counts(), &StatusCounts::of(&state.statuses().0));
            prop_assert_eq!(
                state.backing_off(),
                state.all_with(InterviewStatus::BackingOff).len()
            );
            for change in state.take_changes() {
                seen.0[change.persona.as_usize()] = change.status;
            }
            prop_assert_eq!(seen, state.statuses());
            prop_assert!(!state.has_changes());
        }
    }
}
