//! One whole run, and what its file says of it.

use crate::clock::Lead;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{runtime::Builder, time::Instant};
use voxpop::{
    config::{Config, EXAMPLE_SURVEY, Flags, Keys, RateFlag, Sources, load_text},
    engine::{self, EngineParts},
    link::{self, FrontEndLink},
    model::{InterviewStatus, LogRing, Persona, PersonaIndex, Stage, Step, UnixMillis},
    personas,
    protocol::{LOG_LINES, RunHeader, Update},
    simulator::{Conduct, Options, Simulator},
    store::{Import, NewRun, OpenRun, RunReader, run_path},
};

const RUN: &str = "bench";

/// Slots; never what holds requests back at 50 a minute.
const SLOTS: i64 = 20;

/// The simulator's, on the paused clock.
const LATENCY: Duration = Duration::from_millis(300);

/// As the demo has it.
const SEED: u64 = 7;

/// Longer than any run takes on the paused clock.
const FOR_EVER: Duration = Duration::from_secs(24 * 3_600);

/// How fast the engine may ask, and how fast the time goes by.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Requests a minute.
    pub rpm: u32,
    /// Paused seconds in a real one.
    pub speed: u32,
}

/// What became of a run.
pub struct Held {
    pub interviews: Vec<Interview>,
    /// Requests that were sent, by what they asked for.
    pub calls: BTreeMap<&'static str, u64>,
    /// Completions that the simulator let in.
    pub received: u64,
    /// From the first request to the last interview that was over.
    pub took: Duration,
}

/// One interview, as it is on file.
pub struct Interview {
    pub status: InterviewStatus,
    pub steps: Vec<Step>,
}

impl Held {
    pub fn calls(&self) -> u64 {
        self.calls.values().sum()
    }

    pub fn personas(&self) -> f64 {
        self.interviews.len() as f64
    }

    pub fn minutes(&self) -> f64 {
        self.took.as_secs_f64() / 60.0
    }

    pub fn with_status(&self, status: InterviewStatus) -> usize {
        self.interviews.iter().filter(|one| one.status == status).count()
    }
}

/// Who is asked.
#[derive(Clone, Copy)]
pub enum People {
    /// The example personas.
    Example,
    /// As many, of which so many are different: those come round again under other ids.
    Different(usize),
}

impl People {
    fn personas(self) -> Vec<Persona> {
        let mut personas = personas::example();
        if let Self::Different(different) = self {
            for place in different..personas.len() {
                let attributes = personas[place % different].attributes.clone();
                personas[place].attributes = attributes;
            }
        }
        personas
    }
}

/// Puts the example survey, with `keys` in the place of its own, to these people.
pub fn hold(pace: Pace, keys: &[(&str, &str)], conduct: Conduct, people: People) -> Held {
    let simulator = Simulator::start(Options {
        seed: SEED,
        latency: LATENCY / pace.speed,
        conduct,
        ..Options::default()
    });
    let simulator = simulator.expect("a port and a thread can be had");
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let run_file = run_path(folder.path(), RUN);
    let config = config(pace, &survey(keys), simulator.base_url());
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let took = runtime.expect("a runtime starts").block_on(go_on(pace, config, &run_file, people));
    let reader = RunReader::open(&run_file).expect("the run can be read");
    let (interviews, calls) = on_file(&reader);
    let asked_for = simulator.stats().asked_for;
    let received = asked_for.answers
        + asked_for.verdicts
        + asked_for.follow_ups
        + asked_for.mends
        + asked_for.digests;
    Held { interviews, calls, received, took }
}

