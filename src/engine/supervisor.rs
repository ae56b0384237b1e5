//! The one task that owns a run: it starts interviews, takes in facts, commands and the store's
//! notices, and has the result published. It never waits for a front end, a disk or a provider.
//!
//! Here is what it has and its loop. `queue` brings personas to their interviews, `facts` is what
//! it hears of them, and `run_end` when and how it is over. The rest of what it does has a file
//! beside this one: `setup` starts it, `orders` and `talk_orders` are what front ends ask for,
//! `news` what it hears of the run file, and `packs`, `silence`, `analysis` and `batches` do what
//! their names say.

mod facts;
mod queue;
mod run_end;

pub use run_end::RunEnd;

use super::{
    analysis::Progress,
    batches::Desk,
    fact::Fact,
    interview::{Interviewer, LeftOff, Queued},
    meters::RunMeters,
    packs::Packs,
    publisher::{Publisher, Sources},
    reading::{Found, Reading},
    run_state::RunState,
    setup::{EngineError, EngineParts},
    talks::Talks,
};
use crate::{
    cache::CacheThreads,
    limiter::{HeadWaited, Limiter},
    model::{PersonaIndex, RunPhase, RunSummary, StopReason, UnixMillis},
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
    pub(super) packs: Packs,
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
                        self.talks.nobody_listens();
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
}
