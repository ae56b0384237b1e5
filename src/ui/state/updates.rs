//! What the engine's updates do to the state: snapshots, deltas, which a frozen display holds back,
//! one persona's detail, a talk, and the outcome of a command.

use super::{Effect, Frozen, Mirror, Orders, Stopping, Tone, UiState, watch::to_be_mended};
use crate::protocol::{CommandOutcome, Delta, Order, PROTOCOL_VERSION, Snapshot, Update};

impl UiState {
    pub(super) fn update(&mut self, update: Update, effects: &mut Vec<Effect>) {
        match update {
            Update::Snapshot(snapshot) => self.snapshot(*snapshot, effects),
            Update::Delta(delta) => self.delta(*delta, effects),
            Update::Detail(detail) => {
                if let Some(inspection) = &mut self.inspection {
                    inspection.answered(*detail);
                }
                self.clamp_scroll();
            }
            Update::Talk(talk) => self.talked(*talk),
            Update::Applied { id, outcome } => {
                let refused = matches!(outcome, CommandOutcome::Refused { .. });
                let (order, notice) = self.orders.answered(id, outcome, self.now);
                if refused && order.as_ref().is_some_and(stops) {
                    self.stopping = Stopping::No;
                }
                if let (Some(order), Some(notice)) = (&order, &notice) {
                    self.talk_refused(order, &notice.text);
                }
                if let (Some(Order::Inspect { persona }), Some(notice)) = (&order, &notice)
                    && let Some(inspection) = &mut self.inspection
                    && inspection.persona == *persona
                {
                    inspection.refused = Some(notice.text.clone());
                }
                self.notify(order.as_ref(), notice);
            }
            Update::Reconnecting => {
                self.reconnecting = true;
                // What was on its way may never be answered.
                self.orders = Orders::default();
                self.stopping = Stopping::No;
            }
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot, effects: &mut Vec<Effect>) {
        if snapshot.version != PROTOCOL_VERSION {
            self.say(
                Tone::Refused,
                format!(
                    "the engine speaks version {} of the protocol and this screen version \
                     {PROTOCOL_VERSION}: run both from the same voxpop",
                    snapshot.version
                ),
            );
        }
        if self.run.is_none() {
            // Who joins a run that stands still need not be called.
            self.stands_still = to_be_mended(&snapshot.phase).is_some();
        }
        let was_running = self.run.as_ref().is_some_and(|run| !run.ended());
        if std::mem::take(&mut self.reconnecting) {
            self.open_talk_again(effects);
        }
        self.frozen = None;
        let run = Mirror::new(snapshot, self.now);
        self.orders.settle(&run.meters);
        self.log_back = 0;
        self.run = Some(run);
        self.fit_grid();
        if self.ended() && (was_running || self.stopping != Stopping::No || !self.keep_open) {
            self.at_the_end(effects);
        }
    }

    fn delta(&mut self, delta: Delta, effects: &mut Vec<Effect>) {
        let Some(run) = &mut self.run else {
            effects.push(Effect::Send(Order::SendSnapshot));
            return;
        };
        self.orders.settle(&delta.meters);
        let delta = match self.frozen.take() {
            None => delta,
            Some(mut frozen) => {
                // What the run as a whole does is never held back.
                let alarm = delta.meters.nothing_since.is_some() && !self.alarm_raised;
                let thaw = delta.phase != run.phase || delta.summary.is_some() || alarm;
                let merged = match frozen.held.take() {
                    Some(mut held) => {
                        held.merge(delta);
                        held
                    }
                    None => delta,
                };
                if !thaw {
                    frozen.held = Some(merged);
                    self.frozen = Some(frozen);
                    return;
                }
                merged
            }
        };
        self.take_in(delta, effects);
    }

    fn take_in(&mut self, delta: Delta, effects: &mut Vec<Effect>) {
        let Some(run) = &mut self.run else { return };
        let was_running = !run.ended();
        let fresh = delta.log.len();
        let grid = &mut self.grid;
        let lines = self.overlay.lines(run);
        let fits = run.apply(delta, self.now, |persona, from, to| grid.changed(persona, from, to));
        self.overlay.grown(lines, run);
        if self.log_back > 0 {
            self.log_back = (self.log_back + fresh).min(run.log.len());
        }
        if !fits {
            effects.push(Effect::Send(Order::SendSnapshot));
        }
        if was_running && run.ended() {
            self.at_the_end(effects);
        }
    }

    /// Lets a frozen display go on, with what was held back.
    pub(super) fn thaw(&mut self, effects: &mut Vec<Effect>) {
        if let Some(Frozen { held: Some(delta), .. }) = self.frozen.take() {
            self.take_in(delta, effects);
        }
    }
}

const fn stops(order: &Order) -> bool {
    matches!(order, Order::FinishAndStop | Order::StopNow | Order::CancelBatches)
}
