//! Reading what came of a batch, line by line: each becomes the attempt, the steps and the end that
//! a single call would have given.

use super::{
    fact::{BatchFact, LineRead},
    halt::Halt,
    line::{After, Carried, after},
    runner::Runner,
};
use crate::{
    batch::{self, CustomId, Event, Line, LineOutcome, Read, Reading},
    engine::{
        attempt_log,
        call::speaks_otherwise,
        fact::NewSteps,
        stages::{Next, Standing},
    },
    model::{
        Attempt, AttemptTiming, Failure, FailureKind, FileId, PersonaIndex, Stage, StepEvent,
        Usage, Usd,
    },
    provider::{BatchError, Exchange, Unanswered},
    store::BatchLine,
};
use std::{sync::Arc, time::Instant};

/// After so many lines, or so many bytes of them, they must be on disk before more are read:
/// answers that wait for the disk are all that is held in memory.
const UNSAVED_LINES: usize = 500;
const UNSAVED_BYTES: usize = 16 * 1024 * 1024;

/// What was told and may not be on disk yet.
#[derive(Default)]
struct Unsaved {
    lines: usize,
    bytes: usize,
}

impl Unsaved {
    /// Counts a line. True where all must be on disk before the next one; then it counts anew.
    fn is_much_with(&mut self, bytes: usize) -> bool {
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let is_much = self.lines >= UNSAVED_LINES || self.bytes >= UNSAVED_BYTES;
        if is_much {
            *self = Self::default();
        }
        is_much
    }
}

/// What a line says.
struct Reply {
    status: Option<u16>,
    request_id: Option<String>,
    usage: Option<Usage>,
    result: Result<String, Unanswered>,
}

/// A line as it was read.
struct Taken {
    attempt: Attempt,
    events: Vec<StepEvent>,
    /// Whether the endpoint has another way to be asked.
    other_dialect: bool,
    /// The body is what the model said, and not what a server did.
    own_words: bool,
}

impl Runner {
    /// Reads both files. Lines that an earlier reading took are left; whoever was not answered is
    /// asked again.
    pub(super) async fn read(
        &mut self,
        at: usize,
        output: Option<FileId>,
        errors: Option<FileId>,
    ) -> Result<(), Halt> {
        let number = self.metas[at].number;
        let mut lines = self.reader.batch_lines(number)?;
        lines.sort_unstable_by_key(|line| line.persona);
        self.barrier().await?;
        let mut reading = Reading::new(lines.iter().map(id));
        for persona in self.reader.taken_of_batch(number)? {
            if let Some(line) = find(&lines, persona) {
                reading.was_taken(id(line));
                self.take_up_line(at, line)?;
            }
        }
        for file in [output, errors].into_iter().flatten() {
            match self.read_file(at, &file, &lines, &mut reading).await? {
                Ok(()) => {}
                Err(error) if error.is_unknown() => {
                    tracing::error!("the results of batch {number} are gone: {error}");
                    return self.happened(at, Event::Gone).await;
                }
                Err(error) => {
                    let wanted = batch::Next::Nothing;
                    self.try_later(at, &wanted, &error);
                    return Ok(());
                }
            }
        }
        let counts = reading.counts();
        if self.records[at].is_cut_short(&counts, &self.rules) {
            tracing::warn!(
                "the results of batch {number} hold fewer answers than the provider counts: it is \
                 looked at again before {} calls are taken for not made",
                counts.missing
            );
            return self.happened(at, Event::Read(counts)).await;
        }
        let mut unsaved = Unsaved::default();
        for missing in reading.missing() {
            let line = Line { id: missing, outcome: LineOutcome::NotRun };
            self.take(at, line, &lines)?;
            if unsaved.is_much_with(0) {
                self.barrier().await?;
            }
        }
        tracing::info!(
            "batch {number} is read: {} answered, {} failed, {} not run, {} strange",
            counts.answered,
            counts.failed,
            counts.expired + counts.missing,
            counts.strange
        );
        self.happened(at, Event::Read(counts)).await
    }

