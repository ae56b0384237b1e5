//! A run as it was at a moment: what happened so far, added up.
//!
//! What is not on record stays out: who waited for what, what the provider told of its limits, what
//! things cost. Whoever was not asked yet is queued.

use super::script::Happening;
use crate::{
    config::RunSettings,
    engine::{
        meters::{RunMeters, Terms},
        run_state::RunState,
    },
    model::{
        Analysis, Attempt, EndpointIndex, Failure, InterviewStatus as S, LimitChange, Limits,
        LogLevel, LogLine, PersonaIndex, RunPhase, RunSummary, Service, StopReason, UnixMillis,
        strip_controls,
    },
    protocol::{
        Delta, Distribution, EndpointMeters, HISTORY_SECONDS, LIMIT_CHANGES, LOG_LINES, Meters,
        PROTOCOL_VERSION, RateMeter, RateSample, Replay, RunHeader, SlotMeter, Snapshot,
    },
    store::RecordedEvent,
};
use serde::Deserialize;
use std::{collections::VecDeque, time::Duration};

/// The pace is taken over this many seconds, and "now" is the last ones of them.
const MINUTE: usize = 60;
const NOW: usize = 15;

/// Seconds that are counted one by one; of a longer stretch, only its end.
const COUNTED: i64 = 3_600;

/// The run so far.
pub(super) struct Picture {
    state: RunState,
    meters: RunMeters,
    endpoints: Vec<EndpointMeters>,
    limits: Vec<Limits>,
    /// The seconds of the last minute, the current one last.
    seconds: VecDeque<Second>,
    history: Feed<RateSample>,
    log: Feed<LogLine>,
    changes: Feed<LimitChange>,
    summary: Option<RunSummary>,
    analysis: Option<Box<Analysis>>,
    last_success: Option<UnixMillis>,
    /// How long it was carried on: not while it was stopped.
    ran: Duration,
    /// The same when something happened last.
    ran_then: Duration,
    at: UnixMillis,
    /// When the current second is over.
    second_ends: UnixMillis,
}

/// What happened in a second.
#[derive(Clone, Debug, Default)]
struct Second {
    /// Requests and tokens of each endpoint.
    used: Vec<(u32, u64)>,
    over: u32,
    failures: u32,
}

/// A list of which a snapshot has the end, and a delta what is new.
struct Feed<T> {
    last: VecDeque<T>,
    fresh: Vec<T>,
    most: usize,
}

impl<T: Clone> Feed<T> {
    const fn new(most: usize) -> Self {
        Self { last: VecDeque::new(), fresh: Vec::new(), most }
    }

    fn push(&mut self, item: T) {
        if self.last.len() == self.most {
            self.last.pop_front();
        }
        if self.fresh.len() == self.most {
            self.fresh.remove(0);
        }
        self.last.push_back(item.clone());
        self.fresh.push(item);
    }
}

impl Picture {
    /// Before anything has happened.
    pub(super) fn new(
        run: &str,
        settings: &serde_json::Value,
        total: u32,
        start: UnixMillis,
    ) -> Self {
        // Settings that cannot be read tell nothing of the endpoints; the rest is there.
        let settings = RunSettings::deserialize(settings);
        let kept = settings.map_or_else(|_| Vec::new(), |settings| settings.endpoints);
        let limits: Vec<_> = kept.iter().map(|endpoint| endpoint.limits).collect();
        let endpoints = kept.into_iter().map(|kept| EndpointMeters {
            name: kept.name.unwrap_or_else(|| host(&kept.base_url).to_owned()),
            model: kept.model,
            slots: SlotMeter::default(),
            requests: RateMeter::default(),
            tokens: RateMeter::default(),
            paused_until: None,
            group: kept.group,
            service: Service::InService,
            answered: 0,
            failed: 0,
            adaptation: 1.0,
            first_byte: None,
        });
        let mut picture = Self {
            state: RunState::new(vec![S::Queued; total as usize]),
            meters: RunMeters::new(Terms::default()),
            endpoints: endpoints.collect(),
            limits,
            seconds: VecDeque::new(),
            history: Feed::new(HISTORY_SECONDS),
            log: Feed::new(LOG_LINES),
            changes: Feed::new(LIMIT_CHANGES),
            summary: None,
            analysis: None,
            last_success: None,
            ran: Duration::ZERO,
            ran_then: Duration::ZERO,
            at: start,
            second_ends: UnixMillis(start.0 + 1000),
        };
        picture.seconds.push_back(picture.second());
        picture.note(LogLevel::Info, format!("replay of {run} begins"));
        picture
    }

    /// Up to when it shows the run.
    pub(super) const fn at(&self) -> UnixMillis {
        self.at
    }

    pub(super) fn status(&self, persona: PersonaIndex) -> S {
        self.state.status(persona).unwrap_or_default()
    }

