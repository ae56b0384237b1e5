//! The supervisor's side of batches: it orders the runner about, has its facts written down, and
//! knows who is in a batch.

use super::{
    fact::{BatchFact, LineRead, ToRunner},
    runner::{self, Thread},
};
use crate::{
    batch::BatchRecord,
    engine::{run_state::RunState, supervisor::Supervisor},
    model::{
        EndpointIndex, Fate, InterviewStatus, PauseReason, PersonaIndex, RunPhase, StopReason,
    },
    protocol::{BatchMeter, BatchMeters, CommandOutcome},
    store::{Record, RunReader, StoreError},
};
use std::{path::PathBuf, sync::Arc, sync::atomic::Ordering};

/// So many batches that are over are still shown.
const OVER_SHOWN: usize = 12;

/// What the supervisor has of batches.
pub(in crate::engine) struct Desk {
    run_file: PathBuf,
    /// Whose Batch API takes them; `None` where no endpoint has one.
    endpoint: Option<EndpointIndex>,
    thread: Option<Thread>,
    /// The runner knows that everybody is to go into batches.
    begun: bool,
    /// Batches of an earlier part of the run are under way.
    left_under_way: bool,
    /// Asked to stop, it first cancels what is under way.
    cancels: bool,
    /// Orders to begin, cancel or stop so far.
    turns: u32,
    /// After so many of them nothing was under way here.
    rested: u32,
    pub meters: BatchMeters,
}

impl Desk {
    /// A desk at which nothing has happened. `endpoint` is the first one that has a Batch API.
    pub(in crate::engine) fn new(
        run_file: PathBuf,
        endpoint: Option<EndpointIndex>,
        on: bool,
    ) -> Self {
        Self {
            run_file,
            endpoint,
            thread: None,
            begun: false,
            left_under_way: false,
            cancels: false,
            turns: 0,
            rested: 0,
            meters: BatchMeters { on, shown: Vec::new() },
        }
    }

    /// Finds out who is in a batch of an earlier part of the run.
    ///
    /// # Errors
    /// Where the run file cannot be read.
    pub(in crate::engine) fn take_up(
        &mut self,
        reader: &RunReader,
        state: &mut RunState,
    ) -> Result<(), StoreError> {
        for stored in reader.batches()? {
            // The runner says what is wrong with one that does not read; nobody of it is asked.
            if BatchRecord::read(&stored.record).is_ok_and(|record| record.is_over()) {
                continue;
            }
            self.left_under_way = true;
            for line in reader.batch_lines(stored.number)? {
                if state.status(line.persona) == Some(InterviewStatus::Queued) {
                    state.set_status(line.persona, InterviewStatus::InBatch);
                }
            }
        }
        Ok(())
    }

    /// Whether the calls go out in batches.
    pub(in crate::engine) const fn is_on(&self) -> bool {
        self.meters.on
    }

    /// Whether a run that is to stop may end as far as batches go.
    pub(in crate::engine) fn is_at_rest(&self) -> bool {
        self.rested == self.turns || self.thread.as_ref().is_none_or(Thread::is_over)
    }

    /// Whoever is not over is to go into batches, and was not a moment ago.
    pub(in crate::engine) const fn again(&mut self) {
        self.begun = false;
    }

    /// Whether anything new may be sent.
    pub(in crate::engine) fn running(&mut self, running: bool) {
        self.order(ToRunner::Running(running));
    }

    /// The run stops: nothing more is asked of the provider, or all is cancelled first.
    pub(in crate::engine) fn stop(&mut self) {
        self.order(if self.cancels { ToRunner::CancelAll } else { ToRunner::Stop });
    }

    /// The run stops now, whatever is still to be cancelled.
    pub(in crate::engine) fn stop_now(&mut self) {
        self.cancels = false;
        self.stop();
    }

    pub(in crate::engine) fn kept(&mut self, ticket: u64) {
        self.order(ToRunner::Kept(ticket));
    }

    /// How many batches the provider may be at.
    pub(in crate::engine) fn open(&self) -> usize {
        self.meters.open().count()
    }

