//! What a kill costs: answers that were shown as done and are gone, and people who are asked again
//! though their answer was kept.

use crate::{
    median, ms,
    place::Place,
    server::{Manner, Server},
    watcher::Watcher,
};
use std::{
    thread,
    time::{Duration, Instant},
};
use voxpop::{
    model::InterviewStatus,
    store::{RunReader, is_live},
};

const RUN: &str = "killed";

/// A kill comes within this time of the run's going on.
const WITHIN: Duration = Duration::from_millis(500);

/// What was on its way to the server when the engine died has arrived by then.
const STRAGGLERS: Duration = Duration::from_millis(20);

pub fn kill(kills: u32, rate: u32) {
    println!("\nkill: {kills} kills of a run at {rate} answers a second, each within 0.5 s");
    println!("  asked: nothing lost, nobody asked again whose answer was kept");
    let place = Place::new();
    // More than can be answered before the last kill.
    let personas = kills * rate / 2 + rate;
    let manner = Manner { latency: Duration::from_millis(20), ..Manner::default() };
    let server = Server::start(personas, manner);
    let (url, rpm) = (server.base_url(), (60 * rate).to_string());
    let flags = ["--concurrency", "200", "--no-adapt", "--base-url", &url, "--rpm", &rpm];
    let desk = &server.desk;

    let (mut lost, mut asked_again) = (0, 0);
    let (mut ready, mut first, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    let mut engine = place.start(RUN, personas, &flags);
    let mut watcher = Watcher::join(&place, RUN);
    for _ in 0..kills {
        let before = over(&watcher.statuses);
        let looking = thread::spawn(|| watcher.look_on());
        thread::sleep(WITHIN.mul_f64(fastrand::f64()));
        engine.kill();
        let shown = looking.join().expect("it only reads");
        thread::sleep(STRAGGLERS);

        // Requests come in and no answer goes out, so that the first picture of the next engine
        // has what was kept, and nothing else.
        desk.open(false);
        desk.clear_first();
        let asked = desk.asked();
        let started = Instant::now();
        let resumed = place.resume(RUN, &flags);
        first.push(desk.first() - started);
        ready.push(resumed.1);
        engine = resumed.0;
        watcher = Watcher::join(&place, RUN);
        let asked_since = desk.asked();
        for (n, kept) in watcher.statuses.iter().enumerate() {
            lost += u32::from(shown[n].is_over() && !kept.is_over());
            if kept.is_over() {
                asked_again += u64::from(asked_since[n] - asked[n]);
                desk.keep(n);
            }
        }
        answered.push(over(&watcher.statuses) - before);
        desk.open(true);
    }
    place.voxpop(&["tell", RUN, "rpm=unlimited"]);
    drop(watcher);
    while is_live(&place.run_file(RUN)) {
        thread::sleep(Duration::from_millis(20));
    }
    let reader = RunReader::open(&place.run_file(RUN)).expect("the run can be read");
    let done = reader.counts().expect("the run can be read").get(InterviewStatus::Done);
    asked_again += desk.asked_in_vain();

    println!("  answers lost that were shown as done: {lost}");
    println!("  asked again though their answer was kept: {asked_again}");
    println!(
        "  {} answers between two kills (median), {done} of {personas} done in the end, {} requests",
        median(&answered),
        desk.requests()
    );
    for (what, times) in [("ready", &ready), ("its first request", &first)] {
        let worst = times.iter().max().copied().unwrap_or_default();
        println!(
            "  resume until {what}: {:.0} ms (median), at worst {:.0}",
            ms(median(times)),
            ms(worst)
        );
    }
}

fn over(statuses: &[InterviewStatus]) -> usize {
    statuses.iter().filter(|status| status.is_over()).count()
}
