//! One JSON object a line, for programs. Every object has an `event`.

use super::{
    analysis,
    run::{endpoint_name, situation},
};
use crate::{
    advice::{Binds, Load},
    model::{
        Analysis, InterviewStatus, LimitChange, LogLevel, LogLine, RunPhase, RunSummary, Service,
        StatusCounts, UnixMillis, Usd,
    },
    protocol::{
        BatchMeter, CommandOutcome, Distribution, EndpointMeters, MoneyMeter, RateMeter, Snapshot,
    },
};
use serde_json::{Map, Value, json};
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

pub(super) fn progress(out: &mut impl Write, run: &Snapshot, now: UnixMillis) -> io::Result<()> {
    let counts = StatusCounts::of(&run.statuses.0);
    let meters = &run.meters;
    let personas: Map<_, _> = InterviewStatus::ALL
        .into_iter()
        .map(|status| (status.as_str().to_owned(), counts.get(status).into()))
        .collect();
    let failures: Map<_, _> = (meters.failures.iter())
        .map(|tally| (tally.kind.as_str().to_owned(), tally.attempts.into()))
        .collect();
    let situation = situation(run, &counts, now);
    let binds = situation.map_or(Binds::Idle, |situation| situation.binds());
    let advice = situation.map(|situation| situation.advice(binds).text);
    let used = Load::of_all(&meters.endpoints).used();
    line(
        out,
        &json!({
            "event": "progress",
            "seconds": rounded(meters.elapsed.as_secs_f64()),
            "personas": personas,
            "failed_attempts": failures,
            "binds": binds.as_str(),
            "used": {
                "slots": used.slots.map(rounded),
                "requests_per_minute": used.requests_per_minute.map(rounded),
                "tokens_per_minute": used.tokens_per_minute.map(rounded),
            },
            "advice": advice.filter(|text| !text.is_empty()),
            "adapting": meters.adapting,
            "from_cache": meters.from_cache,
            "similar": meters.similar,
            "endpoints": meters.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
            "money": meters.money.as_ref().map(money),
            "batches": meters.batches.on || !meters.batches.shown.is_empty(),
            "alarm": situation.and_then(|situation| situation.alarm()).map(|alarm| json!({
                "since_ms": alarm.since,
                "seconds": now.since(alarm.since).as_secs(),
                "personas_under_way": alarm.under_way,
                "last_error": alarm.last.map(|tally| json!({
                    "kind": tally.kind,
                    "message": tally.last_message,
                })),
            })),
            "finished_per_minute": meters.finished_per_minute.round(),
            "seconds_left": meters.remaining.map(|left| left.as_secs()),
            "distribution": distribution(&meters.distribution),
            "analysis": meters.analysis,
        }),
    )
}

/// What the answers come to.
pub(super) fn analysis(out: &mut impl Write, analysis: &Analysis) -> io::Result<()> {
    line(out, &analysis::object(analysis))
}

fn endpoint(endpoint: &EndpointMeters) -> Value {
    let (service, until, reason) = match &endpoint.service {
        Service::InService => ("in_service", None, None),
        Service::CoolingDown { until, failure } => ("cooling_down", Some(until), Some(failure)),
        Service::OutOfService { failure } => ("out_of_service", None, Some(failure)),
    };
    let rate = |rate: &RateMeter| {
        json!({
            "now": rate.now.round(),
            "limit": rate.limit,
            "configured": rate.configured(),
            "found": rate.found,
        })
    };
    let slots = &endpoint.slots;
    json!({
        "name": endpoint.name,
        "model": endpoint.model,
        "group": endpoint.group,
        "service": {
            "state": service,
            "until_ms": until,
            "reason": reason.map(ToString::to_string),
        },
        "slots": {
            "held": slots.held,
            "target": slots.target,
            "waiting": slots.waiting,
            "configured": slots.configured.unwrap_or(slots.target),
        },
        "requests_per_minute": rate(&endpoint.requests),
        "tokens_per_minute": rate(&endpoint.tokens),
        "paused_until_ms": endpoint.paused_until,
        "answered": endpoint.answered,
        "failed": endpoint.failed,
        "adaptation": rounded(endpoint.adaptation),
        "first_byte_seconds": endpoint.first_byte.map(|time| rounded(time.as_secs_f64())),
    })
}

/// How the answers so far are spread over the grid.
fn distribution(spread: &Distribution) -> Value {
    let scores = spread.scores.iter().map(|score| {
        json!({
            "key": score.key,
            "label": score.label,
            "counts": score.counts,
            "weighted_shares": score.shares().map(rounded),
        })
    });
    json!({
        "answers": spread.answers,
        "weighted": spread.weighted,
        "effective_answers": rounded(spread.effective()),
        "design_effect": spread.design_effect().map(rounded),
        "weights": [rounded(spread.lightest), rounded(spread.heaviest)],
        "margin_at_most": spread.margin().map(rounded),
        "scores": scores.collect::<Vec<_>>(),
    })
}

/// Where a batch is now.
pub(super) fn batch(out: &mut impl Write, batch: &BatchMeter, now: UnixMillis) -> io::Result<()> {
    line(
        out,
        &json!({
            "event": "batch_changed",
            "batch": batch.number,
            "state": batch.standing.as_str(),
            "calls": batch.lines,
            "completed": batch.counts.completed,
            "failed": batch.counts.failed,
            "prompt_tokens": batch.tokens,
            "seconds": batch.over_at.unwrap_or(now).since(batch.made_at).as_secs(),
            "note": batch.note,
        }),
    )
}

/// In dollars. They are exact in the run file; a program that adds them up adds up floats.
fn money(money: &MoneyMeter) -> Value {
    json!({
        "spent": money.spent.dollars(),
        "reserved": money.reserved.dollars(),
        "projected": money.projected.map(Usd::dollars),
        "budget": money.budget.map(Usd::dollars),
    })
}

pub(super) fn limit_changed(
    out: &mut impl Write,
    run: &Snapshot,
    change: &LimitChange,
) -> io::Result<()> {
    line(
        out,
        &json!({
            "event": "limit_changed",
            "at_ms": change.at,
            "endpoint": endpoint_name(run, change.endpoint),
            "limit": change.limit.as_str(),
            "from": change.from,
            "to": change.to,
            "set_by": change.set_by.as_str(),
            "reason": change.reason,
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
            "in_batches": summary.in_batches,
            "flagged": summary.flagged,
            "seconds": rounded(summary.seconds),
            "run_file": summary.run_file,
        }),
    )
}

/// To three decimals.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn line(out: &mut impl Write, object: &serde_json::Value) -> io::Result<()> {
    writeln!(out, "{object}")
}
