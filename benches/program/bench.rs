//! What the sections share: a folder, a survey, personas of any number, and a run of them against
//! the server.

use crate::process::{Taken, measured};
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// One question and its answer, as the other runners ask it: no critic, no summary.
const SURVEY: &str = "\
name: bench
question: Should the council stop requiring a minimum number of car spaces in new buildings?
domain: civic-policy
grid: { support: Support for the proposal, impacts: [Housing, Transport, Community] }
model: gpt-4o-mini
review: off
summary: off
max_output_tokens: 600
";

/// Where the server is, and a folder for what its runs need.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub host: String,
    /// The port that answers at once; the next two are slow and strict.
    pub port: u16,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        fs::write(folder.path().join("survey.yaml"), SURVEY).expect("the survey can be written");
        let server = env::var("VOXPOP_REFERENCE").unwrap_or_else(|_| "127.0.0.1:18080".to_owned());
        let (host, port) = server.rsplit_once(':').expect("VOXPOP_REFERENCE is host:port");
        let port = port.parse().expect("VOXPOP_REFERENCE ends in a port");
        Self { folder, host: host.to_owned(), port }
    }

    /// A file of this many personas with ten attributes each.
    pub fn personas(&self, many: u32) -> PathBuf {
        let path = self.folder.path().join(format!("{many}.csv"));
        if path.exists() {
            return path;
        }
        let mut file = std::io::BufWriter::new(fs::File::create(&path).expect("there is room"));
        let header = "id,name,age,gender,occupation,education,tenure,household,suburb,cars,commute";
        writeln!(file, "{header}").expect("there is room");
        for i in 0..many {
            let age = 18 + i % 70;
            writeln!(
                file,
                "p{i},Person {i},{age},female,nurse,TAFE,rents,couple with two children,\
                 Parramatta,one car,train and bus"
            )
            .expect("there is room");
        }
        path
    }

    /// Runs the program over these personas against a port of the server.
    pub fn run(&self, personas: &Path, port: u16, flags: &[&str]) -> Taken {
        let runs = tempfile::tempdir_in(self.folder.path()).expect("there is room");
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxpop"));
        command.arg("run").arg(self.folder.path().join("survey.yaml"));
        command.arg("--personas").arg(personas).args(flags).arg("--json");
        command.args(["--base-url", &format!("http://{}:{port}/v1", self.host)]);
        command.env("VOXPOP_RUNS", runs.path()).current_dir(runs.path());
        // Nobody is to be answered by what a run before has asked.
        command.env("VOXPOP_CACHE", runs.path().join("cache.sqlite"));
        measured(command)
    }
}
