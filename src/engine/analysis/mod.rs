//! After the interviews: what the answers come to.
//!
//! ```text
//! Plan --> digests of 50 answers each --> (digests of digests) --> summary --> over
//!   ^            |  by a call each, or by words                      |
//!   '------------'------ when they are on disk, what comes next? <---'
//! ```
//!
//! `plan` says from the run file alone what comes next, `desk` reads it on the thread that does so
//! for the engine, `piece` is a call for one piece and `words` makes one without; here is what the
//! supervisor does about it. Where a model gives nothing for a piece, words make it, and the
//! summary says so: the answers are there, and nobody should have to wait for the rest.

mod desk;
mod offline;
mod piece;
mod plan;
mod words;

pub use offline::{is_due, summarize_by_words};
pub use plan::SummaryCalls;

pub(super) use desk::{Desk, Got, Task};
pub(super) use piece::Given;
pub(super) use plan::Piece;

use super::{
    fact::{Ending, Fact},
    reading::Request,
    supervisor::Supervisor,
};
use crate::{
    model::{
        Analysis, AnalysisMeter, Attempt, Fate, PauseReason, PersonaIndex, RunPhase, SummaryMode,
    },
    store::Record,
};
use desk::Made;
use piece::Order;
use plan::{Next, SUMMARY};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};
use tokio::task::AbortHandle;

/// Pieces that are made at a time, where there are more slots.
const MOST_AT_WORK: usize = 64;

/// Where the analysis stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nobody has asked yet what comes next.
    Idle,
    /// Asked, and not answered.
    Planning,
    Making,
    Over,
}

/// The analysis as the supervisor holds it.
pub(super) struct Progress {
    desk: Desk,
    standing: Standing,
    waiting: VecDeque<Piece>,
    at_work: HashMap<u32, AtWork>,
    /// Made, and not on disk yet.
    uncommitted: HashSet<u32>,
    /// The model will make nothing more: why.
    provider_gone: Option<String>,
    meter: AnalysisMeter,
    result: Option<Box<Analysis>>,
}

/// A piece that is being made.
struct AtWork {
    piece: Piece,
    /// `None` while the run file is read for it.
    task: Option<AbortHandle>,
    in_flight: bool,
}

impl Progress {
    pub(super) fn new(desk: Desk) -> Self {
        let standing = match desk.mode {
            SummaryMode::Off => Standing::Over,
            SummaryMode::Model | SummaryMode::Words => Standing::Idle,
        };
        Self {
            desk,
            standing,
            waiting: VecDeque::new(),
            at_work: HashMap::new(),
            uncommitted: HashSet::new(),
            provider_gone: None,
            meter: AnalysisMeter::default(),
            result: None,
        }
    }

    /// Nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        self.standing == Standing::Over
    }

    /// How many pieces are being made.
    pub(super) fn at_work(&self) -> usize {
        self.at_work.len()
    }

    pub(super) fn meter(&self) -> Option<AnalysisMeter> {
        (self.meter.total > 0).then_some(self.meter)
    }

    pub(super) fn result(&self) -> Option<&Analysis> {
        self.result.as_deref()
    }

    /// More personas may answer: what comes next is asked again afterwards.
    pub(super) fn again(&mut self) {
        if self.desk.mode != SummaryMode::Off && self.standing == Standing::Over {
            self.standing = Standing::Idle;
            self.meter = AnalysisMeter::default();
        }
    }

    /// Nothing new is begun, and what is not in flight is broken off; or all of it.
    pub(super) fn stop(&mut self, in_flight_too: bool) {
        self.waiting.clear();
        self.at_work.retain(|_, work| {
            let stays = work.in_flight && !in_flight_too;
            if let Some(task) = work.task.as_ref().filter(|_| !stays) {
                task.abort();
            }
            stays
        });
    }

    /// Keeps in mind what is on the wire.
    pub(super) fn follow(&mut self, fact: &Fact) {
        let (subject, in_flight) = match fact {
            Fact::Sent { persona } => (*persona, true),
            Fact::BackedOff { attempt, .. } => (attempt.persona, false),
            _ => return,
        };
        let work = subject.piece().and_then(|number| self.at_work.get_mut(&number));
        if let Some(work) = work {
            work.in_flight = in_flight;
        }
    }

    /// A piece is on disk.
    pub(super) fn committed(&mut self, number: u32) {
        if self.uncommitted.remove(&number) {
            self.meter.done += 1;
        }
    }

    fn begin(&mut self, piece: Piece) {
        let work = AtWork { piece: piece.clone(), task: None, in_flight: false };
        self.at_work.insert(piece.number, work);
    }

    /// The model will make nothing more: what still waits for it is broken off, to be made by
    /// words.
    fn lose_provider(&mut self, why: &str) -> Vec<Piece> {
        self.provider_gone = Some(why.to_owned());
        let stuck = self.at_work.values_mut().filter(|work| !work.in_flight);
        let mut pieces = Vec::new();
        for work in stuck {
            if let Some(task) = work.task.take() {
                task.abort();
                pieces.push(work.piece.clone());
            }
        }
        pieces
    }
}

impl Supervisor {
    /// Does what comes next, once the interviews are over.
    pub(super) fn analyse(&mut self) {
        // Who pauses a run wants nothing sent; what is made without a call goes on.
        let goes_on = matches!(
            self.state.phase,
            RunPhase::Running | RunPhase::Paused { reason: PauseReason::User }
        );
        let begun = goes_on && self.stop.is_none() && self.interviews_are_over();
        if self.analysis.is_over() || !begun {
            return;
        }
        match self.analysis.standing {
            Standing::Idle => self.plan(),
            Standing::Planning | Standing::Over => {}
            Standing::Making => self.make(),
        }
    }

