//! How batches end: read, refused, lost; and what follows for those who were in them.

use super::{
    fact::BatchFact, halt::Halt, meta::Meta, planner::Planned, runner::Runner, shown::shown,
};
use crate::{
    batch::{
        BatchRecord, End, Event, FileLimits, Outsized, Step, cut_to, enqueued_limit,
        one_cause_for_all, outsized,
    },
    model::{BatchProblem, Failure, FailureKind, PauseReason, Tokens, Usd},
    store::BatchLine,
};
use std::{collections::HashSet, time::Duration};

/// A batch that is turned away so often, with nothing else of ours waiting, may be too large.
const CROWDED_OUT: u32 = 2;

/// So many files of one stage are refused for single lines before somebody must look.
const MOST_REFUSED: u32 = 3;

/// How long the deletion of a provider's file may hold up what follows.
const DELETED_WITHIN: Duration = Duration::from_secs(5);

impl Runner {
    /// The provider says that too many tokens wait, and that this batch would fit. Where nothing
    /// else of ours waits, it may count more tokens than were reckoned here, or others of the same
    /// organization fill its queue. `named` is the limit that it names.
    pub(super) fn crowded_out(&mut self, at: usize, named: Option<Tokens>) {
        let alone = !self.records.iter().any(BatchRecord::is_enqueued);
        let tokens = self.records[at].tokens;
        let meta = &mut self.metas[at];
        meta.crowded_out += u32::from(alone);
        if meta.crowded_out < CROWDED_OUT || self.records[at].lines < 2 {
            return;
        }
        let number = meta.number;
        let Some(cap) = cut_to(tokens, named, self.cuts) else { return };
        self.cuts += 1;
        tracing::warn!(
            "batch {number} is turned away again and again: it is split into files of at most {} \
             tokens",
            cap.0
        );
        self.limits.enqueued_tokens = Some(cap);
        self.records[at].apply(Event::CancelWanted, &self.rules);
    }

    /// None of its lines was run. Lines that the provider names fail with what it says, and the
    /// others go into other files; where it names none, somebody must look.
    pub(super) async fn was_refused(
        &mut self,
        at: usize,
        problems: &[BatchProblem],
    ) -> Result<(), Halt> {
        let number = self.metas[at].number;
        self.metas[at].note = problems.first().map(ToString::to_string);
        let lines = self.reader.batch_lines(number)?;
        let cap = problems.iter().find_map(enqueued_limit);
        if let Some(cap) = cap.filter(|cap| cap.0 < self.records[at].tokens.0) {
            tracing::warn!(
                "batch {number} is larger than the provider lets wait at once: it is split into \
                 files of at most {} tokens",
                cap.0
            );
            self.limits.enqueued_tokens = Some(cap);
            if let ([line], Some(problem)) = (&lines[..], problems.first()) {
                self.line_refused(number, line, FailureKind::TooLarge, problem);
            }
            return self.close(at).await;
        }
        if let Some((problem, what)) =
            problems.iter().find_map(|problem| Some((problem, outsized(problem)?)))
        {
            match (&lines[..], what) {
                ([line], Outsized::Bytes) => {
                    self.line_refused(number, line, FailureKind::TooLarge, problem);
                    return self.close(at).await;
                }
                ([] | [_], _) => {}
                _ => {
                    self.make_smaller(at, what);
                    return self.close(at).await;
                }
            }
        }
        if one_cause_for_all(problems, lines.len()) {
            let why = problems.first().map(|problem| &problem.message);
            let message = format!(
                "the provider refused batch {number} for the same in every line: {}",
                why.map_or("", String::as_str)
            );
            tracing::error!("{message}");
            return self.close_and_pause(at, message).await;
        }
        self.refused += 1;
        let named: Vec<(&BatchLine, &BatchProblem)> = problems
            .iter()
            .filter_map(|problem| {
                let place = usize::try_from(problem.line?.checked_sub(1)?).ok()?;
                Some((lines.get(place)?, problem))
            })
            .collect();
        let mut failed = HashSet::new();
        for (line, problem) in &named {
            if failed.insert(line.persona) {
                self.line_refused(number, line, FailureKind::BadRequest, problem);
            }
        }
        if named.is_empty() || self.refused >= MOST_REFUSED {
            let why =
                problems.first().map_or_else(|| "without a reason".to_owned(), |p| p.to_string());
            let message = format!("the provider refused batch {number}: {why}");
            tracing::error!("{message}");
            return self.close_and_pause(at, message).await;
        }
        self.close(at).await
    }

