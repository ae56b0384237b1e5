//! The one task that owns a run: it starts interviews, takes in facts, commands and the store's
//! notices, and has the result published. It never waits for a front end, a disk or a provider.

use super::{
    admission::{self, Occupancy},
    detail::detail,
    fact::{Ending, Fact},
    interview::{Endpoint, Interviewer, Queued},
    meters::RunMeters,
    publisher::{Publisher, Sources},
    reading::{self, Found, Reading, Request},
    run_state::RunState,
};
use crate::{
    config::{Config, EndpointSettings},
    limiter::{Constraint, EndpointSpec, HeadWaited, Limiter, OutputEstimate},
    model::{
        EndpointIndex, Failure, FailureKind, Fate, InterviewStatus, LimitName, LimitSetBy, LogRing,
        PauseReason, PersonaIndex, RunPhase, RunSummary, Slots, StopReason, Survey, UnixMillis,
    },
    prompt::{self, PromptError, Prompts},
    protocol::{Command, CommandOutcome, LimitValue, Order, Outlet, RateSample, RunHeader},
    provider::{Client, ClientError, ClientSettings, RequestTemplate, TemplateSettings},
    store::{Notice, OpenRun, Record, RunReader, StoreError, Writer},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::MissedTickBehavior,
};

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

/// Why a run could not be carried on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the request could not be put into JSON: {0}")]
    Request(#[from] serde_json::Error),
    #[error("no thread could be started: {0}; close other programs and try again")]
    Thread(#[from] std::io::Error),
}

/// What a run is made from.
pub struct EngineParts {
    pub header: RunHeader,
    pub config: Config,
    /// The locked run file, for writing.
    pub open: OpenRun,
    /// Whether nobody was asked before.
    pub fresh: bool,
    pub outlets: Vec<Box<dyn Outlet>>,
    pub commands: UnboundedReceiver<Command>,
    pub log: LogRing,
    /// Whether to stay for a front end that still looks at a run which is over.
    pub linger: bool,
}

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
struct Inbox {
    commands: UnboundedReceiver<Command>,
    facts: UnboundedReceiver<Fact>,
    waits: UnboundedReceiver<HeadWaited>,
    notices: UnboundedReceiver<Notice>,
    found: UnboundedReceiver<Found>,
}

struct Supervisor {
    interviewer: Arc<Interviewer>,
    limiter: Limiter,
    state: RunState,
    meters: RunMeters,
    publisher: Publisher,
    header: RunHeader,
    writer: Writer,
    reading: Reading,
    /// Loaded, and not started yet.
    fetched: VecDeque<Queued>,
    /// Those in `fetched`, and those asked for.
    on_the_way: HashSet<PersonaIndex>,
    /// Everyone before it is fetched, in progress or over.
    cursor: PersonaIndex,
    /// The attempts of interviews that ended without an answer and may go on: the next attempt
    /// counts on from them, and the run file may not have them yet.
    attempts_made: HashMap<PersonaIndex, u32>,
    /// Ended, but not yet committed.
    unsaved: usize,
    /// The disk refuses, in its own words.
    stalled: Option<String>,
    /// Set once somebody asked to stop.
    stop: Option<StopReason>,
    /// Set while nothing is left to do.
    ended: Option<RunSummary>,
    /// Stay for a front end that may still want to look, or to ask the failed again.
    linger: bool,
    /// No front end is left.
    alone: bool,
}

impl Supervisor {
    fn start(parts: EngineParts) -> Result<(Self, Inbox), EngineError> {
        let EngineParts { header, config, open, fresh, outlets, commands, log, linger } = parts;
        let reader = RunReader::open(open.path())?;
        let state = RunState::new(reader.statuses()?);
        let Config { survey, endpoint: settings, limits, retry, timeout, .. } = config;
        let prompts = Prompts::compile(&survey)?;
        let endpoint = endpoint(&survey, &settings, timeout, &prompts)?;

        let (facts_out, facts) = mpsc::unbounded_channel();
        let (waits_out, waits) = mpsc::unbounded_channel();
        let (notices_out, notices) = mpsc::unbounded_channel();
        let (found_out, found) = mpsc::unbounded_channel();
        let reading = reading::spawn(reader, fresh, found_out)?;
        let writer = open.writer(move |notice| {
            let _ = notices_out.send(notice);
        })?;
        let spec = EndpointSpec { name: settings.name, model: settings.model, limits };
        let (limiter, dispatcher) = Limiter::new(vec![spec], waits_out);
        tokio::spawn(dispatcher.run());
        let interviewer = Arc::new(Interviewer {
            run: header.run.clone(),
            output: OutputEstimate::new(survey.max_output_tokens),
            survey,
            prompts,
            bounds: retry,
            limiter: limiter.clone(),
            endpoints: vec![endpoint],
            facts: facts_out,
            stopping: AtomicBool::new(false),
        });
        let mut supervisor = Self {
            interviewer,
            limiter,
            state,
            meters: RunMeters::new(),
            publisher: Publisher::new(header.clone(), outlets, log),
            header,
            writer,
            reading,
            fetched: VecDeque::new(),
            on_the_way: HashSet::new(),
            cursor: PersonaIndex(0),
            attempts_made: HashMap::new(),
            unsaved: 0,
            stalled: None,
            stop: None,
            ended: None,
            linger,
            alone: false,
        };
        tracing::info!(
            run = supervisor.header.run,
            personas = supervisor.state.total(),
            "run started"
        );
        supervisor.enter(RunPhase::Running);
        supervisor.publish_snapshot();
        Ok((supervisor, Inbox { commands, facts, waits, notices, found }))
    }

    /// The loop. Commands and ticks come before facts, so that a flood of answers delays neither
    /// a key press nor the picture.
    async fn turn(&mut self, inbox: &mut Inbox) {
        let mut facts = Vec::with_capacity(1024);
        let mut ticks = tokio::time::interval(PUBLISH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked = 0_u32;
        loop {
            self.fetch_ahead();
            self.admit();
            if self.is_over() {
                self.end_run();
                if !self.linger || self.alone || self.stop.is_some() {
                    return;
                }
            }
            tokio::select! { biased;
                command = inbox.commands.recv(), if !self.alone => match command {
                    Some(command) => self.carry_out(command),
                    None => self.alone = true,
                },
                _ = ticks.tick() => {
                    ticked = ticked.wrapping_add(1);
                    if ticked.is_multiple_of(TICKS_PER_SECOND) {
                        self.sample();
                    }
                    self.publish_delta();
                }
                Some(notice) = inbox.notices.recv() => self.take_notice(notice),
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

    /// Nothing more will happen: everyone is through, or the run was stopped and nothing is in
    /// flight; and all that was answered is on disk, or cannot get there.
    fn is_over(&self) -> bool {
        self.everyone_is_through()
            || self.stop.is_some()
                && self.state.in_progress() == 0
                && (self.unsaved == 0 || self.stalled.is_some())
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
            Some(reason) if !self.everyone_is_through() => {
                RunPhase::Stopped { reason: reason.clone() }
            }
            _ => RunPhase::Finished,
        };
        self.enter(phase);
        let counts = self.state.counts();
        let summary = RunSummary {
            run: self.header.run.clone(),
            run_file: self.header.run_file.clone(),
            total: counts.total(),
            done: counts.get(InterviewStatus::Done),
            failed: counts.get(InterviewStatus::Failed),
            refused: counts.get(InterviewStatus::Refused),
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
    fn fetch_ahead(&mut self) {
        if self.on_the_way.len() > FETCHED_AHEAD / 2 || self.stop.is_some() {
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
        self.reading.ask(Request::Fetch(wanted));
    }

    /// Starts as many interviews as there is room for.
    fn admit(&mut self) {
        if self.state.phase != RunPhase::Running || self.unsaved >= UNSAVED_MOST {
            return;
        }
        let mut room = admission::room(Occupancy {
            slots: self.limiter.slots_total() as usize,
            in_progress: self.state.in_progress(),
            backing_off: self.state.backing_off(),
        });
        while room > 0 {
            let Some(mut queued) = self.fetched.pop_front() else { return };
            let persona = queued.persona.index;
            self.on_the_way.remove(&persona);
            if self.state.status(persona) != Some(InterviewStatus::Queued) {
                continue;
            }
            if let Some(made) = self.attempts_made.remove(&persona) {
                queued.attempts = queued.attempts.max(made);
            }
            let interviewer = Arc::clone(&self.interviewer);
            let task = tokio::spawn(async move { interviewer.hold(queued).await });
            self.state.start(persona, task.abort_handle());
            room -= 1;
        }
    }

    fn take_in(&mut self, fact: Fact) {
        match fact {
            Fact::Sent { persona } => {
                self.state.progress(persona, InterviewStatus::InFlight, None);
            }
            Fact::BackedOff { attempt, until } => {
                self.meters.attempted(&attempt);
                self.state.progress(attempt.persona, InterviewStatus::BackingOff, Some(until));
                self.writer.write(Record::Attempted(attempt));
            }
            Fact::RejoinedLine { persona } => {
                self.state.rejoin_line(persona);
            }
            Fact::Ended { persona, last, attempts, ending } => {
                if let Some(attempt) = last {
                    self.meters.attempted(&attempt);
                    self.writer.write(Record::Attempted(attempt));
                }
                // Where a stop has put the persona back already, its late answer still counts.
                self.state.end_task(persona);
                self.end(persona, attempts, ending);
            }
        }
    }

    fn end(&mut self, persona: PersonaIndex, attempts: u32, ending: Ending) {
        if !matches!(ending, Ending::Settled(Fate::Answered(_) | Fate::Refused { .. })) {
            self.attempts_made.insert(persona, attempts);
        }
        match ending {
            Ending::Settled(Fate::Failed(failure)) if self.nobody_is_there(&failure) => {
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
            Ending::ProviderRefused(failure) => {
                self.give_back(persona);
                self.pause(PauseReason::ProviderRefuses { failure });
            }
        }
    }

    /// Whether a failed connection says more about the endpoint than about this call.
    fn nobody_is_there(&self, failure: &Failure) -> bool {
        failure.kind == FailureKind::Connection
            && self
                .meters
                .last_success()
                .is_none_or(|at| UnixMillis::now().since(at) > UNREACHABLE_AFTER)
    }

    fn give_back(&mut self, persona: PersonaIndex) {
        self.state.set_status(persona, InterviewStatus::Queued);
        self.cursor = self.cursor.min(persona);
    }

    fn head_waited(&mut self, wait: &HeadWaited) {
        let status = match wait.on {
            Constraint::Requests => InterviewStatus::WaitingForRequests,
            Constraint::Tokens => InterviewStatus::WaitingForTokens,
            Constraint::Slot | Constraint::Pause => InterviewStatus::WaitingForSlot,
        };
        self.state.line_waits_for(status);
    }

    fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Committed(ended) => {
                for (persona, status) in ended.into_iter().filter(|(_, status)| status.is_over()) {
                    self.unsaved = self.unsaved.saturating_sub(1);
                    self.meters.ended();
                    self.state.set_status(persona, status);
                }
            }
            Notice::Stalled { message } => {
                tracing::error!("the run file cannot be written: {message}");
                self.stalled = Some(message.clone());
                self.pause(PauseReason::CannotStore { message });
            }
            Notice::Recovered => {
                tracing::info!("the run file can be written again");
                self.stalled = None;
                if matches!(
                    self.state.phase,
                    RunPhase::Paused { reason: PauseReason::CannotStore { .. } }
                ) {
                    self.resume();
                }
            }
        }
    }

    fn take_found(&mut self, found: Found) {
        match found {
            Found::Personas(personas) => self.fetched.extend(personas),
            Found::Record(Some(record)) => {
                let persona = record.persona.index;
                let status = self.state.status(persona).unwrap_or_default();
                let activity = self.state.activity(persona);
                let prompts = &self.interviewer.prompts;
                self.publisher.detail(detail(*record, status, activity, prompts));
            }
            Found::Record(None) => {}
            Found::Failed(error) => {
                tracing::error!("{error}");
                self.pause(PauseReason::CannotStore { message: error.to_string() });
            }
        }
    }

    fn carry_out(&mut self, Command { id, order }: Command) {
        let outcome = match order {
            Order::SetLimit { endpoint, limit, to } => self.set_limit(endpoint, limit, to),
            Order::Pause => match &self.state.phase {
                RunPhase::Running => {
                    self.pause(PauseReason::User);
                    applied("paused: nothing new is sent")
                }
                _ => refused("only a running run can be paused"),
            },
            Order::Resume => match &self.state.phase {
                RunPhase::Paused { .. } if self.stalled.is_some() => {
                    refused("the run file cannot be written yet: make room on the disk")
                }
                RunPhase::Paused { .. } => {
                    self.resume();
                    applied("resumed")
                }
                _ => refused("the run is not paused"),
            },
            Order::RetryFailed => self.retry_failed(),
            Order::Inspect { persona } => {
                if self.state.status(persona).is_none() {
                    refused(&format!("there is no persona {persona}"))
                } else {
                    self.reading.ask(Request::Inspect(persona));
                    return;
                }
            }
            Order::SendSnapshot => {
                self.publish_snapshot();
                return;
            }
            Order::FinishAndStop => {
                self.drain();
                applied(&format!("stopping after {} in flight", self.state.in_progress()))
            }
            Order::StopNow => {
                self.drain();
                self.state.abort(|_| true);
                applied("stopping now")
            }
        };
        match &outcome {
            CommandOutcome::Applied { what } => tracing::info!("{what}"),
            CommandOutcome::Refused { why } => tracing::warn!("refused: {why}"),
        }
        self.publisher.applied(id, outcome);
        self.publish_delta();
    }

    fn set_limit(
        &mut self,
        endpoint: Option<EndpointIndex>,
        limit: LimitName,
        to: LimitValue,
    ) -> CommandOutcome {
        let value = match to {
            LimitValue::Exactly(value) => Some(value),
            LimitValue::Unlimited => None,
        };
        let reason = "set by hand";
        match self.limiter.set_limit(endpoint, limit, value, LimitSetBy::User, reason) {
            Ok(changes) => {
                for change in changes {
                    self.writer.write(Record::LimitChanged(change));
                }
                self.publisher.touch();
                let value = value.map_or_else(|| "unlimited".to_owned(), |v| v.to_string());
                applied(&format!("{} now {value}", limit.label()))
            }
            Err(error) => refused(&error.to_string()),
        }
    }

    fn retry_failed(&mut self) -> CommandOutcome {
        let failed = self.state.all_with(InterviewStatus::Failed);
        if failed.is_empty() {
            return refused("no persona has failed");
        }
        for &persona in &failed {
            self.writer.write(Record::Requeued { persona });
            self.give_back(persona);
        }
        if self.ended.take().is_some() {
            self.meters.restart_clock();
            self.enter(RunPhase::Running);
        }
        applied(&format!("asking {} failed again", failed.len()))
    }

    fn pause(&mut self, reason: PauseReason) {
        // The first reason stands: the others follow from it. A draining run stays so.
        let yields = match &self.state.phase {
            RunPhase::Running => true,
            RunPhase::Paused { reason: PauseReason::User } => reason != PauseReason::User,
            _ => false,
        };
        if yields {
            tracing::warn!("paused: {reason}");
            self.limiter.pause();
            self.enter(RunPhase::Paused { reason });
        }
    }

    fn resume(&mut self) {
        self.limiter.resume();
        self.enter(RunPhase::Running);
    }

    /// Starts nothing more; what waits goes back, what is in flight goes on.
    fn drain(&mut self) {
        if self.stop.is_none() {
            self.stop = Some(match &self.state.phase {
                RunPhase::Paused { reason } if *reason != PauseReason::User => {
                    StopReason::Unmended { pause: reason.clone() }
                }
                _ => StopReason::Asked,
            });
            self.interviewer.stopping.store(true, Ordering::Release);
            self.limiter.pause();
            self.state.abort(|status| status != InterviewStatus::InFlight);
            self.enter(RunPhase::Draining);
        }
    }

    fn enter(&mut self, phase: RunPhase) {
        self.writer.write(Record::PhaseChanged(phase.clone()));
        self.state.phase = phase;
        self.publisher.touch();
    }

    fn publish_snapshot(&mut self) {
        let (publisher, mut sources) = self.sources();
        publisher.snapshot(&mut sources);
    }

    fn publish_delta(&mut self) {
        let (publisher, mut sources) = self.sources();
        publisher.delta(&mut sources);
    }

    fn sources(&mut self) -> (&mut Publisher, Sources<'_>) {
        let sources = Sources {
            state: &mut self.state,
            meters: &self.meters,
            limiter: &self.limiter,
            unsaved: u32::try_from(self.unsaved).unwrap_or(u32::MAX),
            summary: self.ended.as_ref(),
        };
        (&mut self.publisher, sources)
    }

    /// Closes the run file, and gives back how the run ended.
    async fn finish(mut self) -> Result<RunEnd, EngineError> {
        self.end_run();
        let Self { ended: Some(summary), state, writer, reading, .. } = self else {
            unreachable!("end_run has just set it")
        };
        let close = move || {
            reading.end();
            writer.close(CLOSE_WITHIN)
        };
        tokio::task::spawn_blocking(close)
            .await
            .unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))?;
        Ok(RunEnd { summary, phase: state.phase })
    }
}

/// How the one endpoint is asked.
fn endpoint(
    survey: &Survey,
    settings: &EndpointSettings,
    timeout: Duration,
    prompts: &Prompts,
) -> Result<Endpoint, EngineError> {
    Ok(Endpoint {
        client: Client::new(&ClientSettings {
            base_url: &settings.base_url,
            key: settings.key.as_ref(),
            timeout,
            connections: Slots::MAX as usize,
        })?,
        template: RequestTemplate::new(&TemplateSettings {
            model: &settings.model,
            temperature: survey.temperature,
            max_output_tokens: survey.max_output_tokens,
            system_prompt: prompts.system(),
            answer_schema: &prompt::answer_schema(survey),
        })?,
    })
}

fn applied(what: &str) -> CommandOutcome {
    CommandOutcome::Applied { what: what.to_owned() }
}

fn refused(why: &str) -> CommandOutcome {
    CommandOutcome::Refused { why: why.to_owned() }
}
