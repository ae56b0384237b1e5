//! A run of very many personas that nobody was asked for: half of the interviews, scattered over
//! the list, are written down as over, as fast as the run file takes them.

use crate::{
    place::Place,
    server::{ATTRIBUTE, Manner, Server},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use voxpop::{
    model::{
        Answer, Attempt, AttemptTiming, Attribute, EndpointIndex, Failure, FailureKind, Fate,
        InterviewStatus, Persona, PersonaIndex, RunPhase, RunSummary, Score, Stage, UnixMillis,
        Usage,
    },
    store::{Import, NewRun, Notice, OpenRun, Record, RunReader, Writer},
};

/// The run's name.
pub const RUN: &str = "stored";

/// Records that wait for the disk.
const WINDOW: u32 = 8_000;

/// The run, and a provider that it can go on with.
pub struct Stored {
    pub place: Place,
    pub server: Server,
    pub personas: u32,
}

impl Stored {
    pub fn make(personas: u32) -> Self {
        let started = Instant::now();
        let place = Place::new();
        let manner = Manner { latency: Duration::from_millis(20), ..Manner::default() };
        let server = Server::start(personas, manner);
        let stored = Self { place, server, personas };
        let over = write(stored.import(), &mut |_| fastrand::bool());
        println!(
            "a run of {personas} personas, {over} of them over: made in {:.0} s",
            started.elapsed().as_secs_f64()
        );
        stored
    }

    /// The flags by which the run goes on against the server: at so many a second.
    pub fn flags(&self, per_second: u32) -> Vec<String> {
        let (rpm, url) = ((60 * per_second).to_string(), self.server.base_url());
        let flags = ["--rpm", &rpm, "--concurrency", "100", "--no-adapt", "--base-url", &url];
        flags.map(str::to_owned).into()
    }

    /// Writes others down as over, until so many are left.
    pub fn fill(&self, leave: u32) {
        let path = self.place.run_file(RUN);
        let reader = RunReader::open(&path).expect("the run can be read");
        let statuses = reader.statuses().expect("the run can be read");
        let left = reader.counts().expect("the run can be read").get(InterviewStatus::Queued);
        drop(reader);
        let mut wanted = left.saturating_sub(leave);
        let open = OpenRun::open(&path).expect("nobody has the run");
        write(open, &mut |persona| {
            let picked = wanted > 0 && !statuses[persona.as_usize()].is_over();
            wanted -= u32::from(picked);
            picked
        });
    }

    /// Writes everybody else down as over, and the run as finished.
    pub fn finish(&self) {
        self.fill(0);
        let path = self.place.run_file(RUN);
        let counts = RunReader::open(&path).and_then(|reader| reader.counts());
        let counts = counts.expect("the run can be read");
        let summary = RunSummary {
            run: RUN.to_owned(),
            run_file: path.clone(),
            total: self.personas,
            done: counts.get(InterviewStatus::Done),
            failed: counts.get(InterviewStatus::Failed),
            refused: counts.get(InterviewStatus::Refused),
            in_batches: 0,
            flagged: 0,
            seconds: 60.0,
        };
        let writer = OpenRun::open(&path).and_then(|open| open.writer(|_| {}));
        let writer = writer.expect("the run can be written");
        writer.write(Record::PhaseChanged(RunPhase::Finished));
        writer.write(Record::Ended(summary));
        writer.close(Duration::from_secs(60)).expect("there is room");
    }

    /// The run file with everybody queued, of the form that the program itself gives a new one.
    fn import(&self) -> OpenRun {
        let people = self.place.people(1);
        let people = people.to_str().expect("temporary files have plain names");
        let url = self.server.base_url();
        let args = ["run", "survey.yaml", "--personas", people, "--name", "model", "--plain"];
        self.place.voxpop(&[&args[..], &["--base-url", &url]].concat());
        let model = RunReader::open(&self.place.run_file("model")).and_then(|run| run.run());
        let model = model.expect("the run can be read");
        std::fs::remove_file(self.place.run_file("model")).expect("it is ours");
        let run = NewRun {
            name: RUN,
            survey: &model.survey,
            settings: &model.settings,
            personas_from: "bench",
        };
        let mut import = Import::create(&self.place.run_file(RUN), &run).expect("there is room");
        for n in 0..self.personas {
            import.add(&persona(n)).expect("there is room");
        }
        import.finish().expect("there is room")
    }
}

pub fn persona(n: u32) -> Persona {
    let attribute =
        |name: &str, value: &str| Attribute { name: name.to_owned(), value: value.to_owned() };
    let attributes = vec![
        attribute(ATTRIBUTE, &n.to_string()),
        attribute("age", "41"),
        attribute("occupation", "nurse"),
        attribute("tenure", "rents"),
        attribute("household", "couple with two children"),
        attribute("suburb", "Parramatta"),
        attribute("cars", "one"),
    ];
    Persona { index: PersonaIndex(n), id: format!("p{n}"), weight: None, attributes }
}

/// Writes down as over whoever is picked, and says how many that were.
fn write(open: OpenRun, picked: &mut dyn FnMut(PersonaIndex) -> bool) -> u32 {
    let total = RunReader::open(open.path()).expect("the run can be read").total();
    let committed = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&committed);
    let notify = move |notice| match notice {
        Notice::Committed(changes) => {
            counter.fetch_add(u32::try_from(changes.len()).unwrap_or(0), Ordering::Release);
        }
        other => println!("{other:?}"),
    };
    let writer = open.writer(notify).expect("a thread can be had");
    writer.write(Record::PhaseChanged(RunPhase::Running));
    let mut over = 0;
    for n in (0..total).map(PersonaIndex).filter(|&n| picked(n)) {
        while over - committed.load(Ordering::Acquire) > WINDOW {
            thread::sleep(Duration::from_millis(1));
        }
        write_one(&writer, n);
        over += 1;
    }
    writer.close(Duration::from_secs(60)).expect("there is room");
    over
}

