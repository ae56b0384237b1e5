//! Lines of words, for logs, pipes and dumb terminals.

use super::{
    analysis,
    run::{endpoint_name, situation},
};
use crate::{
    advice::{self, BatchLoad, Cost, Load, Rate, short_clock},
    model::{
        Analysis, InterviewStatus, LimitChange, LogLevel, LogLine, RunPhase, Service, StatusCounts,
        UnixMillis, strip_controls, strip_controls_keep_lines,
    },
    protocol::{BatchMeter, CommandOutcome, Snapshot},
};
use std::io::{self, Write};

pub(super) fn started(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    let header = &run.header;
    let question = strip_controls_keep_lines(&header.question);
    writeln!(out, "run {}: {question}", strip_controls(&header.run))?;
    let (total, over) = (run.statuses.0.len(), over(run));
    let endpoints: Vec<_> =
        run.meters.endpoints.iter().map(|e| format!("{} at {}", e.model, e.name)).collect();
    let model = match endpoints.as_slice() {
        [] => String::new(),
        all => strip_controls(&format!(" with {}", all.join(", "))),
    };
    if over == 0 {
        writeln!(out, "asking {total} personas{model}")?;
    } else {
        writeln!(out, "asking {} of {total} personas{model}, {over} are over", total - over)?;
    }
    if run.meters.batches.on {
        writeln!(
            out,
            "in batches: each stage may take up to 24 h; it goes on where it was after a \
                       stop or a crash"
        )?;
    }
    Ok(())
}

/// How far the run is, and what there is to say about it, a line each.
pub(super) fn progress(out: &mut impl Write, run: &Snapshot, now: UnixMillis) -> io::Result<()> {
    let counts = StatusCounts::of(&run.statuses.0);
    let total = counts.total();
    let done = counts.answered();
    write!(out, "{}  {done} of {total} done", short_clock(run.meters.elapsed))?;
    for (status, word) in
        [(InterviewStatus::Refused, "refused"), (InterviewStatus::Failed, "failed")]
    {
        let count = counts.get(status);
        if count > 0 {
            write!(out, ", {count} {word}")?;
        }
    }
    if run.meters.from_cache > 0 {
        write!(out, ", {} calls from the cache", run.meters.from_cache)?;
    }
    if run.meters.similar > 0 {
        write!(out, ", {} verdicts as for answers alike", run.meters.similar)?;
    }
    let batches = BatchLoad::of(&run.meters.batches);
    if run.meters.batches.on || batches.batches > 0 {
        write!(out, "; {}", batches.words())?;
    } else if !run.meters.endpoints.is_empty() {
        let load = Load::of_all(&run.meters.endpoints);
        write!(out, "; {} requests/min", used(&load.requests))?;
        if load.tokens.limit.is_some() {
            write!(out, ", {} tokens/min", used(&load.tokens))?;
        }
        write!(out, ", {} of {} slots", load.slots.held, load.slots.target)?;
    }
    let backing_off = counts.get(InterviewStatus::BackingOff);
    if backing_off > 0 {
        write!(out, ", {backing_off} backing off")?;
    }
    if let Some(money) = &run.meters.money {
        write!(out, "; {}", Cost::of(money).words())?;
    }
    if let Some(analysis) = run.meters.analysis.filter(|_| counts.over() == total) {
        write!(out, "; summing up, {} of {} pieces", analysis.done, analysis.total)?;
    }
    if let Some(remaining) = run.meters.remaining.filter(|_| counts.over() < total) {
        write!(out, "; about {} left", short_clock(remaining))?;
    }
    writeln!(out)?;
    let Some(situation) = situation(run, &counts, now) else { return Ok(()) };
    let advice = situation.advice(situation.binds()).text;
    if !advice.is_empty() {
        writeln!(out, "       {}", strip_controls(&advice))?;
    }
    for endpoint in &run.meters.endpoints {
        let name = &endpoint.name;
        let standing = match &endpoint.service {
            Service::InService => continue,
            Service::CoolingDown { until, failure } => {
                format!("{name} cools down for {}: {failure}", short_clock(until.since(now)))
            }
            Service::OutOfService { failure } => {
                format!("{name} is out of service until somebody mends it: {failure}")
            }
        };
        writeln!(out, "       {}", strip_controls(&standing))?;
    }
    Ok(())
}

