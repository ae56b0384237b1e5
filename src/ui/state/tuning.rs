//! What the keys order of the engine: limits, adaptation, pause and retry, and the endpoint that
//! they are meant for.

use super::{Effect, Mirror, Tone, UiState};
use crate::{
    model::{EndpointIndex, InterviewStatus, LimitName, PauseReason, RunPhase, Service},
    protocol::{Order, ReplayState},
};

impl UiState {
    /// Whether the run can still be told anything; says so where it cannot.
    fn can_order(&mut self) -> bool {
        let Some(run) = &self.run else {
            self.say(Tone::Info, "the run has not begun yet; try again in a moment");
            return false;
        };
        let why = if !run.header.live {
            "this run is only looked at; `voxpop resume` goes on with it"
        } else if run.ended() {
            "the run is over; there is nothing left to change"
        } else if matches!(run.phase, RunPhase::Draining) {
            "the run is stopping; it takes no new orders"
        } else {
            return true;
        };
        self.say(Tone::Refused, why);
        false
    }

    pub(super) fn tune(&mut self, limit: LimitName, more: bool, effects: &mut Vec<Effect>) {
        if !self.can_order() {
            return;
        }
        let Some(run) = &self.run else { return };
        match self.orders.step(limit, more, self.only, &run.meters) {
            Ok(orders) => effects.extend(orders.into_iter().map(Effect::Send)),
            Err(why) => self.say(Tone::Info, why),
        }
    }

    pub(super) fn toggle_pause(&mut self, effects: &mut Vec<Effect>) {
        if let Some(replay) = self.run.as_ref().and_then(|run| run.meters.replay) {
            let paused = replay.state == ReplayState::Paused;
            return effects.push(Effect::Send(self.orders.toggle_pause(paused)));
        }
        if !self.can_order() {
            return;
        }
        let paused =
            self.run.as_ref().is_some_and(|run| matches!(run.phase, RunPhase::Paused { .. }));
        effects.push(Effect::Send(self.orders.toggle_pause(paused)));
    }

    pub(super) fn change_speed(&self, faster: bool, effects: &mut Vec<Effect>) {
        if self.run.is_some() {
            effects.push(Effect::Send(Order::ChangeSpeed { faster }));
        }
    }

    pub(super) fn toggle_adaptation(&mut self, effects: &mut Vec<Effect>) {
        if !self.can_order() {
            return;
        }
        let adapting = self.run.as_ref().is_some_and(|run| run.meters.adapting);
        effects.push(Effect::Send(self.orders.toggle_adaptation(adapting)));
    }

    pub(super) fn toggle_batch(&mut self, effects: &mut Vec<Effect>) {
        if !self.can_order() {
            return;
        }
        let on = self.run.as_ref().is_some_and(|run| run.meters.batches.on);
        effects.push(Effect::Send(self.orders.toggle_batch(on)));
    }

    pub(super) fn retry(&mut self, effects: &mut Vec<Effect>) {
        let Some(run) = &self.run else { return };
        let failed = run.counts.get(InterviewStatus::Failed);
        if !run.header.live && failed > 0 {
            let line = format!("`voxpop retry {}` asks the failed again", run.header.run);
            return self.say(Tone::Info, line);
        }
        // The engine stays for those who still look at a run that is over.
        if run.phase == RunPhase::Finished && failed > 0 {
            effects.push(Effect::Send(Order::RetryFailed));
            return;
        }
        let mended = waits_to_be_mended(run);
        if !self.can_order() {
        } else if mended {
            effects.push(Effect::Send(Order::Resume));
        } else if failed == 0 {
            self.say(Tone::Info, "nothing has failed: there is nobody to ask again");
        } else {
            effects.push(Effect::Send(Order::RetryFailed));
        }
    }

    // One endpoint alone.

    pub(super) fn select_endpoint(&mut self, down: bool) {
        let last = self.run.as_ref().map_or(0, |run| run.meters.endpoints.len().saturating_sub(1));
        let at = self.endpoint_selected;
        self.endpoint_selected = if down { (at + 1).min(last) } else { at.saturating_sub(1) };
    }

    /// From now on the tuning keys act on the selected endpoint alone.
    pub(super) fn choose_endpoint(&mut self) {
        let Some(index) = u16::try_from(self.endpoint_selected).ok().map(EndpointIndex) else {
            return;
        };
        let Some(run) = &self.run else { return };
        let name = run.endpoint_name(index);
        self.only = Some(index);
        self.say(Tone::Info, format!("{name} is tuned alone; Esc lets go of it"));
    }

    pub(super) fn let_go_of_endpoint(&mut self) {
        self.only = None;
        self.say(Tone::Info, "all endpoints are tuned together");
    }
}

/// Whether the run, or an endpoint of it, stands still until somebody has mended something.
fn waits_to_be_mended(run: &Mirror) -> bool {
    match &run.phase {
        RunPhase::Paused { reason } => !matches!(reason, PauseReason::User),
        RunPhase::Running => {
            let out = |service: &Service| matches!(service, Service::OutOfService { .. });
            run.meters.endpoints.iter().any(|endpoint| out(&endpoint.service))
        }
        RunPhase::Draining | RunPhase::Finished | RunPhase::Stopped { .. } => false,
    }
}
