//! Follows a run and writes what happens.

use super::{json, plain};
use crate::{
    link::FrontEndLink,
    model::{Analysis, LimitChange, LimitSetBy, LogLine, PauseReason, RunPhase, UnixMillis},
    protocol::{BatchMeter, BatchStanding, CommandOutcome, Order, Snapshot, Update},
};
use std::{
    collections::HashMap,
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
pub async fn watch(link: FrontEndLink, format: Format, out: impl Write) {
    follow(Watcher::new(format), link, out).await;
}

/// The same for one who only looks, at a run that others steer: nothing is ordered, and it is over
/// when nobody reads any more.
pub async fn look_on(link: FrontEndLink, format: Format, out: impl Write) {
    follow(Watcher { steers: false, ..Watcher::new(format) }, link, out).await;
}

async fn follow(mut watcher: Watcher, link: FrontEndLink, mut out: impl Write) {
    let mut progress = tokio::time::interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! { biased;
            update = link.next() => {
                let Some(update) = update else { return };
                watcher.take(update, &link, &mut out);
            }
            _ = progress.tick() => watcher.progress(&mut out, Line::Progress),
        }
        if !watcher.writing && !watcher.steers {
            return;
        }
    }
}

struct Watcher {
    format: Format,
    snapshot: Option<Box<Snapshot>>,
    /// The last change of a limit that was seen.
    last_change: Option<LimitChange>,
    /// Changes by adaptation that have not been told: for people they are added up, and told with
    /// the progress.
    adapted: Vec<LimitChange>,
    /// What the answers come to, as far as it has been told.
    analysis: Option<Box<Analysis>>,
    /// The batches as they were told last.
    batches: HashMap<u32, (BatchStanding, Option<String>)>,
    /// Whether the alarm is on, as far as it has been told.
    alarmed: bool,
    /// Somebody still reads.
    writing: bool,
    /// It stops a run that nobody is there to mend.
    steers: bool,
}

