//! A user's place: a survey, personas, a folder of runs and one of sockets.

use crate::{process::Engine, server::ATTRIBUTE};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use voxpop::{link::socket::socket_name, store::run_path};

pub const SURVEY: &str = "\
name: bench
question: Should the council stop requiring a minimum number of car spaces in new buildings?
domain: civic-policy
grid: { support: Support for the proposal, impacts: [Housing, Transport, Community] }
review: off
model: gpt-4o-mini
max_output_tokens: 600
";

/// The place. It goes when it is dropped.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("there is room for temporary files"));
        for folder in ["runs", "sockets"] {
            fs::create_dir(place.path().join(folder)).expect("it is ours to write");
        }
        fs::write(place.path().join("survey.yaml"), SURVEY).expect("it is ours to write");
        place
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn run_file(&self, run: &str) -> PathBuf {
        run_path(&self.path().join("runs"), run)
    }

    /// Where the run's socket is.
    pub fn socket(&self, run: &str) -> PathBuf {
        let name = socket_name(&self.run_file(run)).expect("there is a run");
        self.path().join("sockets/voxpop").join(name)
    }

    /// What the program sees of its surroundings.
    pub fn environment(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("HOME", self.path().to_owned()),
            ("VOXPOP_RUNS", self.path().join("runs")),
            ("XDG_RUNTIME_DIR", self.path().join("sockets")),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "xterm-256color".into()),
        ]
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxpop"));
        command.args(args).env_clear().envs(self.environment()).current_dir(self.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end, which must be a good one, and says how long that took.
    pub fn voxpop(&self, args: &[&str]) -> Duration {
        let started = Instant::now();
        let output = self.command(args).output().expect("voxpop starts");
        let took = started.elapsed();
        assert!(output.status.success(), "voxpop {args:?}: {output:?}");
        took
    }

    /// Puts the survey to so many personas, by an engine of its own.
    pub fn start(&self, run: &str, personas: u32, more: &[&str]) -> Engine {
        let people = self.people(personas);
        let people = people.to_str().expect("temporary files have plain names");
        let args = ["run", "survey.yaml", "--personas", people, "--name", run, "--detach"];
        self.voxpop(&[&args, more].concat());
        Engine::of(&self.run_file(run))
    }

    /// Goes on with a run by an engine of its own, which is ready after so long.
    pub fn resume(&self, run: &str, more: &[&str]) -> (Engine, Duration) {
        let took = self.voxpop(&[&["resume", run, "--detach"], more].concat());
        (Engine::of(&self.run_file(run)), took)
    }

    /// A file of so many personas with some attributes each.
    pub fn people(&self, many: u32) -> PathBuf {
        let path = self.path().join(format!("{many}.csv"));
        if path.exists() {
            return path;
        }
        let mut file = std::io::BufWriter::new(fs::File::create(&path).expect("there is room"));
        writeln!(file, "id,{ATTRIBUTE},age,occupation,tenure,household,suburb,cars")
            .expect("there is room");
        for n in 0..many {
            let age = 18 + n % 70;
            writeln!(file, "p{n},{n},{age},nurse,rents,couple with two children,Parramatta,one")
                .expect("there is room");
        }
        path
    }
}
