//! What is said when a run has ended and its file is closed.

use super::{json, plain, watch::Format};
use crate::{
    advice::short_clock,
    link::FrontEndLink,
    model::{
        PauseReason, RunPhase, RunSummary, StatusCounts, StopReason, UnixMillis,
        strip_controls_keep_lines,
    },
    protocol::Update,
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Writes the end of a run: for programs the `run_finished` line, for people what happened, where
/// the answers are, and the commands to go on with, in which `handle` names the run.
///
/// # Errors
/// Where `out` takes no more.
pub fn write_end(
    out: &mut impl Write,
    format: Format,
    summary: &RunSummary,
    phase: &RunPhase,
    handle: &str,
) -> io::Result<()> {
    match format {
        Format::Json => json::finished(out, summary)?,
        Format::Plain => {
            for line in closing_lines(summary, phase, handle) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()
}

/// Writes a run that is only looked at: what it is, how far it is, and what went wrong.
pub async fn describe(link: FrontEndLink, format: Format, out: &mut impl Write) {
    let Some(Update::Snapshot(mut run)) = link.next().await else { return };
    // The answers are counted after the first picture.
    if StatusCounts::of(&run.statuses.0).answered() > 0
        && let Some(Update::Snapshot(counted)) = link.next().await
    {
        run = counted;
    }
    // A reader that has gone away has seen what it wanted.
    let _ = match format {
        Format::Json => json::started(out, &run)
            .and_then(|()| json::progress(out, &run, UnixMillis::now()))
            .and_then(|()| run.analysis.iter().try_for_each(|a| json::analysis(out, a))),
        Format::Plain => plain::started(out, &run)
            .and_then(|()| plain::counts(out, &run))
            .and_then(|()| plain::failures(out, &run))
            .and_then(|()| run.analysis.iter().try_for_each(|a| plain::analysis(out, a))),
    };
}

fn closing_lines(summary: &RunSummary, phase: &RunPhase, handle: &str) -> Vec<String> {
    let took = short_clock(Duration::from_secs_f64(summary.seconds));
    let mut lines = vec![match phase {
        RunPhase::Stopped { reason } => {
            format!(
                "{}: stopped after {took}: {} of {} done{}, {} refused, {} failed, {} not asked",
                summary.run,
                summary.done,
                summary.total,
                flagged(summary),
                summary.refused,
                summary.failed,
                summary.left() - summary.in_batches
            ) + &in_batches(summary)
                + &why(reason)
        }
        _ => format!(
            "{}: finished in {took}: {} of {} done{}, {} refused, {} failed",
            summary.run,
            summary.done,
            summary.total,
            flagged(summary),
            summary.refused,
            summary.failed
        ),
    }];
    lines.push(format!("run file: {}", summary.run_file.display()));
    // With nobody left to ask, it is the summary that is not made yet.
    if summary.left() > 0 || matches!(phase, RunPhase::Stopped { .. }) {
        let budget = match phase {
            RunPhase::Stopped {
                reason: StopReason::Unmended { pause: PauseReason::BudgetSpent { .. } },
            } => " --budget USD, with more than before",
            _ => "",
        };
        lines.push(format!("  go on where it stopped:   voxpop resume {handle}{budget}"));
    }
    if summary.failed > 0 {
        lines.push(format!("  ask the failed again:     voxpop retry {handle}"));
    }
    lines.push(format!("  look at it again:         voxpop open {handle}"));
    lines.push(format!("  take the answers out:     voxpop export {handle} --format csv"));
    // A run file and its names may be somebody else's.
    lines.iter().map(|line| strip_controls_keep_lines(line)).collect()
}

/// Who is left with the provider.
/// Those of the done whom a person should look at.
fn flagged(summary: &RunSummary) -> String {
    match summary.flagged {
        0 => String::new(),
        n => format!(" ({n} of them flagged)"),
    }
}

fn in_batches(summary: &RunSummary) -> String {
    match summary.in_batches {
        0 => String::new(),
        many => format!(", {many} in batches that go on at the provider"),
    }
}

fn why(reason: &StopReason) -> String {
    match reason {
        StopReason::Asked => String::new(),
        StopReason::Crashed => "\nthe program was killed".to_owned(),
        StopReason::Unmended { pause } => format!("\n{pause}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_names_what_is_left_to_do() {
        let summary = RunSummary {
            run: "parking-7f3a".to_owned(),
            run_file: "/runs/parking-7f3a.voxpop".into(),
            total: 10,
            done: 6,
            failed: 1,
            refused: 1,
            in_batches: 0,
            flagged: 0,
            seconds: 61.4,
        };
        let spent = crate::model::Usd::ZERO;
        let pause = PauseReason::BudgetSpent { spent, budget: spent };
        let phase = RunPhase::Stopped { reason: StopReason::Unmended { pause } };
        let text = closing_lines(&summary, &phase, "parking-7f3a").join("\n");
        let remedy = "voxpop resume parking-7f3a --budget USD, with more than before";
        assert!(text.contains("the budget of") && text.contains(remedy), "{text}");
        let phase = RunPhase::Stopped { reason: StopReason::Asked };
        let text = closing_lines(&summary, &phase, "parking-7f3a").join("\n");
        insta::assert_snapshot!(text, @r"
        parking-7f3a: stopped after 01:01: 6 of 10 done, 1 refused, 1 failed, 2 not asked
        run file: /runs/parking-7f3a.voxpop
          go on where it stopped:   voxpop resume parking-7f3a
          ask the failed again:     voxpop retry parking-7f3a
          look at it again:         voxpop open parking-7f3a
          take the answers out:     voxpop export parking-7f3a --format csv
        ");
        let (run, message) = ("a\u{1b}[2J".to_owned(), "b\u{9b}2J".to_owned());
        let run_file = "/runs/a\u{1b}]0;x\u{7}.voxpop".into();
        let pause = PauseReason::CannotStore { message };
        let phase = RunPhase::Stopped { reason: StopReason::Unmended { pause } };
        let summary = RunSummary { run, run_file, ..summary };
        let text = closing_lines(&summary, &phase, "a\u{202e}b").join("\n");
        assert!(text.contains("voxpop open ab") && text.contains("b2J"), "{text}");
        assert!(!text.contains(|c: char| c != '\n' && c.is_control()), "{text:?}");
    }
}
