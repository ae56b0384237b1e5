//! A user's folders: one with a survey and personas, one with runs.

use crate::common::{
    terminal::Terminal,
    voxpop::{Outcome, Running, command},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use voxpop::store::{RunReader, is_live};

/// The name that [`Place::ask`] gives its run.
pub const RUN: &str = "test-run";

/// From this width on, a dashboard shows the name of its run.
const WIDE_ENOUGH: u16 = 60;

/// The folders. They go when it is dropped.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        fs::create_dir(folder.path().join("runs")).expect("it is ours to write");
        Self { folder }
    }

    /// With a survey that is put to `personas` people, by so many slots and without a rate.
    pub fn with_survey(base_url: &str, personas: usize, slots: u32) -> Self {
        let place = Self::new();
        place.survey(base_url, &format!("limits: {}", limits(slots)));
        place.people(personas);
        place
    }

    pub fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// The path of a file beside the survey.
    pub fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("temporary folders have plain names").to_owned()
    }

    /// Writes a file beside the survey, and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("it is ours to write");
        path
    }

    /// Writes `survey.yaml`; `more` is further lines of it.
    pub fn survey(&self, base_url: &str, more: &str) -> String {
        self.write("survey.yaml", survey(base_url, more))
    }

    /// Writes `people.csv`: so many, each with a name of its own.
    pub fn people(&self, many: usize) -> String {
        let mut text = "id,name,town\n".to_owned();
        for n in 0..many {
            text += &format!("{},{},Town {}\n", id(n), name(n), n % 7);
        }
        self.write("people.csv", text)
    }

    /// The arguments that put the survey to the people, and further ones.
    pub fn asking(&self, more: &[&str]) -> Vec<String> {
        let mut args: Vec<String> =
            ["run", &self.path("survey.yaml"), "--personas", &self.path("people.csv")]
                .map(str::to_owned)
                .into();
        args.extend(["--name", RUN].map(str::to_owned));
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        args
    }

    /// Puts the survey to the people, to the end.
    pub fn ask(&self, more: &[&str]) -> Outcome {
        self.start_asking(more).end()
    }

    /// Puts the survey to the people, and goes on while they are asked.
    pub fn start_asking(&self, more: &[&str]) -> Running {
        let args = self.asking(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.start(&args)
    }

    /// Puts the survey to the people on a dashboard.
    pub fn watch(&self, size: (u16, u16), environment: &[(&str, &str)]) -> Terminal {
        let args = self.asking(&[]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let terminal = Terminal::start_with(&args, &self.runs(), size, environment);
        // The engine asks whether or not a screen has joined; keys before that are not for it.
        if size.0 >= WIDE_ENOUGH {
            terminal.wait_for(RUN);
        }
        terminal
    }

    /// The same in one process: the run ends with its dashboard.
    pub fn watch_in_foreground(&self, size: (u16, u16)) -> Terminal {
        let args = self.asking(&["--foreground"]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Terminal::start(&args, &self.runs(), size)
    }

    /// Runs `voxpop` to its end.
    pub fn voxpop(&self, args: &[&str]) -> Outcome {
        self.start(args).end()
    }

    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// A command that nobody has started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        command(args, &self.runs())
    }

    /// The run of [`Self::ask`].
    pub fn run_file(&self) -> PathBuf {
        self.runs().join(format!("{RUN}.voxpop"))
    }

    pub fn reader(&self) -> RunReader {
        RunReader::open(&self.run_file()).expect("there is a run")
    }

    /// The run's records, as a user gets them.
    pub fn export(&self) -> Vec<Value> {
        let outcome = self.voxpop(&["export", RUN]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome.out.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    /// Whether it is the cache: the folder of runs is the user's home as well.
    pub fn is_cache(&self, path: &Path) -> bool {
        path.starts_with(self.runs().join(".local"))
    }

    /// Every file below the folder of runs, with what is in it.
    pub fn files_of_runs(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.runs())
    }
}

/// An engine has no parent that would take it along: one that a failing test leaves behind goes
/// here.
impl Drop for Place {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.runs()).into_iter().flatten().flatten() {
            let file = entry.path();
            if file.extension().is_some_and(|extension| extension == "voxpop")
                && let Some(pid) = engine_of(&file)
            {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The process that has the run.
pub fn engine_of(run_file: &Path) -> Option<Pid> {
    let mut lock = run_file.as_os_str().to_owned();
    lock.push(".lock");
    let pid = fs::read_to_string(lock).ok().filter(|_| is_live(run_file))?;
    pid.trim().parse().ok().and_then(Pid::from_raw)
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("it can be read")));
        }
    }
    found
}

/// The text of a survey; `more` is further lines of it.
/// Answers are neither reviewed nor summed up by the model unless it says so: most tests count
/// calls.
pub fn survey(base_url: &str, more: &str) -> String {
    let usual = match (more.contains("review:"), more.contains("summary:")) {
        (false, _) => "review: off\n",
        // With reviews, the model is asked for a summary as well.
        (true, false) => "summary: off\n",
        (true, true) => "",
    };
    format!(
        "name: parking\n\
         question: Should the council stop requiring car spaces?\n\
         domain: civic-policy\n\
         grid: {{ support: Support for the proposal, impacts: [Housing, Public transport] }}\n\
         base_url: {base_url}\n\
         {usual}{more}\n"
    )
}

/// So many slots, and no limit on requests and tokens.
pub fn limits(slots: u32) -> String {
    format!("{{ slots: {slots}, requests_per_minute: unlimited, tokens_per_minute: unlimited }}")
}

/// The id of the person in this place of the list, from 0. Ids do not follow the order.
pub fn id(n: usize) -> String {
    format!("p{}", 10_000 - n)
}

/// The name of the person in this place of the list.
pub fn name(n: usize) -> String {
    format!("Person Number {n}")
}

/// The status in a record of an export.
pub fn status(record: &Value) -> &str {
    record["status"].as_str().expect("every record has a status")
}

/// How many records have this status.
pub fn count(records: &[Value], wanted: &str) -> usize {
    records.iter().filter(|record| status(record) == wanted).count()
}