    fn plan(&mut self) {
        self.analysis.standing = Standing::Planning;
        self.reading.ask(Request::Analyse(Task::Plan));
    }

    fn make(&mut self) {
        let asks = self.analysis.desk.mode == SummaryMode::Model;
        if asks && self.state.phase != RunPhase::Running {
            return;
        }
        let room = (self.limiter.slots_total() as usize).clamp(1, MOST_AT_WORK);
        while self.analysis.at_work.len() < room {
            let Some(piece) = self.analysis.waiting.pop_front() else { break };
            self.analysis.begin(piece.clone());
            self.reading.ask(Request::Analyse(match &self.analysis.provider_gone {
                Some(why) => Task::ByWords { piece, why: Some(why.clone()) },
                None if !asks => Task::ByWords { piece, why: None },
                None => Task::Load(piece),
            }));
        }
        let analysis = &self.analysis;
        let all_made = analysis.waiting.is_empty() && analysis.at_work.is_empty();
        if all_made && analysis.uncommitted.is_empty() {
            self.plan();
        }
    }

    /// The run file was read for the analysis.
    pub(super) fn take_got(&mut self, got: Got) {
        match got {
            Got::Planned(next) => self.planned(next),
            Got::Loaded { piece, material, attempts } => {
                // A stop may have come in between.
                let Some(work) = self.analysis.at_work.get_mut(&piece.number) else { return };
                // And so may the end of the provider: who asks it then waits for ever.
                if let Some(why) = self.analysis.provider_gone.clone() {
                    let task = Task::ByWords { piece, why: Some(why) };
                    return self.reading.ask(Request::Analyse(task));
                }
                let interviewer = Arc::clone(&self.interviewer);
                let lexicon = Arc::clone(&self.analysis.desk.lexicon);
                let order = Order { piece, material, attempts, lexicon };
                let task = tokio::spawn(async move { interviewer.ask_for(order).await });
                work.task = Some(task.abort_handle());
            }
            Got::Made(made) => self.keep_piece(made),
        }
        self.publisher.touch();
    }

    fn planned(&mut self, next: Next) {
        if self.analysis.standing != Standing::Planning {
            return;
        }
        match next {
            Next::Make(pieces) => {
                let many = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
                self.analysis.meter.total += many;
                self.analysis.waiting.extend(pieces);
                self.analysis.standing = Standing::Making;
            }
            Next::Over(analysis) => {
                if let Some(analysis) = &analysis {
                    tracing::info!("{}", analysis.origin());
                    self.publisher.analysed(analysis);
                }
                self.analysis.result = analysis;
                self.analysis.standing = Standing::Over;
            }
        }
    }

    /// The run file could not be read: once somebody has mended that, it is tried again.
    pub(super) fn analysis_not_read(&mut self) {
        self.analysis.stop(true);
        if self.analysis.standing != Standing::Over {
            self.analysis.standing = Standing::Idle;
        }
    }

    fn keep_piece(&mut self, made: Made) {
        let (number, record) = match made {
            Made::Digest(digest) => (digest.number, Record::Digested(digest)),
            Made::Analysis(analysis) => (SUMMARY, Record::Analysed(analysis)),
        };
        self.analysis.at_work.remove(&number);
        self.analysis.uncommitted.insert(number);
        self.writer.write(record);
    }

    /// A model was asked for a piece, to an end.
    pub(super) fn piece_ended(
        &mut self,
        piece: Piece,
        last: Option<Box<Attempt>>,
        given: Result<Given, Ending>,
    ) {
        if let Some(attempt) = last {
            self.meters.attempted(&attempt);
            self.writer.write(Record::Attempted(attempt));
        }
        self.analysis.at_work.remove(&piece.number);
        let why = match given {
            Ok(Given::Digest(digest)) => return self.keep_piece(Made::Digest(digest)),
            Ok(Given::Findings(findings)) => {
                self.analysis.begin(piece.clone());
                return self.reading.ask(Request::Analyse(Task::Conclude { piece, findings }));
            }
            // Only a stop leaves it off, and a resume asks again.
            Err(Ending::GaveBack) => return,
            Err(ending) => ending,
        };
        let (words, provider_gone) = in_words(&why);
        if self.stop.is_some() {
            return;
        }
        let name = PersonaIndex::of_piece(piece.number);
        tracing::warn!("{name}: the model gave nothing, words do it: {words}");
        let mut by_words = vec![piece];
        if provider_gone {
            by_words.extend(self.analysis.lose_provider(&words));
        }
        for piece in by_words {
            self.analysis.begin(piece.clone());
            let why = Some(words.clone());
            self.reading.ask(Request::Analyse(Task::ByWords { piece, why }));
        }
    }
}

/// Why a model gave nothing, and whether it will give nothing to anybody.
fn in_words(ending: &Ending) -> (String, bool) {
    match ending {
        Ending::Settled(Fate::Refused { reason }) => (format!("refused: {reason}"), false),
        Ending::Settled(Fate::Failed(failure)) | Ending::FoundNobody(failure) => {
            (failure.to_string(), false)
        }
        Ending::ProviderRefused(failure) => (failure.to_string(), true),
        Ending::OverBudget { spent, budget } => {
            (format!("{spent} of the budget of {budget} are spent"), false)
        }
        Ending::Settled(Fate::Answered(_) | Fate::Cached(_) | Fate::Flagged { .. })
        | Ending::GaveBack => (String::new(), false),
    }
}
