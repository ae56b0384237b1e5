//! tokio's paused clock, led at a steady pace beside the real one.
//!
//! The whole engine runs in a benchmark, and limiter, retries, meters, publisher and provider
//! client live on the paused clock. Threads that sleep or wait for the disk do not: the run file's
//! writer, the log's, the socket's. So the clock does not jump where nothing is ready, as it would
//! by itself, but is led: some paused seconds a real one, in steps of 10 ms.

use std::{thread, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, advance},
};

const STEP: Duration = Duration::from_millis(10);

/// The clock is led on so often.
const BEAT: Duration = Duration::from_millis(1);

/// Who leads the clock. It must be dropped before its runtime, which waits for it.
pub struct Lead {
    beats: mpsc::UnboundedReceiver<()>,
    speed: u32,
    real: std::time::Instant,
    paused: Instant,
    /// As long as a blocking task is there, the clock does not jump; dropping this ends it.
    _hold: std::sync::mpsc::Sender<()>,
}

impl Lead {
    /// Leads on by so many paused seconds a real one. Must be called inside a runtime whose clock
    /// is paused.
    pub fn new(speed: u32) -> Self {
        let (beat, beats) = mpsc::unbounded_channel();
        thread::spawn(move || {
            while beat.send(()).is_ok() {
                thread::sleep(BEAT);
            }
        });
        let (hold, dropped) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || dropped.recv());
        let (real, paused) = (std::time::Instant::now(), Instant::now());
        Self { beats, speed, real, paused, _hold: hold }
    }

    /// Leads the clock on to this time after the start.
    pub async fn to(&mut self, end: Duration) {
        while self.paused.elapsed() < end {
            let _ = self.beats.recv().await;
            // Beats that came too late are one.
            while self.beats.try_recv().is_ok() {}
            let due = end.min(self.real.elapsed() * self.speed);
            while self.paused.elapsed() < due {
                advance(STEP).await;
            }
        }
    }
}
