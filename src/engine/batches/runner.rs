//! The thread that sees batches through, one thing after the other.

use super::{
    control::Control,
    courier::Came,
    fact::{BatchFact, ToRunner},
    files::Folder,
    halt::Halt,
    meta::Meta,
    planner::Planned,
    shown::shown,
};
use crate::{
    batch::{
        BatchRecord, End, Event, FileLimits, Next, Rules, Step, enqueued_limit, look_after,
        startable,
    },
    engine::{fact::Fact, interview::Interviewer, ledger::Short},
    model::{EndpointIndex, PauseReason, UnixMillis},
    store::{BatchLine, RunReader, StoredBatch},
};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

/// Where the budget has no room for a batch, it is looked at again after this long.
const MONEY_AGAIN: Duration = Duration::from_secs(1);

/// After a disk has refused something, it is tried again after this long.
const AFTER_HALT: Duration = Duration::from_secs(2);

/// The runner.
pub(super) struct Runner {
    pub interviewer: Arc<Interviewer>,
    /// Whose Batch API takes what is planned.
    pub endpoint: EndpointIndex,
    pub reader: RunReader,
    pub folder: Folder,
    pub control: Control,
    pub rules: Rules,
    pub limits: FileLimits,
    /// The batches that are not over, and what belongs to each.
    pub records: Vec<BatchRecord>,
    pub metas: Vec<Meta>,
    pub next_number: u32,
    /// Files refused since one was not.
    pub refused: u32,
    /// How often files were cut smaller because they found no room.
    pub cuts: u32,
    /// After so many orders it said that it is at rest.
    rested: Option<u32>,
}

/// The thread as the supervisor holds it.
pub(super) struct Thread {
    pub orders: UnboundedSender<ToRunner>,
    pub thread: JoinHandle<()>,
}

impl Thread {
    /// Whether it goes on no more, for whatever reason.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end. Says so where it broke off in the middle of something.
    pub(super) fn join(self) -> Result<(), &'static str> {
        let Self { orders, thread } = self;
        drop(orders);
        thread.join().map_err(|_| "what sees the batches through broke off by a fault of its own")
    }
}

