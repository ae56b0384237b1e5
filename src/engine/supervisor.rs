//! The one task that owns a run: it starts interviews, takes in facts, commands and the store's
//! notices, and has the result published. It never waits for a front end, a disk or a provider.

use super::{
    admission::{self, Occupancy},
    analysis::Progress,
    batches::Desk,
    fact::{Ending, Fact, NewSteps},
    interview::{Interviewer, LeftOff, Queued},
    meters::RunMeters,
    publisher::{Publisher, Sources},
    reading::{Found, Reading, Request},
    run_state::RunState,
    setup::{EngineError, EngineParts},
    talks::Talks,
};
use crate::{
    cache::CacheThreads,
    limiter::{Constraint, HeadWaited, Limiter},
    model::{
        Attempt, FailureKind, Fate, InterviewStatus, PauseReason, PersonaIndex, RunPhase,
        RunSummary, StopReason, UnixMillis,
    },
    protocol::{FrontEndId, Incoming, RateSample, RunHeader},
    store::{Notice, Record, Writer},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc::UnboundedReceiver, time::MissedTickBehavior};

/// Deltas go out at most this often.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// Publishing ticks in a second.
const TICKS_PER_SECOND: u32 = 10;

/// Personas loaded ahead of their interviews.
const FETCHED_AHEAD: usize = 1024;

/// Answers that may wait for the disk before no new interview starts. At 2 KB each they are 40 MB.
const UNSAVED_MOST: usize = 20_000;

/// How long closing the run file may take where the disk is full.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Without an answer for this long, a call that cannot connect means that nobody can.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(30);

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    pub summary: RunSummary,
    pub phase: RunPhase,
}

/// Runs until every interview is over or a stop was asked for.
///
/// # Errors
/// Where the run cannot start, or its last answers cannot be stored.
pub async fn run(parts: EngineParts) -> Result<RunEnd, EngineError> {
    let (mut supervisor, mut inbox) = Supervisor::start(parts)?;
    supervisor.turn(&mut inbox).await;
    supervisor.finish().await
}

/// Everything that the supervisor listens to.
pub(super) struct Inbox {
    pub(super) front_ends: UnboundedReceiver<Incoming>,
    pub(super) facts: UnboundedReceiver<Fact>,
    pub(super) waits: UnboundedReceiver<HeadWaited>,
    pub(super) notices: UnboundedReceiver<Notice>,
    pub(super) found: UnboundedReceiver<Found>,
}

pub(super) struct Supervisor {
    pub(super) interviewer: Arc<Interviewer>,
    pub(super) limiter: Limiter,
    pub(super) talks: Talks,
    /// Packs that are asked: those that the first stands for.
    pub(super) packs: HashMap<PersonaIndex, Vec<PersonaIndex>>,
    pub(super) state: RunState,
    pub(super) meters: RunMeters,
    /// What comes after the interviews.
    pub(super) analysis: Progress,
    /// Nobody is asked any more: only what the answers come to is made.
    pub(super) only_analysis: bool,
    pub(super) publisher: Publisher,
    pub(super) header: RunHeader,
    pub(super) writer: Writer,
    pub(super) reading: Reading,
    pub(super) cache_threads: Option<CacheThreads>,
    /// Loaded, and not started yet.
    pub(super) fetched: VecDeque<Queued>,
    /// Those in `fetched`, and those asked for.
    pub(super) on_the_way: HashSet<PersonaIndex>,
    /// The run file has no attempts that a fetch must count.
    pub(super) fresh: bool,
    /// Everyone before it is fetched, in progress or over.
    pub(super) cursor: PersonaIndex,
    /// Interviews that ended without an answer and may go on from here; the run file may not have
    /// all of it yet.
    pub(super) left_off: HashMap<PersonaIndex, LeftOff>,
    /// Ended, but not yet committed.
    pub(super) unsaved: usize,
    /// The disk refuses.
    pub(super) stalled: bool,
    pub(super) writer_is_gone: bool,
    /// Somebody paused the run, whatever else has paused it since.
    pub(super) paused_by_user: bool,
    /// Who last made the run pause because nobody answered the connection.
    pub(super) found_nobody: Option<PersonaIndex>,
    /// When the run last began to run.
    pub(super) running_since: UnixMillis,
    /// The alarm: calls are made, and none has given an answer since.
    pub(super) nothing_since: Option<UnixMillis>,
    /// The calls that go out in batches.
    pub(super) desk: Desk,
    /// Set once somebody asked to stop.
    pub(super) stop: Option<StopReason>,
    /// Set while nothing is left to do.
    pub(super) ended: Option<RunSummary>,
    /// No front end is left, and none can come.
    pub(super) alone: bool,
}

