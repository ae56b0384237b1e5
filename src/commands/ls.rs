//! `voxpop ls`: the runs, newest first.

use super::runs_folder::RunsFolder;
use crate::{
    cli::LsArgs,
    error::{Exit, Problem},
    model::{InterviewStatus, RunPhase, UnixMillis, strip_controls},
    store::{self, Listed, ListedRun},
};
use std::{io::Write, time::Duration};

pub(super) fn ls(args: &LsArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let listed = store::list(runs.path()).map_err(Problem::could_not_run)?;
    let mut out = std::io::stdout().lock();
    // A pipe that is closed early has seen what it wanted.
    let _ = if args.json {
        listed.iter().try_for_each(|run| writeln!(out, "{}", as_json(run)))
    } else if listed.is_empty() {
        writeln!(out, "no runs in {}; `voxpop demo` makes one", runs.path().display())
    } else {
        out.write_all(table(&listed).as_bytes())
    };
    Ok(Exit::AllAnswered)
}

fn table(listed: &[Listed]) -> String {
    let width = listed.iter().map(|run| run.name.chars().count()).max().unwrap_or(0).max(3);
    let mut text = format!(
        "{:width$}  {:9}  {:>17}  {:>6}  {:>7}  {:>6}\n",
        "RUN", "STATE", "DONE", "FAILED", "REFUSED", "AGE"
    );
    for Listed { name, run, .. } in listed {
        let name = strip_controls(name);
        match run {
            Ok(run) => {
                let count = |status| run.counts.get(status);
                text += &format!(
                    "{name:width$}  {:9}  {:>17}  {:>6}  {:>7}  {:>6}\n",
                    state(run),
                    format!("{} of {}", count(InterviewStatus::Done), run.counts.total()),
                    count(InterviewStatus::Failed),
                    count(InterviewStatus::Refused),
                    age(UnixMillis::now().since(run.created_at)),
                );
            }
            Err(error) => text += &format!("{name:width$}  {:9}  {error}\n", "unusable"),
        }
    }
    text
}

fn state(run: &ListedRun) -> &'static str {
    match &run.phase {
        Some(RunPhase::Finished) => "finished",
        Some(RunPhase::Paused { .. }) if run.live => "paused",
        Some(RunPhase::Draining) if run.live => "stopping",
        _ if run.live => "running",
        None => "new",
        _ => "stopped",
    }
}

/// How long ago, in its largest unit.
fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn as_json(listed: &Listed) -> serde_json::Value {
    match &listed.run {
        Ok(run) => serde_json::json!({
            "run": listed.name,
            "run_file": listed.path,
            "state": state(run),
            "live": run.live,
            "survey": run.survey,
            "created_at_ms": run.created_at,
            "total": run.counts.total(),
            "done": run.counts.get(InterviewStatus::Done),
            "failed": run.counts.get(InterviewStatus::Failed),
            "refused": run.counts.get(InterviewStatus::Refused),
        }),
        Err(error) => serde_json::json!({
            "run": listed.name,
            "run_file": listed.path,
            "state": "unusable",
            "error": error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        for (seconds, told) in [(59, "59 s"), (60, "1 min"), (7199, "1 h"), (90_000, "1 d")] {
            assert_eq!(age(Duration::from_secs(seconds)), told);
        }
    }
}
