//! How well a run keeps to a latency of 200 ms and to a limit of 600 a minute, by the server's log.

use crate::bench::Bench;
use std::{
    env, fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

impl Bench {
    pub fn pace(&self) {
        let log = env::var("VOXPOP_REFERENCE_LOG")
            .unwrap_or_else(|_| format!("/tmp/voxpop-reference-{}/access.log", self.port));
        println!(
            "\npace: 2,000 personas, 200 slots, 200 ms latency: ideal 2.0 s from first to last"
        );
        let personas = self.personas(2_000);
        for _ in 0..3 {
            let started = now();
            self.run(&personas, self.port + 1, &["--concurrency", "200", "--rpm", "unlimited"]);
            let requests = requests_since(&log, self.port + 1, started);
            let first = requests.first().map_or(0.0, |r| r.ended - r.took);
            let last = requests.last().map_or(0.0, |r| r.ended);
            println!(
                "  {} requests in {:.3} s ({:+.1} %), the first {:.0} ms after the start",
                requests.len(),
                last - first,
                ((last - first) / 2.0 - 1.0) * 100.0,
                (first - started) * 1000.0
            );
        }
        println!("\npace: 600 personas at --rpm 600 against a strict 600/min");
        let personas = self.personas(600);
        let started = now();
        let slots = ["--concurrency", "50", "--rpm", "600"];
        let taken = self.run(&personas, self.port + 2, &slots);
        let requests = requests_since(&log, self.port + 2, started);
        println!(
            "  {:.1} s in all, {} 429s, {}",
            taken.wall.as_secs_f64(),
            requests.iter().filter(|r| r.status == 429).count(),
            taken.out.lines().last().unwrap_or_default()
        );
    }
}

/// One line of the server's log.
struct Request {
    ended: f64,
    took: f64,
    status: u16,
}

fn requests_since(log: &str, port: u16, started: f64) -> Vec<Request> {
    // The server writes its log out every 200 ms.
    std::thread::sleep(Duration::from_millis(500));
    let text = fs::read_to_string(log).unwrap_or_default();
    let port = port.to_string();
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let ended = words.next()?.parse().ok()?;
        let status = words.next()?.parse().ok()?;
        let took = words.next()?.parse().ok()?;
        (words.next()? == port && ended >= started).then_some(Request { ended, took, status })
    };
    let mut requests: Vec<_> = text.lines().filter_map(parse).collect();
    requests.sort_by(|a, b| a.ended.total_cmp(&b.ended));
    requests
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64()
}
