//! Setting a run up: from settings and a locked run file to a supervisor that listens.

use super::{
    analysis::{self, Progress},
    batches::Desk,
    caching::Caching,
    distribution,
    embedding::Embedder,
    endpoint::{Endpoint, EndpointError},
    fact::Fact,
    interview::Interviewer,
    ledger::{Before, Ledger},
    meters::{RunMeters, Terms},
    packs::Packs,
    prompt_bound::PromptBound,
    publisher::Publisher,
    reading,
    run_state::RunState,
    similar::Similar,
    spent::{Prices, SpentBefore},
    stages::Stages,
    supervisor::{Inbox, Supervisor},
    talks::Talks,
};
use crate::{
    cache::{Cache, CacheFile, CacheThreads},
    config::{Config, EndpointSettings, embeddings_price},
    limiter::{EndpointSpec, HeadWaited, Limiter, OutputEstimate},
    model::{EndpointIndex, LogRing, PersonaIndex, RunPhase, Survey, UnixMillis, Usd},
    prompt::{Form, PromptError, Prompts},
    protocol::{Distribution, Incoming, RunHeader},
    provider::TemplateSettings,
    store::{Kept, OpenRun, Record, Recorder, RunReader, Spending, StoreError},
    tokens::TokenEstimate,
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

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
    /// Where replies are kept for all runs; `None` where nothing is to be kept or taken.
    pub cache: Option<CacheFile>,
    /// Nobody is asked any more: only what the answers come to is made.
    pub only_analysis: bool,
    /// The front ends: they may come and go.
    pub front_ends: UnboundedReceiver<Incoming>,
    pub log: LogRing,
}

impl Supervisor {
    pub(super) fn start(parts: EngineParts) -> Result<(Self, Inbox), EngineError> {
        let EngineParts { header, config, open, fresh, only_analysis, cache, front_ends, log } =
            parts;
        let reader = RunReader::open(open.path())?;
        let mut state = RunState::new(reader.statuses()?);
        let batch_endpoint = config.batch_endpoint().and_then(|at| u16::try_from(at).ok());
        let run_file = open.path().to_owned();
        let mut desk = Desk::new(run_file, batch_endpoint.map(EndpointIndex), config.batch);
        desk.take_up(&reader, &mut state)?;
        let terms = Terms {
            output_cap: config.survey.max_output_tokens,
            cap_is_charged: config.endpoints.iter().any(|endpoint| endpoint.charges_cap),
            priced: is_priced(&config),
        };
        let survey = &config.survey;
        let mut meters = RunMeters::new(terms);
        meters.distribution = Distribution::of(&survey.grid);
        let grid = survey.grid.clone();
        let analysis_desk = analysis::Desk::new(survey.summary.mode, &survey.summary.themes);
        let (facts_out, facts) = mpsc::unbounded_channel();
        let (waits_out, waits) = mpsc::unbounded_channel();
        let (notices_out, notices) = mpsc::unbounded_channel();
        let writer = open.writer(move |notice| {
            let _ = notices_out.send(notice);
        })?;
        let (cache, cache_threads) = start_cache(cache);
        let found = Found {
            before: (!fresh).then_some(&reader),
            recorder: Some(writer.recorder()),
            cache,
            follows_batches: batch_endpoint.is_some() && !only_analysis,
        };
        let interviewer = Interviewer::start(&header.run, config, found, facts_out, waits_out)?;
        interviewer.moves_to_batches.store(desk.is_on(), Ordering::Release);
        let limiter = interviewer.limiter.clone();
        let (found_out, found) = mpsc::unbounded_channel();
        if !fresh {
            let found_out = found_out.clone();
            distribution::count_apart(reader.path(), grid, move |distribution| {
                let _ = found_out.send(reading::Found::Counted(distribution));
            })?;
        }
        let reading = reading::spawn(reader, analysis_desk.clone(), found_out)?;
        let mut supervisor = Self {
            interviewer: Arc::new(interviewer),
            limiter,
            talks: Talks::default(),
            packs: Packs::default(),
            state,
            meters,
            analysis: Progress::new(analysis_desk),
            only_analysis,
            running_since: UnixMillis::now(),
            nothing_since: None,
            publisher: Publisher::new(header.clone(), log),
            header,
            writer,
            reading,
            cache_threads,
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
        if !fresh && !only_analysis {
            // Who is asked first comes before.
            supervisor.fetch_ahead();
            supervisor.recall(None);
        }
        Ok((supervisor, Inbox { front_ends, facts, waits, notices, found }))
    }
}

/// Whether all that the run asks for has a known price.
fn is_priced(config: &Config) -> bool {
    let first = config.endpoints.first().and_then(|endpoint| endpoint.price);
    config.endpoints.iter().all(|endpoint| endpoint.price.is_some())
        && (config.cache.embeddings.as_deref())
            .is_none_or(|model| embeddings_price(model, first).is_some())
}

/// The cache's threads; a run goes on without them.
fn start_cache(file: Option<CacheFile>) -> (Option<Cache>, Option<CacheThreads>) {
    match file.map(Cache::start).transpose() {
        Ok(started) => started.unzip(),
        Err(error) => {
            tracing::warn!("the run goes on without its cache: {error}");
            (None, None)
        }
    }
}

/// What an interviewer finds when it begins.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// Where the run file has calls of an earlier part of the run, which have cost something.
    pub before: Option<&'a RunReader>,
    /// Where what may be spent is written down; nowhere for a call that belongs to no run.
    pub recorder: Option<Recorder>,
    pub cache: Option<Cache>,
    /// Whether batches that are under way are seen through.
    pub follows_batches: bool,
}

