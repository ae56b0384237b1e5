//! How soon the dashboard shows its first frame, and how much it draws: busy, paused, finished.

use crate::{bench::Bench, pty::Screen};
use std::time::Duration;

impl Bench {
    pub fn screen(&self) {
        println!("\nscreen: the demo in a terminal of 120x40");
        let mut first = Vec::new();
        for _ in 0..5 {
            let mut demo = Screen::start(self.folder.path(), &["demo", "--personas", "200"]);
            first.push(demo.until(|screen| screen.contains("Personas")));
        }
        first.sort();
        println!("  first frame after {:.0} ms (median of 5)", first[2].as_secs_f64() * 1000.0);
        let busy = [
            "demo",
            "--personas",
            "100000",
            "--rpm",
            "unlimited",
            "--tpm",
            "unlimited",
            "--latency",
            "50ms",
            "--concurrency",
            "100",
        ];
        let mut demo = Screen::start(self.folder.path(), &busy);
        demo.until(|screen| screen.contains("RUNNING"));
        demo.drain_for(Duration::from_secs(2));
        let bytes = demo.drain_for(Duration::from_secs(10));
        println!("  a busy run draws {:.1} kB/s", bytes as f64 / 10_000.0);
        demo.press(b"p");
        demo.drain_for(Duration::from_secs(20));
        let bytes = demo.drain_for(Duration::from_secs(10));
        println!("  paused and settled it draws {bytes} bytes in 10 s");
        drop(demo);
        let quick = [
            "demo",
            "--personas",
            "50",
            "--rpm",
            "unlimited",
            "--tpm",
            "unlimited",
            "--latency",
            "10ms",
        ];
        let mut demo = Screen::start(self.folder.path(), &quick);
        demo.until(|screen| screen.contains("FINISHED"));
        demo.drain_for(Duration::from_secs(3));
        let bytes = demo.drain_for(Duration::from_secs(10));
        println!("  finished and left open it draws {bytes} bytes in 10 s");
    }
}
