//! What dashboards cost the run that they look at.

use crate::{
    median,
    place::Place,
    process::{Engine, cpu_of},
    screen::Screen,
    server::{Manner, Server},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env,
    path::Path,
    thread,
    time::{Duration, Instant},
};
use voxpop::store::RunReader;

const RUN: &str = "watched";

/// Before a row is measured, all that has just been started comes to rest.
const SETTLING: Duration = Duration::from_secs(3);

/// Each crowd comes so often, in turns: a machine's speed changes from minute to minute.
const ROUNDS: usize = 3;

/// Who looks on.
struct Crowd {
    dashboards: usize,
    /// How many of them are stopped by SIGSTOP, and read nothing.
    stopped: usize,
}

const CROWDS: [Crowd; 3] = [
    Crowd { dashboards: 0, stopped: 0 },
    Crowd { dashboards: 1, stopped: 0 },
    Crowd { dashboards: 20, stopped: 1 },
];

/// What a run did in a second, in millionths, so that a median can be had.
#[derive(Clone, Copy)]
struct Row {
    answers: u64,
    engine: u64,
    dashboards: u64,
}

pub fn watch(rate: u32, span: Duration) {
    println!("\nwatch: a run held at {rate} answers a second, {} s a row", span.as_secs());
    println!("  asked: the rates within 3 %, the engine's CPU within 10 % of those without any");
    let rows = u64::try_from(CROWDS.len() * ROUNDS).unwrap_or(0);
    let seconds = (span + SETTLING + SETTLING).as_secs() * (rows + 1);
    let personas = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(rate);
    let manner = Manner { latency: Duration::from_millis(20), ..Manner::default() };
    let server = Server::start(personas, manner);
    let url = env::var("VOXPOP_REFERENCE")
        .map_or_else(|_| server.base_url(), |reference| format!("http://{reference}/v1"));
    let place = Place::new();
    let rpm = (60 * rate).to_string();
    let flags = ["--rpm", &rpm, "--concurrency", "200", "--no-adapt", "--base-url", &url];
    let engine = place.start(RUN, personas, &flags);
    thread::sleep(SETTLING);

    println!(
        "  {:>10}  {:>9}  {:>16}  {:>20}",
        "dashboards", "answers/s", "engine, % a core", "dashboards, % a core"
    );
    let mut measured: [Vec<Row>; CROWDS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (crowd, rows) in CROWDS.iter().zip(&mut measured) {
            let row = measure(&place, &engine, crowd, span);
            print(crowd, &row);
            rows.push(row);
        }
    }
    println!("  the medians, beside those without a dashboard");
    let medians = measured.map(|rows| Row {
        answers: median(&rows.iter().map(|row| row.answers).collect::<Vec<_>>()),
        engine: median(&rows.iter().map(|row| row.engine).collect::<Vec<_>>()),
        dashboards: median(&rows.iter().map(|row| row.dashboards).collect::<Vec<_>>()),
    });
    let change = |now: u64, before: u64| 100.0 * (now as f64 / before as f64 - 1.0);
    for (crowd, row) in CROWDS.iter().zip(&medians) {
        println!(
            "  {:>10}  {:>7.2} %  {:>14.1} %",
            crowd.dashboards,
            change(row.answers, medians[0].answers),
            change(row.engine, medians[0].engine)
        );
    }
}

fn print(crowd: &Crowd, row: &Row) {
    let percent = |micros: u64| micros as f64 / 10_000.0;
    println!(
        "  {:>10}  {:>9.1}  {:>16.2}  {:>20.2}",
        crowd.dashboards,
        row.answers as f64 / 1e6,
        percent(row.engine),
        percent(row.dashboards)
    );
}

fn measure(place: &Place, engine: &Engine, crowd: &Crowd, span: Duration) -> Row {
    let mut screens: Vec<_> =
        (0..crowd.dashboards).map(|_| Screen::start(place, &["attach", RUN])).collect();
    for screen in &mut screens {
        screen.until(&["RUNNING"]);
    }
    for screen in &screens[..crowd.stopped] {
        kill_process(screen.pid(), Signal::STOP).expect("it is there");
    }
    thread::sleep(SETTLING);
    let pids: Vec<Pid> = screens.iter().map(Screen::pid).collect();
    let all = || pids.iter().map(|&pid| cpu_of(pid)).sum::<Duration>();
    let run_file = place.run_file(RUN);
    let (over, watched, cpu, started) = (over(&run_file), all(), engine.cpu(), Instant::now());
    thread::sleep(span);
    let seconds = started.elapsed().as_secs_f64();
    let (cpu, watched) = (engine.cpu() - cpu, all() - watched);
    let answers = self::over(&run_file) - over;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive")]
    let per_second = |amount: f64| (amount * 1e6 / seconds) as u64;
    Row {
        answers: per_second(f64::from(answers)),
        engine: per_second(cpu.as_secs_f64()),
        dashboards: per_second(watched.as_secs_f64()),
    }
}

/// Interviews that are over, by the run file: the engine need not be asked.
fn over(run_file: &Path) -> u32 {
    let counts = RunReader::open(run_file).and_then(|reader| reader.counts());
    counts.expect("the run can be read").over()
}
