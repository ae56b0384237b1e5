//! Lines of words, for logs, pipes and dumb terminals.

use crate::{
    model::{InterviewStatus, LogLevel, LogLine, RunPhase},
    protocol::{CommandOutcome, RateMeter, Snapshot},
};
use std::{
    io::{self, Write},
    time::Duration,
};

pub(super) fn started(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    let header = &run.header;
    writeln!(out, "run {}: {}", header.run, header.question)?;
    let (total, over) = (run.statuses.0.len(), over(run));
    let endpoint = run.meters.endpoints.first();
    let model = endpoint.map_or_else(String::new, |e| format!(" with {} at {}", e.model, e.name));
    if over == 0 {
        writeln!(out, "asking {total} personas{model}")
    } else {
        writeln!(out, "asking {} of {total} personas{model}, {over} are over", total - over)
    }
}

pub(super) fn progress(out: &mut impl Write, run: &Snapshot) -> io::Result<()> {
    let count = |status| run.statuses.0.iter().filter(|&&s| s == status).count();
    let total = run.statuses.0.len();
    let failed = count(InterviewStatus::Failed);
    let refused = count(InterviewStatus::Refused);
    write!(out, "{}  {} of {total} done", clock(run.meters.elapsed), count(InterviewStatus::Done))?;
    if refused > 0 {
        write!(out, ", {refused} refused")?;
    }
    if failed > 0 {
        write!(out, ", {failed} failed")?;
    }
    if let Some(endpoint) = run.meters.endpoints.first() {
        write!(out, "; {} requests/min", used(&endpoint.requests))?;
        if endpoint.tokens.limit.is_some() {
            write!(out, ", {} tokens/min", used(&endpoint.tokens))?;
        }
        write!(out, ", {} of {} slots", endpoint.slots.held, endpoint.slots.target)?;
    }
    let backing_off = count(InterviewStatus::BackingOff);
    if backing_off > 0 {
        write!(out, ", {backing_off} backing off")?;
    }
    if let Some(remaining) = run.meters.remaining.filter(|_| over(run) < total) {
        write!(out, "; about {} left", clock(remaining))?;
    }
    writeln!(out)
}

/// "194 of 500", or "194" without a limit.
fn used(rate: &RateMeter) -> String {
    match rate.limit {
        Some(limit) => format!("{:.0} of {limit}", rate.now),
        None => format!("{:.0}", rate.now),
    }
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
            tally.attempts, tally.kind, tally.personas, tally.last_persona, tally.last_message
        )?;
    }
    Ok(())
}

pub(super) fn phase(out: &mut impl Write, phase: &RunPhase) -> io::Result<()> {
    match phase {
        RunPhase::Running => writeln!(out, "running"),
        RunPhase::Paused { reason } => writeln!(out, "paused: {reason}"),
        RunPhase::Draining => writeln!(out, "finishing what is in flight, then stopping"),
        RunPhase::Finished => writeln!(out, "finished"),
        RunPhase::Stopped { .. } => writeln!(out, "stopped"),
    }
}

/// Only errors: each retry would be a line, and a run can have thousands.
pub(super) fn log(out: &mut impl Write, line: &LogLine) -> io::Result<()> {
    if line.level == LogLevel::Error { writeln!(out, "{}", line.text) } else { Ok(()) }
}

pub(super) fn outcome(out: &mut impl Write, outcome: &CommandOutcome) -> io::Result<()> {
    match outcome {
        CommandOutcome::Applied { what } => writeln!(out, "{what}"),
        CommandOutcome::Refused { why } => writeln!(out, "refused: {why}"),
    }
}

fn over(run: &Snapshot) -> usize {
    run.statuses.0.iter().filter(|status| status.is_over()).count()
}

/// `1:02:03` or `02:03`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}
