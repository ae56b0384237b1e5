//! What the answers come to, as lines: how they are spread, then what they say.

use super::{format, state::Mirror, text, theme::Role, widget::Piece};
use crate::{
    model::{Analysis, Finding, Tally},
    protocol::Distribution,
};

/// Cells for the name of a dimension, a driver or a theme: it gives way to the numbers beside it.
const MOST_NAME: usize = 34;
const LEAST_NAME: usize = 12;

/// The numbers of a dimension, and of a driver or a theme.
const SHARES: &str = "     1     2     3     4     5   mean";
const COUNTS: &str = "     n  share     1     2     3     4     5";

/// Fewer answers than this are marked.
const FEW: u32 = 30;

/// Drivers and themes that are listed.
const MOST_LISTED: usize = 20;

/// How the answers were spread at each moment is not kept, and the summary is of the end.
const IN_A_REPLAY: &str = "Not on record while the replay plays: this shows at its end, and so does \
                           the summary.";

type Line = Vec<Piece>;

/// All lines, each within `width` cells; only where that is not even [`LEAST_NAME`] and the numbers
/// are the rows of tables cut.
pub fn lines(run: &Mirror, width: usize, ellipsis: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    if run.meters.replay.is_some() && !run.ended() {
        heading(&mut lines, "Distribution of the answers");
        prose(&mut lines, Role::Dim, IN_A_REPLAY, width);
        return lines;
    }
    lines.extend(spread(&run.meters.distribution, width, ellipsis));
    lines.push(Vec::new());
    match &run.analysis {
        Some(analysis) => said(&mut lines, analysis, width, ellipsis),
        None => prose(&mut lines, Role::Dim, &waiting(run), width),
    }
    lines
}

/// Why there is no summary.
fn waiting(run: &Mirror) -> String {
    match run.meters.analysis {
        Some(meter) => {
            format!("The answers are being summed up: {} of {} pieces.", meter.done, meter.total)
        }
        None if run.ended() => {
            "There is no summary: `voxpop summarize` makes one of the answers that there are."
                .into()
        }
        None => "The summary is made when the interviews are over.".into(),
    }
}

/// How the answers on disk are spread over the grid, in weighted shares.
fn spread(spread: &Distribution, width: usize, ellipsis: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let answers = format::thousands(spread.answers.into());
    let mut what = if spread.weighted {
        format!(
            "n = {answers}, weighted shares (weights {:.2} to {:.2}); they say as much as {:.0} of \
             equal weight",
            spread.lightest,
            spread.heaviest,
            spread.effective()
        )
    } else {
        format!("n = {answers}, every one of the same weight")
    };
    if let Some(margin) = spread.margin() {
        what.push_str(&format!("; off by chance by {:.0} points at most", margin * 100.0));
    }
    if (1..FEW).contains(&spread.answers) {
        what.push_str("; too few for shares to say much");
    }
    heading(&mut lines, "Distribution of the answers");
    prose(&mut lines, Role::Dim, &what, width);
    if spread.answers == 0 {
        return lines;
    }
    let name = name_cells(width, SHARES);
    lines.push(vec![(Role::Dim, format!("{:name$}{SHARES}", ""))]);
    for score in &spread.scores {
        let mut line = vec![(Role::Text, text::pad(&score.label, name, ellipsis))];
        let shares = score.shares();
        let most = shares.iter().copied().fold(0.0, f64::max);
        for share in shares {
            let role = if share > 0.0 && share >= most { Role::Title } else { Role::Text };
            line.push((role, format!("{:>4.0} %", share * 100.0)));
        }
        let mean = score.mean().map_or_else(|| "-".to_owned(), |mean| format!("{mean:.1}"));
        line.push((Role::Info, format!("{mean:>7}")));
        lines.push(line);
    }
    lines
}

fn said(lines: &mut Vec<Line>, analysis: &Analysis, width: usize, ellipsis: &str) {
    heading(lines, "Summary");
    prose(lines, Role::Dim, &analysis.origin(), width);
    for (name, findings) in analysis.findings.sorts() {
        if !findings.is_empty() {
            lines.push(Vec::new());
            heading(lines, name);
        }
        for finding in findings {
            found(lines, finding, width);
        }
    }
    let name = name_cells(width, COUNTS);
    for (title, tallies) in [
        ("Drivers by support level", &analysis.drivers),
        ("Themes by support level", &analysis.themes),
    ] {
        if tallies.is_empty() {
            continue;
        }
        lines.push(Vec::new());
        let beside = title.len() <= name;
        if !beside {
            heading(lines, title);
        }
        let title = if beside { title } else { "" };
        lines.push(vec![
            (Role::Title, text::pad(title, name, ellipsis)),
            (Role::Dim, COUNTS.to_owned()),
        ]);
        let listed = tallies.iter().take(MOST_LISTED);
        lines.extend(listed.map(|tally| row(tally, analysis.weight, name, ellipsis)));
    }
}

/// A finding, and under it whom it rests on.
fn found(lines: &mut Vec<Line>, finding: &Finding, width: usize) {
    let mut mark = "- ";
    for words in text::wrap(&finding.text, width.saturating_sub(2)) {
        lines.push(vec![(Role::Text, format!("{mark}{words}"))]);
        mark = "  ";
    }
    for words in text::wrap(&finding.cites(), width.saturating_sub(2)) {
        lines.push(vec![(Role::Dim, format!("  {words}"))]);
    }
}

/// What is left for names beside these columns.
fn name_cells(width: usize, columns: &str) -> usize {
    width.saturating_sub(columns.len()).clamp(LEAST_NAME, MOST_NAME)
}

fn row(tally: &Tally, weight: f64, name: usize, ellipsis: &str) -> Line {
    let share = if weight > 0.0 { tally.weight * 100.0 / weight } else { 0.0 };
    let mut line = vec![
        (Role::Text, text::pad(&tally.name, name, ellipsis)),
        (Role::Title, format!("{:>6}", format::thousands(tally.count().into()))),
        (Role::Text, format!("{share:>5.0} %")),
    ];
    for (count, role) in
        tally.by_support.iter().zip([Role::Bad, Role::Warning, Role::Text, Role::Info, Role::Good])
    {
        let role = if *count == 0 { Role::Dim } else { role };
        line.push((role, format!("{count:>6}")));
    }
    line
}

fn heading(lines: &mut Vec<Line>, words: &str) {
    lines.push(vec![(Role::Title, words.to_owned())]);
}

fn prose(lines: &mut Vec<Line>, role: Role, words: &str, width: usize) {
    lines.extend(text::wrap(words, width).into_iter().map(|words| vec![(role, words)]));
}