    /// Time passes up to this moment, in which nothing happens.
    pub(super) fn pass(&mut self, to: UnixMillis) {
        if to <= self.at {
            return;
        }
        if !matches!(self.state.phase, RunPhase::Finished | RunPhase::Stopped { .. }) {
            self.ran += to.since(self.at);
        }
        let earliest = UnixMillis(to.0 - COUNTED * 1000);
        self.second_ends = self.second_ends.max(earliest);
        while self.second_ends <= to {
            self.second_ends.0 += 1000;
            self.sample();
        }
        self.at = to;
    }

    /// Something happens.
    pub(super) fn take(&mut self, at: UnixMillis, happening: Happening) {
        match happening {
            Happening::Interview(RecordedEvent::Sent { persona, endpoint }) => {
                self.state.set_status(persona, S::InFlight);
                if let Some(endpoint) = self.endpoints.get_mut(endpoint.as_usize()) {
                    endpoint.slots.held += 1;
                }
                self.use_up(endpoint, 1, 0);
            }
            Happening::Interview(RecordedEvent::Came(attempt)) => self.came(at, &attempt),
            Happening::Interview(RecordedEvent::Over { persona, status, failure }) => {
                self.over(persona, status, failure.as_ref());
            }
            Happening::Phase(phase) => self.enter(phase),
            Happening::Limit(change) => {
                if let Some(limits) = self.limits.get_mut(change.endpoint.as_usize()) {
                    limits.set(change.limit, change.to);
                }
                self.changes.push(change);
            }
        }
        self.ran_then = self.ran;
    }

    /// So much was left out, in which nothing happened.
    pub(super) fn left_out(&mut self, time: Duration, until: UnixMillis) {
        self.pass(until);
        let minutes = time.as_secs() / 60;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        self.note(LogLevel::Info, format!("nothing for {hours} h {minutes:02} min: left out"));
    }

    /// All was played, and this is what is on file.
    pub(super) fn end(
        &mut self,
        statuses: &[S],
        phase: RunPhase,
        summary: Option<RunSummary>,
        analysis: Option<Box<Analysis>>,
    ) {
        for (persona, status) in (0..).map(PersonaIndex).zip(statuses) {
            self.state.set_status(persona, *status);
        }
        self.let_go();
        self.state.phase = phase;
        self.summary = summary;
        self.analysis = analysis;
        self.note(LogLevel::Info, "the replay is over".to_owned());
    }

    /// How the answers on file are spread: of the end, and so shown there.
    pub(super) fn spread(&mut self, distribution: Distribution) {
        self.meters.distribution = distribution;
    }

    /// All of it. The next delta follows on.
    pub(super) fn snapshot(&mut self, header: &RunHeader, replay: Replay) -> Snapshot {
        self.state.take_changes();
        self.history.fresh.clear();
        self.log.fresh.clear();
        self.changes.fresh.clear();
        Snapshot {
            version: PROTOCOL_VERSION,
            header: header.clone(),
            phase: self.state.phase.clone(),
            statuses: self.state.statuses(),
            meters: self.meters(replay),
            history: self.history.last.iter().copied().collect(),
            log: self.log.last.iter().cloned().collect(),
            changes: self.changes.last.iter().cloned().collect(),
            summary: self.summary.clone(),
            analysis: self.analysis.clone(),
        }
    }

    /// What has changed since the last call.
    pub(super) fn delta(&mut self, replay: Replay) -> Delta {
        Delta {
            phase: self.state.phase.clone(),
            statuses: self.state.take_changes(),
            meters: self.meters(replay),
            history: std::mem::take(&mut self.history.fresh),
            log: std::mem::take(&mut self.log.fresh),
            changes: std::mem::take(&mut self.changes.fresh),
            summary: self.summary.clone(),
            analysis: self.analysis.clone(),
        }
    }

    fn came(&mut self, at: UnixMillis, attempt: &Attempt) {
        let persona = attempt.persona;
        self.meters.attempted(attempt);
        if let Some(endpoint) = self.endpoints.get_mut(attempt.endpoint.as_usize()) {
            endpoint.slots.held = endpoint.slots.held.saturating_sub(1);
            let counter = if attempt.failure.is_none() {
                &mut endpoint.answered
            } else {
                &mut endpoint.failed
            };
            *counter += 1;
        }
        if let Some(usage) = &attempt.usage {
            self.use_up(attempt.endpoint, 0, usage.prompt_tokens + usage.completion_tokens);
        }
        let Some(failure) = &attempt.failure else {
            // It shows as done once that is on record.
            self.last_success = Some(at);
            return;
        };
        if let Some(second) = self.seconds.back_mut() {
            second.failures += 1;
        }
        if self.status(persona) == S::InFlight {
            self.state.set_status(persona, S::BackingOff);
        }
        let words = format!("persona {persona} {}: {}", failure.kind.label(), failure.message);
        self.log.push(LogLine { at, level: LogLevel::Warn, text: strip_controls(&words) });
    }

    fn over(&mut self, persona: PersonaIndex, status: S, failure: Option<&Failure>) {
        self.state.set_status(persona, status);
        if let Some(failure) = failure {
            self.meters.failed(failure, persona);
        }
        if let Some(second) = self.seconds.back_mut() {
            second.over += 1;
        }
    }

