//! The line to the terminal: how many bytes a second it carries.
//!
//! Most lines carry more than a dashboard writes, and nothing has to be known of them. A thin one
//! keeps what it cannot carry in buffers, and a screen that is fed through full buffers shows what
//! was true long ago. What can be known, the first that applies:
//!
//! - what the user says (`--line-rate`), or has told every program (`stty ospeed`, below 38400)
//! - over ssh on Linux, what the other end has not acknowledged: see [`super::ssh`]
//! - on a serial line, and where the system's pseudo terminals tell, what the terminal has not
//!   taken: `tcdrain`
//! - else only that a write had to wait, which is when every buffer on the way is full: two of them
//!   in a row tell the rate ([`Learner`])
//!
//! The terminal itself is never asked.

use super::{
    output::{Settle, Written},
    ssh::SshLine,
};
use rustix::termios::{tcdrain, tcgetattr};
use std::{
    fs::File,
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};
use tokio::time::Instant;

/// Bytes a second that a line carries.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct LineRate(f64);

impl LineRate {
    /// Of so many bytes a second; below 100 nobody can work.
    pub fn bytes_per_second(rate: u32) -> Self {
        Self(f64::from(rate.max(100)))
    }

    /// What the user told the terminal with `stty`. Pseudo terminals say 38400 where nobody did;
    /// a byte is ten bits on a serial line.
    pub fn of_terminal(terminal: impl AsFd) -> Option<Self> {
        let bits = tcgetattr(terminal).ok()?.output_speed();
        (1..38_400).contains(&bits).then(|| Self::bytes_per_second(bits / 10))
    }

    /// The part of it that frames may take: ssh, TCP and whoever else writes need some too.
    pub const fn for_frames(self) -> f64 {
        self.0 * 0.8
    }
}

/// A write that takes so long has waited for room.
const WAITED: Duration = Duration::from_millis(100);
/// Two waits tell a rate where no more than this lies between their ends.
const MOST_BETWEEN: Duration = Duration::from_secs(300);
/// And where writes waited for at least this part of it: else the line was idle at times.
const LEAST_WAITING: f64 = 0.2;
/// How long a rate holds though no write waits any more, at first; after each new proof twice as
/// long.
const HOLDS: Duration = Duration::from_secs(600);

/// Learns the rate of a line from how long writes take. A write that has waited ends when there is
/// room again, so between two such ends the line has carried what was written between them. One
/// wait alone, as of a terminal that hung for a while, tells nothing.
#[derive(Debug)]
pub struct Learner {
    /// When the last write that had waited ended, and what was written since.
    since: Option<Stretch>,
    learned: Option<LineRate>,
    holds: Duration,
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Instant,
    bytes: usize,
    waited: Duration,
}

impl Learner {
    /// Of a line of which nothing is known.
    pub const fn new(now: Instant) -> Self {
        Self { since: None, learned: None, holds: HOLDS, until: now }
    }

    /// What is known by now.
    pub fn rate(&self, now: Instant) -> Option<LineRate> {
        self.learned.filter(|_| now < self.until)
    }

    /// Takes in a write; `true` where it taught something.
    pub fn written(&mut self, written: &Written, now: Instant) -> bool {
        let waited = written.took >= WAITED;
        let Some(stretch) = &mut self.since else {
            if waited {
                self.since = Some(Stretch::new(now));
            }
            return false;
        };
        stretch.bytes += written.bytes;
        if !waited {
            return false;
        }
        stretch.waited += written.took;
        let Stretch { from, bytes, waited } = *stretch;
        let passed = now.saturating_duration_since(from);
        self.since = Some(Stretch::new(now));
        let share = waited.as_secs_f64() / passed.as_secs_f64().max(f64::MIN_POSITIVE);
        if passed > MOST_BETWEEN || share < LEAST_WAITING {
            return false;
        }
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.holds = if self.learned.is_some() { self.holds * 2 } else { HOLDS };
        self.learned = Some(LineRate((bytes / passed.as_secs_f64()).max(100.0)));
        self.until = now + self.holds;
        true
    }
}

impl Stretch {
    const fn new(from: Instant) -> Self {
        Self { from, bytes: 0, waited: Duration::ZERO }
    }
}

/// What can be seen of the line after a write.
pub struct Line {
    terminal: File,
    ssh: Option<SshLine>,
}

/// Bytes on their way that make no frame late: about one packet.
const UNDER_WAY: u64 = 1_500;
/// How often it is looked whether they have arrived.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Others may use the same connection, and never leave it empty: on a line that carries this many
/// bytes a second, the frame has arrived by then.
const THINNEST: f64 = 250.0;

