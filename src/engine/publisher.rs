//! From the run state to the front ends: a snapshot on joining, then merged deltas, at most ten
//! a second and none while nothing changes.

use super::{
    ledger::Ledger,
    meters::{Moment, RunMeters},
    run_state::RunState,
};
use crate::{
    limiter::Limiter,
    model::{Analysis, AnalysisMeter, LimitChange, LogLine, LogRing, RunSummary, UnixMillis},
    protocol::{
        BatchMeters, CommandId, CommandOutcome, Conversation, Delta, FrontEndId, HISTORY_SECONDS,
        LIMIT_CHANGES, LOG_LINES, Meters, Outlet, PROTOCOL_VERSION, PersonaDetail, RateSample,
        RunHeader, Snapshot, Update,
    },
};
use std::{collections::VecDeque, sync::Arc};

/// Publishes to every front end.
pub(super) struct Publisher {
    header: RunHeader,
    seats: Vec<Seat>,
    log: LogRing,
    /// How many log lines have been published.
    log_seen: u64,
    history: VecDeque<RateSample>,
    /// The seconds that no delta has carried yet.
    fresh: Vec<RateSample>,
    changes: VecDeque<LimitChange>,
    /// The changes of limits that no delta has carried yet.
    fresh_changes: Vec<LimitChange>,
    /// What the answers come to, where no delta has carried it yet.
    fresh_analysis: Option<Box<Analysis>>,
    /// Something other than a status changed since the last delta.
    stale: bool,
}

/// One front end, as long as it is there.
struct Seat {
    id: FrontEndId,
    outlet: Box<dyn Outlet>,
    stays: bool,
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
    pub batches: &'a BatchMeters,
    /// Set while the run has ended.
    pub summary: Option<&'a RunSummary>,
    pub analysis: Option<&'a Analysis>,
    pub analysing: Option<AnalysisMeter>,
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
            analysis: self.analysing,
            batches: self.batches,
        })
    }
}

impl Publisher {
    pub(super) const fn new(header: RunHeader, log: LogRing) -> Self {
        Self {
            header,
            seats: Vec::new(),
            log,
            log_seen: 0,
            history: VecDeque::new(),
            fresh: Vec::new(),
            changes: VecDeque::new(),
            fresh_changes: Vec::new(),
            fresh_analysis: None,
            stale: false,
        }
    }

    /// A front end has joined; it knows nothing before a snapshot.
    pub(super) fn join(&mut self, id: FrontEndId, outlet: Box<dyn Outlet>, stays: bool) {
        self.seats.push(Seat { id, outlet, stays });
    }

    /// A front end is gone.
    pub(super) fn leave(&mut self, id: FrontEndId) {
        self.seats.retain(|seat| seat.id != id);
    }

    /// Whether a front end is there.
    pub(super) fn has(&self, id: FrontEndId) -> bool {
        self.seats.iter().any(|seat| seat.id == id)
    }

    /// All front ends are gone.
    pub(super) fn leave_all(&mut self) {
        self.seats.clear();
    }

    /// Whether a front end is there that still looks at a run which is over.
    pub(super) fn anyone_stays(&self) -> bool {
        self.seats.iter().any(|seat| seat.stays)
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

    /// It is known what the answers come to.
    pub(super) fn analysed(&mut self, analysis: &Analysis) {
        self.fresh_analysis = Some(Box::new(analysis.clone()));
        self.stale = true;
    }

    /// The next delta is due even where no status changed.
    pub(super) const fn touch(&mut self) {
        self.stale = true;
    }

    /// The whole run, to one front end. What has changed goes to the others first, so that the
    /// next delta follows on for everybody; this one could do nothing with it.
    pub(super) fn snapshot(&mut self, to: FrontEndId, sources: &mut Sources<'_>) {
        if let Some(delta) = self.fresh_delta(sources) {
            self.publish(delta, Some(to));
        }
        let (log, _) = self.log.since(self.log_seen.saturating_sub(LOG_LINES as u64));
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
            analysis: sources.analysis.cloned().map(Box::new),
        };
        self.tell(to, Update::Snapshot(Box::new(snapshot)));
    }

    /// What changed since the last call, to everybody; nothing where nothing did.
    pub(super) fn delta(&mut self, sources: &mut Sources<'_>) {
        if let Some(delta) = self.fresh_delta(sources) {
            self.publish(delta, None);
        }
    }

