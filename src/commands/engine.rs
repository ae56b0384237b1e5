//! Who carries a run on: this process, or one of its own that `voxpop engine` is.

use super::{resume, run, runs_folder::RunsFolder};
use crate::{
    cli::{DisplayArgs, EngineArgs, EngineCommand},
    error::{Exit, Problem},
    launch::{self, Manner, PreparedRun, Ready, Started, Target, Terms},
    protocol::Role,
};
use std::io::{self, Write};
use tracing_appender::non_blocking::WorkerGuard;

/// What came of preparing a run.
pub(super) enum Prepared {
    /// The guard keeps the log open.
    Run(Box<PreparedRun>, WorkerGuard),
    NothingToDo(Exit),
}

/// Carries a run on as the flags say. It is prepared in the process that will carry it on.
pub(super) fn carry_on(
    display: &DisplayArgs,
    engine: &EngineArgs,
    prepare: impl FnOnce() -> Result<Prepared, Problem>,
) -> Result<Exit, Problem> {
    let front_end = match Manner::choose(display, engine)? {
        Manner::Foreground(front_end) => {
            return match prepare()? {
                Prepared::Run(run, _log_guard) => {
                    launch::see_through(*run, front_end, engine.grace)
                }
                Prepared::NothingToDo(exit) => Ok(exit),
            };
        }
        Manner::Own(front_end) => front_end,
    };
    let Ready { run, run_file, handle } = match launch::start()? {
        Started::Ready(ready) => ready,
        Started::Ended(exit) => return Ok(exit),
    };
    match front_end {
        Some(front_end) => launch::attach(&Target { run_file, handle }, front_end, Role::Control),
        None => {
            let line = if display.json {
                serde_json::json!({ "event": "run_detached", "run": run, "run_file": run_file })
                    .to_string()
            } else {
                handle
            };
            // The run goes on, whoever reads this.
            let _ = writeln!(io::stdout(), "{line}");
            Ok(Exit::AllAnswered)
        }
    }
}

/// `voxpop engine`: the run's own process.
pub(super) fn engine(command: EngineCommand, runs: &RunsFolder) -> Result<Exit, Problem> {
    let (prepared, args) = match command {
        EngineCommand::Run(args) => (run::prepare(&args, runs)?, args.engine),
        EngineCommand::Resume(args) => (resume::go_on(&args, runs, false)?, args.engine),
        EngineCommand::Retry(args) => (resume::go_on(&args, runs, true)?, args.engine),
    };
    match prepared {
        Prepared::Run(run, _log_guard) => launch::serve(
            *run,
            &Terms { grace: args.grace, front_end_comes: !args.detach, logs: runs.logs() },
        ),
        Prepared::NothingToDo(exit) => Ok(exit),
    }
}
