//! The alarm: calls are made, and nobody has been answered for a minute.

use super::supervisor::Supervisor;
use crate::model::{InterviewStatus, RunPhase, UnixMillis};
use std::time::Duration;

/// Without an answer for this long, while calls are made, the alarm is raised.
const SILENCE: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Raises the alarm where calls are made and none has given an answer for a minute. Calls that
    /// only wait for a rate are no sign of anything.
    pub(super) fn watch_for_silence(&mut self) {
        let asking = [InterviewStatus::InFlight, InterviewStatus::BackingOff]
            .map(|status| self.state.counts().get(status))
            .iter()
            .any(|&count| count > 0)
            || self.meters.failed_since_success() > 0;
        let since = self.meters.last_success().max(Some(self.running_since));
        // Batches are silent for hours, and that is no alarm.
        let silent = self.state.phase == RunPhase::Running
            && self.state.counts().get(InterviewStatus::InBatch) == 0
            && asking
            && since.is_some_and(|since| UnixMillis::now().since(since) >= SILENCE);
        // Once raised, it stands until somebody is answered or the run no longer runs: where every
        // call fails at once, there are moments in which none is under way.
        let stands = self.nothing_since.is_some()
            && self.nothing_since == since
            && self.state.phase == RunPhase::Running;
        let raised = since.filter(|_| silent || stands);
        if raised == self.nothing_since {
            return;
        }
        if raised.is_some() && self.nothing_since.is_none() {
            tracing::error!(
                "nothing has been answered for {} s: look at the errors",
                SILENCE.as_secs()
            );
        }
        self.nothing_since = raised;
        self.publisher.touch();
    }
}