impl Supervisor {
    /// The loop. Commands and ticks come before facts, so that a flood of answers delays neither
    /// a key press nor the picture.
    async fn turn(&mut self, inbox: &mut Inbox) {
        let mut facts = Vec::with_capacity(1024);
        let mut ticks = tokio::time::interval(PUBLISH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked = 0_u32;
        // Those who are there already see the whole of it, however short it is.
        while let Ok(incoming) = inbox.front_ends.try_recv() {
            self.receive(incoming);
        }
        loop {
            self.fetch_ahead();
            self.admit();
            self.analyse();
            self.tend_batches();
            if self.is_over() {
                self.end_run();
                // Who has asked a persona something and left finds the answer in the run file.
                let looked_at = self.publisher.anyone_stays() || self.talks.thinking();
                if !looked_at || self.stop.is_some() {
                    return;
                }
            }
            tokio::select! { biased;
                incoming = inbox.front_ends.recv(), if !self.alone => match incoming {
                    Some(incoming) => {
                        // What has happened comes before what is ordered: a stop must neither
                        // lose an answer that is there nor cut off what has just been sent.
                        while let Ok(fact) = inbox.facts.try_recv() {
                            self.take_in(fact);
                        }
                        self.receive(incoming);
                    }
                    None => {
                        self.alone = true;
                        self.publisher.leave_all();
                    }
                },
                _ = ticks.tick() => {
                    ticked = ticked.wrapping_add(1);
                    for change in self.limiter.take_changes() {
                        self.note_change(change);
                    }
                    if ticked.is_multiple_of(TICKS_PER_SECOND) {
                        self.watch_for_silence();
                        self.sample();
                    }
                    self.publish_delta();
                }
                notice = inbox.notices.recv(), if !self.writer_is_gone => match notice {
                    Some(notice) => self.take_notice(notice),
                    None => self.lose_writer(),
                },
                Some(found) = inbox.found.recv() => self.take_found(found),
                Some(wait) = inbox.waits.recv() => self.head_waited(&wait),
                _ = inbox.facts.recv_many(&mut facts, 1024) => {
                    for fact in facts.drain(..) {
                        self.take_in(fact);
                    }
                }
            }
        }
    }

    /// Counts a second. One in which nothing happened, while nothing is going to, is no news: a
    /// run that is over or paused leaves every screen as it is.
    fn sample(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let sample = self.meters.sample(&self.limiter);
        let paused = matches!(self.state.phase, RunPhase::Paused { .. });
        if !paused || sample != RateSample::default() {
            self.publisher.sample(sample);
        }
    }

    /// Nothing more will happen: everyone is through and what the answers come to is known, or the
    /// run was stopped and nothing is in flight; and all that was answered is on disk, or cannot get there.
    fn is_over(&self) -> bool {
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
    pub(super) fn interviews_are_over(&self) -> bool {
        self.only_analysis || self.everyone_is_through()
    }

    fn everyone_is_through(&self) -> bool {
        self.state.counts().over() == self.state.total()
    }

    /// Writes the end down, once.
    fn end_run(&mut self) {
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
            seconds: self.meters.elapsed().as_secs_f64(),
        };
        tracing::info!(
            run = summary.run,
            done = summary.done,
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

    /// Asks for the next personas where few are left.
    pub(super) fn fetch_ahead(&mut self) {
        let closed = self.only_analysis || self.stop.is_some() || self.desk.is_on();
        if self.on_the_way.len() > FETCHED_AHEAD / 2 || closed {
            return;
        }
        let mut wanted = Vec::new();
        while wanted.len() + self.on_the_way.len() < FETCHED_AHEAD {
            let Some(next) = self.state.next_queued(self.cursor) else {
                self.cursor = PersonaIndex(u32::MAX);
                break;
            };
            self.cursor = PersonaIndex(next.0 + 1);
            if !self.state.has_task(next) && !self.on_the_way.contains(&next) {
                wanted.push(next);
            }
        }
        if wanted.is_empty() {
            return;
        }
        self.on_the_way.extend(&wanted);
        self.reading.ask(Request::Fetch { wanted, fresh: self.fresh });
    }

    /// Starts as many interviews as there is room for.
    fn admit(&mut self) {
        if self.state.phase != RunPhase::Running
            || self.unsaved >= UNSAVED_MOST
            || self.desk.is_on()
        {
            return;
        }
        let (by_others, off_by_others) = self.asked_by_others();
        let mut room = admission::room(Occupancy {
            slots: self.limiter.slots_total() as usize,
            in_progress: self.state.in_progress().saturating_sub(by_others),
            backing_off: self.state.backing_off().saturating_sub(off_by_others),
        });
        while room > 0 {
            let Some(queued) = self.next_ready() else { return };
            self.begin(queued);
            room -= 1;
        }
    }

    /// The next persona that is loaded and still in the queue.
    pub(super) fn next_ready(&mut self) -> Option<Queued> {
        loop {
            let mut queued = self.fetched.pop_front()?;
            let persona = queued.persona.index;
            self.on_the_way.remove(&persona);
            if self.state.status(persona) != Some(InterviewStatus::Queued) {
                continue;
            }
            if let Some(left_off) = self.left_off.remove(&persona) {
                queued.left_off = left_off;
            }
            return Some(queued);
        }
    }

    fn take_in(&mut self, fact: Fact) {
        if !self.packs.is_empty() {
            self.follow_the_first(&fact);
        }
        self.analysis.follow(&fact);
        match fact {
            Fact::Sent { persona } => {
                self.state.progress(persona, InterviewStatus::InFlight, None);
            }
            Fact::BackedOff { attempt, until } => {
                self.meters.attempted(&attempt);
                self.state.progress(attempt.persona, InterviewStatus::BackingOff, Some(until));
                self.writer.write(Record::Attempted(attempt));
                self.put_back_what_waits();
            }
            Fact::RejoinedLine { persona } => {
                self.state.rejoin_line(persona);
                self.put_back_what_waits();
            }
            Fact::Stepped { persona, attempt, steps } => {
                self.keep(persona, attempt, steps);
                self.state.rejoin_line(persona);
                self.put_back_what_waits();
            }
            Fact::OfBatches(fact) => self.take_from_batches(fact),
            Fact::Said(said) => self.said(*said),
            Fact::Packed(packed) => self.unpack(*packed),
            Fact::PieceEnded { piece, last, given } => self.piece_ended(piece, last, given),
            Fact::Ended { persona, weight, last, steps, left_off, ending } => {
                self.keep(persona, last, steps);
                // Where a stop has put the persona back already, its late answer still counts.
                self.state.end_task(persona);
                let ending = self.judge(persona, ending);
                if let Ending::Settled(fate) = &ending
                    && let Some(answer) = fate.answer()
                {
                    self.meters.answered(persona, weight, answer);
                }
                self.end(persona, left_off, ending);
            }
        }
    }

    /// Has an attempt and the steps that came of it written down.
    pub(super) fn keep(
        &mut self,
        persona: PersonaIndex,
        attempt: Option<Box<Attempt>>,
        new: NewSteps,
    ) {
        if let Some(attempt) = attempt {
            self.meters.attempted(&attempt);
            self.writer.write(Record::Attempted(attempt));
        }
        self.meters.stepped(&new.steps);
        for (number, step) in (new.first..).zip(new.steps) {
            self.writer.write(Record::Stepped { persona, number, step: Box::new(step) });
        }
    }

    /// While the run stops or moves to batches, nobody waits for another attempt.
    pub(super) fn put_back_what_waits(&mut self) {
        if self.stop.is_some() || self.desk.is_on() {
            self.state.abort(|status| status != InterviewStatus::InFlight);
        }
    }

    /// Whether a failure means that nobody would be answered. A persona that found nobody there
    /// twice in a row must not keep the others from trying.
    pub(super) fn judge(&mut self, persona: PersonaIndex, ending: Ending) -> Ending {
        match ending {
            Ending::Settled(Fate::Failed(failure))
                if failure.kind == FailureKind::Connection
                    && !self.answered_lately()
                    && self.found_nobody != Some(persona) =>
            {
                self.found_nobody = Some(persona);
                Ending::FoundNobody(failure)
            }
            other => other,
        }
    }

    pub(super) fn end(&mut self, persona: PersonaIndex, left_off: LeftOff, ending: Ending) {
        let attempts = left_off.attempts;
        if !matches!(&ending, Ending::Settled(fate) if fate.status() != InterviewStatus::Failed) {
            self.left_off.insert(persona, left_off);
        }
        match ending {
            Ending::FoundNobody(failure) => {
                self.give_back(persona);
                self.pause(PauseReason::Unreachable { failure });
            }
            Ending::Settled(fate) => {
                if let Fate::Failed(failure) = &fate {
                    tracing::error!(attempts, "persona {persona} failed: {failure}");
                    self.meters.failed(failure, persona);
                }
                // The status follows when the answer is on disk.
                self.unsaved += 1;
                self.writer.write(Record::Finished { persona, fate, attempts });
            }
            Ending::GaveBack => self.give_back(persona),
            Ending::OverBudget { spent, budget } => {
                self.give_back(persona);
                self.pause(PauseReason::BudgetSpent { spent, budget });
            }
            Ending::ProviderRefused(failure) => {
                self.give_back(persona);
                self.pause(PauseReason::ProviderRefuses { failure });
            }
        }
    }

    fn answered_lately(&self) -> bool {
        let ago = |at| UnixMillis::now().since(at);
        self.meters.last_success().is_some_and(|at| ago(at) <= UNREACHABLE_AFTER)
    }

    pub(super) fn give_back(&mut self, persona: PersonaIndex) {
        self.state.set_status(persona, InterviewStatus::Queued);
        self.cursor = self.cursor.min(persona);
    }

    fn head_waited(&mut self, wait: &HeadWaited) {
        let status = match wait.on {
            Constraint::Requests => InterviewStatus::WaitingForRequests,
            Constraint::Tokens => InterviewStatus::WaitingForTokens,
            // A provider that asked to wait; where the whole run is paused, nobody is to blame.
            Constraint::Pause if self.state.phase == RunPhase::Running => {
                InterviewStatus::WaitingForRequests
            }
            Constraint::Slot | Constraint::Pause => InterviewStatus::WaitingForSlot,
        };
        self.state.line_waits_for(status);
    }

    pub(super) fn enter(&mut self, phase: RunPhase) {
        if phase == RunPhase::Running {
            self.running_since = UnixMillis::now();
        }
        self.desk.running(phase == RunPhase::Running);
        self.writer.write(Record::PhaseChanged(phase.clone()));
        self.state.phase = phase;
        self.publisher.touch();
    }

    pub(super) fn publish_snapshot(&mut self, to: FrontEndId) {
        let (publisher, mut sources) = self.sources();
        publisher.snapshot(to, &mut sources);
    }

    pub(super) fn publish_delta(&mut self) {
        let (publisher, mut sources) = self.sources();
        publisher.delta(&mut sources);
    }

    fn sources(&mut self) -> (&mut Publisher, Sources<'_>) {
        let sources = Sources {
            state: &mut self.state,
            meters: &self.meters,
            limiter: &self.limiter,
            ledger: &self.interviewer.ledger,
            nothing_since: self.nothing_since,
            batches: &self.desk.meters,
            unsaved: u32::try_from(self.unsaved).unwrap_or(u32::MAX),
            summary: self.ended.as_ref(),
            analysis: self.analysis.result(),
            analysing: self.analysis.meter(),
        };
        (&mut self.publisher, sources)
    }

    /// Closes the run file, and gives back how the run ended.
    async fn finish(mut self) -> Result<RunEnd, EngineError> {
        self.break_talks_off();
        self.end_run();
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