/// Starts the thread. It opens the run file for itself.
///
/// # Errors
/// Where the system has no room for another thread.
pub(super) fn spawn(
    interviewer: Arc<Interviewer>,
    endpoint: EndpointIndex,
    run_file: std::path::PathBuf,
) -> io::Result<Thread> {
    let (orders, ordered) = unbounded_channel();
    let thread = std::thread::Builder::new().name("batches".to_owned()).spawn(move || {
        let pause = |reason| interviewer.tell(Fact::OfBatches(BatchFact::Pause(reason)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return pause(PauseReason::Batch { message: error.to_string() }),
        };
        match RunReader::open(&run_file) {
            Ok(reader) => {
                let runner = Runner::new(Arc::clone(&interviewer), endpoint, reader, ordered);
                runtime.block_on(runner.run());
            }
            Err(error) => pause(PauseReason::CannotRead { message: error.to_string() }),
        }
    })?;
    Ok(Thread { orders, thread })
}

impl Runner {
    fn new(
        interviewer: Arc<Interviewer>,
        endpoint: EndpointIndex,
        reader: RunReader,
        orders: UnboundedReceiver<ToRunner>,
    ) -> Self {
        Self {
            folder: Folder::beside(reader.path()),
            interviewer,
            endpoint,
            reader,
            control: Control::new(orders),
            rules: Rules::default(),
            limits: FileLimits::default(),
            records: Vec::new(),
            metas: Vec::new(),
            next_number: 1,
            refused: 0,
            cuts: 0,
            rested: None,
        }
    }

    async fn run(mut self) {
        // Whoever does not know what is under way must not plan anything.
        while let Err(halt) = self.take_up() {
            self.halted(halt).await;
            // It can be stopped all the same: nothing is under way here.
            while !self.control.running && !self.control.gone {
                self.at_rest();
                self.control.changed().await;
            }
            if self.control.gone {
                return;
            }
        }
        while !self.control.gone {
            if let Err(halt) = self.turn().await {
                self.halted(halt).await;
            }
        }
    }

    async fn halted(&mut self, halt: Halt) {
        match halt {
            Halt::Stopped => {
                // Whoever stops it a second time waits for an answer to that.
                while self.control.stopped && !self.control.gone {
                    self.at_rest();
                    self.control.changed().await;
                }
            }
            Halt::Store(error) => {
                self.pause(PauseReason::CannotRead { message: error.to_string() })
            }
            Halt::Files(error) => {
                let message = format!(
                    "the files of batches cannot be written: {error}; make room beside the run file"
                );
                self.pause(PauseReason::Batch { message });
            }
            Halt::Record(message) => self.pause(PauseReason::Batch { message }),
        }
    }

    /// Nothing is under way here, and that is said once an order.
    fn at_rest(&mut self) {
        let after = self.control.turns;
        if self.rested.replace(after) != Some(after) {
            self.tell(BatchFact::AtRest { after });
        }
    }

    /// What an earlier process has left under way.
    fn take_up(&mut self) -> Result<(), Halt> {
        let mut open = HashSet::new();
        self.records.clear();
        self.metas.clear();
        for stored in self.reader.batches()? {
            self.next_number = stored.number + 1;
            let mut record = BatchRecord::read(&stored.record).map_err(|error| {
                let number = stored.number;
                Halt::Record(format!("batch {number} in the run file cannot be read: {error}"))
            })?;
            if record.is_over() {
                continue;
            }
            // Whatever was being sent when the last process died has arrived by now or never will.
            record.apply(Event::CreationUnclear { at: UnixMillis::now() }, &self.rules);
            let StoredBatch { number, endpoint, made_at, most, .. } = stored;
            let Some(asked_of) = self.interviewer.endpoints.get(endpoint.as_usize()) else {
                let message = format!(
                    "batch {number} was made at endpoint {} of this run, which it has no more: go \
                     on with the endpoints that it had",
                    endpoint.0 + 1
                );
                return Err(Halt::Record(message));
            };
            // Its templates are taken now: what its first line teaches must not be held against
            // the second one.
            let mut meta = Meta::new(number, endpoint, made_at, most, asked_of.templates());
            if record.is_enqueued() || matches!(record.step(), Step::Created { .. }) {
                meta.money = Some(self.interviewer.ledger.take_up(number, most));
            }
            open.insert(number);
            self.records.push(record);
            self.metas.push(meta);
            self.show(self.records.len() - 1);
        }
        self.folder.clear(&open);
        Ok(())
    }

    /// One thing, or a wait for one.
    async fn turn(&mut self) -> Result<(), Halt> {
        self.control.look()?;
        if self.control.cancelling {
            self.cancel_all().await?;
            if self.records.is_empty() {
                self.at_rest();
            }
        } else if self.control.begin && self.control.running {
            self.begin().await?;
        }
        let now = Instant::now();
        let next = (0..self.records.len())
            .filter(|&at| self.may_act(at))
            .min_by_key(|&at| self.metas[at].due);
        match next {
            Some(at) if self.metas[at].due <= now => self.step(at).await,
            Some(at) => {
                let due = self.metas[at].due;
                tokio::select! {
                    () = self.control.changed() => {}
                    () = tokio::time::sleep_until(due) => {}
                }
                Ok(())
            }
            None => {
                self.control.changed().await;
                Ok(())
            }
        }
    }

    /// Whether anything can be done about a batch now. New ones are created one after the other, as
    /// far as the cap on what is enqueued has room.
    fn may_act(&self, at: usize) -> bool {
        match self.records[at].step() {
            Step::Written | Step::Uploaded { .. } => {
                self.control.running
                    && startable(&self.records, self.limits.enqueued_tokens) == Some(at)
            }
            Step::Creating { unsent: true, .. } => self.control.running,
            _ => true,
        }
    }

    async fn step(&mut self, at: usize) -> Result<(), Halt> {
        let now = UnixMillis::now();
        match self.records[at].next(now, &self.rules) {
            Next::Wait { until } => {
                self.metas[at].due =
                    Instant::now() + until.since(now).max(Duration::from_millis(1));
                Ok(())
            }
            Next::Nothing => Ok(()),
            Next::Intend if !self.has_money(at) => {
                self.metas[at].due = Instant::now() + MONEY_AGAIN;
                Ok(())
            }
            Next::Intend => self.happened(at, Event::Intended { at: now }).await,
            Next::Read { output, errors } => self.read(at, output, errors).await,
            next => match self.asked(at, &next).await? {
                Came::Event(event) => {
                    self.metas[at].failures = 0;
                    self.metas[at].note = None;
                    self.happened(at, event).await
                }
                Came::Later(error) => {
                    self.try_later(at, &next, &error);
                    Ok(())
                }
            },
        }
    }

    /// Asks the provider. A creation that is broken off may have been made.
    async fn asked(&mut self, at: usize, next: &Next) -> Result<Came, Halt> {
        let asked = self.ask_provider(at, next.clone()).await;
        if asked.is_err() && matches!(next, Next::Create { .. }) {
            let unclear = Event::CreationUnclear { at: UnixMillis::now() };
            self.records[at].apply(unclear, &self.rules);
        }
        Ok(asked?)
    }

    /// Whether what the batch can cost is set aside.
    fn has_money(&mut self, at: usize) -> bool {
        let meta = &mut self.metas[at];
        if meta.money.is_some() {
            return true;
        }
        match self.interviewer.ledger.reserve_for_batch(meta.most) {
            Ok(money) => {
                meta.money = Some(money);
                meta.note = None;
                return true;
            }
            Err(Short::ForNow) => meta.note = Some("waits for room in the budget".to_owned()),
            Err(Short::ForGood { spent, budget }) => {
                self.pause(PauseReason::BudgetSpent { spent, budget });
            }
        }
        self.show(at);
        false
    }

    /// Something happened to a batch: it is on disk before anything follows from it. Where it
    /// cannot get there, it has not happened.
    pub(super) async fn happened(&mut self, at: usize, event: Event) -> Result<(), Halt> {
        let before = self.records[at].clone();
        let number = self.metas[at].number;
        let followed = self.follow(at, event).await;
        if followed.is_err() && self.metas.get(at).is_some_and(|meta| meta.number == number) {
            self.records[at] = before;
            // What has followed from a creation that was sent is not on file.
            let unclear = Event::CreationUnclear { at: UnixMillis::now() };
            self.records[at].apply(unclear, &self.rules);
            self.metas[at].due = Instant::now() + AFTER_HALT;
        }
        followed
    }

    async fn follow(&mut self, at: usize, event: Event) -> Result<(), Halt> {
        let read = matches!(event, Event::Read(_));
        let crowded_out = match &event {
            Event::Said { said, .. } => Some(said.problems.iter().find_map(enqueued_limit)),
            _ => None,
        };
        self.records[at].apply(event, &self.rules);
        if let (Some(named), Step::Uploaded { .. }) = (crowded_out, self.records[at].step()) {
            self.crowded_out(at, named);
        }
        let now = Instant::now();
        let meta = &mut self.metas[at];
        meta.due = match self.records[at].step() {
            Step::Created { said, .. } if !said.state.is_over() => {
                let wait = look_after(UnixMillis::now().since(meta.made_at));
                let rereads = self.records[at].rereads().saturating_sub(1);
                let times = if read { 2_u32.saturating_pow(rereads) } else { 1 };
                now + wait.saturating_mul(times)
            }
            _ => now,
        };
        if let Some(until) = self.records[at].turned_away_until() {
            let wait = until.since(UnixMillis::now()).as_secs();
            meta.note = Some(format!("the provider has no room for it now; again in {wait} s"));
        }
        if read {
            let short = matches!(self.records[at].step(), Step::Created { .. });
            let note = "its results are not all there yet; it is looked at again";
            meta.note = short.then(|| note.to_owned());
        }
        if let Step::Creating { unsent: false, .. } = self.records[at].step() {
            let wait = self.rules.settles_after.as_secs();
            meta.note = Some(format!(
                "whether it was created, nobody has said; it is looked for in {wait} s"
            ));
        }
        let Step::Over { end, .. } = self.records[at].step().clone() else {
            self.show(at);
            let kept = self.stored(at);
            return self.keep(vec![kept]).await;
        };
        match end {
            End::Read | End::NeverCreated => self.close(at).await,
            End::Refused(problems) => self.was_refused(at, &problems).await,
            End::Lost => {
                let Meta { number, .. } = self.metas[at];
                let lines = self.records[at].lines;
                let message = format!(
                    "the provider knows batch {number} no more, and nobody can tell whether its \
                     {lines} calls were made; going on asks them again, and may pay twice"
                );
                self.close_and_pause(at, message).await
            }
        }
    }

    /// Everybody who is not over goes into batches.
    async fn begin(&mut self) -> Result<(), Halt> {
        self.barrier().await?;
        let planned = self.plan(None, &HashMap::new())?;
        self.keep(planned.iter().map(Planned::stored).collect()).await?;
        self.control.begin &= !self.control.running;
        self.open(planned);
        Ok(())
    }

    /// Planned batches are on file, and under way.
    pub(super) fn open(&mut self, planned: Vec<Planned>) {
        for Planned { record, meta, lines } in planned {
            self.tell(BatchFact::Joined(lines.iter().map(|line| line.persona).collect()));
            self.records.push(record);
            self.metas.push(meta);
            self.show(self.records.len() - 1);
        }
    }

    async fn cancel_all(&mut self) -> Result<(), Halt> {
        // From the last to the first, as they go.
        for at in (0..self.records.len()).rev() {
            if !self.records[at].is_cancelled()
                && !matches!(self.records[at].step(), Step::Created { said, .. } if said.state.is_over())
                && !self.metas[at].cancel_tried
            {
                self.metas[at].cancel_tried = true;
                self.happened(at, Event::CancelWanted).await?;
            }
        }
        Ok(())
    }

    /// Waits until all that was told before is on disk.
    pub(super) async fn barrier(&mut self) -> Result<(), Halt> {
        self.keep(Vec::new()).await
    }

    /// Puts batches on disk.
    pub(super) async fn keep(&mut self, kept: Vec<StoredBatch>) -> Result<(), Halt> {
        let ticket = self.control.ticket();
        self.tell(BatchFact::Keep { kept, ticket });
        Ok(self.control.kept(ticket).await?)
    }

    pub(super) fn stored(&self, at: usize) -> StoredBatch {
        stored(&self.records[at], &self.metas[at], Vec::new())
    }

    pub(super) fn tell(&self, fact: BatchFact) {
        self.interviewer.tell(Fact::OfBatches(fact));
    }

    /// Has the run pause, and sends nothing new from this moment on.
    pub(super) fn pause(&mut self, reason: PauseReason) {
        self.control.running = false;
        self.tell(BatchFact::Pause(reason));
    }

    /// Shows a batch where it looks different.
    pub(super) fn show(&mut self, at: usize) {
        let shown = shown(&self.records[at], &self.metas[at]);
        if self.metas[at].shown.as_ref() != Some(&shown) {
            self.metas[at].shown = Some(shown.clone());
            self.tell(BatchFact::Shown(shown));
        }
    }
}

/// A batch as it goes on file.
pub(super) fn stored(record: &BatchRecord, meta: &Meta, lines: Vec<BatchLine>) -> StoredBatch {
    StoredBatch {
        number: meta.number,
        made_at: meta.made_at,
        endpoint: meta.endpoint,
        most: meta.most,
        record: serde_json::to_string(record)
            .expect("a record has no map and no number that JSON lacks"),
        lines,
    }
}
