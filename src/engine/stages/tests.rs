//! What follows what, by the table alone.

use super::*;
use crate::model::{
    Attribute, Corrections, Grid, Judge, PersonaIndex, PromptTemplates, Score, Summarizing,
    TemplateName, Topic, Verdict,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id},
};

fn answer(narrative: &str) -> Answer {
    Answer {
        narrative: narrative.into(),
        support_level: Score::try_from(4).unwrap(),
        impacts: vec![],
        key_concerns: vec![],
        suggested_improvements: vec![],
    }
}

fn review(mode: ReviewMode) -> Review {
    let topic = Topic { name: "noise".into(), words: vec![] };
    Review { mode, follow_ups: 2, topics: vec![topic] }
}

fn holds() -> StepEvent {
    StepEvent::Judged { verdict: Verdict::Holds, by: Judge::Critic }
}

fn wants(issue: &str, off_topic: bool) -> StepEvent {
    let corrections = Corrections::default();
    let verdict = Verdict::NeedsChanges { issues: vec![issue.into()], off_topic, corrections };
    StepEvent::Judged { verdict, by: Judge::Critic }
}

fn says(narrative: &str) -> StepEvent {
    StepEvent::Answered { answer: answer(narrative) }
}

fn corrected(narrative: &str) -> StepEvent {
    StepEvent::Corrected { fields: vec!["narrative".into()], answer: answer(narrative) }
}

/// Plays an interview: at each turn the table must ask for the stage that the script has next.
fn play(mode: ReviewMode, script: Vec<(Stage, Vec<StepEvent>)>) -> Fate {
    let review = review(mode);
    let coverage = Coverage::new(&review.topics);
    let mut standing = Standing::default();
    for (n, (stage, events)) in script.into_iter().enumerate() {
        assert_eq!(next(&review, &coverage, &standing), Next::Ask(stage), "turn {n}");
        for event in events {
            standing.take(stage, &event);
        }
    }
    match next(&review, &coverage, &standing) {
        Next::End(fate) => fate,
        Next::Ask(stage) => panic!("the script ends, and {stage:?} is due"),
    }
}

#[test]
fn without_review_the_answer_is_the_end() {
    let fate = play(ReviewMode::Off, vec![(Stage::Answer, vec![says("Fine.")])]);
    assert_eq!(fate, Fate::Answered(answer("Fine.")));
}

#[test]
fn a_good_answer_takes_two_calls_fused_and_three_separately() {
    let fused = vec![(Stage::Answer, vec![says("noise")]), (Stage::Review, vec![holds()])];
    assert_eq!(play(ReviewMode::Fused, fused), Fate::Answered(answer("noise")));
    let separate = vec![
        (Stage::Answer, vec![says("noise")]),
        (Stage::Consistency, vec![holds()]),
        (Stage::Relevance, vec![holds()]),
    ];
    assert_eq!(play(ReviewMode::Separate, separate), Fate::Answered(answer("noise")));
}

#[test]
fn what_is_corrected_is_looked_at_once_more() {
    let wrong = vec![wants("5 and against", false), corrected("no noise")];
    let fused = vec![
        (Stage::Answer, vec![says("noise")]),
        (Stage::Review, wrong.clone()),
        (Stage::Review, vec![holds()]),
    ];
    assert_eq!(play(ReviewMode::Fused, fused), Fate::Answered(answer("no noise")));
    let separate = vec![
        (Stage::Answer, vec![says("noise")]),
        (Stage::Consistency, wrong),
        (Stage::Relevance, vec![holds()]),
        (Stage::FinalConsistency, vec![wants("still", false)]),
    ];
    let flagged = Fate::Flagged { answer: answer("no noise"), issues: vec!["still".into()] };
    assert_eq!(play(ReviewMode::Separate, separate), flagged);
}

#[test]
fn a_topic_that_is_left_out_is_asked_for_twice_and_then_flagged() {
    let script = vec![
        (Stage::Answer, vec![says("rent")]),
        (Stage::FollowUp, vec![says("rent, really")]),
        (Stage::FollowUp, vec![StepEvent::GaveNothing { why: "cut off".into() }]),
        (Stage::Review, vec![holds()]),
    ];
    let Fate::Flagged { issues, .. } = play(ReviewMode::Fused, script) else { panic!("no flag") };
    assert_eq!(issues, ["follow-up: cut off", "says nothing of noise"]);
}

