//! The engine as a process of its own: how it is started, and what it does.
//!
//! It is this program again, with `engine` before the arguments. Until the run is ready it belongs
//! to the terminal: what is wrong with the input is said there, and Ctrl-C ends it. Then it says
//! so on its standard output, leaves the terminal and the session, and serves front ends.

use super::{PreparedRun, runtime, stop_on};
use crate::{
    engine::{self, EngineParts},
    error::{Exit, Problem},
    link::socket::Server,
    protocol::Farewell,
    signals::{self, HangUp},
};
use rustix::stdio;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

/// How the line begins by which an engine says that it is ready. Nothing else that it prints does.
const READY: &str = "\u{1e}voxpop engine ready ";

/// How long an engine waits for the front end that started it.
const FRONT_END_WITHIN: Duration = Duration::from_secs(5);

/// What an engine says of its run once it is ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    pub run: String,
    pub run_file: PathBuf,
    /// How the user names the run.
    pub handle: String,
}

/// What came of starting an engine.
pub enum Started {
    Ready(Ready),
    /// It ended before, and has said why.
    Ended(Exit),
}

/// Starts the engine of this very command line.
///
/// # Errors
/// Where no process can be started.
pub fn start() -> Result<Started, Problem> {
    let failed = |error: io::Error| {
        Problem::could_not_run(format!(
            "the run's own process cannot be started: {error}; --foreground needs none"
        ))
    };
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .arg("engine")
        .args(std::env::args_os().skip(1))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut said = BufReader::new(
        child.stdout.take().ok_or_else(|| failed(io::Error::other("its output cannot be read")))?,
    );
    let mut line = Vec::new();
    while said.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        if let Some(ready) = line.strip_prefix(READY.as_bytes()) {
            let ready = serde_json::from_slice(ready).map_err(Problem::could_not_run)?;
            // Whoever has ended is to be taken note of, however long this process goes on.
            std::thread::spawn(move || child.wait());
            return Ok(Started::Ready(ready));
        }
        // A reader that has gone away has seen what it wanted.
        let _ = io::stdout().write_all(&line);
        line.clear();
    }
    let status = child.wait().map_err(failed)?;
    match status.code() {
        Some(code) => Ok(Started::Ended(Exit::of_code(code))),
        None => Err(Problem::could_not_run(format!(
            "the run's own process ended before the run began: {status}"
        ))),
    }
}

/// How an engine's process behaves.
pub struct Terms {
    /// How long SIGTERM waits for what is in flight.
    pub grace: Duration,
    /// Whether a front end is about to attach: the run begins when it is there.
    pub front_end_comes: bool,
    /// Where the log is, for whoever hears of a crash.
    pub logs: PathBuf,
}

/// Carries a run through in this process, for front ends in others.
///
/// # Errors
/// Where the run cannot start, or its last answers cannot be stored.
pub fn serve(run: PreparedRun, terms: &Terms) -> Result<Exit, Problem> {
    let (mut server, front_ends) =
        Server::start(run.open.path(), &run.header.run).map_err(Problem::could_not_run)?;
    let ready = Ready {
        run: run.header.run.clone(),
        run_file: run.header.run_file.clone(),
        handle: run.handle,
    };
    let end = runtime()?.block_on(async {
        signals::survive_file_size_limit().map_err(Problem::could_not_run)?;
        let interrupts = signals::interrupts(HangUp::IsIgnored).map_err(Problem::could_not_run)?;
        leave(&ready).map_err(Problem::could_not_run)?;
        tokio::spawn(stop_on(interrupts, server.orders(), terms.grace));
        if terms.front_end_comes {
            server.wait_for_front_end(FRONT_END_WITHIN).await;
        }
        let parts = EngineParts {
            header: run.header,
            config: run.config,
            open: run.open,
            fresh: run.fresh,
            only_analysis: run.only_analysis,
            front_ends,
            log: run.log,
        };
        Ok::<_, Problem>(tokio::spawn(engine::run(parts)).await)
    })?;
    match end {
        Ok(Ok(end)) => {
            let exit = Exit::of_run(&end.summary, &end.phase);
            server.end(Farewell::Ended { summary: end.summary, phase: end.phase });
            Ok(exit)
        }
        Ok(Err(error)) => {
            tracing::error!("{error}");
            server.end(Farewell::Failed { why: error.to_string() });
            Err(Problem::could_not_run(error))
        }
        Err(died) => {
            let why = format!("the engine crashed: see the log in {}", terms.logs.display());
            server.end(Farewell::Failed { why });
            std::panic::resume_unwind(died.into_panic())
        }
    }
}

/// Leaves the terminal and the session, once whoever started this knows that all is well.
fn leave(ready: &Ready) -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    // A crash is told where somebody can still read it.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |crash| {
        tracing::error!("crashed: {crash}");
        report(crash);
    }));
    // It fails where this process leads a group, as when a shell has started it: then it has no
    // other session to leave.
    let _ = rustix::process::setsid();
    let line = format!("{READY}{}\n", serde_json::to_string(ready)?);
    // Whoever started this may be gone; the run goes on.
    let _ = io::stdout().write_all(line.as_bytes()).and_then(|()| io::stdout().flush());
    stdio::dup2_stdin(&nothing)?;
    stdio::dup2_stdout(&nothing)?;
    stdio::dup2_stderr(&nothing)?;
    Ok(())
}
