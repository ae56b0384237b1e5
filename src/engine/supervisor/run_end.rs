//! The end of a run: when it is over, how it ended, and the last that is written.

use super::Supervisor;
use crate::{
    engine::setup::EngineError,
    model::{InterviewStatus, RunPhase, RunSummary, StopReason},
    store::Record,
};
use std::time::Duration;

/// How long closing the run file may take where the disk is full.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    pub summary: RunSummary,
    pub phase: RunPhase,
}

impl Supervisor {
    /// Nothing more will happen: everyone is through and what the answers come to is known, or the
    /// run was stopped and nothing is in flight; and all that was answered is on disk, or cannot get there.
    pub(super) fn is_over(&self) -> bool {
        self.all_is_done() && self.desk.open() == 0
            || self.stop.is_some()
                && self.state.in_progress() == 0
                && self.analysis.at_work() == 0
                && self.desk.is_at_rest()
                && (self.unsaved == 0 || self.stalled)
    }

    fn all_is_done(&self) -> bool {
        self.interviews_are_over() && self.analysis.is_over()
    }

    /// Nobody is left to ask, or nobody is to be asked.
    pub(in crate::engine) fn interviews_are_over(&self) -> bool {
        self.only_analysis || self.everyone_is_through()
    }

    fn everyone_is_through(&self) -> bool {
        self.state.counts().over() == self.state.total()
    }

    /// Writes the end down, once.
    pub(super) fn end_run(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let phase = match &self.stop {
            Some(reason) if !(self.everyone_is_through() && self.analysis.is_over()) => {
                RunPhase::Stopped { reason: reason.clone() }
            }
            None if !self.everyone_is_through() => RunPhase::Stopped { reason: StopReason::Asked },
            _ => RunPhase::Finished,
        };
        // Whoever goes on with the run counts on what is on file once it says that it has ended.
        self.interviewer.ledger.close();
        self.enter(phase);
        let counts = self.state.counts();
        let summary = RunSummary {
            run: self.header.run.clone(),
            run_file: self.header.run_file.clone(),
            total: counts.total(),
            done: counts.answered(),
            failed: counts.get(InterviewStatus::Failed),
            refused: counts.get(InterviewStatus::Refused),
            in_batches: counts.get(InterviewStatus::InBatch),
            flagged: counts.get(InterviewStatus::Flagged),
            seconds: self.meters.elapsed().as_secs_f64(),
        };
        tracing::info!(
            run = summary.run,
            done = summary.done,
            flagged = summary.flagged,
            failed = summary.failed,
            refused = summary.refused,
            left = summary.left(),
            "run ended"
        );
        self.writer.write(Record::Ended(summary.clone()));
        self.meters.stop_clock();
        self.ended = Some(summary);
        self.publish_delta();
    }

    /// Closes the run file, and gives back how the run ended.
    pub(super) async fn finish(mut self) -> Result<RunEnd, EngineError> {
        self.break_talks_off();
        self.end_run();
        // Persons may have talked since the end.
        self.interviewer.ledger.close();
        let Self { ended: Some(summary), state, writer, reading, cache_threads, desk, .. } = self
        else {
            unreachable!("end_run has just set it")
        };
        let close = move || {
            reading.end();
            if let Some(threads) = cache_threads {
                threads.end();
            }
            desk.end();
            writer.close(CLOSE_WITHIN)
        };
        tokio::task::spawn_blocking(close)
            .await
            .unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))?;
        Ok(RunEnd { summary, phase: state.phase })
    }
}
