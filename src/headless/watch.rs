//! Follows a run and writes what happens.

use super::{json, plain};
use crate::{
    link::FrontEndLink,
    model::{PauseReason, RunPhase},
    protocol::{CommandOutcome, Order, Snapshot, Update},
};
use std::{
    io::{self, Write},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior};

/// A line of progress comes this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// How a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines of words.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Follows the run behind `link` until it has ended. It writes without regard to who waits: give
/// it a thread of its own, or a pipe that nobody reads would hold up the run.
///
/// A reader that has gone away (a closed pipe) ends the writing, not the run.
pub async fn watch(link: FrontEndLink, format: Format, mut out: impl Write) {
    let mut watcher = Watcher { format, snapshot: None, writing: true };
    let mut progress = tokio::time::interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! { biased;
            update = link.next() => {
                let Some(update) = update else { return };
                watcher.take(update, &link, &mut out);
            }
            _ = progress.tick() => watcher.write(&mut out, Line::Progress),
        }
    }
}

struct Watcher {
    format: Format,
    snapshot: Option<Box<Snapshot>>,
    /// Somebody still reads.
    writing: bool,
}

/// What a line can be about.
enum Line<'a> {
    Started,
    Progress,
    Phase,
    Log(&'a crate::model::LogLine),
    Outcome(&'a CommandOutcome),
    Finished,
}

impl Watcher {
    fn take(&mut self, update: Update, link: &FrontEndLink, out: &mut impl Write) {
        match update {
            Update::Snapshot(snapshot) => {
                let first = self.snapshot.is_none();
                // A slow watcher finds the deltas folded into the snapshot, a pause among them.
                if needs_a_person(&snapshot.phase) {
                    link.send(Order::FinishAndStop);
                }
                let running = snapshot.phase == RunPhase::Running;
                self.snapshot = Some(snapshot);
                if first {
                    self.write(out, Line::Started);
                    if !running {
                        self.write(out, Line::Phase);
                    }
                }
            }
            Update::Delta(delta) => {
                let Some(snapshot) = &mut self.snapshot else { return };
                let phase_before = snapshot.phase.clone();
                let log = delta.log.clone();
                snapshot.apply(*delta);
                let (phase, ended) = (snapshot.phase.clone(), snapshot.summary.is_some());
                for line in &log {
                    self.write(out, Line::Log(line));
                }
                if phase != phase_before && !ended {
                    self.write(out, Line::Phase);
                    if needs_a_person(&phase) {
                        link.send(Order::FinishAndStop);
                    }
                }
                if ended {
                    self.write(out, Line::Finished);
                }
            }
            Update::Applied { outcome, .. } => self.write(out, Line::Outcome(&outcome)),
            Update::Detail(_) => {}
        }
    }

    fn write(&mut self, out: &mut impl Write, line: Line<'_>) {
        let Some(snapshot) = self.snapshot.as_deref().filter(|_| self.writing) else { return };
        let written: io::Result<()> = match (self.format, line) {
            (Format::Plain, Line::Started) => plain::started(out, snapshot),
            (Format::Plain, Line::Progress) => plain::progress(out, snapshot),
            (Format::Plain, Line::Phase) => plain::phase(out, &snapshot.phase),
            (Format::Plain, Line::Log(line)) => plain::log(out, line),
            (Format::Plain, Line::Outcome(outcome)) => plain::outcome(out, outcome),
            (Format::Plain, Line::Finished) => plain::progress(out, snapshot),
            (Format::Json, Line::Started) => json::started(out, snapshot),
            (Format::Json, Line::Progress) => json::progress(out, snapshot),
            (Format::Json, Line::Phase) => json::phase(out, &snapshot.phase),
            (Format::Json, Line::Log(line)) => json::log(out, line),
            (Format::Json, Line::Outcome(outcome)) => json::outcome(out, outcome),
            // The last line is written once the run file is closed: see `json::finished`.
            (Format::Json, Line::Finished) => json::progress(out, snapshot),
        };
        self.writing = written.and_then(|()| out.flush()).is_ok();
    }
}

/// A pause that a person has to mend. One for a full disk mends itself.
const fn needs_a_person(phase: &RunPhase) -> bool {
    matches!(
        phase,
        RunPhase::Paused {
            reason: PauseReason::ProviderRefuses { .. }
                | PauseReason::BudgetSpent { .. }
                | PauseReason::Unreachable { .. }
                | PauseReason::CannotRead { .. }
        }
    )
}