impl Interviewer {
    /// Makes ready to ask, and starts the dispatcher. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Prompts that do not work, an endpoint that cannot be asked, a run file that cannot be read.
    pub(super) fn start(
        run: &str,
        config: Config,
        found: Found<'_>,
        facts: UnboundedSender<Fact>,
        waits: UnboundedSender<HeadWaited>,
    ) -> Result<Self, EngineError> {
        let Config {
            survey,
            endpoints: settings,
            retry,
            timeout,
            budget,
            adapt,
            cache: caching,
            ..
        } = config;
        let prompts = Prompts::compile(&survey)?;
        let endpoints = endpoints(&survey, &settings, timeout, &prompts)?;
        let first = settings.first().map_or("", |endpoint| endpoint.model.as_str());
        let prompt_bound = PromptBound::new(budget.is_some(), first, &survey, &prompts);
        let output_cap = survey.max_output_tokens;
        let embedder = caching.embeddings.map(|model| Embedder::new(&model, &settings));
        let similar = caching.similar.map(|least| Arc::new(Similar::new(least, embedder)));
        let SpentBefore { mut before, unrecorded } = match found.before {
            None => SpentBefore::default(),
            Some(reader) => {
                let (endpoints, settings, bound) = (&endpoints, &settings, &prompt_bound);
                let embedder = similar.as_deref().and_then(Similar::embedder);
                let prices = Prices { endpoints, settings, bound, output_cap, embedder };
                SpentBefore::read(reader, &prices)?
            }
        };
        before.followed = found.follows_batches;
        let (limiter, dispatcher) = Limiter::new(settings.iter().map(spec).collect(), waits);
        limiter.set_adaptation(adapt);
        tokio::spawn(dispatcher.run());
        Ok(Self {
            run: run.to_owned(),
            ledger: match found.recorder {
                Some(recorder) => ledger(budget, before, unrecorded, recorder),
                None => Ledger::new(budget, before),
            },
            output: OutputEstimate::new(output_cap),
            prompt_tokens: TokenEstimate::new(),
            prompt_bound,
            stages: Stages::new(survey, prompts),
            bounds: retry,
            limiter,
            caching: found.cache.map(|cache| Caching::new(cache, &endpoints)),
            similar,
            endpoints,
            facts,
            stopping: AtomicBool::new(false),
            moves_to_batches: AtomicBool::new(false),
        })
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
        (system, form.schema(survey).map(Arc::new))
    });
    let endpoint = |settings: &EndpointSettings| {
        let template =
            |(system, schema): &(Arc<str>, Option<Arc<serde_json::Value>>)| TemplateSettings {
                model: settings.model.clone(),
                temperature: survey.temperature,
                system_prompt: Arc::clone(system),
                reply_schema: schema.clone(),
            };
        Endpoint::new(settings, shared.each_ref().map(template), timeout)
    };
    settings.iter().map(endpoint).collect()
}

/// The ledger, and what the run may spend in the run file.
fn ledger(budget: Option<Usd>, before: Before, unrecorded: Usd, recorder: Recorder) -> Ledger {
    let nobody = Kept::new(|| {});
    let at_most = budget.map(|_| before.alone);
    let spending = Spending { at_most, unrecorded };
    recorder.write(Record::MaySpend { spending, kept: nobody });
    // The ledger hears from the file what it has asked to be put there.
    Ledger::on_file(budget, before, move |ledger, allowance| {
        let kept = Kept::new(move || ledger.is_on_file(allowance));
        let spending = Spending { at_most: allowance.up_to, unrecorded };
        recorder.write(Record::MaySpend { spending, kept });
    })
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
