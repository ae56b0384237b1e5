//! What is looked after at every input, whatever it was: whether somebody must be called, and
//! whether the persona that is looked at must be asked for again.

use super::{Effect, Inspection, Lower, UiState};
use crate::{
    model::{PauseReason, PersonaIndex, RunPhase, strip_controls},
    ui::Attachment,
};

impl UiState {
    /// The persona that is to be looked at: that of the cursor, where a panel shows it.
    fn watched(&self) -> Option<PersonaIndex> {
        let cursor = self.grid.cursor.filter(|cursor| cursor.exact)?;
        let shown = self.inspector_open || (self.lower() == Lower::Persona);
        shown.then_some(cursor.persona)
    }

    /// Judges what holds the run back, and calls somebody once when nothing comes back, or the run
    /// stands still until somebody has mended something.
    pub(super) fn watch_run(&mut self, effects: &mut Vec<Effect>) {
        // A replay is past: there is nothing to advise, and nobody to be called.
        let present = self.frozen.is_none() && self.attachment != Attachment::Replay;
        let Some(run) = self.run.as_ref().filter(|_| present) else { return };
        let situation = run.situation(self.now);
        self.verdict.observe((!run.ended()).then_some(situation), self.now);
        let alarm = situation.alarm().filter(|_| !run.ended());
        if let Some(alarm) = alarm.filter(|_| !self.alarm_raised) {
            let words = alarm.words(self.now, None);
            effects.push(Effect::Alarm(format!("voxpop: {}: {words}", run.header.run)));
        }
        self.alarm_raised = alarm.is_some();
        let why = to_be_mended(&run.phase);
        if let Some(why) = why.filter(|_| !self.stands_still) {
            let words = strip_controls(&format!("voxpop: {} is paused: {why}", run.header.run));
            effects.push(Effect::Alarm(words));
        }
        self.stands_still = why.is_some();
    }

    pub(super) fn watch_persona(&mut self, effects: &mut Vec<Effect>) {
        let Some(persona) = self.watched() else {
            self.inspection = None;
            return;
        };
        let Some(status) = self.run.as_ref().and_then(|run| run.status(persona)) else { return };
        let now = self.now;
        let ask = match &mut self.inspection {
            Some(inspection) if inspection.persona == persona => inspection.ask_again(status, now),
            other => {
                *other = Some(Inspection::new(persona, status, now));
                true
            }
        };
        if let Some(inspection) = &self.inspection
            && ask
            && !self.engine_gone
        {
            effects.push(Effect::Send(inspection.order()));
        }
    }
}

/// Why a run stands still until somebody has mended something.
pub(super) const fn to_be_mended(phase: &RunPhase) -> Option<&PauseReason> {
    match phase {
        RunPhase::Paused { reason: PauseReason::User } => None,
        RunPhase::Paused { reason } => Some(reason),
        _ => None,
    }
}
