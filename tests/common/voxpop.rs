//! The program as a user runs it, without a terminal.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long a condition may take on a busy machine before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A command with a clean environment, in a folder of its own.
pub fn command(args: &[&str], runs: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxpop"));
    command
        .args(args)
        .env_clear()
        .env("HOME", runs)
        .env("VOXPOP_RUNS", runs)
        .env("LANG", "C.UTF-8")
        .current_dir(runs);
    command
}

/// Runs it to its end.
pub fn run(args: &[&str], runs: &Path) -> Outcome {
    Outcome::of(command(args, runs).output().expect("voxpop starts"))
}

/// A process that goes on while the test does.
pub struct Running {
    child: Child,
    out: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
    err: Arc<Lines>,
}

#[derive(Default)]
struct Lines {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Lines {
    fn follow(self: &Arc<Self>, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let lines = Arc::clone(self);
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                lines.text.lock().unwrap().0 += &String::from_utf8_lossy(&line);
                lines.changed.notify_all();
                line.clear();
            }
            lines.text.lock().unwrap().1 = true;
            lines.changed.notify_all();
        })
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().0.clone()
    }
}

impl Running {
    /// Starts a command and follows what it says.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("voxpop starts");
        let (out, err) = (Arc::<Lines>::default(), Arc::<Lines>::default());
        let readers = vec![
            out.follow(child.stdout.take().expect("it is piped")),
            err.follow(child.stderr.take().expect("it is piped")),
        ];
        Self { child, out, err, readers }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.out.text()
    }

    /// Waits until standard output has a line with `words`, and returns that line.
    pub fn wait_for_line(&self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.out.text.lock().unwrap();
        loop {
            if let Some(line) = state.0.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !state.1,
                "waited for {words:?} in\n{}\nand on standard error\n{}",
                state.0,
                self.err.text()
            );
            state = self.out.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is still there");
    }

    /// Waits for its end.
    pub fn end(mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "it did not end; it said\n{}", self.out.text());
            // There is no way to wait for a child with a deadline but to look again.
            thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("nothing in a reader panics");
        }
        let code = status.code().unwrap_or(-1);
        Outcome { code, out: self.out.text(), err: self.err.text() }
    }

    /// Kills it as nothing can be prepared for (SIGKILL), and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it is still there");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a finished process said.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// From a process that has ended.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The last line of standard output as JSON.
    pub fn last_json(&self) -> serde_json::Value {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}: {self:?}"))
    }
}
