//! `voxpop resume` and `voxpop retry`: go on with a run, or ask its failed personas again.

use super::{
    engine::{self, Prepared},
    preparation::{again, start_log},
    runs_folder::{RunsFolder, store_problem},
};
use crate::{
    batch::BatchRecord,
    cli::{AgainArgs, EndpointArgs},
    error::{Exit, Problem},
    headless, launch,
    model::{InterviewStatus, RunPhase, RunSummary, StopReason, strip_controls},
    store::{OpenRun, RunReader, StoreError, StoredBatch},
};
use std::{
    fmt,
    io::{self, Write},
};

pub(super) fn resume(args: &AgainArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    engine::carry_on(&args.display, &args.engine, || go_on(args, runs, false))
}

pub(super) fn retry(args: &AgainArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    engine::carry_on(&args.display, &args.engine, || go_on(args, runs, true))
}

/// From the run file to a run that is ready to go on, where anybody is left to ask.
pub(super) fn go_on(
    args: &AgainArgs,
    runs: &RunsFolder,
    failed_too: bool,
) -> Result<Prepared, Problem> {
    let path = runs.resolve(&args.run)?;
    // The lock comes first: what is read after it, nobody else changes.
    let mut open = OpenRun::open(&path).map_err(store_problem)?;
    let reader = RunReader::open(&path).map_err(store_problem)?;
    let info = reader.run().map_err(store_problem)?;
    let counts = reader.counts().map_err(store_problem)?;
    let failed = counts.get(InterviewStatus::Failed);
    let (over, total) = (counts.over(), counts.total());
    // The lock is ours, so nobody is at work on a run that says so: its process died.
    let died = match &info.phase {
        Some(RunPhase::Running | RunPhase::Paused { .. } | RunPhase::Draining) => true,
        Some(RunPhase::Stopped { reason }) => *reason == StopReason::Crashed,
        Some(RunPhase::Finished) | None => false,
    };
    let left = if failed_too { total - over + failed } else { total - over };
    let summary_is_due =
        left == 0 && crate::engine::is_due(&reader, &info.survey).map_err(store_problem)?;
    if left == 0 && !summary_is_due {
        let hint = match (failed_too, failed) {
            (false, 1..) => {
                format!("; `voxpop retry {}` asks the {failed} failed again", info.name)
            }
            _ => String::new(),
        };
        if args.display.json {
            let summary = RunSummary {
                run: info.name,
                run_file: path,
                total,
                done: counts.answered(),
                failed,
                refused: counts.get(InterviewStatus::Refused),
                in_batches: 0,
                flagged: counts.get(InterviewStatus::Flagged),
                seconds: 0.0,
            };
            let end = &RunPhase::Finished;
            let _ = headless::write_end(
                &mut io::stdout(),
                headless::Format::Json,
                &summary,
                end,
                &args.run,
            );
        } else {
            let name = info.name;
            say(format_args!(
                "{name}: nothing is left to ask: all {total} interviews are over{hint}"
            ));
        }
        let exit = if failed > 0 { Exit::FinishedWithFailures } else { Exit::AllAnswered };
        return Ok(Prepared::NothingToDo(exit));
    }
    if !args.display.json {
        let found = if died { "its last process was killed; " } else { "" };
        let name = &info.name;
        let batches = under_way(&reader).map_err(store_problem)?;
        let next = if summary_is_due { "; their summary is not made yet" } else { "" };
        say(format_args!(
            "{name}: {found}{over} of {total} interviews are over and kept{next}{batches}"
        ));
    }
    let name = info.name.clone();
    let endpoint = EndpointArgs { base_url: args.base_url.clone(), ..EndpointArgs::default() };
    let config = launch::kept_config(info, &reader, &args.limits.flags(&endpoint))?;
    for warning in &config.warnings {
        eprintln!("warning: {}", strip_controls(&warning.to_string()));
    }
    drop(reader);
    if failed_too {
        open.requeue_failed().map_err(store_problem)?;
    }
    let (log_guard, log) = start_log(runs)?;
    Ok(Prepared::Run(Box::new(again(runs, &name, config, open, log)), log_guard))
}

/// The batches that the provider goes on with, in words.
fn under_way(reader: &RunReader) -> Result<String, StoreError> {
    let is_open = |stored: &StoredBatch| {
        BatchRecord::read(&stored.record).map_or(true, |record| !record.is_over())
    };
    Ok(match reader.batches()?.iter().filter(|stored| is_open(stored)).count() {
        0 => String::new(),
        1 => "; 1 batch is taken up".to_owned(),
        many => format!("; {many} batches are taken up"),
    })
}

/// Says a line; a reader that has gone away has seen what it wanted.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
