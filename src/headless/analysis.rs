//! What the answers come to, as lines of words and as JSON.

use crate::model::{Analysis, Finding, Tally, strip_controls};
use serde_json::{Value, json};

/// Drivers and themes that are listed.
const MOST_LISTED: usize = 10;

/// Lines for people: the findings with what they rest on, then drivers and themes.
pub fn lines(analysis: &Analysis) -> Vec<String> {
    let mut lines = vec![analysis.origin()];
    for (heading, findings) in analysis.findings.sorts() {
        if findings.is_empty() {
            continue;
        }
        lines.push(String::new());
        lines.push(heading.to_owned());
        lines.extend(
            findings.iter().map(|finding| format!("  - {} [{}]", finding.text, finding.cites())),
        );
    }
    for (heading, tallies) in [("Drivers", &analysis.drivers), ("Themes", &analysis.themes)] {
        if tallies.is_empty() {
            continue;
        }
        lines.push(String::new());
        let head = "answers  share  against  torn  in favour";
        lines.push(format!("{heading:<42} {head}"));
        lines.extend(tallies.iter().take(MOST_LISTED).map(|tally| row(tally, analysis)));
    }
    for line in &mut lines {
        *line = strip_controls(line);
    }
    lines
}

fn row(tally: &Tally, analysis: &Analysis) -> String {
    let [strongly, rather, torn, for_it, all_for_it] = tally.by_support;
    let share = if analysis.weight > 0.0 { tally.weight * 100.0 / analysis.weight } else { 0.0 };
    let name: String = tally.name.chars().take(40).collect();
    format!(
        "  {name:<40} {:>7} {share:>4.0} % {:>8} {torn:>5} {:>10}",
        tally.count(),
        strongly + rather,
        for_it + all_for_it
    )
}

/// The same for programs; all of it.
pub fn object(analysis: &Analysis) -> Value {
    let findings = |findings: &[Finding]| {
        let one = |finding: &Finding| {
            json!({
                "text": finding.text,
                "groups": finding.groups,
                "personas": finding.personas,
            })
        };
        findings.iter().map(one).collect::<Vec<_>>()
    };
    let tallies = |tallies: &[Tally]| {
        let one = |tally: &Tally| {
            json!({
                "name": tally.name,
                "answers": tally.count(),
                "by_support_level": tally.by_support,
                "weight": tally.weight,
            })
        };
        tallies.iter().map(one).collect::<Vec<_>>()
    };
    json!({
        "event": "analysis",
        "answers": analysis.answers,
        "weight": analysis.weight,
        "groups": analysis.groups,
        "made": analysis.by,
        "groups_by_words": analysis.fell_back,
        "findings": {
            "themes": findings(&analysis.findings.themes),
            "conflicts": findings(&analysis.findings.conflicts),
            "surprises": findings(&analysis.findings.surprises),
        },
        "drivers": tallies(&analysis.drivers),
        "themes": tallies(&analysis.themes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Findings, MadeBy, PersonaIndex};

    #[test]
    fn what_the_answers_come_to_is_said_with_what_it_rests_on() {
        let finding = Finding {
            text: "Rent is too high.".into(),
            groups: vec![1, 2],
            personas: vec![PersonaIndex(7)],
        };
        let tally = Tally { name: "rising rents".into(), by_support: [3, 1, 0, 2, 0], weight: 6.0 };
        let analysis = Analysis {
            findings: Findings { themes: vec![finding], ..Findings::default() },
            by: MadeBy::Model,
            covers: vec![1, 2],
            groups: 2,
            fell_back: vec![2],
            answers: 60,
            weight: 60.0,
            drivers: vec![tally],
            themes: vec![],
        };
        insta::assert_snapshot!(lines(&analysis).join("\n"), @r"
        60 answers in 2 groups, summarized by the model; group 2 by words, the model gave nothing

        Main themes
          - Rent is too high. [groups 1, 2; persona 7]

        Drivers                                    answers  share  against  torn  in favour
          rising rents                                   6   10 %        4     0          2
        ");
        assert_eq!(object(&analysis)["drivers"][0]["answers"], 6);
    }
}
