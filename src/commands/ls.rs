//! `voxpop ls`: the runs, newest first; what live ones do is asked of their engines.

use super::runs_folder::RunsFolder;
use crate::{
    cli::LsArgs,
    error::{Exit, Problem},
    link::socket::{self, Looked},
    model::{InterviewStatus, RunPhase, StatusCounts, UnixMillis, strip_controls},
    protocol::Snapshot,
    store::{self, Listed, ListedRun},
};
use std::{io::Write, time::Duration};

/// An engine that takes longer hangs or is stopped: the file tells what it has.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

pub(super) fn ls(args: &LsArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let listed = store::list(runs.path()).map_err(Problem::could_not_run)?;
    let listed = with_live(listed)?;
    let mut out = std::io::stdout().lock();
    // A pipe that is closed early has seen what it wanted.
    let _ = if args.json {
        listed.iter().try_for_each(|row| writeln!(out, "{}", as_json(row)))
    } else if listed.is_empty() {
        writeln!(out, "no runs in {}; `voxpop demo` makes one", runs.path().display())
    } else {
        out.write_all(table(&listed).as_bytes())
    };
    Ok(Exit::AllAnswered)
}

/// One run: what its file says, and what its engine says where it has one that answers.
struct Row {
    listed: Listed,
    engine: Option<Box<Snapshot>>,
    /// It is live, and its engine does not answer.
    silent: bool,
}

/// Asks the engines of those that are live, all at once.
fn with_live(listed: Vec<Listed>) -> Result<Vec<Row>, Problem> {
    let live = |listed: &Listed| listed.run.as_ref().is_ok_and(|run| run.live);
    if !listed.iter().any(live) {
        return Ok(listed.into_iter().map(Row::of_file).collect());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::could_not_run)?;
    let rows = listed.into_iter().map(|listed| async move {
        if !live(&listed) {
            return Row::of_file(listed);
        }
        match socket::look(&listed.path, ANSWERED_WITHIN).await {
            Looked::Snapshot(snapshot) => Row { engine: Some(snapshot), ..Row::of_file(listed) },
            Looked::NotThere => Row::of_file(listed),
            Looked::Silent => Row { silent: true, ..Row::of_file(listed) },
        }
    });
    Ok(runtime.block_on(futures_util::future::join_all(rows)))
}

impl Row {
    const fn of_file(listed: Listed) -> Self {
        Self { listed, engine: None, silent: false }
    }

    /// The engine's picture is newer than the file's.
    fn counts(&self, run: &ListedRun) -> StatusCounts {
        let engine = self.engine.as_ref();
        engine.map_or(run.counts, |snapshot| StatusCounts::of(&snapshot.statuses.0))
    }

    /// Interviews that were over, a minute: in the minute before now, or else in the last one that
    /// is on file.
    fn per_minute(&self, run: &ListedRun) -> Option<f64> {
        let engine = self.engine.as_ref();
        engine.map(|snapshot| snapshot.meters.finished_per_minute).or(run.per_minute)
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.listed.name.chars().count()).max().unwrap_or(0).max(3);
    let mut text = format!(
        "{:width$}  {:9}  {:6}  {:>17}  {:>5}  {:>6}  {:>6}  {:>7}  {:>6}\n",
        "RUN", "STATE", "LIVE", "DONE", "OVER", "/MIN", "FAILED", "REFUSED", "AGE"
    );
    for row in rows {
        let name = strip_controls(&row.listed.name);
        match &row.listed.run {
            Ok(run) => {
                let counts = row.counts(run);
                let percent = 100 * u64::from(counts.over()) / u64::from(counts.total().max(1));
                text += &format!(
                    "{name:width$}  {:9}  {:6}  {:>17}  {:>5}  {:>6}  {:>6}  {:>7}  {:>6}\n",
                    state(row, run),
                    live(row, run),
                    format!("{} of {}", counts.answered(), counts.total()),
                    format!("{percent} %"),
                    row.per_minute(run).map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
                    counts.get(InterviewStatus::Failed),
                    counts.get(InterviewStatus::Refused),
                    age(UnixMillis::now().since(run.created_at)),
                );
            }
            Err(error) => {
                let error = strip_controls(&error.to_string());
                text += &format!("{name:width$}  {:9}  {error}\n", "unusable");
            }
        }
    }
    text
}

/// Whether a process has the run, and says so itself.
const fn live(row: &Row, run: &ListedRun) -> &'static str {
    match (run.live, row.silent) {
        (false, _) => "",
        (true, false) => "live",
        (true, true) => "silent",
    }
}

fn state(row: &Row, run: &ListedRun) -> &'static str {
    let engine = row.engine.as_ref().map(|snapshot| &snapshot.phase);
    match engine.or(run.phase.as_ref()) {
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

fn as_json(row: &Row) -> serde_json::Value {
    let listed = &row.listed;
    let run = match &listed.run {
        Ok(run) => run,
        Err(error) => {
            return serde_json::json!({
                "run": listed.name,
                "run_file": listed.path,
                "state": "unusable",
                "error": error.to_string(),
            });
        }
    };
    let counts = row.counts(run);
    serde_json::json!({
            "run": listed.name,
            "run_file": listed.path,
            "state": state(row, run),
            "live": run.live,
            "silent": row.silent,
            "survey": run.survey,
            "created_at_ms": run.created_at,
            "total": counts.total(),
            "done": counts.answered(),
            "failed": counts.get(InterviewStatus::Failed),
            "refused": counts.get(InterviewStatus::Refused),
            "per_minute": row.per_minute(run),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_cannot_reach_the_terminal_as_it_is() {
        let name = "a\u{1b}[2J\u{202e}".to_owned();
        let path = format!("/runs/{name}.voxpop").into();
        let run = Err(store::StoreError::NotARun { path });
        let listed = Listed { path: name.clone().into(), name, run };
        let text = table(&[Row::of_file(listed)]);
        assert!(text.contains("/runs/a[2J.voxpop is not a voxpop run file"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        for (seconds, told) in [(59, "59 s"), (60, "1 min"), (7199, "1 h"), (90_000, "1 d")] {
            assert_eq!(age(Duration::from_secs(seconds)), told);
        }
    }
}