    /// Ends the thread. Its connection to the run file must be gone before the writer's.
    pub(in crate::engine) fn end(self) {
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }

    /// Takes away a thread that is over. Another one takes up what this one has left.
    fn bury(&mut self) -> Result<(), &'static str> {
        let Some(over) = self.thread.take_if(|thread| thread.is_over()) else { return Ok(()) };
        self.begun = false;
        self.left_under_way = true;
        over.join()
    }

    fn order(&mut self, order: ToRunner) {
        if let Some(thread) = &self.thread {
            self.turns += u32::from(order.is_turn());
            let _ = thread.orders.send(order);
        }
    }

    /// Takes in a batch as it looks now.
    fn show(&mut self, batch: BatchMeter) {
        let shown = &mut self.meters.shown;
        match shown.iter_mut().find(|before| before.number == batch.number) {
            Some(before) => {
                if before.standing != batch.standing {
                    tell_standing(&batch);
                }
                *before = batch;
            }
            None => {
                tell_standing(&batch);
                shown.push(batch);
            }
        }
        while shown.iter().filter(|batch| batch.standing.is_over()).count() > OVER_SHOWN {
            let Some(oldest) = shown.iter().position(|batch| batch.standing.is_over()) else {
                return;
            };
            shown.remove(oldest);
        }
    }
}

fn tell_standing(batch: &BatchMeter) {
    let BatchMeter { number, lines, standing, .. } = batch;
    tracing::info!("batch {number} of {lines} calls: {}", standing.as_str().replace('_', " "));
}

impl Supervisor {
    /// Has everybody go into batches once nobody is in flight, and what an earlier part of the run
    /// has left cancelled where the run does without batches now.
    pub(in crate::engine) fn tend_batches(&mut self) {
        // Where only a summary is wanted, what is under way stays as it is.
        if self.only_analysis {
            return;
        }
        if self.stop.is_none()
            && self.state.phase == RunPhase::Running
            && let Err(why) = self.desk.bury()
        {
            let message = format!("{why}; going on takes them up again");
            return self.pause(PauseReason::Batch { message });
        }
        let wanted = if self.desk.is_on() { !self.desk.begun } else { self.desk.left_under_way };
        let ready = self.state.in_progress() == 0
            && self.state.phase == RunPhase::Running
            && self.ended.is_none();
        if !wanted || !ready || self.stop.is_some() {
            return;
        }
        let Some(endpoint) = self.desk.endpoint else {
            let message = "batches of an earlier part of this run are under way, and no endpoint \
                           has a Batch API any more: go on with the endpoint that they were made at";
            return self.pause(PauseReason::Batch { message: message.to_owned() });
        };
        if self.desk.thread.is_none() {
            let interviewer = Arc::clone(&self.interviewer);
            match runner::spawn(interviewer, endpoint, self.desk.run_file.clone()) {
                Ok(thread) => {
                    self.desk.thread = Some(thread);
                    (self.desk.turns, self.desk.rested) = (0, 0);
                }
                Err(error) => {
                    return self.pause(PauseReason::Batch { message: error.to_string() });
                }
            }
        }
        if self.desk.is_on() {
            self.desk.begun = true;
            self.desk.order(ToRunner::Begin);
        } else {
            self.desk.order(ToRunner::CancelAll);
        }
        self.desk.left_under_way = false;
    }

    pub(in crate::engine) fn take_from_batches(&mut self, fact: BatchFact) {
        match fact {
            BatchFact::Keep { kept, ticket } => {
                self.writer.write(Record::Batches { kept, ticket });
            }
            BatchFact::Line(line) => self.take_line(*line),
            BatchFact::Joined(personas) => {
                for persona in personas {
                    // What was held in memory of it is in the run file.
                    self.left_off.remove(&persona);
                    self.moved(persona, InterviewStatus::Queued, InterviewStatus::InBatch);
                }
            }
            BatchFact::Left(personas) => {
                for persona in personas {
                    self.moved(persona, InterviewStatus::InBatch, InterviewStatus::Queued);
                }
            }
            BatchFact::Shown(batch) => {
                self.desk.show(batch);
                self.publisher.touch();
            }
            BatchFact::Pause(reason) => self.pause(reason),
            BatchFact::AtRest { after } => self.desk.rested = after,
        }
    }

