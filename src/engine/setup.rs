//! Setting a run up: from settings and a locked run file to a supervisor that listens.

use super::{
    batches::Desk,
    endpoint::{Endpoint, EndpointError},
    interview::Interviewer,
    ledger::Ledger,
    meters::{RunMeters, Terms},
    prompt_bound::PromptBound,
    publisher::Publisher,
    reading,
    run_state::RunState,
    stages::Stages,
    supervisor::{Inbox, Supervisor},
};
use crate::{
    config::{Config, EndpointSettings},
    limiter::{EndpointSpec, Limiter, OutputEstimate},
    model::{EndpointIndex, LogRing, PersonaIndex, RunPhase, Survey, UnixMillis, Usage, Usd},
    prompt::{Form, PromptError, Prompts},
    protocol::{Incoming, RunHeader},
    provider::TemplateSettings,
    store::{OpenRun, RunReader, StoreError},
    tokens::TokenEstimate,
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
    Endpoint(#[from] EndpointError),
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
    /// The front ends: they may come and go.
    pub front_ends: UnboundedReceiver<Incoming>,
    pub log: LogRing,
}

impl Supervisor {
    pub(super) fn start(parts: EngineParts) -> Result<(Self, Inbox), EngineError> {
        let EngineParts { header, config, open, fresh, front_ends, log } = parts;
        let reader = RunReader::open(open.path())?;
        let mut state = RunState::new(reader.statuses()?);
        let batch_endpoint = config.batch_endpoint().and_then(|at| u16::try_from(at).ok());
        let run_file = open.path().to_owned();
        let mut desk = Desk::new(run_file, batch_endpoint.map(EndpointIndex), config.batch);
        desk.take_up(&reader, &mut state)?;
        let Config { survey, endpoints: settings, retry, timeout, budget, adapt, batch, .. } =
            config;
        let prompts = Prompts::compile(&survey)?;
        let endpoints = endpoints(&survey, &settings, timeout, &prompts)?;
        let terms = Terms {
            output_cap: survey.max_output_tokens,
            cap_is_charged: settings.iter().any(|endpoint| endpoint.charges_cap),
            priced: settings.iter().all(|endpoint| endpoint.price.is_some()),
        };
        let first = settings.first().map_or("", |endpoint| endpoint.model.as_str());
        let prompt_bound = PromptBound::new(budget.is_some(), first, &survey, &prompts);
        let spent = if fresh {
            Usd::ZERO
        } else {
            spent(&reader, &endpoints, &prompt_bound, terms.output_cap)?
        };

        let (facts_out, facts) = mpsc::unbounded_channel();
        let (waits_out, waits) = mpsc::unbounded_channel();
        let (notices_out, notices) = mpsc::unbounded_channel();
        let (found_out, found) = mpsc::unbounded_channel();
        let reading = reading::spawn(reader, found_out)?;
        let writer = open.writer(move |notice| {
            let _ = notices_out.send(notice);
        })?;
        let (limiter, dispatcher) = Limiter::new(settings.iter().map(spec).collect(), waits_out);
        limiter.set_adaptation(adapt);
        tokio::spawn(dispatcher.run());
        let interviewer = Arc::new(Interviewer {
            run: header.run.clone(),
            ledger: Ledger::new(budget, spent),
            output: OutputEstimate::new(survey.max_output_tokens),
            prompt_tokens: TokenEstimate::new(),
            prompt_bound,
            stages: Stages::new(survey, prompts),
            bounds: retry,
            limiter: limiter.clone(),
            endpoints,
            facts: facts_out,
            stopping: AtomicBool::new(batch),
        });
        let mut supervisor = Self {
            interviewer,
            limiter,
            state,
            meters: RunMeters::new(terms),
            running_since: UnixMillis::now(),
            nothing_since: None,
            publisher: Publisher::new(header.clone(), log),
            header,
            writer,
            reading,
            fetched: VecDeque::new(),
            on_the_way: HashSet::new(),
            fresh,
            desk,
            cursor: PersonaIndex(0),
            left_off: HashMap::new(),
            unsaved: 0,
            stalled: false,
            writer_is_gone: false,
            paused_by_user: false,
            found_nobody: None,
            stop: None,
            ended: None,
            alone: false,
        };
        tracing::info!(
            run = supervisor.header.run,
            personas = supervisor.state.total(),
            "run started"
        );
        supervisor.enter(RunPhase::Running);
        Ok((supervisor, Inbox { front_ends, facts, waits, notices, found }))
    }
}

/// How each endpoint is asked, in the limiter's order.
fn endpoints(
    survey: &Survey,
    settings: &[EndpointSettings],
    timeout: Duration,
    prompts: &Prompts,
) -> Result<Vec<Endpoint>, EndpointError> {
    let shared = Form::ALL.map(|form| {
        let system: Arc<str> = prompts.system(form).into();
        (system, Arc::new(form.schema(survey)))
    });
    let endpoint = |settings: &EndpointSettings| {
        let template = |(system, schema): &(Arc<str>, Arc<serde_json::Value>)| TemplateSettings {
            model: settings.model.clone(),
            temperature: survey.temperature,
            system_prompt: Arc::clone(system),
            reply_schema: Arc::clone(schema),
        };
        Endpoint::new(settings, shared.each_ref().map(template), timeout)
    };
    settings.iter().map(endpoint).collect()
}

/// What the limiter needs to know of an endpoint.
fn spec(settings: &EndpointSettings) -> EndpointSpec {
    EndpointSpec {
        guessed: settings.guessed,
        group: settings.group.clone(),
        weight: settings.weight,
        charges_cap: settings.charges_cap,
        by_first_byte: !settings.kind.answers_429(),
        ..EndpointSpec::new(&settings.name, &settings.model, settings.limits)
    }
}

/// What the run has cost so far, by what is on file. An attempt that nobody counted counts as
/// dear as it can have been, for a prompt without a persona.
fn spent(
    reader: &RunReader,
    endpoints: &[Endpoint],
    bound: &PromptBound,
    output_cap: u32,
) -> Result<Usd, StoreError> {
    let at = |index: EndpointIndex| endpoints.get(index.as_usize());
    let counted = reader.usage_by_endpoint()?;
    let in_batches = reader.usage_in_batches()?;
    let none = Usage::default();
    let counted = counted.iter().filter_map(|(index, all)| {
        let batch = in_batches.iter().find(|(of, _)| of == index).map_or(&none, |(_, usage)| usage);
        let single = Usage {
            prompt_tokens: all.prompt_tokens.saturating_sub(batch.prompt_tokens),
            completion_tokens: all.completion_tokens.saturating_sub(batch.completion_tokens),
            cached_tokens: all.cached_tokens.saturating_sub(batch.cached_tokens),
        };
        let endpoint = at(*index)?;
        Some(endpoint.cost(&single).saturating_add(endpoint.cost_in_batch(batch)))
    });
    let uncounted = reader.uncounted_by_endpoint()?;
    let most = bound.of(Form::Answer, "");
    let uncounted = uncounted
        .iter()
        .filter_map(|(index, many)| Some(at(*index)?.most(most, output_cap).times(*many)));
    Ok(counted.chain(uncounted).sum())
}
