//! Interviews a second and CPU each, beside `oha` on the same server.

use crate::bench::Bench;
use std::{env, path::Path, process::Command};

impl Bench {
    pub fn speed(&self) {
        println!("\nspeed: 20,000 personas, 200 slots, no rate limit, every answer committed");
        println!("  beside oha -c 200 on the same server, one after the other");
        println!(
            "  {:>8}  {:>14}  {:>6}  {:>16}",
            "oha/s", "interviews/s", "ratio", "CPU, µs each"
        );
        let personas = self.personas(20_000);
        let oha = env::var("OHA").unwrap_or_else(|_| "oha".to_owned());
        self.speed_beside(&oha, &personas, "without the cache", &["--no-cache"]);
        self.speed_beside(&oha, &personas, "with an empty cache", &[]);
    }

    fn speed_beside(&self, oha: &str, personas: &Path, what: &str, more: &[&str]) {
        println!("  {what}");
        let flags = [&["--concurrency", "200", "--rpm", "unlimited"][..], more].concat();
        let mut ratios = Vec::new();
        for _ in 0..5 {
            let url = format!("http://{}:{}/v1/chat/completions", self.host, self.port);
            let oha = oha_per_second(oha, &url);
            let taken = self.run(personas, self.port, &flags);
            let per_second = 20_000.0 / seconds_of_run(&taken.out);
            let ratio = per_second / oha;
            ratios.push(ratio);
            let cpu = taken.cpu.as_secs_f64() * 1e6 / 20_000.0;
            println!("  {oha:>8.0}  {per_second:>14.0}  {ratio:>6.2}  {cpu:>16.1}");
        }
        ratios.sort_by(f64::total_cmp);
        println!("  median ratio {:.2}", ratios[ratios.len() / 2]);
    }
}

fn oha_per_second(oha: &str, url: &str) -> f64 {
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}"#;
    let output = Command::new(oha)
        .args(["-c", "200", "-n", "200000", "--no-tui", "-m", "POST", "-d", body])
        .args(["-T", "application/json", url])
        .output()
        .expect("oha is on the PATH, or OHA names it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("Requests/sec")).expect("oha reports");
    line.split_whitespace().last().and_then(|n| n.parse().ok()).expect("a number")
}

fn seconds_of_run(out: &str) -> f64 {
    let last = out.lines().last().unwrap_or_default();
    let end: serde_json::Value = serde_json::from_str(last).expect("run_finished is the last line");
    assert_eq!(end["total"], end["done"], "{last}");
    end["seconds"].as_f64().expect("seconds")
}