    fn moved(&mut self, persona: PersonaIndex, from: InterviewStatus, to: InterviewStatus) {
        if self.state.status(persona) == Some(from) {
            self.state.set_status(persona, to);
            self.cursor = self.cursor.min(persona);
        }
    }

    /// What came of a line goes on file as a whole or not at all: after a crash it is taken once.
    fn take_line(&mut self, line: LineRead) {
        let LineRead { persona, weight, attempt, steps, end } = line;
        let mut records = Vec::new();
        if let Some(attempt) = attempt {
            self.meters.attempted(&attempt);
            records.push(Record::Attempted(attempt));
        }
        self.meters.stepped(&steps.steps);
        for (number, step) in (steps.first..).zip(steps.steps) {
            records.push(Record::Stepped { persona, number, step: Box::new(step) });
        }
        if let Some((fate, attempts)) = end {
            if let Fate::Failed(failure) = &fate {
                tracing::error!(attempts, "persona {persona} failed: {failure}");
                self.meters.failed(failure, persona);
            }
            if let Some(answer) = fate.answer() {
                self.meters.answered(persona, weight, answer);
            }
            self.unsaved += 1;
            records.push(Record::Finished { persona, fate, attempts });
        }
        self.writer.write(Record::Together(records));
    }

    /// Moves the rest of the run to the Batch API, or back.
    pub(in crate::engine) fn set_batch(&mut self, on: bool) -> CommandOutcome {
        let refused = |why: &str| CommandOutcome::Refused { why: why.to_owned() };
        if self.stop.is_some() || self.ended.is_some() {
            return refused("the run is over or about to stop: nothing is left to be moved");
        }
        if self.desk.endpoint.is_none() {
            return refused(
                "no endpoint has a Batch API: one of kind openai or azure would have one",
            );
        }
        if self.desk.is_on() == on {
            return refused(if on {
                "the calls go out in batches already"
            } else {
                "the calls go out one by one already"
            });
        }
        self.desk.meters.on = on;
        self.writer.write(Record::BatchSwitched { on });
        self.interviewer.moves_to_batches.store(on, Ordering::Release);
        // What is on file of those who were asked counts from now on.
        self.fresh = false;
        self.publisher.touch();
        let what = if on {
            self.desk.begun = false;
            self.abort(|status| status != InterviewStatus::InFlight);
            self.fetched.clear();
            self.on_the_way.clear();
            let in_flight = self.state.in_progress();
            let rest = self.state.total() - self.state.counts().over();
            format!(
                "{in_flight} in flight finish; what is left of {rest} personas goes to the Batch \
                 API, which may take up to 24 h a stage"
            )
        } else {
            self.cursor = PersonaIndex(0);
            self.desk.order(ToRunner::CancelAll);
            match self.desk.open() {
                1 => "1 batch is cancelled; whoever it leaves is asked by single calls".to_owned(),
                many => format!(
                    "{many} batches are cancelled; whoever they leave is asked by single calls"
                ),
            }
        };
        CommandOutcome::Applied { what }
    }

    /// Cancels what is under way in batches, and stops.
    pub(in crate::engine) fn cancel_batches(&mut self) -> CommandOutcome {
        let open = self.desk.open();
        if open == 0 || self.ended.is_some() {
            let why = "no batch is under way: `stop` stops the run".to_owned();
            return CommandOutcome::Refused { why };
        }
        self.desk.cancels = true;
        if self.stop.is_some() {
            self.desk.stop();
            self.stop = Some(StopReason::Asked);
        } else {
            self.drain();
        }
        let batches = if open == 1 { "batch" } else { "batches" };
        let what = format!(
            "cancelling {open} {batches}, then stopping; what is done by then is kept, and the rest \
             stays for `voxpop resume`"
        );
        CommandOutcome::Applied { what }
    }
}
