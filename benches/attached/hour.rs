//! Memory over an hour of a run, on tokio's paused clock.
//!
//! The whole engine runs, with its run file, its log, its socket, one front end that reads and one
//! that does not, against a server in the same runtime, while `clock` leads the time.

use crate::{
    clock::Lead,
    place::{Place, SURVEY},
    process::own_memory,
    server::{self, Desk, Manner},
    stored::persona,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};
use voxpop::{
    config::{Config, Flags, Keys, Sources, load_text},
    engine::{self, EngineParts},
    link::{
        self,
        socket::{Attachment, Server, follow},
    },
    logging,
    model::{LogRing, UnixMillis},
    protocol::{LOG_LINES, Order, Role, RunHeader},
    store::{Import, NewRun, OpenRun},
};

const RUN: &str = "hour";
const MINUTE: Duration = Duration::from_secs(60);

/// How fast the hour goes by, and what happens in it.
#[derive(Clone, Copy)]
pub struct Pace {
    pub minutes: u32,
    /// Answers in a paused second.
    pub per_second: u32,
    /// Paused seconds in a real one.
    pub speed: u32,
}

pub fn hour(pace: Pace) {
    let Pace { minutes, per_second, speed } = pace;
    println!(
        "\nhour: {minutes} minutes at {per_second} a second, {speed} times as fast as a real clock"
    );
    println!("  asked: memory flat");
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(go_on(pace));
}

async fn go_on(pace: Pace) {
    let place = Place::new();
    let ring = LogRing::new(LOG_LINES);
    let _log = logging::init(&place.path().join("logs"), ring.clone());
    let personas = pace.per_second * 60 * (pace.minutes + 1);
    let manner = Manner { latency: Duration::from_millis(500), troubled: true };
    let desk = Arc::new(Desk::new(personas, manner));
    let listener = server::listen().await;
    let url = server::base_url(listener.local_addr().expect("it is bound"));
    tokio::spawn(server::serve(listener, Arc::clone(&desk)));

    let config = config(&url, pace.per_second);
    let run_file = place.run_file(RUN);
    let open = import(&run_file, &config, personas);
    let (server, front_ends) = Server::start(&run_file, RUN).expect("there is room for a socket");
    let header = header(&run_file, &config);
    let parts = EngineParts {
        header,
        config,
        open,
        fresh: true,
        only_analysis: false,
        cache: None,
        front_ends,
        log: ring,
    };
    let engine = tokio::spawn(engine::run(parts));
    look_on(run_file.clone(), true);
    look_on(run_file, false);

    println!("  {:>6}  {:>10}  {:>8}", "minute", "requests", "RSS, MiB");
    let began = std::time::Instant::now();
    let mut lead = Lead::new(pace.speed);
    for minute in 1..=pace.minutes {
        lead.to(minute * MINUTE).await;
        if minute == 1 || minute.is_multiple_of(10) {
            println!("  {minute:>6}  {:>10}  {:>8.1}", desk.requests(), own_memory("VmRSS"));
        }
    }
    println!("  it took {:.0} s", began.elapsed().as_secs_f64());
    server.order(Order::StopNow);
    tokio::select! {
        _ = engine => {}
        () = lead.to(2 * pace.minutes * MINUTE) => {}
    }
}

/// A front end on a thread of its own, and on the real clock: it reads all, or nothing.
fn look_on(run_file: PathBuf, reads: bool) {
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime: Runtime = runtime.expect("a runtime starts");
        runtime.block_on(async {
            let attachment = Attachment::connect(&run_file, Role::Watch, false).await;
            let attachment = attachment.expect("the engine listens");
            if !reads {
                std::future::pending::<()>().await;
            }
            let (link, outlet, mut commands) = link::local();
            let role = (Role::Watch, false);
            let following = follow(attachment, &run_file, role, || true, &outlet, &mut commands);
            let reading = async { while link.next().await.is_some() {} };
            tokio::select! {
                _ = following => {}
                () = reading => {}
            }
        });
    });
}

fn config(url: &str, per_second: u32) -> Config {
    let (slots, rpm) = (2 * per_second, 60 * per_second);
    let survey = format!(
        "{SURVEY}base_url: {url}\nlimits: {{ slots: {slots}, requests_per_minute: {rpm} }}\n"
    );
    let sources = Sources {
        survey: Path::new("survey.yaml"),
        dotenv_dir: Path::new("/nowhere"),
        environment: &|_| None,
        flags: &Flags::default(),
        keys: Keys::Fetched,
    };
    load_text(&survey, &sources).expect("the survey is in order")
}

fn import(run_file: &Path, config: &Config, personas: u32) -> OpenRun {
    let settings = serde_json::to_value(config.run_settings()).expect("settings are plain");
    let run =
        NewRun { name: RUN, survey: &config.survey, settings: &settings, personas_from: "bench" };
    let mut import = Import::create(run_file, &run).expect("there is room");
    for n in 0..personas {
        import.add(&persona(n)).expect("there is room");
    }
    import.finish().expect("there is room")
}

fn header(run_file: &Path, config: &Config) -> RunHeader {
    RunHeader {
        run: RUN.to_owned(),
        run_file: run_file.to_owned(),
        survey: config.survey.name.clone(),
        question: config.survey.question.clone(),
        support: config.survey.grid.support.clone(),
        started_at: UnixMillis::now(),
        pack: 1,
        live: true,
    }
}
