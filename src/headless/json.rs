//! One JSON object a line, for programs. Every object has an `event`.

use crate::{
    model::{InterviewStatus, LogLevel, LogLine, RunPhase, RunSummary},
    protocol::{CommandOutcome, Snapshot},
};
use serde_json::json;
use std::io::{self, Write};

pub(super) fn started(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    let header = &run.header;
    line(
        out,
        &json!({
            "event": "run_started",
            "run": header.run,
            "run_file": header.run_file,
            "survey": header.survey,
            "total": run.statuses.0.len(),
        }),
    )
}

pub(super) fn progress(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    let mut counts = serde_json::Map::new();
    for status in InterviewStatus::ALL {
        let count = run.statuses.0.iter().filter(|&&s| s == status).count();
        counts.insert(status.as_str().to_owned(), count.into());
    }
    let endpoints: Vec<_> = (run.meters.endpoints.iter())
        .map(|endpoint| {
            json!({
                "name": endpoint.name,
                "slots": {"held": endpoint.slots.held, "target": endpoint.slots.target,
                          "waiting": endpoint.slots.waiting},
                "requests_per_minute": {"now": endpoint.requests.now.round(),
                                        "limit": endpoint.requests.limit},
                "tokens_per_minute": {"now": endpoint.tokens.now.round(),
                                      "limit": endpoint.tokens.limit},
            })
        })
        .collect();
    let failures: serde_json::Map<_, _> = (run.meters.failures.iter())
        .map(|tally| (tally.kind.as_str().to_owned(), tally.attempts.into()))
        .collect();
    line(
        out,
        &json!({
            "event": "progress",
            "seconds": seconds(run.meters.elapsed.as_secs_f64()),
            "personas": counts,
            "failed_attempts": failures,
            "endpoints": endpoints,
            "finished_per_minute": run.meters.finished_per_minute.round(),
            "seconds_left": run.meters.remaining.map(|left| left.as_secs()),
        }),
    )
}

pub(super) fn phase(out: &mut impl Write, phase: &RunPhase) -> io::Result<()> {
    let mut object = json!({"event": "phase_changed"});
    if let (Some(object), Ok(serde_json::Value::Object(phase))) =
        (object.as_object_mut(), serde_json::to_value(phase))
    {
        object.extend(phase);
    }
    line(out, &object)
}

pub(super) fn log(out: &mut impl Write, entry: &LogLine) -> io::Result<()> {
    if entry.level != LogLevel::Error {
        return Ok(());
    }
    line(out, &json!({"event": "error_logged", "at_ms": entry.at, "text": entry.text}))
}

pub(super) fn outcome(out: &mut impl Write, outcome: &CommandOutcome) -> io::Result<()> {
    line(out, &json!({"event": "command_applied", "result": outcome}))
}

/// The last line of a run.
pub(super) fn finished(out: &mut impl Write, summary: &RunSummary) -> io::Result<()> {
    line(
        out,
        &json!({
            "event": "run_finished",
            "total": summary.total,
            "done": summary.done,
            "failed": summary.failed,
            "refused": summary.refused,
            "seconds": seconds(summary.seconds),
            "run_file": summary.run_file,
        }),
    )
}

fn seconds(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn line(out: &mut impl Write, object: &serde_json::Value) -> io::Result<()> {
    writeln!(out, "{object}")
}
