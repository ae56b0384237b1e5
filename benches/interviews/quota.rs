//! Personas a minute at the same quota, by the way that interviews take.

use crate::run::{Held, Pace, People, hold};
use voxpop::{
    model::{InterviewStatus, Judge, StepEvent},
    personas,
    simulator::{Conduct, Share},
};

/// A way that interviews take.
struct Way {
    name: &'static str,
    /// What a survey says to have it.
    keys: &'static [(&'static str, &'static str)],
    /// The personas a minute that it should reach.
    asked: Option<u32>,
    people: People,
}

const fn way(name: &'static str, keys: &'static [(&'static str, &'static str)]) -> Way {
    Way { name, keys, asked: None, people: People::Example }
}

const SIMILAR: (&str, &str) = ("cache", "{similar: 0.9}");
const PACK: (&str, &str) = ("pack", "5");

const WAYS: [Way; 7] = [
    way("review: separate", &[("review", "separate")]),
    Way { asked: Some(22), ..way("review: fused", &[("review", "fused")]) },
    way("fused, cache: similar: 0.9", &[SIMILAR]),
    Way { people: People::Different(20), ..way("the same, 20 profiles 10 times", &[SIMILAR]) },
    Way { asked: Some(90), ..way("fused, pack: 5", &[PACK]) },
    way("fused, pack: 5, similar: 0.9", &[PACK, SIMILAR]),
    way("review: off, pack: 5", &[("review", "off"), PACK]),
];

/// Slots of the rate that the source's way takes at the least: answer, consistency, coverage
/// (which calls nobody), relevance, final consistency.
const SLOTS_OF_SOURCE: u32 = 5;

pub fn quota(pace: Pace) {
    println!(
        "{} personas at {} requests/min; the paused clock is led {} times as fast as a real one, a \
         sixth of it for packs",
        personas::example().len(),
        pace.rpm,
        pace.speed
    );
    table("every answer is clean", pace, Conduct::default());
    let as_in_the_demo = Conduct {
        contradictions: Share::percent(4),
        topics_missed: Share::percent(6),
        off_topic: Share::percent(1),
        ..Conduct::default()
    };
    table("4 % contradictions, 6 % topics missed, 1 % off topic", pace, as_in_the_demo);
    println!(
        "\n  personas/min: personas / minutes; minutes: first request to last interview over, on disk\n  \
         calls: requests in the run file, which the simulator has counted too; of them, by stage, below"
    );
}

fn table(conduct: &str, pace: Pace, how: Conduct) {
    println!(
        "\n{conduct}\n  {:<32} {:>12} {:>6} {:>13} {:>6} {:>8} {:>12} {:>7}",
        "", "personas/min", "asked", "calls/persona", "calls", "minutes", "requests/min", "flagged"
    );
    source(pace);
    for way in &WAYS {
        // Its critic of several takes the simulator long on the real clock.
        let slowly = Pace { speed: (pace.speed / 6).max(1), ..pace };
        let pace = if way.keys.contains(&PACK) { slowly } else { pace };
        row(way, pace, &steadily(way, pace, how));
    }
}

/// A run that nothing but the limiter held up, or the last of three, each at half the speed.
fn steadily(way: &Way, mut pace: Pace, how: Conduct) -> Held {
    for _ in 0..2 {
        let held = hold(pace, way.keys, how, way.people);
        if !is_held_up(&held, pace) {
            return held;
        }
        pace.speed = (pace.speed / 2).max(1);
    }
    hold(pace, way.keys, how, way.people)
}

/// Whether less was sent than the limiter lets through: 99 % of the quota while limits adapt.
fn is_held_up(held: &Held, pace: Pace) -> bool {
    (held.calls() as f64) / held.minutes() < 0.95 * 0.99 * f64::from(pace.rpm)
}

/// Counted, not run.
fn source(pace: Pace) {
    let personas = personas::example().len() as f64;
    let rate = f64::from(pace.rpm) / f64::from(SLOTS_OF_SOURCE);
    println!(
        "  {:<32} {:>12} {:>6} {:>13} {:>6} {:>8.1} {:>12} {:>7}",
        "the source's way (computed)",
        format!("<= {rate:.1}"),
        "",
        ">= 4",
        format!(">={:.0}", personas * 4.0),
        personas / rate,
        pace.rpm,
        "-"
    );
    println!(
        "      {SLOTS_OF_SOURCE} slots of the rate a persona: answer, consistency, coverage (no call), \
         relevance, final consistency"
    );
}

fn row(way: &Way, pace: Pace, held: &Held) {
    let Way { name, asked, .. } = way;
    let (personas, calls, minutes) = (held.personas(), held.calls() as f64, held.minutes());
    println!(
        "  {name:<32} {:>12.1} {:>6} {:>13.2} {:>6} {minutes:>8.1} {:>12.1} {:>7}",
        personas / minutes,
        asked.map_or_else(String::new, |least| format!(">= {least}")),
        calls / personas,
        held.calls(),
        calls / minutes,
        held.with_status(InterviewStatus::Flagged)
    );
    let mut parts: Vec<_> =
        held.calls.iter().map(|(stage, calls)| format!("{stage} {calls}")).collect();
    let shared = shared(held);
    if shared > 0 {
        parts.push(format!("{shared} verdicts taken over"));
    }
    let over = [InterviewStatus::Done, InterviewStatus::Flagged].map(|s| held.with_status(s));
    if over.iter().sum::<usize>() < held.interviews.len() {
        parts.push("NOT ALL ANSWERED".to_owned());
    }
    if is_held_up(held, pace) {
        parts.push("HELD UP".to_owned());
    }
    if held.received != held.calls() {
        parts.push(format!("THE SIMULATOR COUNTED {}", held.received));
    }
    println!("      {}", parts.join(", "));
}

/// Verdicts that were another answer's.
fn shared(held: &Held) -> usize {
    let steps = held.interviews.iter().flat_map(|one| &one.steps);
    let by_another =
        |event: &StepEvent| matches!(event, StepEvent::Judged { by: Judge::Similar { .. }, .. });
    steps.filter(|step| by_another(&step.event)).count()
}
