//! The run as the engine last told it: a snapshot kept up to date by deltas.

use super::holders::Holders;
use crate::{
    advice::{Load, Situation},
    model::{
        Analysis, EndpointIndex, InterviewStatus, LimitChange, LogLine, MadeBy, PersonaIndex,
        RunPhase, RunSummary, Service, StatusCounts, UnixMillis, strip_controls,
    },
    protocol::{
        Delta, EndpointMeters, HISTORY_SECONDS, LIMIT_CHANGES, LOG_LINES, Meters, RateSample,
        ReplayState, RunHeader, Snapshot,
    },
    ui::detail::About,
};
use std::{collections::VecDeque, time::Duration};

/// One run, mirrored.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub header: RunHeader,
    pub phase: RunPhase,
    pub statuses: Vec<InterviewStatus>,
    pub counts: StatusCounts,
    pub meters: Meters,
    /// Oldest first.
    pub history: VecDeque<RateSample>,
    endpoint_history: Vec<EndpointHistory>,
    /// How many samples there ever were: charts line up their columns by it.
    pub samples_seen: u64,
    /// How the limits changed, oldest first.
    pub changes: VecDeque<LimitChange>,
    pub(super) holders: Holders,
    /// Oldest first.
    pub log: VecDeque<LogLine>,
    pub summary: Option<RunSummary>,
    /// What the answers come to, once that is known.
    pub analysis: Option<Box<Analysis>>,
    /// When the meters arrived.
    pub received_at: UnixMillis,
}

impl Mirror {
    /// Takes in a snapshot.
    pub fn new(snapshot: Snapshot, now: UnixMillis) -> Self {
        let Snapshot {
            version: _,
            mut header,
            phase,
            statuses,
            meters,
            history,
            log,
            changes,
            summary,
            analysis,
        } = snapshot;
        for text in [&mut header.run, &mut header.survey, &mut header.question, &mut header.support]
        {
            *text = strip_controls(text);
        }
        let statuses = statuses.0;
        let changes: VecDeque<_> = changes.into_iter().map(clean_change).collect();
        // What was set in an earlier part of the run may have been configured anew since.
        let began = now.0 - i64::try_from(meters.elapsed.as_millis()).unwrap_or(i64::MAX);
        let mut holders = Holders::default();
        changes.iter().filter(|change| change.at.0 >= began).for_each(|c| holders.note(c));
        Self {
            counts: StatusCounts::of(&statuses),
            header,
            phase,
            statuses,
            endpoint_history: meters.endpoints.iter().map(EndpointHistory::new).collect(),
            meters: clean(meters, &holders),
            changes,
            holders,
            samples_seen: history.len() as u64,
            history: history.into(),
            log: log.into_iter().map(clean_line).collect(),
            summary,
            analysis: analysis.map(clean_analysis),
            received_at: now,
        }
    }

    /// Takes in a delta, and tells `changed` each persona's old and new status. `false` where the
    /// delta names a persona that is not there: the snapshot has to be asked for again.
    pub fn apply(
        &mut self,
        delta: Delta,
        now: UnixMillis,
        mut changed: impl FnMut(PersonaIndex, InterviewStatus, InterviewStatus),
    ) -> bool {
        let mut fits = true;
        for change in delta.statuses {
            let Some(status) = self.statuses.get_mut(change.persona.as_usize()) else {
                fits = false;
                continue;
            };
            let before = std::mem::replace(status, change.status);
            self.counts.change(before, change.status);
            changed(change.persona, before, change.status);
        }
        self.phase = delta.phase;
        for change in delta.changes.into_iter().map(clean_change) {
            self.holders.note(&change);
            append_capped(&mut self.changes, [change], LIMIT_CHANGES);
        }
        self.meters = clean(delta.meters, &self.holders);
        self.sample_endpoints(delta.history.len());
        self.samples_seen += delta.history.len() as u64;
        append_capped(&mut self.history, delta.history, HISTORY_SECONDS);
        append_capped(&mut self.log, delta.log.into_iter().map(clean_line), LOG_LINES);
        self.summary = delta.summary;
        if let Some(analysis) = delta.analysis {
            self.analysis = Some(clean_analysis(analysis));
        }
        self.received_at = now;
        fits
    }

    /// Whether its calls go out in batches, or some of them still are in one.
    pub fn in_batches(&self) -> bool {
        !self.ended() && (self.meters.batches.on || self.meters.batches.open().next().is_some())
    }

    /// How many personas there are.
    pub fn total(&self) -> u32 {
        u32::try_from(self.statuses.len()).unwrap_or(u32::MAX)
    }

    /// Whether the run is over, or only looked at: nothing changes any more.
    pub const fn ended(&self) -> bool {
        if let Some(replay) = &self.meters.replay {
            return matches!(replay.state, ReplayState::Over);
        }
        !self.header.live
            || self.summary.is_some()
            || matches!(self.phase, RunPhase::Finished | RunPhase::Stopped { .. })
    }

    /// Whether the clock on the screen moves.
    pub const fn moving(&self) -> bool {
        // A replay says itself how far it is.
        self.meters.replay.is_none()
            && !self.ended()
            && (matches!(self.phase, RunPhase::Running | RunPhase::Draining)
                || self.counts.get(InterviewStatus::InFlight) > 0)
    }

