//! From input files to a locked run file with every persona in it.

use super::{cache, runs_folder::RunsFolder};
use crate::{
    config::Config,
    error::Problem,
    launch::PreparedRun,
    logging,
    model::{LogRing, Persona, Survey, UnixMillis},
    prompt::Prompts,
    protocol::{LOG_LINES, RunHeader},
    store::{Import, NewRun, OpenRun, StoreError},
};
use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::{Duration, Instant},
};
use tracing_appender::non_blocking::WorkerGuard;

/// Reading that takes longer than this says how far it is.
const SAY_SO_AFTER: Duration = Duration::from_millis(500);

/// Sets the log up. The guard must live as long as the run.
pub(super) fn start_log(runs: &RunsFolder) -> Result<(WorkerGuard, LogRing), Problem> {
    runs.create()?;
    let ring = LogRing::new(LOG_LINES);
    let guard = logging::init(&runs.logs(), ring.clone()).map_err(Problem::could_not_run)?;
    Ok((guard, ring))
}

/// A new run file that takes personas.
pub(super) struct NewRunFile {
    import: Import,
    progress: Progress,
    header: RunHeader,
    handle: String,
}

impl NewRunFile {
    /// Creates the file. Dropped before [`Self::prepared`], it takes the file away again.
    pub(super) fn create(
        runs: &RunsFolder,
        name: Option<&str>,
        config: &Config,
        personas_from: &str,
    ) -> Result<Self, Problem> {
        let (name, path) = runs.new_run(name, &config.survey.name)?;
        let settings =
            serde_json::to_value(config.run_settings()).map_err(Problem::could_not_run)?;
        let new =
            NewRun { name: &name, survey: &config.survey, settings: &settings, personas_from };
        let import = Import::create(&path, &new).map_err(Problem::could_not_run)?;
        let header = header(&name, &path, &config.survey, UnixMillis::now(), true);
        let handle = runs.handle(&name, &path);
        Ok(Self { import, progress: Progress::new(), header, handle })
    }

    /// Takes in the next persona.
    pub(super) fn add(&mut self, persona: &Persona) -> Result<(), StoreError> {
        self.progress.another();
        self.import.add(persona)
    }

    /// The run, ready to start.
    pub(super) fn prepared(self, config: Config, log: LogRing) -> Result<PreparedRun, Problem> {
        self.progress.done();
        let Self { header, handle, import, .. } = self;
        let open = import.finish().map_err(Problem::could_not_run)?;
        let cache = cache::open(&config);
        let (fresh, only_analysis) = (true, false);
        Ok(PreparedRun { header, handle, config, open, fresh, only_analysis, cache, log })
    }
}

/// An existing run, ready to go on.
pub(super) fn again(
    runs: &RunsFolder,
    name: &str,
    config: Config,
    open: OpenRun,
    log: LogRing,
) -> PreparedRun {
    let handle = runs.handle(name, open.path());
    let header = header(name, open.path(), &config.survey, UnixMillis::now(), true);
    let cache = cache::open(&config);
    let (fresh, only_analysis) = (false, false);
    PreparedRun { header, handle, config, open, fresh, only_analysis, cache, log }
}

/// What a front end is told about a run.
pub(super) fn header(
    name: &str,
    path: &Path,
    survey: &Survey,
    started_at: UnixMillis,
    live: bool,
) -> RunHeader {
    RunHeader {
        run: name.to_owned(),
        run_file: path.to_owned(),
        survey: survey.name.clone(),
        question: survey.question.clone(),
        support: survey.grid.support.clone(),
        pack: survey.pack,
        started_at,
        live,
    }
}

/// Checks the prompts before a file is made or money spent.
pub(super) fn check_prompts(survey: &Survey) -> Result<Prompts, Problem> {
    Prompts::compile(survey).map_err(Problem::input)
}

/// Says on a terminal how many personas have been read, where that takes a while.
struct Progress {
    read: u64,
    started: Instant,
    said: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { read: 0, started: Instant::now(), said: None, terminal: io::stderr().is_terminal() }
    }

    fn another(&mut self) {
        self.read += 1;
        if !self.terminal || !self.read.is_multiple_of(4096) {
            return;
        }
        if self.said.unwrap_or(self.started).elapsed() > SAY_SO_AFTER {
            self.said = Some(Instant::now());
            // Nothing depends on whether anybody sees it.
            let _ = write!(io::stderr(), "\rreading personas: {}", self.read);
        }
    }

    fn done(&self) {
        if self.said.is_some() {
            let _ = writeln!(io::stderr(), "\rread {} personas          ", self.read);
        }
    }
}
