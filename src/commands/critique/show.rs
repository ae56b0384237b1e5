//! The question as it is and as it is proposed: beside each other where there is room.

use crate::{
    engine::Critiqued,
    model::{Survey, Usd},
    ui::{
        format::{plural, thousands},
        text::{pad, wrap},
    },
};
use std::io::IsTerminal;

/// From this width on there are two columns.
const WIDE: usize = 96;

/// Between two columns.
const GAP: &str = "   ";

/// Cells for the names of the rows.
const NAMES: usize = 10;

/// Columns of the terminal; 80 where there is none.
pub(super) fn width() -> usize {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return 80;
    }
    let size = rustix::termios::tcgetwinsize(&out);
    size.map_or(80, |size| usize::from(size.ws_col)).clamp(40, 160)
}

/// All of it, in this many columns.
pub(super) fn words(
    survey: &Survey,
    proposed: &Survey,
    critiqued: &Critiqued,
    width: usize,
    kept: bool,
) -> String {
    let mut lines = Vec::new();
    findings(critiqued, width, &mut lines);
    lines.push(String::new());
    let rows: Vec<_> = rows(survey).into_iter().zip(rows(proposed)).collect();
    if width >= WIDE {
        let column = (width - NAMES - GAP.len()) / 2;
        lines.push(row("", "as it is", "proposed", column));
        for ((name, before), (_, after)) in rows {
            let after = if before == after { "the same".to_owned() } else { after };
            let (before, after) = (wrap(&before, column), wrap(&after, column));
            for n in 0..before.len().max(after.len()) {
                let at = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
                let name = if n == 0 { name } else { "" };
                lines.push(row(name, &at(&before), &at(&after), column));
            }
        }
    } else {
        for ((name, before), (_, after)) in rows {
            if before == after {
                under(name, &before, width, &mut lines);
            } else {
                under(name, &before, width, &mut lines);
                under("proposed", &after, width, &mut lines);
            }
        }
    }
    lines.push(String::new());
    lines.push(closing(critiqued, kept));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn findings(critiqued: &Critiqued, width: usize, lines: &mut Vec<String>) {
    let findings = &critiqued.critique.findings;
    if findings.is_empty() {
        lines.push("the critic finds nothing wrong with the question".to_owned());
        return;
    }
    lines.push(format!(
        "the critic finds {}",
        plural(findings.len() as u64, "fault in the question", "faults in the question")
    ));
    for finding in findings {
        let passage = if finding.passage.is_empty() {
            String::new()
        } else {
            format!("\u{201c}{}\u{201d}: ", finding.passage)
        };
        let words = format!("{}: {passage}{}", finding.fault.label(), finding.why);
        for (n, line) in wrap(&words, width.saturating_sub(4)).into_iter().enumerate() {
            lines.push(format!("{}{line}", if n == 0 { "  - " } else { "    " }));
        }
    }
}

/// What a critic may change, by name.
fn rows(survey: &Survey) -> [(&'static str, String); 4] {
    let impacts: Vec<_> = survey.grid.impacts.iter().map(|impact| impact.label.as_str()).collect();
    [
        ("question", survey.question.clone()),
        ("domain", survey.domain.clone()),
        ("support", survey.grid.support.clone()),
        ("impacts", impacts.join(", ")),
    ]
}

fn row(name: &str, before: &str, after: &str, column: usize) -> String {
    format!("{}{}{GAP}{after}", pad(name, NAMES, ""), pad(before, column, "")).trim_end().to_owned()
}

fn under(name: &str, words: &str, width: usize, lines: &mut Vec<String>) {
    for (n, line) in wrap(words, width - NAMES).into_iter().enumerate() {
        let name = if n == 0 { name } else { "" };
        lines.push(format!("{}{line}", pad(name, NAMES, "")).trim_end().to_owned());
    }
}

fn closing(critiqued: &Critiqued, kept: bool) -> String {
    let rest = if kept { "" } else { "; nothing is changed: --write FILE keeps the proposals" };
    let usage = &critiqued.usage;
    let cost = match critiqued.cost {
        Usd::ZERO => String::new(),
        cost => format!(", {cost}"),
    };
    format!(
        "{}, {} + {} tokens{cost}{rest}",
        plural(u64::from(critiqued.attempts), "call", "calls"),
        thousands(usage.prompt_tokens),
        thousands(usage.completion_tokens),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{EXAMPLE_SURVEY, load_survey_str},
        model::{Critique, Domain, Fault, Flaw, Usage},
    };
    use std::path::Path;

    #[test]
    fn two_columns_where_there_is_room_and_one_under_the_other_else() {
        let survey = load_survey_str(EXAMPLE_SURVEY, Path::new("s.yaml")).unwrap();
        let mut proposed = survey.clone();
        proposed.question = "Should new apartment buildings have fewer car spaces?".into();
        let finding = Flaw {
            fault: Fault::Ambiguous,
            passage: "minimum number".into(),
            why: "people take it to mean different things".into(),
        };
        let critique = Critique {
            findings: vec![finding],
            rewrite: proposed.question.clone(),
            domain: Domain::CivicPolicy,
            support: None,
            impacts: Vec::new(),
        };
        let usage = Usage { prompt_tokens: 1_555, completion_tokens: 119, cached_tokens: 0 };
        let critiqued = Critiqued { critique, usage, attempts: 1, cost: Usd::ZERO };
        let wide = words(&survey, &proposed, &critiqued, 100, false);
        let narrow = words(&survey, &proposed, &critiqued, 60, false);
        insta::assert_snapshot!(format!("{wide}\n======\n{narrow}"));
        for (text, most) in [(wide, 100), (narrow, 80)] {
            assert!(text.lines().all(|line| crate::ui::text::width(line) <= most), "{text}");
        }
    }
}
