//! A run as a front end sees it: one snapshot, then deltas.

use super::{Meters, RateSample};
use crate::model::{
    Analysis, InterviewStatus, LimitChange, LogLine, PersonaIndex, RunPhase, RunSummary, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What never changes during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The run's name, such as `parking-minimums-7f3a`.
    pub run: String,
    pub run_file: PathBuf,
    pub survey: String,
    pub question: String,
    /// What the support level means.
    pub support: String,
    pub started_at: UnixMillis,
    /// How many personas are asked in one call.
    #[serde(default)]
    pub pack: u8,
    /// `false` for a finished run that is only looked at: commands that change it are refused.
    pub live: bool,
}

/// The status of every persona, in the order of the input, one byte each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statuses(pub Vec<InterviewStatus>);

/// One persona's new status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    pub persona: PersonaIndex,
    pub status: InterviewStatus,
}

/// The whole run at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: u32,
    pub header: RunHeader,
    pub phase: RunPhase,
    pub statuses: Statuses,
    pub meters: Meters,
    /// Oldest first, at most [`super::HISTORY_SECONDS`].
    pub history: Vec<RateSample>,
    /// Oldest first, at most [`super::LOG_LINES`].
    pub log: Vec<LogLine>,
    /// How the limits changed, by whom and why; oldest first, at most [`super::LIMIT_CHANGES`].
    pub changes: Vec<LimitChange>,
    /// Set while the run has ended: asking the failed again takes it back.
    pub summary: Option<RunSummary>,
    /// What the answers come to, once that is known.
    pub analysis: Option<Box<Analysis>>,
}

/// What changed since the snapshot or the delta before. Two deltas that follow each other merge
/// into one, so a front end that reads slowly gets fewer and never falls behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    pub phase: RunPhase,
    /// Sorted by persona, each at most once.
    pub statuses: Vec<StatusChange>,
    pub meters: Meters,
    /// The seconds since the last delta.
    pub history: Vec<RateSample>,
    /// The lines since the last delta.
    pub log: Vec<LogLine>,
    /// The changes of limits since the last delta.
    pub changes: Vec<LimitChange>,
    /// Set while the run has ended.
    pub summary: Option<RunSummary>,
    /// Set where it is new.
    pub analysis: Option<Box<Analysis>>,
}

impl Delta {
    /// Takes in the delta that follows this one.
    pub fn merge(&mut self, later: Self) {
        self.phase = later.phase;
        self.statuses = merge_changes(std::mem::take(&mut self.statuses), later.statuses);
        self.meters = later.meters;
        append_capped(&mut self.history, later.history, super::HISTORY_SECONDS);
        append_capped(&mut self.log, later.log, super::LOG_LINES);
        append_capped(&mut self.changes, later.changes, super::LIMIT_CHANGES);
        self.summary = later.summary;
        if later.analysis.is_some() {
            self.analysis = later.analysis;
        }
    }
}

/// Appends, and drops the oldest beyond `most`.
pub(super) fn append_capped<T>(list: &mut Vec<T>, later: Vec<T>, most: usize) {
    list.extend(later);
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}

/// Merges two sorted lists; where both name a persona, the later one holds.
fn merge_changes(earlier: Vec<StatusChange>, later: Vec<StatusChange>) -> Vec<StatusChange> {
    if earlier.is_empty() {
        return later;
    }
    let mut merged = Vec::with_capacity(earlier.len() + later.len());
    let mut earlier = earlier.into_iter().peekable();
    for change in later {
        while let Some(before) = earlier.next_if(|e| e.persona <= change.persona) {
            if before.persona != change.persona {
                merged.push(before);
            }
        }
        merged.push(change);
    }
    merged.extend(earlier);
    merged
}

impl Snapshot {
    /// Brings the snapshot up to date: a snapshot and the deltas after it give the same as a
    /// snapshot taken later. A change for a persona that is not there is passed over.
    pub fn apply(&mut self, delta: Delta) {
        self.phase = delta.phase;
        for change in delta.statuses {
            if let Some(status) = self.statuses.0.get_mut(change.persona.as_usize()) {
                *status = change.status;
            }
        }
        self.meters = delta.meters;
        append_capped(&mut self.history, delta.history, super::HISTORY_SECONDS);
        append_capped(&mut self.log, delta.log, super::LOG_LINES);
        append_capped(&mut self.changes, delta.changes, super::LIMIT_CHANGES);
        self.summary = delta.summary;
        if delta.analysis.is_some() {
            self.analysis = delta.analysis;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes() -> impl Strategy<Value = Vec<StatusChange>> {
        let status = (0..InterviewStatus::COUNT).prop_map(|i| InterviewStatus::ALL[i]);
        proptest::collection::btree_map(0_u32..50, status, 0..30).prop_map(|map| {
            map.into_iter()
                .map(|(index, status)| StatusChange { persona: PersonaIndex(index), status })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn merged_changes_do_what_the_two_did(first in changes(), second in changes()) {
            let apply = |list: &[&[StatusChange]]| {
                let mut statuses = vec![InterviewStatus::Queued; 50];
                for change in list.iter().flat_map(|l| l.iter()) {
                    statuses[change.persona.as_usize()] = change.status;
                }
                statuses
            };
            let one_by_one = apply(&[&first, &second]);
            let merged = merge_changes(first, second);
            prop_assert!(merged.is_sorted_by(|a, b| a.persona < b.persona));
            prop_assert_eq!(one_by_one, apply(&[&merged]));
        }
    }
}