    /// Reads one file to its end. The inner error is the provider's.
    async fn read_file(
        &mut self,
        at: usize,
        file: &FileId,
        lines: &[BatchLine],
        reading: &mut Reading,
    ) -> Result<Result<(), BatchError>, Halt> {
        let interviewer = Arc::clone(&self.interviewer);
        let client = &interviewer.endpoints[self.metas[at].endpoint.as_usize()].client;
        let mut content = match self.control.unless_stopped(client.content(file)).await? {
            Ok(content) => content,
            Err(error) => return Ok(Err(error)),
        };
        let mut unsaved = Unsaved::default();
        loop {
            let bytes = match self.control.unless_stopped(content.next()).await? {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            match reading.read(&bytes) {
                Read::Line(line) => {
                    self.take(at, line, lines)?;
                    if unsaved.is_much_with(bytes.len()) {
                        self.barrier().await?;
                    }
                }
                Read::Again { .. } => {}
                Read::Strange(strange) => tracing::warn!("{strange}"),
            }
        }
    }

    /// What an earlier reading took: what its call carries over is found out again.
    fn take_up_line(&mut self, at: usize, line: &BatchLine) -> Result<(), Halt> {
        let Some(attempt) = self.reader.attempt(line.persona, line.attempt)? else { return Ok(()) };
        let (Some(failure), Some((_, _, standing))) =
            (&attempt.failure, self.read_persona(line.persona)?)
        else {
            return Ok(());
        };
        let Next::Ask(stage) = self.interviewer.stages.next(&standing) else { return Ok(()) };
        let bounds = &self.interviewer.bounds;
        let carried = match after(failure, stage, Carried::of(line), false, bounds) {
            After::Again(carried) => carried,
            After::GoesOn(_) | After::Ends(_) => Carried::default(),
        };
        self.metas[at].carried.insert(line.persona, carried);
        Ok(())
    }

    /// Takes a line.
    fn take(&mut self, at: usize, read: Line<'_>, lines: &[BatchLine]) -> Result<(), Halt> {
        let Some(line) = find(lines, read.id.persona).copied() else { return Ok(()) };
        let Some((persona, left_off, mut standing)) = self.read_persona(line.persona)? else {
            return Ok(());
        };
        let stages = &self.interviewer.stages;
        // An interview that is over needs no line; a second one of its persona cannot be.
        let Next::Ask(stage) = stages.next(&standing) else { return Ok(()) };
        debug_assert!(left_off.attempts < line.attempt);
        let taken = self.read_line(at, &line, stage, &standing, read.outcome);
        let Taken { attempt, events, other_dialect, own_words } = taken;
        self.settle(at, &attempt);
        attempt_log::log(&attempt);
        let before = Carried::of(&line);
        let mut told = LineRead {
            persona: line.persona,
            weight: persona.weight,
            attempt: None,
            steps: NewSteps::default(),
            end: None,
        };
        let events = match &attempt.failure {
            None => events,
            Some(_) if other_dialect => {
                self.metas[at].carried.insert(line.persona, before);
                Vec::new()
            }
            Some(failure) => {
                match after(failure, stage, before, own_words, &self.interviewer.bounds) {
                    After::Again(carried) => {
                        self.metas[at].carried.insert(line.persona, carried);
                        Vec::new()
                    }
                    After::GoesOn(events) => events,
                    After::Ends(fate) => {
                        told.end = Some((fate, line.attempt));
                        Vec::new()
                    }
                }
            }
        };
        if !events.is_empty() {
            told.steps = self.interviewer.stages.take(&mut standing, stage, events);
            if let Next::End(fate) = self.interviewer.stages.next(&standing) {
                told.end = Some((fate, line.attempt));
            }
        }
        told.attempt = Some(Box::new(attempt));
        self.tell(BatchFact::Line(Box::new(told)));
        Ok(())
    }

    fn read_line(
        &self,
        at: usize,
        line: &BatchLine,
        stage: Stage,
        standing: &Standing,
        outcome: LineOutcome<'_>,
    ) -> Taken {
        let meta = &self.metas[at];
        let endpoint = &self.interviewer.endpoints[meta.endpoint.as_usize()];
        let cancelled = self.control.cancelling || self.records[at].is_cancelled();
        let parsing = Instant::now();
        let Reply { status, request_id, usage, result } = reply(outcome, cancelled);
        let mut other_dialect = false;
        let own_words = result.is_ok();
        let (events, failure, body) = match result {
            Ok(content) => {
                endpoint.answered();
                match self.interviewer.stages.read(stage, standing, &content) {
                    Ok(events) => (events, None, None),
                    Err(error) => {
                        let failure = Failure::new(FailureKind::Malformed, error.to_string());
                        (Vec::new(), Some(failure), Some(content))
                    }
                }
            }
            Err(unanswered) => {
                other_dialect = speaks_otherwise(endpoint, &meta.templates, &unanswered);
                (Vec::new(), Some(unanswered.failure), unanswered.body)
            }
        };
        let timing = AttemptTiming { parsed: parsing.elapsed(), ..AttemptTiming::default() };
        let attempt = Attempt {
            persona: line.persona,
            stage: line.stage,
            number: line.attempt,
            endpoint: meta.endpoint,
            sent_at: meta.made_at,
            timing,
            status,
            request_id,
            usage,
            failure,
            body,
            from_cache: false,
        };
        Taken { attempt, events, other_dialect, own_words }
    }

    /// Counts what a line has cost. One that was answered without a count may have cost all that a
    /// line of its batch can on average.
    fn settle(&mut self, at: usize, attempt: &Attempt) {
        let meta = &mut self.metas[at];
        let endpoint = &self.interviewer.endpoints[meta.endpoint.as_usize()];
        let cost = match &attempt.usage {
            Some(usage) => endpoint.cost_in_batch(usage),
            None if attempt.status == Some(200) => {
                let lines = u64::from(self.records[at].lines.max(1));
                Usd::from_picos(meta.most.picos().div_ceil(lines))
            }
            None => Usd::ZERO,
        };
        meta.cost = meta.cost.saturating_add(cost);
    }
}

fn reply(outcome: LineOutcome<'_>, cancelled: bool) -> Reply {
    let read = |status, request_id, body: &str| {
        let Exchange { status, request_id, usage, result, .. } =
            Exchange::of_line(status, request_id, body.as_bytes());
        Reply { status, request_id, usage, result: result.map(|completion| completion.content) }
    };
    // What was not run costs nothing, and the provider has said so.
    let not_run = |failure| Reply {
        status: None,
        request_id: None,
        usage: Some(Usage::default()),
        result: Err(Unanswered { failure, unsupported: None, body: None }),
    };
    match outcome {
        LineOutcome::Answered { request_id, body } => read(200, request_id, body),
        LineOutcome::Failed { status, request_id, body } => read(status, request_id, body),
        LineOutcome::NoReply { code, message } => {
            not_run(Failure::new(FailureKind::ServerError, format!("{message} ({code})")))
        }
        LineOutcome::NotRun if cancelled => {
            let why = "the batch was cancelled before its turn";
            not_run(Failure::new(FailureKind::Cancelled, why))
        }
        LineOutcome::NotRun => {
            let why = "it was not run before the batch ended";
            not_run(Failure::new(FailureKind::Timeout, why))
        }
    }
}

fn id(line: &BatchLine) -> CustomId {
    let BatchLine { persona, stage, round, attempt, .. } = *line;
    CustomId { persona, stage, round, attempt }
}

/// In lines that are sorted by their personas.
fn find(lines: &[BatchLine], persona: PersonaIndex) -> Option<&BatchLine> {
    let at = lines.binary_search_by_key(&persona, |line| line.persona).ok()?;
    lines.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_the_disk_is_bounded_in_lines_and_in_bytes() {
        let mut unsaved = Unsaved::default();
        let full = |unsaved: &mut Unsaved, bytes| {
            (1..10_000).find(|_| unsaved.is_much_with(bytes)).unwrap_or(0)
        };
        assert_eq!(full(&mut unsaved, 2_000), UNSAVED_LINES);
        assert_eq!(full(&mut unsaved, 6 * 1024 * 1024), 3);
        assert_eq!(full(&mut unsaved, 0), UNSAVED_LINES, "it counts anew");
    }
}
