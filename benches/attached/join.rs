//! What is asked of a run of very many personas: to be joined, to go on, to be listed.

use crate::{
    median, ms,
    screen::Screen,
    stored::{RUN, Stored},
    watcher::Watcher,
};
use std::{
    thread,
    time::{Duration, Instant},
};

const TIMES: usize = 5;

/// Answers a second of a run that is killed.
const RATE: u32 = 2_000;

pub fn join(stored: &Stored) {
    println!("\njoin: a dashboard of 120x40 on the run while it goes on at 200 a second");
    println!("  asked: the first full frame within 300 ms, a snapshot of 1,500,000 bytes at most");
    stored.server.desk.clear_first();
    let (_engine, _) = stored.resume(200);
    stored.server.desk.first();
    let total = with_commas(stored.personas);
    let frames: Vec<_> = (0..TIMES)
        .map(|_| {
            let mut screen = Screen::start(&stored.place, &["attach", RUN]);
            screen.until(&[&total, "RUNNING", "? help"])
        })
        .collect();
    let told = |times: &[Duration]| {
        let worst = times.iter().max().copied().unwrap_or_default();
        format!("{:.0} ms, at worst {:.0} (of {TIMES})", ms(median(times)), ms(worst))
    };
    println!("  first full frame after the start of the process: {}", told(&frames));
    let watchers: Vec<_> = (0..TIMES).map(|_| Watcher::join(&stored.place, RUN)).collect();
    let took: Vec<_> = watchers.iter().map(|watcher| watcher.snapshot_took).collect();
    let bytes = watchers.iter().map(|watcher| watcher.snapshot_bytes).max();
    println!("  the snapshot after connecting: {}", told(&took));
    println!("  the snapshot on the wire: {} bytes", bytes.unwrap_or_default());
}

pub fn resume(stored: &Stored) {
    println!("\nresume: the run goes on after a kill at 2,000 answers a second, {TIMES} times");
    println!("  asked: 1 s at most");
    println!("  {:>11}  {:>9}  {:>17}", "over", "ready, ms", "first request, ms");
    // More than can be answered here.
    let enough = 3 * RATE * u32::try_from(TIMES + 1).unwrap_or(1);
    for over in ["half", "nearly all"] {
        if over == "nearly all" {
            stored.fill(enough.min(stored.personas / 4));
        }
        // The first one only makes a run that was killed.
        for time in 0..=TIMES {
            stored.server.desk.clear_first();
            let started = Instant::now();
            let (engine, ready) = stored.resume(RATE);
            let first = stored.server.desk.first() - started;
            if time > 0 {
                println!("  {over:>11}  {:>9.0}  {:>17.0}", ms(ready), ms(first));
            }
            thread::sleep(Duration::from_secs(1));
            engine.kill();
            // What was on its way when it died.
            thread::sleep(Duration::from_millis(50));
        }
    }
}

pub fn ls(stored: &Stored) {
    println!("\nls: the list of a folder with this run alone, {TIMES} times");
    println!("  asked: 100 ms at most where it is finished");
    let took = || (0..TIMES).map(|_| stored.place.voxpop(&["ls"])).collect::<Vec<_>>();
    println!("  cut short by a kill: {:.0} ms", ms(median(&took())));
    stored.finish();
    println!("  finished: {:.0} ms", ms(median(&took())));
    let output = stored.place.command(&["ls"]).output().expect("voxpop starts");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("    {line}");
    }
}

impl Stored {
    fn resume(&self, per_second: u32) -> (crate::process::Engine, Duration) {
        let flags = self.flags(per_second);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.place.resume(RUN, &flags)
    }
}

/// As the dashboard writes a number.
fn with_commas(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