impl Line {
    /// Behind this terminal.
    pub const fn new(terminal: File, ssh: Option<SshLine>) -> Self {
        Self { terminal, ssh }
    }
}

impl Settle for Line {
    fn settle(&mut self, bytes: usize, hurry: &AtomicBool) {
        if hurry.load(Ordering::SeqCst) {
            return;
        }
        // A terminal that is gone is noticed by the next write.
        let _ = tcdrain(&self.terminal);
        let Some(ssh) = &mut self.ssh else { return };
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        let patience = Duration::from_secs_f64(1.0 + bytes / THINNEST);
        let started = Instant::now();
        loop {
            // The daemon needs a moment to take the bytes from the terminal to the connection.
            thread::sleep(LOOK_EVERY);
            let arrived = ssh.under_way().is_none_or(|bytes| bytes <= UNDER_WAY);
            if arrived || hurry.load(Ordering::SeqCst) || started.elapsed() >= patience {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer before a line: writes wait until they fit in, and are let go when it is empty, as
    /// with a pseudo terminal, or as soon as there is room.
    struct Buffer {
        size: f64,
        rate: f64,
        held: f64,
        when_empty: bool,
    }

    impl Buffer {
        fn write(&mut self, bytes: usize) -> Duration {
            let bytes = bytes as f64;
            let room = self.size - self.held;
            let mut took = 0.0;
            if bytes > room {
                let out = if self.when_empty { self.held } else { bytes - room };
                took = out / self.rate;
                self.held -= out;
            }
            self.held += bytes;
            Duration::from_secs_f64(took)
        }

        fn pass(&mut self, time: Duration) {
            self.held = (self.held - time.as_secs_f64() * self.rate).max(0.0);
        }
    }

    /// Frames of 400 bytes as fast as they go, at most ten a second.
    fn learned(mut buffer: Buffer, frames: usize) -> Option<f64> {
        let mut now = Instant::now();
        let mut learner = Learner::new(now);
        for _ in 0..frames {
            let took = buffer.write(400);
            now += took;
            if learner.written(&Written { bytes: 400, took }, now) {
                return learner.rate(now).map(|rate| rate.0);
            }
            let pause = Duration::from_millis(100);
            buffer.pass(pause);
            now += pause;
        }
        None
    }

    #[test]
    fn two_waits_tell_the_rate_of_a_thin_line() {
        for when_empty in [true, false] {
            for size in [4_000.0, 20_000.0, 64_000.0] {
                let buffer = Buffer { size, rate: 1_000.0, held: 0.0, when_empty };
                let rate = learned(buffer, 1_000).unwrap();
                assert!((900.0..1_100.0).contains(&rate), "{rate} with {size}, {when_empty}");
            }
        }
    }

    #[test]
    fn a_line_that_carries_everything_teaches_nothing() {
        let buffer = Buffer { size: 20_000.0, rate: 8_000.0, held: 0.0, when_empty: true };
        assert_eq!(learned(buffer, 1_000), None);
    }

    #[test]
    fn a_terminal_that_hung_once_is_not_thin() {
        let mut now = Instant::now();
        let mut learner = Learner::new(now);
        for took in [0, 0, 30_000, 0, 0, 0, 0, 0] {
            let took = Duration::from_millis(took);
            now += took + Duration::from_millis(50);
            assert!(!learner.written(&Written { bytes: 3_000, took }, now));
        }
        assert_eq!(learner.rate(now), None);
        // Nor is one that hangs for a moment every now and then.
        for _ in 0..20 {
            now += Duration::from_secs(60);
            let took = Duration::from_millis(200);
            assert!(!learner.written(&Written { bytes: 240_000, took }, now));
        }
    }

    #[test]
    fn a_rate_is_forgotten_when_no_write_waits_any_more() {
        let mut now = Instant::now();
        let mut learner = Learner::new(now);
        let wait = Written { bytes: 3_000, took: Duration::from_secs(3) };
        let taught = |now: &mut Instant, learner: &mut Learner| {
            *now += wait.took;
            learner.written(&wait, *now)
        };
        assert!(!taught(&mut now, &mut learner));
        assert!(taught(&mut now, &mut learner));
        assert_eq!(learner.rate(now), Some(LineRate(1_000.0)));
        assert!(learner.rate(now + HOLDS - Duration::from_secs(1)).is_some());
        assert_eq!(learner.rate(now + HOLDS), None);
        // Where it is found thin again, it is believed for longer.
        assert!(taught(&mut now, &mut learner));
        assert!(learner.rate(now + HOLDS).is_some());
    }
}