    /// The provider takes smaller files than this one: the next ones are half of it.
    fn make_smaller(&mut self, at: usize, what: Outsized) {
        let (number, lines) = (self.metas[at].number, self.records[at].lines);
        match what {
            Outsized::Lines => self.limits.lines = self.limits.lines.min(lines / 2),
            Outsized::Bytes => {
                let length = std::fs::metadata(self.folder.of(number)).map(|file| file.len());
                let length = length.unwrap_or(self.limits.bytes);
                self.limits.bytes = self.limits.bytes.min(length / 2);
            }
        }
        let FileLimits { lines, bytes, .. } = self.limits;
        tracing::warn!(
            "batch {number} is larger than the provider takes: it is split into files of at most \
             {lines} calls and {bytes} bytes"
        );
    }

    /// A batch was refused for this line: its persona fails.
    fn line_refused(
        &self,
        number: u32,
        line: &BatchLine,
        kind: FailureKind,
        problem: &BatchProblem,
    ) {
        tracing::error!("batch {number} was refused: persona {}: {problem}", line.persona);
        let why = format!("batch {number} was refused for it: {problem}");
        self.fails(line.persona, line.attempt.saturating_sub(1), Failure::new(kind, why));
    }

    /// A batch is over, and nobody is put into another one before somebody says so.
    pub(super) async fn close_and_pause(&mut self, at: usize, message: String) -> Result<(), Halt> {
        self.control.begin = true;
        self.close(at).await?;
        self.pause(PauseReason::Batch { message });
        Ok(())
    }

    /// What a batch has cost that is over, as far as it was seen through by this process. All that
    /// came of it is on disk.
    fn cost(&self, at: usize) -> Result<Usd, Halt> {
        let Meta { number, most, cost, .. } = self.metas[at];
        let lost = match self.records[at].step() {
            Step::Over { end: End::Lost, .. } => self.reader.lines_of_batch(number)?.left_of(most),
            _ => Usd::ZERO,
        };
        Ok(cost.saturating_add(lost))
    }

    /// A batch is over: in one commit with those that ask again whoever of it is not through.
    pub(super) async fn close(&mut self, at: usize) -> Result<(), Halt> {
        let number = self.metas[at].number;
        let lines = self.reader.batch_lines(number)?;
        let goes_on = !self.control.cancelling && !self.control.begin;
        self.barrier().await?;
        let cost = self.cost(at)?;
        if let Some(money) = &mut self.metas[at].money {
            // Nothing more can come of it: what it has not cost is there for what follows.
            money.lower_to(cost);
        }
        let carried = std::mem::take(&mut self.metas[at].carried);
        let planned = if goes_on { self.plan(Some(number), &carried)? } else { Vec::new() };
        let mut kept = vec![self.stored(at)];
        kept.extend(planned.iter().map(Planned::stored));
        self.keep(kept).await?;
        let last = shown(&self.records[at], &self.metas[at]);
        let record = self.records.remove(at);
        let mut meta = self.metas.remove(at);
        if let Some(money) = meta.money.take() {
            money.settle(cost);
        }
        self.folder.remove(number);
        self.tell(BatchFact::Left(lines.iter().map(|line| line.persona).collect()));
        drop(lines);
        self.open(planned);
        if let Some(input) = record.leftover() {
            // What stays there is only untidy.
            let client = &self.interviewer.endpoints[meta.endpoint.as_usize()].client;
            let deleted = tokio::time::timeout(DELETED_WITHIN, client.delete_file(input));
            let _ = self.control.unless_stopped(deleted).await;
        }
        // The last word: a run whose batches are over may end.
        self.tell(BatchFact::Shown(last));
        if let Step::Over { end: End::Read, .. } = record.step() {
            self.refused = 0;
        }
        Ok(())
    }
}
