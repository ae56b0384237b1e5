//! The life of one batch: what is on file of it, and what to do next.

use super::{ReadCounts, enqueued_limit};
use crate::model::{
    BatchId, BatchKey, BatchProblem, BatchSaid, BatchState, FileId, Tokens, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The waits and bounds of a batch's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a creation without an answer may take until the provider's list shows it. Only
    /// then is a batch that is not in the list one that was never made.
    pub settles_after: Duration,
    /// The first wait after the provider turned a batch away for now; it doubles each time.
    pub comes_back_after: Duration,
    /// The longest such wait.
    pub comes_back_within: Duration,
    /// How often a batch is turned away before it is given up.
    pub most_refusals: u32,
    /// How often results are read again that hold fewer answers than the provider counts.
    pub most_rereads: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            settles_after: Duration::from_secs(30),
            comes_back_after: Duration::from_secs(15),
            comes_back_within: Duration::from_secs(10 * 60),
            most_refusals: 200,
            most_rereads: 4,
        }
    }
}

/// How long to wait before a batch is looked at again: a tenth of its age, 2 s to a minute.
pub fn look_after(age: Duration) -> Duration {
    (age / 10).clamp(Duration::from_secs(2), Duration::from_secs(60))
}

/// One batch, as it is on file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    key: BatchKey,
    /// How many lines its file has.
    pub lines: u32,
    /// What its prompts count for in the cap on enqueued tokens.
    pub tokens: Tokens,
    step: Step,
    /// Whether it is to be cancelled.
    #[serde(default)]
    cancel: bool,
    /// How often it was turned away.
    #[serde(default)]
    refusals: u32,
    #[serde(default)]
    not_before: Option<UnixMillis>,
    #[serde(default)]
    rereads: u32,
    /// How often its file was not there when it was to be created, one after the other.
    #[serde(default)]
    inputs_gone: u32,
}

/// How far a batch is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its file is on this disk.
    Written,
    /// And with the provider.
    Uploaded {
        input: FileId,
    },
    /// It is about to be created, or was. On file this says: look for it before you create it.
    Creating {
        input: FileId,
        since: UnixMillis,
        /// Whether nothing was sent yet, which only the process knows that would send it.
        #[serde(skip)]
        unsent: bool,
    },
    /// The provider has it; this is what it said last.
    Created {
        input: FileId,
        said: BatchSaid,
    },
    Over {
        input: Option<FileId>,
        end: End,
    },
}

/// How a batch ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its results were read, whatever they were. What is missing from them was not run.
    Read,
    /// None of its lines was run; these are why, some of them perhaps by line.
    Refused(Vec<BatchProblem>),
    /// It was cancelled before it was created.
    NeverCreated,
    /// The provider has no such batch any more. Whether its lines were run, nobody knows.
    Lost,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Upload its file; then [`Event::Uploaded`].
    Upload,
    /// Say [`Event::Intended`]: nothing to carry out, but to be on file before the creation is.
    Intend,
    /// Create it under this key; then [`Event::Said`], or how it failed.
    Create { key: BatchKey, input: FileId },
    /// Look for this key among the provider's batches; then [`Event::Said`] or
    /// [`Event::NotFound`].
    Find { key: BatchKey },
    /// Look at it; then [`Event::Said`] or [`Event::Gone`].
    Look { id: BatchId },
    /// Cancel it; then [`Event::Said`] or [`Event::CancelRefused`].
    Cancel { id: BatchId },
    /// Read its results, the output first; then [`Event::Read`].
    Read { output: Option<FileId>, errors: Option<FileId> },
    /// Nothing until then.
    Wait { until: UnixMillis },
    /// Nothing ever again.
    Nothing,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Uploaded(FileId),
    /// The provider does not take its file, whatever is done but making it smaller.
    UploadRefused(BatchProblem),
    Intended {
        at: UnixMillis,
    },
    /// What the provider says of it, in answer to whatever.
    Said {
        said: BatchSaid,
        at: UnixMillis,
    },
    /// The whole list was read, and it is not in it.
    NotFound {
        at: UnixMillis,
    },
    /// The creation was not answered, or with an error after which it may have been made; or the
    /// process died that sent it, and nobody knows when. It was on its way until now.
    CreationUnclear {
        at: UnixMillis,
    },
    /// The creation was refused for now.
    TurnedAway {
        at: UnixMillis,
    },
    /// The creation was refused for good.
    CreationRefused(BatchProblem),
    /// The creation was refused because the input file is not there any more.
    InputGone,
    /// There is no such batch.
    Gone,
    /// It cannot be cancelled, for it is over.
    CancelRefused,
    /// Both files were read to their ends. Where [`BatchRecord::is_cut_short`] says so of the
    /// counts, nothing may have been made of what is missing.
    Read(ReadCounts),
    /// It is wanted no longer.
    CancelWanted,
}