/// "194 of 500", or "194" without a limit; with what was set, where that is another limit, or
/// that it was found out.
fn used(rate: &Rate) -> String {
    let mut words = format!("{:.0}", rate.now);
    if let Some(limit) = rate.limit {
        words.push_str(&format!(" of {limit:.0}"));
    }
    if let Some(set) = rate.configured {
        words.push_str(&format!(" (set {set:.0})"));
    } else if rate.found {
        words.push_str(" (found)");
    }
    words
}

/// Where a batch is now.
pub(super) fn batch(out: &mut impl Write, batch: &BatchMeter) -> io::Result<()> {
    let BatchMeter { number, standing, lines, counts, .. } = batch;
    let state = standing.as_str().replace('_', " ");
    write!(out, "batch {number}: {state}, {} of {lines} calls done", counts.completed)?;
    if counts.failed > 0 {
        write!(out, ", {} failed", counts.failed)?;
    }
    match &batch.note {
        Some(note) => writeln!(out, "; {}", strip_controls(note)),
        None => writeln!(out),
    }
}

/// The alarm, or that it is over.
pub(super) fn alarm(out: &mut impl Write, run: &Snapshot, now: UnixMillis) -> io::Result<()> {
    let counts = StatusCounts::of(&run.statuses.0);
    match situation(run, &counts, now).and_then(|situation| situation.alarm()) {
        Some(alarm) => writeln!(out, "ALARM: {}", strip_controls(&alarm.words(now, None))),
        None => writeln!(out, "the alarm is over"),
    }
}

/// What changes of limits come to, a line for each limit.
pub(super) fn limits_changed(
    out: &mut impl Write,
    run: &Snapshot,
    changes: &[LimitChange],
) -> io::Result<()> {
    for row in advice::net(changes) {
        let name = endpoint_name(run, row.endpoint);
        writeln!(out, "{}", strip_controls(&format!("{name}: {}", row.words())))?;
    }
    Ok(())
}

/// What the answers come to, between blank lines.
pub(super) fn analysis(out: &mut impl Write, analysis: &Analysis) -> io::Result<()> {
    writeln!(out)?;
    for line in analysis::lines(analysis) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)
}

/// How many personas have each status, those that nobody has left out.
pub(super) fn counts(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    for status in InterviewStatus::ALL {
        let count = run.statuses.0.iter().filter(|&&s| s == status).count();
        if count > 0 {
            writeln!(out, "  {count:>9}  {}", status.label())?;
        }
    }
    Ok(())
}

/// The failed attempts by kind, with the last of each.
pub(super) fn failures(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    for tally in &run.meters.failures {
        writeln!(
            out,
            "  {:>9}  attempts failed: {} ({} personas for good), the last at persona {}: {}",
            tally.attempts,
            tally.kind,
            tally.personas,
            tally.last_persona,
            strip_controls(&tally.last_message)
        )?;
    }
    Ok(())
}

pub(super) fn phase(out: &mut impl Write, phase: &RunPhase) -> io::Result<()> {
    match phase {
        RunPhase::Running => writeln!(out, "running"),
        RunPhase::Paused { reason } => {
            writeln!(out, "paused: {}", strip_controls(&reason.to_string()))
        }
        RunPhase::Draining => writeln!(out, "finishing what is in flight, then stopping"),
        RunPhase::Finished => writeln!(out, "finished"),
        RunPhase::Stopped { .. } => writeln!(out, "stopped"),
    }
}

/// Only errors: each retry would be a line, and a run can have thousands.
pub(super) fn log(out: &mut impl Write, line: &LogLine) -> io::Result<()> {
    if line.level == LogLevel::Error {
        writeln!(out, "{}", strip_controls(&line.text))
    } else {
        Ok(())
    }
}

pub(super) fn outcome(out: &mut impl Write, outcome: &CommandOutcome) -> io::Result<()> {
    match outcome {
        CommandOutcome::Applied { what } => writeln!(out, "{}", strip_controls(what)),
        CommandOutcome::Refused { why } => writeln!(out, "refused: {}", strip_controls(why)),
    }
}

fn over(run: &Snapshot) -> usize {
    run.statuses.0.iter().filter(|status| status.is_over()).count()
}