/// One in thirty fails, and one declines.
fn write_one(writer: &Writer, persona: PersonaIndex) {
    let failure = Failure::new(FailureKind::ServerError, "The server had an error");
    let fate = match persona.0 % 30 {
        0 => Fate::Failed(failure.clone()),
        1 => Fate::Refused { reason: "I can't assist with that.".to_owned() },
        _ => Fate::Answered(answer()),
    };
    let failed = matches!(fate, Fate::Failed(_));
    writer.write(Record::Attempted(Box::new(Attempt {
        persona,
        stage: Stage::Answer,
        number: 1,
        endpoint: EndpointIndex(0),
        sent_at: UnixMillis::now(),
        timing: AttemptTiming {
            queued: Duration::from_micros(1_200),
            waited_for_slot: Duration::from_micros(35_000),
            waited_for_rate: Duration::from_micros(900),
            on_the_wire: Duration::from_micros(1_250_000),
            parsed: Duration::from_micros(40),
        },
        status: Some(if failed { 500 } else { 200 }),
        request_id: Some(format!("req_0123456789abcdef{:08}", persona.0)),
        usage: Some(Usage { prompt_tokens: 900, completion_tokens: 250, cached_tokens: 0 }),
        failure: failed.then_some(failure),
        body: None,
        from_cache: false,
    })));
    writer.write(Record::Finished { persona, fate, attempts: 1 });
}

fn answer() -> Answer {
    let score = Score::try_from(4).expect("1 to 5");
    let sentence = "I have lived here for most of my life and I see both sides of this change. ";
    let impacts = ["housing", "transport", "community"].map(|key| (key.to_owned(), score));
    Answer {
        narrative: sentence.repeat(10),
        support_level: score,
        impacts: impacts.into(),
        key_concerns: vec!["parking on my street".to_owned(), "the cost of rent".to_owned()],
        suggested_improvements: vec!["more frequent buses in the evening".to_owned()],
    }
}
