//! From the run state to the front ends: a snapshot on joining, then merged deltas, at most ten
//! a second and none while nothing changes.

use super::{
    ledger::Ledger,
    meters::{Moment, RunMeters},
    run_state::RunState,
};
use crate::{
    limiter::Limiter,
    model::{LimitChange, LogLine, LogRing, RunSummary, UnixMillis},
    protocol::{
        CommandId, CommandOutcome, Delta, HISTORY_SECONDS, LIMIT_CHANGES, LOG_LINES, Meters,
        Outlet, PROTOCOL_VERSION, PersonaDetail, RateSample, RunHeader, Snapshot, Update,
    },
};
use std::collections::VecDeque;

/// Publishes to every outlet.
pub(super) struct Publisher {
    header: RunHeader,
    outlets: Vec<Box<dyn Outlet>>,
    log: LogRing,
    /// How many log lines have been published.
    log_seen: u64,
    history: VecDeque<RateSample>,
    /// The seconds that no delta has carried yet.
    fresh: Vec<RateSample>,
    changes: VecDeque<LimitChange>,
    /// The changes of limits that no delta has carried yet.
    fresh_changes: Vec<LimitChange>,
    /// Something other than a status changed since the last delta.
    stale: bool,
}

/// What a delta is made from.
pub(super) struct Sources<'a> {
    pub state: &'a mut RunState,
    pub meters: &'a RunMeters,
    pub limiter: &'a Limiter,
    pub ledger: &'a Ledger,
    pub unsaved: u32,
    /// The alarm.
    pub nothing_since: Option<UnixMillis>,
    /// Set while the run has ended.
    pub summary: Option<&'a RunSummary>,
}

impl Sources<'_> {
    fn meters(&self) -> Meters {
        let over = self.state.counts().over();
        self.meters.read(&Moment {
            limiter: self.limiter,
            books: self.ledger.books(),
            over,
            left: self.state.total() - over,
            unsaved: self.unsaved,
            nothing_since: self.nothing_since,
        })
    }
}

impl Publisher {
    pub(super) fn new(header: RunHeader, outlets: Vec<Box<dyn Outlet>>, log: LogRing) -> Self {
        Self {
            header,
            outlets,
            log,
            log_seen: 0,
            history: VecDeque::new(),
            fresh: Vec::new(),
            changes: VecDeque::new(),
            fresh_changes: Vec::new(),
            stale: false,
        }
    }

    /// A second's numbers, for the charts.
    pub(super) fn sample(&mut self, sample: RateSample) {
        self.history.push_back(sample);
        if self.history.len() > HISTORY_SECONDS {
            self.history.pop_front();
        }
        self.fresh.push(sample);
        self.stale = true;
    }

    /// A limit has changed.
    pub(super) fn changed(&mut self, change: LimitChange) {
        self.changes.push_back(change.clone());
        if self.changes.len() > LIMIT_CHANGES {
            self.changes.pop_front();
        }
        self.fresh_changes.push(change);
        self.stale = true;
    }

    /// The next delta is due even where no status changed.
    pub(super) const fn touch(&mut self) {
        self.stale = true;
    }

    /// The whole run, to everybody. The next delta follows on from it.
    pub(super) fn snapshot(&mut self, sources: &mut Sources<'_>) {
        let (_, written) = self.log.since(0);
        let (log, _) = self.log.since(written.saturating_sub(LOG_LINES as u64));
        self.log_seen = written;
        self.fresh.clear();
        self.fresh_changes.clear();
        self.stale = false;
        sources.state.take_changes();
        let snapshot = Snapshot {
            version: PROTOCOL_VERSION,
            header: self.header.clone(),
            phase: sources.state.phase.clone(),
            statuses: sources.state.statuses(),
            meters: sources.meters(),
            history: self.history.iter().copied().collect(),
            log,
            changes: self.changes.iter().cloned().collect(),
            summary: sources.summary.cloned(),
        };
        self.publish(Update::Snapshot(Box::new(snapshot)));
    }

    /// What changed since the last call; nothing where nothing did.
    pub(super) fn delta(&mut self, sources: &mut Sources<'_>) {
        let log = self.fresh_log();
        if !self.stale && log.is_empty() && !sources.state.has_changes() {
            return;
        }
        self.stale = false;
        let delta = Delta {
            phase: sources.state.phase.clone(),
            statuses: sources.state.take_changes(),
            meters: sources.meters(),
            history: std::mem::take(&mut self.fresh),
            log,
            changes: std::mem::take(&mut self.fresh_changes),
            summary: sources.summary.cloned(),
        };
        self.publish(Update::Delta(Box::new(delta)));
    }

    pub(super) fn detail(&self, detail: PersonaDetail) {
        self.publish(Update::Detail(Box::new(detail)));
    }

    pub(super) fn applied(&self, id: CommandId, outcome: CommandOutcome) {
        self.publish(Update::Applied { id, outcome });
    }

    fn fresh_log(&mut self) -> Vec<LogLine> {
        let (lines, written) = self.log.since(self.log_seen);
        self.log_seen = written;
        lines
    }

    fn publish(&self, update: Update) {
        let Some((last, others)) = self.outlets.split_last() else { return };
        for outlet in others {
            outlet.publish(update.clone());
        }
        last.publish(update);
    }
}
