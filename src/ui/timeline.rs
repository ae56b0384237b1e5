//! The timeline of an interview in words: what critics said, and what changed because of it.

use super::{format, glyphs::Glyphs, theme::Role};
use crate::model::{Answer, Judge, Step, StepEvent, Verdict};
use jiff::tz::TimeZone;

/// One entry: its colour, what stands in front, and the words.
pub type Entry = (Role, String, String);

/// Every step, oldest first, each by what it changed.
pub fn entries(steps: &[Step], glyphs: &Glyphs, zone: &TimeZone) -> Vec<Entry> {
    let mut before: Option<&Answer> = None;
    let mut entries = Vec::with_capacity(steps.len());
    for step in steps {
        let time = format::time_of_day(step.at, zone);
        let head = format!("{time}  {}: ", step.stage.label());
        let (role, words) = match &step.event {
            StepEvent::Answered { answer } => {
                let words = match before.replace(answer) {
                    None => numbers(answer),
                    Some(before) => changes(before, answer, glyphs),
                };
                (Role::Text, words)
            }
            StepEvent::TopicsMissed { topics } => {
                (Role::Info, format!("asked what it says of {}", topics.join(", ")))
            }
            StepEvent::Judged { verdict, by } => judged(verdict, by),
            StepEvent::Corrected { answer, .. } => {
                let words = before
                    .map_or_else(|| numbers(answer), |before| changes(before, answer, glyphs));
                before = Some(answer);
                (Role::Info, format!("corrected {words}"))
            }
            StepEvent::GaveNothing { why } => (Role::Bad, format!("gave nothing: {why}")),
        };
        entries.push((role, head, words));
    }
    entries
}

fn judged(verdict: &Verdict, by: &Judge) -> (Role, String) {
    let by = match by {
        Judge::Critic => String::new(),
        Judge::Similar { donor, similarity } => {
            format!(", as for persona {donor}, whose answer is {:.0} % alike", similarity * 100.0)
        }
    };
    match verdict {
        Verdict::Holds => (Role::Good, format!("no objection{by}")),
        Verdict::NeedsChanges { issues, off_topic, .. } => {
            let what = if *off_topic { "misses the question" } else { "objects" };
            (Role::Warning, format!("{what}{by}: {}", issues.join("; ")))
        }
    }
}

fn numbers(answer: &Answer) -> String {
    let mut words = format!("support {}", answer.support_level.get());
    for (key, score) in &answer.impacts {
        words.push_str(&format!(", {} {}", key.replace('_', " "), score.get()));
    }
    words
}

/// `support level 4 -> 2, narrative: "..."`.
fn changes(before: &Answer, after: &Answer, glyphs: &Glyphs) -> String {
    let mut words = Vec::new();
    let arrow = glyphs.arrow;
    if before.support_level != after.support_level {
        let (old, new) = (before.support_level.get(), after.support_level.get());
        words.push(format!("support {old} {arrow} {new}"));
    }
    for ((key, old), (_, new)) in before.impacts.iter().zip(&after.impacts) {
        if old != new {
            words.push(format!("{} {} {arrow} {}", key.replace('_', " "), old.get(), new.get()));
        }
    }
    for (key, differs) in [
        ("concerns", before.key_concerns != after.key_concerns),
        ("improvements", before.suggested_improvements != after.suggested_improvements),
    ] {
        if differs {
            words.push(format!("other {key}"));
        }
    }
    if before.narrative != after.narrative {
        words.push(match after.narrative.strip_prefix(before.narrative.as_str()) {
            Some(added) => format!("added: {}", added.trim()),
            None => format!("now: {}", after.narrative),
        });
    }
    if words.is_empty() { "nothing changed".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Corrections, PersonaIndex, Score, Stage, UnixMillis};

    #[test]
    fn a_contradiction_reads_as_found_and_mended() {
        let answer = |support| Answer {
            narrative: "I am against it.".into(),
            support_level: Score::try_from(support).unwrap(),
            impacts: vec![],
            key_concerns: vec![],
            suggested_improvements: vec![],
        };
        let verdict = Verdict::NeedsChanges {
            issues: vec!["against it, yet 5".into()],
            off_topic: false,
            corrections: Corrections::default(),
        };
        let step = |stage, event| Step { at: UnixMillis(0), stage, event };
        let steps = [
            step(Stage::Answer, StepEvent::Answered { answer: answer(5) }),
            step(Stage::Review, StepEvent::Judged { verdict, by: Judge::Critic }),
            step(
                Stage::Review,
                StepEvent::Corrected { fields: vec!["support_level".into()], answer: answer(1) },
            ),
            step(Stage::Review, StepEvent::Judged { verdict: Verdict::Holds, by: Judge::Critic }),
            step(
                Stage::Relevance,
                StepEvent::Judged {
                    verdict: Verdict::Holds,
                    by: Judge::Similar { donor: PersonaIndex(7), similarity: 0.934 },
                },
            ),
        ];
        let entries = entries(&steps, &Glyphs::ASCII, &TimeZone::UTC);
        let lines: Vec<_> = entries.into_iter().map(|(_, head, words)| head + &words).collect();
        assert_eq!(
            lines,
            [
                "00:00:00  answer: support 5",
                "00:00:00  critic: objects: against it, yet 5",
                "00:00:00  critic: corrected support 5 -> 1",
                "00:00:00  critic: no objection",
                "00:00:00  relevance critic: no objection, as for persona 7, whose answer is 93 % \
                 alike",
            ]
        );
    }
}