#[test]
fn a_critic_that_disagrees_for_ever_is_heard_six_times() {
    let mut script =
        vec![(Stage::Answer, vec![says("noise")]), (Stage::Consistency, vec![holds()])];
    for round in 0..5 {
        script.push((Stage::Relevance, vec![wants("beside the point", true)]));
        script.push((Stage::Mend, vec![says(&format!("noise {round}"))]));
    }
    script.push((Stage::Relevance, vec![wants("beside the point", true)]));
    script.push((Stage::FinalConsistency, vec![holds()]));
    let Fate::Flagged { answer, issues } = play(ReviewMode::Separate, script) else {
        panic!("no flag")
    };
    assert_eq!((answer.narrative.as_str(), issues), ("noise 4", vec!["beside the point".into()]));
}

#[test]
fn a_critic_that_gives_nothing_leaves_a_flag_and_the_answer() {
    for (mode, stage) in
        [(ReviewMode::Fused, Stage::Review), (ReviewMode::Separate, Stage::Consistency)]
    {
        let mut script = vec![
            (Stage::Answer, vec![says("noise")]),
            (stage, vec![StepEvent::GaveNothing { why: "malformed".into() }]),
        ];
        if mode == ReviewMode::Separate {
            script.push((Stage::Relevance, vec![holds()]));
        }
        let Fate::Flagged { issues, .. } = play(mode, script) else { panic!("no flag") };
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert!(issues[0].ends_with("critic: malformed"), "{issues:?}");
    }
}

fn stages(mode: ReviewMode, prompts: PromptTemplates) -> Stages {
    let survey = Survey {
        name: "n".into(),
        question: "Should it?".into(),
        domain: "unknown".into(),
        grid: Grid { support: "S".into(), impacts: Vec::new() },
        model: "m".into(),
        temperature: 0.7,
        max_output_tokens: 600,
        prompts,
        review: review(mode),
        pack: 5,
        summary: Summarizing::default(),
    };
    let prompts = Prompts::compile(&survey).unwrap();
    Stages::new(survey, prompts)
}

fn persona(age: &str) -> Persona {
    let age = Attribute { name: "age".into(), value: age.into() };
    Persona { index: PersonaIndex(0), id: "p".into(), weight: None, attributes: vec![age] }
}

#[test]
fn who_is_asked_to_mend_is_told_what_missed_the_question_and_no_more() {
    for (mode, script) in [
        (
            ReviewMode::Separate,
            vec![
                (Stage::Answer, says("noise")),
                (Stage::Consistency, wants("says owns, rents", false)),
                (Stage::Consistency, corrected("noise, I rent")),
                (Stage::Relevance, wants("beside the point", true)),
            ],
        ),
        (
            ReviewMode::Fused,
            vec![(Stage::Answer, says("noise")), (Stage::Review, wants("beside the point", true))],
        ),
    ] {
        let stages = stages(mode, PromptTemplates::default());
        let mut standing = Standing::default();
        for (stage, event) in &script {
            standing.take(*stage, event);
        }
        assert_eq!(stages.next(&standing), Next::Ask(Stage::Mend));
        let asked = stages.ask(Stage::Mend, &persona("34"), &standing).unwrap();
        assert!(asked.prompt.contains("\n- beside the point\n"), "{}", asked.prompt);
        assert!(!asked.prompt.contains("says owns"), "{}", asked.prompt);
    }
}

#[test]
fn a_template_that_fails_for_a_pack_is_told_once() {
    let sums = "{% for persona in personas %}{{ persona.age|int + 1 }}{% endfor %}";
    let prompts = PromptTemplates([(TemplateName::People, sums.to_owned())].into());
    let stages = stages(ReviewMode::Fused, prompts);
    let (young, old) = (persona("34"), persona("old"));
    let ask = |personas: [&Persona; 2]| {
        let member = |persona| Member { persona, standing: Standing::default() };
        stages.ask_together(Together::Answer, &personas.map(member))
    };
    let asked = ask([&young, &young]).unwrap();
    assert_eq!((asked.stage, asked.prompt.as_str()), (Stage::Packed, "3535"));
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), || {
        for _ in 0..3 {
            assert!(ask([&young, &old]).is_none());
        }
    });
    assert_eq!(heard.0.load(Ordering::Relaxed), 1);
}

/// Counts what is told.
#[derive(Clone, Default)]
struct Heard(Arc<AtomicUsize>);

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target().starts_with("voxpop") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn an_off_topic_answer_is_mended_before_the_second_look() {
    let script = vec![
        (Stage::Answer, vec![says("noise")]),
        (Stage::Review, vec![wants("beside the point", true)]),
        (Stage::Mend, vec![says("noise, I am for it")]),
        (Stage::Review, vec![holds()]),
    ];
    assert_eq!(play(ReviewMode::Fused, script), Fate::Answered(answer("noise, I am for it")));
}