/// What a line can be about.
enum Line<'a> {
    Started,
    Progress,
    Phase,
    Alarm,
    Limits(&'a [LimitChange]),
    Batch(&'a BatchMeter),
    Log(&'a LogLine),
    Outcome(&'a CommandOutcome),
    Analysis(&'a Analysis),
    Finished,
}

impl Watcher {
    fn new(format: Format) -> Self {
        Self {
            format,
            snapshot: None,
            last_change: None,
            adapted: Vec::new(),
            analysis: None,
            batches: HashMap::new(),
            alarmed: false,
            writing: true,
            steers: true,
        }
    }

    fn take(&mut self, update: Update, link: &FrontEndLink, out: &mut impl Write) {
        match update {
            Update::Snapshot(snapshot) => {
                let first = self.snapshot.is_none();
                // A slow watcher finds the deltas folded into the snapshot, a pause among them.
                if self.steers && needs_a_person(&snapshot.phase) {
                    link.send(Order::FinishAndStop);
                }
                let running = snapshot.phase == RunPhase::Running;
                let fresh = self.unseen(&snapshot.changes);
                self.snapshot = Some(snapshot);
                if first {
                    // What changed before is history.
                    self.last_change = fresh.last().cloned();
                    self.write(out, Line::Started);
                    if !running {
                        self.write(out, Line::Phase);
                    }
                } else {
                    self.limits_changed(fresh, out);
                }
                self.watch_analysis(first, out);
                self.watch_alarm(out);
                self.watch_batches(out);
            }
            Update::Delta(delta) => {
                let Some(snapshot) = &mut self.snapshot else { return };
                let phase_before = snapshot.phase.clone();
                let (log, changes) = (delta.log.clone(), delta.changes.clone());
                snapshot.apply(*delta);
                let (phase, ended) = (snapshot.phase.clone(), snapshot.summary.is_some());
                for line in &log {
                    self.write(out, Line::Log(line));
                }
                self.limits_changed(changes, out);
                self.watch_batches(out);
                if phase != phase_before && !ended {
                    self.write(out, Line::Phase);
                    if self.steers && needs_a_person(&phase) {
                        link.send(Order::FinishAndStop);
                    }
                }
                self.watch_analysis(false, out);
                if ended {
                    self.progress(out, Line::Finished);
                } else {
                    self.watch_alarm(out);
                }
            }
            Update::Applied { outcome, .. } => self.write(out, Line::Outcome(&outcome)),
            Update::Detail(_) | Update::Talk(_) | Update::Reconnecting => {}
        }
    }

    /// What has changed since the last change that was seen.
    fn unseen(&self, changes: &[LimitChange]) -> Vec<LimitChange> {
        let seen = self.last_change.as_ref();
        let seen = seen.and_then(|last| changes.iter().rposition(|change| change == last));
        changes[seen.map_or(0, |at| at + 1)..].to_vec()
    }

    fn limits_changed(&mut self, changes: Vec<LimitChange>, out: &mut impl Write) {
        let Some(last) = changes.last() else { return };
        self.last_change = Some(last.clone());
        let (adapted, told): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| {
            self.format == Format::Plain && change.set_by == LimitSetBy::Adaptation
        });
        self.adapted.extend(adapted);
        self.write(out, Line::Limits(&told));
    }

    /// The progress, and with it what adaptation has done since the last time.
    fn progress(&mut self, out: &mut impl Write, line: Line<'_>) {
        let adapted = std::mem::take(&mut self.adapted);
        self.write(out, Line::Limits(&adapted));
        self.write(out, line);
    }

    /// Tells what the answers come to when that is new; what was known `before` is not.
    fn watch_analysis(&mut self, before: bool, out: &mut impl Write) {
        let analysis = self.snapshot.as_ref().and_then(|run| run.analysis.clone());
        if analysis == self.analysis {
            return;
        }
        if let Some(analysis) = analysis.as_deref().filter(|_| !before) {
            self.write(out, Line::Analysis(analysis));
        }
        self.analysis = analysis;
    }

    /// Tells people at once; programs read it off the progress.
    fn watch_alarm(&mut self, out: &mut impl Write) {
        let on = self.snapshot.as_ref().is_some_and(|run| run.meters.nothing_since.is_some());
        if on != self.alarmed {
            self.alarmed = on;
            self.write(out, Line::Alarm);
        }
    }

    /// Tells every batch that is not as it was told last.
    fn watch_batches(&mut self, out: &mut impl Write) {
        let Some(run) = &self.snapshot else { return };
        let changed: Vec<BatchMeter> = (run.meters.batches.shown.iter())
            .filter(|batch| {
                let told = self.batches.get(&batch.number);
                told.is_none_or(|told| told.0 != batch.standing || told.1 != batch.note)
            })
            .cloned()
            .collect();
        for batch in changed {
            self.write(out, Line::Batch(&batch));
            self.batches.insert(batch.number, (batch.standing, batch.note));
        }
    }

    fn write(&mut self, out: &mut impl Write, line: Line<'_>) {
        let Some(snapshot) = self.snapshot.as_deref().filter(|_| self.writing) else { return };
        let now = UnixMillis::now();
        let written: io::Result<()> = match (self.format, line) {
            (Format::Plain, Line::Started) => plain::started(out, snapshot),
            (Format::Plain, Line::Progress) => plain::progress(out, snapshot, now),
            (Format::Plain, Line::Phase) => plain::phase(out, &snapshot.phase),
            (Format::Plain, Line::Alarm) => plain::alarm(out, snapshot, now),
            (Format::Plain, Line::Limits(changes)) => plain::limits_changed(out, snapshot, changes),
            (Format::Plain, Line::Batch(batch)) => plain::batch(out, batch),
            (Format::Json, Line::Batch(batch)) => json::batch(out, batch, now),
            (Format::Plain, Line::Log(line)) => plain::log(out, line),
            (Format::Plain, Line::Outcome(outcome)) => plain::outcome(out, outcome),
            (Format::Plain, Line::Analysis(analysis)) => plain::analysis(out, analysis),
            (Format::Plain, Line::Finished) => plain::progress(out, snapshot, now),
            (Format::Json, Line::Started) => json::started(out, snapshot),
            (Format::Json, Line::Progress) => json::progress(out, snapshot, now),
            (Format::Json, Line::Phase) => json::phase(out, &snapshot.phase),
            (Format::Json, Line::Alarm) => Ok(()),
            (Format::Json, Line::Limits(changes)) => {
                changes.iter().try_for_each(|change| json::limit_changed(out, snapshot, change))
            }
            (Format::Json, Line::Log(line)) => json::log(out, line),
            (Format::Json, Line::Outcome(outcome)) => json::outcome(out, outcome),
            (Format::Json, Line::Analysis(analysis)) => json::analysis(out, analysis),
            // The last line is written once the run file is closed: see `json::finished`.
            (Format::Json, Line::Finished) => json::progress(out, snapshot, now),
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
                | PauseReason::Batch { .. }
        }
    )
}