    /// Since this process took the run up.
    pub fn elapsed(&self, now: UnixMillis) -> Duration {
        let since = if self.moving() { now.since(self.received_at) } else { Duration::ZERO };
        self.meters.elapsed + since
    }

    /// What the run is judged by at this moment.
    pub const fn situation(&self, now: UnixMillis) -> Situation<'_> {
        Situation { phase: &self.phase, counts: &self.counts, meters: &self.meters, now }
    }

    /// What the inspector has to know about the run.
    pub fn about(&self) -> About<'_> {
        About { support: &self.header.support, endpoints: &self.meters.endpoints }
    }

    /// What is used of the limits of one endpoint, or of all.
    pub fn load(&self, only: Option<EndpointIndex>) -> Load {
        match only.and_then(|index| self.meters.endpoints.get(index.as_usize())) {
            Some(endpoint) => Load::of_one(endpoint),
            None => Load::of_all(&self.meters.endpoints),
        }
    }

    /// The seconds of one endpoint, as far as this screen has seen them, or of all.
    pub fn seconds(&self, only: Option<EndpointIndex>) -> &VecDeque<RateSample> {
        let history = only.and_then(|index| self.endpoint_history.get(index.as_usize()));
        history.map_or(&self.history, |history| &history.samples)
    }

    fn sample_endpoints(&mut self, seconds: usize) {
        let endpoints = &self.meters.endpoints;
        if self.endpoint_history.len() != endpoints.len() {
            self.endpoint_history = endpoints.iter().map(EndpointHistory::new).collect();
        }
        for _ in 0..seconds {
            for (history, endpoint) in self.endpoint_history.iter_mut().zip(endpoints) {
                history.sample(endpoint);
            }
        }
    }

    /// The status of one persona.
    pub fn status(&self, persona: PersonaIndex) -> Option<InterviewStatus> {
        self.statuses.get(persona.as_usize()).copied()
    }

    /// The next persona with one of these statuses, behind `from` or, going back, before it; all
    /// round the list. `None` where there is none.
    pub fn next_with(
        &self,
        from: Option<PersonaIndex>,
        forward: bool,
        wanted: impl Fn(InterviewStatus) -> bool,
    ) -> Option<PersonaIndex> {
        let len = self.statuses.len();
        let is_wanted = |&at: &usize| wanted(self.statuses[at]);
        let found = if forward {
            let start = from.map_or(0, |p| p.as_usize() + 1).min(len);
            (start..len).chain(0..start).find(is_wanted)
        } else {
            let end = from.map_or(len, PersonaIndex::as_usize).min(len);
            (0..end).rev().chain((end..len).rev()).find(is_wanted)
        };
        found.and_then(|at| u32::try_from(at).ok()).map(PersonaIndex)
    }
}

/// The seconds of one endpoint since this screen joined: the engine samples only their sum.
#[derive(Clone, Debug)]
struct EndpointHistory {
    /// Oldest first.
    samples: VecDeque<RateSample>,
    /// Failed attempts up to the last sample.
    failed: u64,
}

impl EndpointHistory {
    const fn new(endpoint: &EndpointMeters) -> Self {
        Self { samples: VecDeque::new(), failed: endpoint.failed }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a chart needs no more")]
    fn sample(&mut self, endpoint: &EndpointMeters) {
        let failures = endpoint.failed.saturating_sub(self.failed);
        self.failed = endpoint.failed;
        let sample = RateSample {
            requests: endpoint.requests.now as f32,
            tokens: endpoint.tokens.now as f32,
            in_flight: endpoint.slots.held,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
        };
        append_capped(&mut self.samples, [sample], HISTORY_SECONDS);
    }
}

/// The engine strips what it logs, but the screen trusts nobody.
fn clean_line(mut line: LogLine) -> LogLine {
    line.text = strip_controls(&line.text);
    line
}

fn clean_analysis(mut analysis: Box<Analysis>) -> Box<Analysis> {
    let Analysis { findings, drivers, themes, by, .. } = &mut *analysis;
    let sorts = [&mut findings.themes, &mut findings.conflicts, &mut findings.surprises];
    for finding in sorts.into_iter().flatten() {
        finding.text = strip_controls(&finding.text);
    }
    for tally in drivers.iter_mut().chain(themes) {
        tally.name = strip_controls(&tally.name);
    }
    if let MadeBy::Words { why: Some(why) } = by {
        *why = strip_controls(why);
    }
    analysis
}

fn clean_change(mut change: LimitChange) -> LimitChange {
    change.reason = strip_controls(&change.reason);
    change
}

fn clean(mut meters: Meters, holders: &Holders) -> Meters {
    for (index, endpoint) in (0..=u16::MAX).map(EndpointIndex).zip(&mut meters.endpoints) {
        endpoint.name = strip_controls(&endpoint.name);
        endpoint.model = strip_controls(&endpoint.model);
        endpoint.group = endpoint.group.as_deref().map(strip_controls);
        if let Service::CoolingDown { failure, .. } | Service::OutOfService { failure } =
            &mut endpoint.service
        {
            failure.message = strip_controls(&failure.message);
        }
        holders.correct(index, endpoint);
    }
    for tally in &mut meters.failures {
        tally.last_message = strip_controls(&tally.last_message);
    }
    for score in &mut meters.distribution.scores {
        score.label = strip_controls(&score.label);
    }
    meters
}

fn append_capped<T>(list: &mut VecDeque<T>, later: impl IntoIterator<Item = T>, most: usize) {
    list.extend(later);
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}
