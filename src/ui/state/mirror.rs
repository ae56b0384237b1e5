//! The run as the engine last told it: a snapshot kept up to date by deltas.

use crate::{
    model::{
        InterviewStatus, LogLine, PersonaIndex, RunPhase, RunSummary, StatusCounts, UnixMillis,
        strip_controls,
    },
    protocol::{Delta, HISTORY_SECONDS, LOG_LINES, Meters, RateSample, RunHeader, Snapshot},
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
    /// How many samples there ever were: charts line up their columns by it.
    pub samples_seen: u64,
    /// Oldest first.
    pub log: VecDeque<LogLine>,
    pub summary: Option<RunSummary>,
    /// When the meters arrived.
    pub received_at: UnixMillis,
}

impl Mirror {
    /// Takes in a snapshot.
    pub fn new(snapshot: Snapshot, now: UnixMillis) -> Self {
        let Snapshot { mut header, phase, statuses, meters, history, log, summary, .. } = snapshot;
        for text in [&mut header.run, &mut header.survey, &mut header.question, &mut header.support]
        {
            *text = strip_controls(text);
        }
        let statuses = statuses.0;
        Self {
            counts: StatusCounts::of(&statuses),
            header,
            phase,
            statuses,
            meters: clean(meters),
            samples_seen: history.len() as u64,
            history: history.into(),
            log: log.into_iter().map(clean_line).collect(),
            summary,
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
        self.meters = clean(delta.meters);
        self.samples_seen += delta.history.len() as u64;
        append_capped(&mut self.history, delta.history, HISTORY_SECONDS);
        append_capped(&mut self.log, delta.log.into_iter().map(clean_line), LOG_LINES);
        self.summary = delta.summary;
        self.received_at = now;
        fits
    }

    /// How many personas there are.
    pub fn total(&self) -> u32 {
        u32::try_from(self.statuses.len()).unwrap_or(u32::MAX)
    }

    /// Whether the run is over, or only looked at: nothing changes any more.
    pub const fn ended(&self) -> bool {
        !self.header.live
            || self.summary.is_some()
            || matches!(self.phase, RunPhase::Finished | RunPhase::Stopped { .. })
    }

    /// Whether the clock on the screen moves.
    pub const fn moving(&self) -> bool {
        !self.ended()
            && (matches!(self.phase, RunPhase::Running | RunPhase::Draining)
                || self.counts.get(InterviewStatus::InFlight) > 0)
    }

    /// Since this process took the run up.
    pub fn elapsed(&self, now: UnixMillis) -> Duration {
        let since = if self.moving() { now.since(self.received_at) } else { Duration::ZERO };
        self.meters.elapsed + since
    }

    /// How long no attempt has given an answer.
    pub fn unanswered_for(&self, now: UnixMillis) -> Duration {
        let elapsed = self.elapsed(now);
        self.meters.last_success.map_or(elapsed, |at| now.since(at).min(elapsed))
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

/// The engine strips what it logs, but the screen trusts nobody.
fn clean_line(mut line: LogLine) -> LogLine {
    line.text = strip_controls(&line.text);
    line
}

fn clean(mut meters: Meters) -> Meters {
    for endpoint in &mut meters.endpoints {
        endpoint.name = strip_controls(&endpoint.name);
        endpoint.model = strip_controls(&endpoint.model);
    }
    for tally in &mut meters.failures {
        tally.last_message = strip_controls(&tally.last_message);
    }
    meters
}

fn append_capped<T>(list: &mut VecDeque<T>, later: impl IntoIterator<Item = T>, most: usize) {
    list.extend(later);
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}