impl BatchRecord {
    /// A batch whose file is on this disk. The key is its own in the whole world.
    pub const fn new(key: BatchKey, lines: u32, tokens: Tokens) -> Self {
        Self {
            key,
            lines,
            tokens,
            step: Step::Written,
            cancel: false,
            refusals: 0,
            not_before: None,
            rereads: 0,
            inputs_gone: 0,
        }
    }

    /// A batch as the run file has it.
    ///
    /// # Errors
    /// Where it does not read: a later version may have written it.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Whether nothing will happen to it any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.step, Step::Over { .. })
    }

    /// Our name for it.
    pub const fn key(&self) -> &BatchKey {
        &self.key
    }

    pub const fn step(&self) -> &Step {
        &self.step
    }

    /// Whether it is to be cancelled, or was.
    pub const fn is_cancelled(&self) -> bool {
        self.cancel || matches!(self.step, Step::Over { end: End::NeverCreated, .. })
    }

    /// Until when the provider has turned it away.
    pub const fn turned_away_until(&self) -> Option<UnixMillis> {
        match self.step {
            Step::Uploaded { .. } => self.not_before,
            _ => None,
        }
    }

    /// Whether it counts in the provider's cap on enqueued tokens, as far as anybody knows.
    pub const fn is_enqueued(&self) -> bool {
        match &self.step {
            Step::Written | Step::Uploaded { .. } | Step::Over { .. } => false,
            Step::Creating { .. } => true,
            Step::Created { said, .. } => !said.state.is_over(),
        }
    }

    /// The files of the provider's that are of no more use once it is over.
    pub fn leftover(&self) -> Option<&FileId> {
        match &self.step {
            Step::Over { input, .. } => input.as_ref(),
            _ => None,
        }
    }

    /// The name that it is created under. One that was refused keeps its name, so the next one
    /// has another.
    fn wire_key(&self) -> BatchKey {
        match self.refusals {
            0 => self.key.clone(),
            times => BatchKey(format!("{}+{times}", self.key)),
        }
    }

    /// How often its results turned out to be less than the provider counts.
    pub const fn rereads(&self) -> u32 {
        self.rereads
    }

    /// Whether its results, read to their ends, hold less than the provider counts: what is
    /// missing from them may still come, so it is not to be taken for what was not run.
    pub const fn is_cut_short(&self, counts: &ReadCounts, rules: &Rules) -> bool {
        match &self.step {
            Step::Created { said, .. } => cut_short(said, counts, self.rereads, rules),
            _ => false,
        }
    }

    /// What to do now.
    pub fn next(&self, now: UnixMillis, rules: &Rules) -> Next {
        match &self.step {
            Step::Written => Next::Upload,
            Step::Uploaded { .. } => match self.not_before {
                Some(until) if until > now => Next::Wait { until },
                _ => Next::Intend,
            },
            Step::Creating { input, unsent: true, .. } => {
                Next::Create { key: self.wire_key(), input: input.clone() }
            }
            Step::Creating { since, unsent: false, .. } => {
                let until = later(*since, rules.settles_after);
                if until > now { Next::Wait { until } } else { Next::Find { key: self.wire_key() } }
            }
            Step::Created { said, .. } if said.state.is_over() => {
                Next::Read { output: said.output.clone(), errors: said.errors.clone() }
            }
            Step::Created { said, .. } if self.cancel && said.state != BatchState::Cancelling => {
                Next::Cancel { id: said.id.clone() }
            }
            Step::Created { said, .. } => Next::Look { id: said.id.clone() },
            Step::Over { .. } => Next::Nothing,
        }
    }

    /// Takes in what came of it. What makes no sense at this step changes nothing.
    pub fn apply(&mut self, event: Event, rules: &Rules) {
        let step = std::mem::replace(&mut self.step, Step::Written);
        self.step = self.after(step, event, rules);
    }

    fn after(&mut self, step: Step, event: Event, rules: &Rules) -> Step {
        match (step, event) {
            (Step::Written, Event::Uploaded(input)) => Step::Uploaded { input },
            (Step::Written, Event::UploadRefused(problem)) => {
                over(None, End::Refused(vec![problem]))
            }
            (Step::Uploaded { input }, Event::Intended { at }) => {
                Step::Creating { input, since: at, unsent: true }
            }
            (Step::Creating { input, .. }, Event::Said { said, at }) => {
                self.created(input, said, at, rules)
            }
            (Step::Created { input, said: before }, Event::Said { said, at }) => {
                if before.id == said.id {
                    self.created(input, said, at, rules)
                } else {
                    Step::Created { input, said: before }
                }
            }
            (Step::Creating { input, .. }, Event::NotFound { .. }) if self.cancel => {
                over(Some(input), End::NeverCreated)
            }
            (Step::Creating { input, .. }, Event::NotFound { at }) => {
                Step::Creating { input, since: at, unsent: true }
            }
            // A request that ran into its timeout has been under way for longer than the list
            // takes: what counts is when it ended, not when it began.
            (Step::Creating { input, .. }, Event::CreationUnclear { at }) => {
                Step::Creating { input, since: at, unsent: false }
            }
            (Step::Creating { input, .. }, Event::TurnedAway { at }) => {
                self.turned_away(input, Vec::new(), at, rules)
            }
            (Step::Creating { input, .. }, Event::CreationRefused(problem)) => {
                over(Some(input), End::Refused(vec![problem]))
            }
            (Step::Creating { .. }, Event::InputGone) if self.inputs_gone == 0 => {
                self.inputs_gone = 1;
                Step::Written
            }
            // A file that has just gone up is not gone: there is nothing to create a batch by.
            (Step::Creating { input, .. }, Event::InputGone) => {
                over(Some(input), End::Refused(vec![no_batches()]))
            }
            (Step::Created { input, .. }, Event::Gone) => over(Some(input), End::Lost),
            (Step::Created { input, said }, Event::CancelRefused) => {
                self.cancel = false;
                Step::Created { input, said }
            }
            (Step::Created { input, said }, Event::Read(counts)) if said.state.is_over() => {
                if !cut_short(&said, &counts, self.rereads, rules) {
                    return over(Some(input), End::Read);
                }
                self.rereads += 1;
                // It is as good as one whose results are still being written, and that is seen in
                // its next state: which files it has may be different then.
                let state =
                    if self.cancel { BatchState::Cancelling } else { BatchState::Finalizing };
                Step::Created { input, said: BatchSaid { state, ..said } }
            }
            (Step::Written, Event::CancelWanted) => over(None, End::NeverCreated),
            (
                Step::Uploaded { input } | Step::Creating { input, unsent: true, .. },
                Event::CancelWanted,
            ) => over(Some(input), End::NeverCreated),
            (step, Event::CancelWanted) => {
                self.cancel = true;
                step
            }
            (step, _) => step,
        }
    }

    fn created(&mut self, input: FileId, said: BatchSaid, at: UnixMillis, rules: &Rules) -> Step {
        self.inputs_gone = 0;
        if said.state != BatchState::Failed {
            return Step::Created { input, said };
        }
        let waits = said.problems.iter().any(|problem| self.will_fit_later(problem));
        if waits && said.problems.iter().all(|problem| problem.line.is_none()) {
            return self.turned_away(input, said.problems, at, rules);
        }
        over(Some(input), End::Refused(said.problems))
    }

    /// Whether the cap on enqueued tokens is all that is wrong, and is not too small for ever.
    fn will_fit_later(&self, problem: &BatchProblem) -> bool {
        problem.code == "token_limit_exceeded"
            && enqueued_limit(problem).is_none_or(|limit| self.tokens.0 <= limit.0)
    }

    fn turned_away(
        &mut self,
        input: FileId,
        problems: Vec<BatchProblem>,
        at: UnixMillis,
        rules: &Rules,
    ) -> Step {
        if self.cancel {
            return over(Some(input), End::NeverCreated);
        }
        self.refusals += 1;
        self.inputs_gone = 0;
        if self.refusals > rules.most_refusals {
            return over(Some(input), End::Refused(problems));
        }
        let doubled = 2_u32.saturating_pow(self.refusals - 1);
        let wait = rules.comes_back_after.saturating_mul(doubled).min(rules.comes_back_within);
        self.not_before = Some(later(at, wait));
        Step::Uploaded { input }
    }
}

fn no_batches() -> BatchProblem {
    BatchProblem {
        code: "no_batch_api".to_owned(),
        message: "it took the file twice and knew nothing of it then: it has no Batch API"
            .to_owned(),
        param: None,
        line: None,
    }
}

/// One that counts otherwise than we do is believed where every line has been heard of.
const fn cut_short(said: &BatchSaid, counts: &ReadCounts, rereads: u32, rules: &Rules) -> bool {
    let answered = counts.answered + counts.again;
    counts.missing > 0 && answered < said.counts.completed && rereads < rules.most_rereads
}

const fn over(input: Option<FileId>, end: End) -> Step {
    Step::Over { input, end }
}

fn later(at: UnixMillis, wait: Duration) -> UnixMillis {
    UnixMillis(at.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests;
