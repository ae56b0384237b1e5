//! The program as a user runs it, without a terminal.

use std::{
    path::Path,
    process::{Command, Output},
};

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