    fn enter(&mut self, phase: RunPhase) {
        let words = match &phase {
            RunPhase::Running => "running".to_owned(),
            RunPhase::Paused { reason } => format!("paused: {reason}"),
            RunPhase::Draining => "stopping".to_owned(),
            RunPhase::Finished => "finished".to_owned(),
            RunPhase::Stopped { reason: StopReason::Unmended { pause } } => {
                format!("stopped: {pause}")
            }
            RunPhase::Stopped { .. } => "stopped".to_owned(),
        };
        self.note(LogLevel::Info, strip_controls(&words));
        match (&self.state.phase, &phase) {
            // Of those who failed and were asked again later, the file has only the later end.
            (_, RunPhase::Finished) => {
                for persona in self.state.all_with(S::BackingOff) {
                    self.state.set_status(persona, S::Failed);
                }
                self.let_go();
            }
            (_, RunPhase::Stopped { .. }) => self.let_go(),
            // It was killed in between, which nobody was there to write down.
            (RunPhase::Running | RunPhase::Draining, RunPhase::Running) => {
                self.let_go();
                self.ran = self.ran_then;
            }
            _ => {}
        }
        self.state.phase = phase;
    }

    /// What is under way comes to nothing.
    fn let_go(&mut self) {
        for status in [S::InFlight, S::BackingOff] {
            for persona in self.state.all_with(status) {
                self.state.set_status(persona, S::Queued);
            }
        }
        for endpoint in &mut self.endpoints {
            endpoint.slots.held = 0;
        }
    }

    fn use_up(&mut self, endpoint: EndpointIndex, requests: u32, tokens: u64) {
        if let Some(second) = self.seconds.back_mut()
            && let Some(used) = second.used.get_mut(endpoint.as_usize())
        {
            used.0 += requests;
            used.1 += tokens;
        }
    }

    fn note(&mut self, level: LogLevel, text: String) {
        self.log.push(LogLine { at: self.at, level, text });
    }

    fn second(&self) -> Second {
        Second { used: vec![(0, 0); self.endpoints.len()], ..Second::default() }
    }

    /// A second is over.
    fn sample(&mut self) {
        let failures = self.seconds.back().map_or(0, |second| second.failures);
        let (mut requests, mut tokens, mut in_flight) = (0.0, 0.0, 0);
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let (r, t) = self.used(index, NOW);
            requests += r;
            tokens += t;
            in_flight += endpoint.slots.held;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a chart needs no more")]
        let sample =
            RateSample { requests: requests as f32, tokens: tokens as f32, in_flight, failures };
        self.history.push(sample);
        if self.seconds.len() == MINUTE {
            self.seconds.pop_front();
        }
        self.seconds.push_back(self.second());
    }

    /// Requests and tokens of an endpoint, a minute, over the last seconds.
    fn used(&self, endpoint: usize, seconds: usize) -> (f64, f64) {
        let counted = self.seconds.iter().rev().take(seconds);
        let scale = 60.0 / self.seconds.len().clamp(1, seconds) as f64;
        let sum = counted
            .filter_map(|second| second.used.get(endpoint))
            .fold((0, 0), |sum, used| (sum.0 + u64::from(used.0), sum.1 + used.1));
        (sum.0 as f64 * scale, sum.1 as f64 * scale)
    }

    fn meters(&self, replay: Replay) -> Meters {
        let counts = self.state.counts();
        let over: u32 = self.seconds.iter().map(|second| second.over).sum();
        let per_minute = f64::from(over) * 60.0 / self.seconds.len().max(1) as f64;
        let left = f64::from(self.state.total() - counts.over());
        Meters {
            elapsed: self.ran,
            endpoints: self.endpoints(),
            finished_per_minute: per_minute,
            remaining: (per_minute > 0.0)
                .then(|| Duration::try_from_secs_f64(left / per_minute * 60.0).ok())
                .flatten(),
            last_success: self.last_success,
            replay: Some(replay),
            ..self.meters.totals()
        }
    }

    fn endpoints(&self) -> Vec<EndpointMeters> {
        let mut endpoints = self.endpoints.clone();
        for (index, (endpoint, limits)) in endpoints.iter_mut().zip(&self.limits).enumerate() {
            let (requests, tokens) = self.used(index, NOW);
            let minute = self.seconds.iter().filter_map(|second| second.used.get(index));
            let minute =
                minute.fold((0, 0), |sum, used| (sum.0 + u64::from(used.0), sum.1 + used.1));
            endpoint.slots.target = limits.slots.get();
            endpoint.requests = RateMeter {
                now: requests,
                last_minute: minute.0,
                limit: limits.requests_per_minute,
                ..RateMeter::default()
            };
            endpoint.tokens = RateMeter {
                now: tokens,
                last_minute: minute.1,
                limit: limits.tokens_per_minute,
                ..RateMeter::default()
            };
        }
        endpoints
    }
}

/// What an endpoint without a name is called after.
fn host(base_url: &str) -> &str {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests;
