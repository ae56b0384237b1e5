//! Setting a run up: from settings and a locked run file to a supervisor that listens.

use super::{
    interview::{Endpoint, Interviewer},
    meters::RunMeters,
    publisher::Publisher,
    reading,
    run_state::RunState,
    supervisor::{Inbox, Supervisor},
};
use crate::{
    config::{Config, EndpointSettings},
    limiter::{EndpointSpec, Limiter, OutputEstimate},
    model::{LogRing, PersonaIndex, RunPhase, Slots, Survey},
    prompt::{self, PromptError, Prompts},
    protocol::{Command, Outlet, RunHeader},
    provider::{Client, ClientError, ClientSettings, RequestTemplate, TemplateSettings},
    store::{OpenRun, RunReader, StoreError},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};

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

impl Supervisor {
    pub(super) fn start(parts: EngineParts) -> Result<(Self, Inbox), EngineError> {
        let EngineParts { header, config, open, fresh, outlets, commands, log, linger } = parts;
        let reader = RunReader::open(open.path())?;
        let state = RunState::new(reader.statuses()?);
        let Config { survey, endpoints, retry, timeout, .. } = config;
        let settings =
            endpoints.into_iter().next().expect("a configuration has at least one endpoint");
        let limits = settings.limits;
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
        let spec = EndpointSpec::new(settings.name, settings.model, limits);
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
            stalled: false,
            writer_is_gone: false,
            paused_by_user: false,
            found_nobody: None,
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