/// The example survey with these keys in the place of its own.
fn survey(keys: &[(&str, &str)]) -> String {
    let is_replaced = |line: &&str| {
        keys.iter().any(|(key, _)| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
    };
    let kept = EXAMPLE_SURVEY.lines().filter(|line| !is_replaced(line));
    let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
    let new: String = keys.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    // Time on the paused clock goes on while a busy machine holds the simulator up.
    format!("{kept}\nsummary: off\ntimeout_seconds: 1200\n{new}")
}

fn config(pace: Pace, survey: &str, url: String) -> Config {
    let flags = Flags {
        concurrency: Some(SLOTS),
        rpm: Some(RateFlag::Number(pace.rpm.into())),
        tpm: Some(RateFlag::Unlimited),
        base_url: Some(url),
        ..Flags::default()
    };
    let sources = Sources {
        survey: Path::new("survey.yaml"),
        dotenv_dir: Path::new("/nowhere"),
        environment: &|_| None,
        flags: &flags,
        keys: Keys::Fetched,
    };
    load_text(survey, &sources).expect("the survey is in order")
}

/// Carries the run through, and says how long it took.
async fn go_on(pace: Pace, config: Config, run_file: &Path, people: People) -> Duration {
    let open = import(run_file, &config, people);
    let (link, front_ends) = link::in_process(false);
    let parts = EngineParts {
        header: header(run_file.to_owned(), &config),
        config,
        open,
        fresh: true,
        only_analysis: false,
        cache: None,
        front_ends,
        log: LogRing::new(LOG_LINES),
    };
    let mut lead = Lead::new(pace.speed);
    let timing = tokio::spawn(time(link));
    let engine = async {
        let end = tokio::spawn(engine::run(parts)).await;
        end.expect("the engine does not crash").expect("the run can be carried on");
        timing.await.expect("nothing in it crashes")
    };
    tokio::select! {
        took = engine => took,
        () = lead.to(FOR_EVER) => panic!("the run never ended"),
    }
}

/// Watches a run: how long it is from the first request to the last interview that is over.
async fn time(link: FrontEndLink) -> Duration {
    let mut statuses = Vec::new();
    let (mut began, mut over_at) = (None, None);
    while let Some(update) = link.next().await {
        match update {
            Update::Snapshot(snapshot) => statuses = snapshot.statuses.0,
            Update::Delta(delta) => {
                for change in delta.statuses {
                    statuses[change.persona.as_usize()] = change.status;
                }
            }
            _ => continue,
        }
        let sent = |status: &InterviewStatus| {
            !matches!(status, InterviewStatus::Queued) && !status.is_waiting()
        };
        if began.is_none() && statuses.iter().any(sent) {
            began = Some(Instant::now());
        }
        if over_at.is_none() && !statuses.is_empty() && statuses.iter().all(|s| s.is_over()) {
            over_at = Some(Instant::now());
        }
    }
    let (began, over_at) = (began.expect("it began"), over_at.expect("it ended"));
    over_at - began
}

/// Every interview, and every request that was sent.
fn on_file(reader: &RunReader) -> (Vec<Interview>, BTreeMap<&'static str, u64>) {
    let mut calls = BTreeMap::new();
    let statuses = reader.statuses().expect("the run can be read");
    let interview = |(place, status)| {
        let persona = PersonaIndex(place);
        for attempt in reader.attempts(persona).expect("the run can be read") {
            if !attempt.from_cache {
                *calls.entry(name(attempt.stage)).or_default() += 1;
            }
        }
        Interview { status, steps: reader.steps(persona).expect("the run can be read") }
    };
    let interviews = (0..).zip(statuses).map(interview).collect();
    (interviews, calls)
}

/// A stage as the lines below the table name it.
const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Packed => "packed answers",
        Stage::PackedReview => "packed reviews",
        stage => stage.as_str(),
    }
}

fn import(run_file: &Path, config: &Config, people: People) -> OpenRun {
    let settings = serde_json::to_value(config.run_settings()).expect("settings are plain");
    let run =
        NewRun { name: RUN, survey: &config.survey, settings: &settings, personas_from: "bench" };
    let mut import = Import::create(run_file, &run).expect("there is room");
    for persona in people.personas() {
        import.add(&persona).expect("there is room");
    }
    import.finish().expect("there is room")
}

fn header(run_file: PathBuf, config: &Config) -> RunHeader {
    RunHeader {
        run: RUN.to_owned(),
        run_file,
        survey: config.survey.name.clone(),
        question: config.survey.question.clone(),
        support: config.survey.grid.support.clone(),
        started_at: UnixMillis::now(),
        pack: config.survey.pack,
        live: true,
    }
}
