//! Contradictions found and mended by whole runs, and false alarms.

use crate::run::{Held, Interview, Pace, People, hold};
use voxpop::{
    model::{InterviewStatus, Stage, StepEvent, Verdict},
    simulator::{Conduct, Share},
};

pub fn verdicts(pace: Pace) {
    println!(
        "\n200 answers that contradict their profile or themselves, and 200 clean ones\n  {:<20} \
         {:>12} {:>12} {:>12} {:>14}",
        "", "found", "mended", "flagged", "false alarms"
    );
    let contradicting = Conduct { contradictions: Share::percent(100), ..Conduct::default() };
    for mode in ["separate", "fused"] {
        let keys = [("review", mode)];
        let bad = hold(pace, &keys, contradicting, People::Example);
        let clean = hold(pace, &keys, Conduct::default(), People::Example);
        println!(
            "  {:<20} {:>12} {:>12} {:>12} {:>14}",
            format!("review: {mode}"),
            share(&bad, was_found),
            share(&bad, was_mended),
            share(&bad, |one| one.status == InterviewStatus::Flagged),
            share(&clean, has_alarm)
        );
    }
    println!(
        "\n  found: the first verdict asked for changes; mended: found, done without a flag, and the\n  \
         last verdict on consistency lets the answer stand; false alarms: any verdict that asked for\n  \
         changes of a clean answer\n  \
         This measures the plumbing, not a model's judgement: the simulator's critic goes by rules,\n  \
         which know the kinds of contradiction that the simulator's personas make."
    );
}

fn share(held: &Held, of: impl Fn(&Interview) -> bool) -> String {
    let count = held.interviews.iter().filter(|one| of(one)).count();
    format!("{count} ({:.1} %)", 100.0 * count as f64 / held.personas())
}

/// The verdicts of an interview, in their order.
fn verdicts_of(one: &Interview) -> impl DoubleEndedIterator<Item = (Stage, &Verdict)> {
    one.steps.iter().filter_map(|step| match &step.event {
        StepEvent::Judged { verdict, .. } => Some((step.stage, verdict)),
        _ => None,
    })
}

const fn wants_changes(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::NeedsChanges { .. })
}

fn was_found(one: &Interview) -> bool {
    verdicts_of(one).next().is_some_and(|(_, verdict)| wants_changes(verdict))
}

fn was_mended(one: &Interview) -> bool {
    let on_consistency = |stage: &Stage| {
        matches!(stage, Stage::Consistency | Stage::FinalConsistency | Stage::Review)
    };
    let last = verdicts_of(one).rfind(|(stage, _)| on_consistency(stage));
    was_found(one)
        && one.status == InterviewStatus::Done
        && last.is_some_and(|(_, verdict)| !wants_changes(verdict))
}

fn has_alarm(one: &Interview) -> bool {
    verdicts_of(one).any(|(_, verdict)| wants_changes(verdict))
}
