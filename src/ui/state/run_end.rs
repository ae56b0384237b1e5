//! The end of the run: who is called, whether the dashboard leaves, and the end in one line.

use super::{Effect, Mirror, Overlay, Stopping, UiState};
use crate::{
    model::{InterviewStatus as S, RunPhase, StopReason},
    ui::{Attachment, Exit, format},
};

impl UiState {
    pub(super) fn at_the_end(&mut self, effects: &mut Vec<Effect>) {
        if self.overlay == Overlay::Quit {
            self.overlay = Overlay::None;
        }
        // Who has ordered the stop waits for it; many terminals never say whether somebody looks.
        let away = self.focused.map_or(self.stopping == Stopping::No, |looked_at| !looked_at);
        let replay = self.attachment == Attachment::Replay;
        if away
            && !replay
            && let Some(run) = &self.run
        {
            effects.push(Effect::Alarm(format!("voxpop: {}", ending(run))));
        }
        if self.stopping != Stopping::No || !self.keep_open {
            effects.push(Effect::Leave(Exit::Left));
        }
    }
}

/// The run's end in one line.
pub fn ending(run: &Mirror) -> String {
    let (done, failed, refused) =
        (run.counts.answered(), run.counts.get(S::Failed), run.counts.get(S::Refused));
    let how = match &run.phase {
        RunPhase::Stopped { reason: StopReason::Asked } => "stopped",
        RunPhase::Stopped { reason: StopReason::Crashed } => "cut short by a crash",
        RunPhase::Stopped { reason: StopReason::Unmended { .. } } => "given up",
        _ => "finished",
    };
    let mut line = format!("{how}: {} done", format::thousands(u64::from(done)));
    for (count, word) in [(failed, "failed"), (refused, "refused")] {
        if count > 0 {
            line.push_str(&format!(", {} {word}", format::thousands(u64::from(count))));
        }
    }
    let left = run.total() - run.counts.over();
    if left > 0 {
        line.push_str(&format!(", {} left", format::thousands(u64::from(left))));
    }
    line
}