    fn fresh_delta(&mut self, sources: &mut Sources<'_>) -> Option<Delta> {
        let log = self.fresh_log();
        if !self.stale && log.is_empty() && !sources.state.has_changes() {
            return None;
        }
        self.stale = false;
        Some(Delta {
            phase: sources.state.phase.clone(),
            statuses: sources.state.take_changes(),
            meters: sources.meters(),
            history: std::mem::take(&mut self.fresh),
            log,
            changes: std::mem::take(&mut self.fresh_changes),
            summary: sources.summary.cloned(),
            analysis: self.fresh_analysis.take(),
        })
    }

    pub(super) fn detail(&self, to: FrontEndId, detail: PersonaDetail) {
        self.tell(to, Update::Detail(Box::new(detail)));
    }

    pub(super) fn talk(&self, to: FrontEndId, talk: Conversation) {
        self.tell(to, Update::Talk(Box::new(talk)));
    }

    pub(super) fn applied(&self, to: FrontEndId, id: CommandId, outcome: CommandOutcome) {
        self.tell(to, Update::Applied { id, outcome });
    }

    fn fresh_log(&mut self) -> Vec<LogLine> {
        let (lines, written) = self.log.since(self.log_seen);
        self.log_seen = written;
        lines
    }

    /// Says something to one front end; one that has left is told nothing.
    fn tell(&self, to: FrontEndId, update: Update) {
        if let Some(seat) = self.seats.iter().find(|seat| seat.id == to) {
            seat.outlet.publish(update);
        }
    }

    /// Tells all, or all but one, what changed.
    fn publish(&self, delta: Delta, but: Option<FrontEndId>) {
        let delta = Arc::new(delta);
        for seat in self.seats.iter().filter(|seat| Some(seat.id) != but) {
            seat.outlet.publish_shared(&delta);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{ledger::Before, meters::Terms},
        limiter::EndpointSpec,
        model::{InterviewStatus, Limits, PersonaIndex, Slots},
    };
    use std::sync::Mutex;
    use tokio::sync::mpsc;

    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<Update>>>);

    impl Outlet for Told {
        fn publish(&self, update: Update) {
            self.0.lock().unwrap().push(update);
        }
    }

    /// The writing of a snapshot takes a while, and what came before it would be written first.
    #[tokio::test]
    async fn who_joins_is_told_nothing_before_the_snapshot() {
        let limits =
            Limits { slots: Slots::clamped(1), requests_per_minute: None, tokens_per_minute: None };
        let (waits, _waits) = mpsc::unbounded_channel();
        let (limiter, _dispatcher) =
            Limiter::new(vec![EndpointSpec::new("endpoint", "model", limits)], waits);
        let mut state = RunState::new(vec![InterviewStatus::Queued; 3]);
        let (meters, ledger) =
            (RunMeters::new(Terms::default()), Ledger::new(None, Before::default()));
        let header = RunHeader {
            run: "a".into(),
            run_file: "/a.voxpop".into(),
            survey: "a".into(),
            question: "Should it?".into(),
            support: "Support".into(),
            started_at: UnixMillis(0),
            pack: 1,
            live: true,
        };
        let mut publisher = Publisher::new(header, LogRing::new(LOG_LINES));
        let told = [Told::default(), Told::default()];
        let statuses = [InterviewStatus::InFlight, InterviewStatus::Done];
        for ((id, told), status) in (0..).map(FrontEndId).zip(&told).zip(statuses) {
            state.set_status(PersonaIndex(1), status);
            publisher.join(id, Box::new(told.clone()), false);
            let mut sources = Sources {
                state: &mut state,
                meters: &meters,
                limiter: &limiter,
                ledger: &ledger,
                unsaved: 0,
                nothing_since: None,
                summary: None,
                batches: &BatchMeters::default(),
                analysis: None,
                analysing: None,
            };
            publisher.snapshot(id, &mut sources);
        }
        let first = told[0].0.lock().unwrap();
        assert!(matches!(first.as_slice(), [Update::Snapshot(_), Update::Delta(_)]), "{first:?}");
        let second = told[1].0.lock().unwrap();
        assert!(matches!(second.as_slice(), [Update::Snapshot(_)]), "{second:?}");
    }
}
