//! What was asked before is not asked again, unless somebody wants it; and one verdict may hold
//! for answers that are nearly the same.

use crate::{
    asking::{Provider, answer_of, answer_text, assert_own_answer},
    common::{
        provider::{Reply, answer_for},
        voxpop::Outcome,
    },
    place::{Place, count, limits, name, status},
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use voxpop::{
    model::{Judge, PersonaIndex, StepEvent},
    store::RunReader,
};

const MANY: usize = 40;

/// Puts the survey to the people under a name for the run.
fn ask(place: &Place, run: &str, more: &[&str]) -> Outcome {
    let survey = place.path("survey.yaml");
    let people = place.path("people.csv");
    let args = ["run", &survey, "--personas", &people, "--name", run, "--json"];
    let outcome = place.voxpop(&[&args[..], more].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

fn export(place: &Place, run: &str) -> Vec<Value> {
    let outcome = place.voxpop(&["export", run]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.out.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

fn reader(place: &Place, run: &str) -> RunReader {
    RunReader::open(&place.runs().join(format!("{run}.voxpop"))).expect("there is a run")
}

/// What `voxpop cache` says.
fn cache(place: &Place, more: &[&str]) -> Value {
    let outcome = place.voxpop(&[&["cache", "--json"][..], more].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.last_json()
}

fn cache_file(place: &Place) -> PathBuf {
    cache(place, &[])["path"].as_str().expect("it is a path").into()
}

#[test]
fn the_same_survey_is_answered_from_the_cache_and_costs_nothing() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), MANY, 8);
    assert_eq!(cache(&place, &[])["entries"], json!(0));
    ask(&place, "first", &[]);
    assert_eq!(provider.server.count(), MANY);
    assert_eq!(count(&export(&place, "first"), "done"), MANY);

    ask(&place, "second", &[]);
    assert_eq!(provider.server.count(), MANY, "nothing is sent");
    let records = export(&place, "second");
    assert_eq!(count(&records, "cached"), MANY);
    for (n, record) in records.iter().enumerate() {
        assert_own_answer(record, &name(n));
        assert_eq!(record["attempts"], json!(1));
    }
    let reader = reader(&place, "second");
    assert!(reader.usage_by_endpoint().unwrap().is_empty(), "it took no tokens");
    assert!(reader.uncounted_by_endpoint().unwrap().is_empty());
    assert!(reader.attempts(PersonaIndex(0)).unwrap()[0].from_cache);
    let said = cache(&place, &[]);
    assert_eq!((&said["entries"], &said["hits"]), (&json!(MANY), &json!(MANY)));
    assert_eq!(said["saved_prompt_tokens"], json!(100 * MANY));

    ask(&place, "third", &["--no-cache"]);
    assert_eq!(provider.server.count(), 2 * MANY, "who wants new answers gets them");
    assert_eq!(count(&export(&place, "third"), "done"), MANY);

    let cleared = cache(&place, &["clear"]);
    assert_eq!((&cleared["cleared"], &cleared["entries"]), (&json!(true), &json!(MANY)));
    assert_eq!(cache(&place, &[])["entries"], json!(0));
    ask(&place, "fourth", &[]);
    assert_eq!(provider.server.count(), 3 * MANY);
}

#[test]
fn a_twin_with_another_id_is_asked_itself() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 1, 4);
    let people = |ids: &[&str]| {
        let rows: String = ids.iter().map(|id| format!("{id},{}\n", name(0))).collect();
        place.write("people.csv", format!("id,name\n{rows}"));
    };
    people(&["ada"]);
    ask(&place, "alone", &[]);
    assert_eq!(provider.server.count(), 1);
    people(&["eve", "ada", "ida"]);
    ask(&place, "twins", &[]);
    assert_eq!(provider.server.count(), 3, "only who was asked before is not asked");
    people(&["ida", "eve", "ada"]);
    ask(&place, "again", &[]);
    assert_eq!(provider.server.count(), 3, "in whatever order they come");
    assert_eq!(count(&export(&place, "again"), "cached"), 3);
}

#[test]
fn another_question_or_temperature_or_server_is_another_request() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 3, 8);
    ask(&place, "first", &[]);
    place.survey(&provider.base_url(), "temperature: 0.1");
    ask(&place, "cooler", &[]);
    ask(&place, "other-model", &["--model", "another"]);
    assert_eq!(provider.server.count(), 9);
    let other = Provider::kind();
    ask(&place, "elsewhere", &["--base-url", &other.base_url()]);
    assert_eq!((provider.server.count(), other.server.count()), (9, 3));
    ask(&place, "again", &[]);
    assert_eq!(provider.server.count(), 9);
}

#[test]
fn only_what_was_read_as_an_answer_is_kept() {
    let provider = Provider::start(|asked| match asked.times {
        1 => Reply::content("not what was asked for"),
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&provider.base_url(), 4, 2);
    ask(&place, "first", &[]);
    assert_eq!(provider.server.count(), 8, "each is repaired once");
    ask(&place, "second", &[]);
    assert_eq!(provider.server.count(), 12, "each is asked, and answers at once");
    ask(&place, "third", &[]);
    assert_eq!(provider.server.count(), 12);
}

#[test]
fn a_cache_in_no_state_ends_no_run() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 5, 2);
    ask(&place, "first", &[]);
    let file = cache_file(&place);
    fs::write(&file, "no database at all, though long enough for one".repeat(100)).unwrap();
    let outcome = ask(&place, "second", &[]);
    assert_eq!(outcome.err.matches("was damaged; it is now").count(), 1, "{outcome:?}");
    assert_eq!(provider.server.count(), 10);
    ask(&place, "third", &[]);
    assert_eq!(provider.server.count(), 10, "the new one has what was asked since");

    // Something of the user's that only bears the name.
    let mine = place.path("mine.sqlite");
    rusqlite::Connection::open(&mine).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let people = place.path("people.csv");
    let survey = place.path("survey.yaml");
    let args = ["run", &survey, "--personas", &people, "--name", "fourth", "--plain"];
    let mut command = place.command(&args);
    command.env("VOXPOP_CACHE", &mine);
    let outcome = crate::common::voxpop::Running::start(command).end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err.contains("is not a cache of voxpop"), "{outcome:?}");
    assert_eq!(provider.server.count(), 15);
    rusqlite::Connection::open(&mine).unwrap().execute_batch("SELECT x FROM t").unwrap();
}

#[test]
fn two_runs_at_once_share_one_cache() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), MANY, 8);
    let survey = place.path("survey.yaml");
    let people = place.path("people.csv");
    let run = |name: &str| {
        place.start(&["run", &survey, "--personas", &people, "--name", name, "--plain"])
    };
    let (one, other) = (run("one"), run("other"));
    for outcome in [one.end(), other.end()] {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(!outcome.err.contains("cache"), "{outcome:?}");
    }
    let asked = provider.server.count();
    assert_eq!(cache(&place, &[])["entries"], json!(MANY));
    ask(&place, "after", &[]);
    assert_eq!(provider.server.count(), asked);
}

#[test]
fn a_survey_can_do_without() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 3, 2);
    place.survey(&provider.base_url(), "cache: off");
    ask(&place, "first", &[]);
    ask(&place, "second", &[]);
    assert_eq!(provider.server.count(), 6);
    assert!(!cache_file(&place).exists(), "nothing is made");
}

/// A narrative that most of the people share.
const SHARED: &str = "I think the council should drop the rule because the car spaces cost a lot of \
    money and most of them stand empty all day long. People here would pay less every month and \
    the street would have room for trees and benches. That is what the housing and the transport \
    and the community of this part of the city would gain from it in the end.";

#[test]
fn one_verdict_holds_for_answers_alike_and_says_whose_it_is() {
    let provider = Provider::start(|asked| match asked.number {
        // Answers come first; the numbers of all are the same.
        _ if asked.times == 1 => {
            let text = answer_text("x", SHARED);
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if asked.name == name(3) {
                answer["survey"]["housing"] = json!(1);
            }
            Reply::content(&answer.to_string())
        }
        _ => Reply::content(
            &json!({"issues": [], "addresses_question": true, "corrections": {}}).to_string(),
        ),
    });
    let place = Place::with_survey(&provider.base_url(), 8, 1);
    let more =
        format!("review: fused\nfollow_ups: 0\nlimits: {}\ncache: {{similar: 0.9}}", limits(1));
    place.survey(&provider.base_url(), &more);
    let outcome = ask(&place, "run", &[]);
    assert!(export(&place, "run").iter().all(|record| status(record) == "done"), "{outcome:?}");
    // One slot: whoever comes later finds the verdict of the first.
    let calls = provider.server.count();
    assert!(calls < 16, "{calls} calls, where without it there are 16");
    let reader = reader(&place, "run");
    let mut borrowed = 0;
    for n in 0..8 {
        for step in reader.steps(PersonaIndex(n)).unwrap() {
            if let StepEvent::Judged { by: Judge::Similar { donor, similarity }, .. } = step.event {
                borrowed += 1;
                assert!(similarity >= 0.9 && donor != PersonaIndex(n));
                assert_ne!(PersonaIndex(n), PersonaIndex(3), "its numbers are its own");
            }
        }
    }
    assert_eq!(calls, 16 - borrowed);
}

#[test]
fn a_critic_that_looks_twice_at_one_answer_says_both_again() {
    let provider = Provider::start(|asked| match asked.times {
        1 => answer_of(asked.name),
        times => {
            // What it objects to at first it corrects in no field.
            let issues: &[&str] = if times == 2 { &["says little"] } else { &[] };
            Reply::content(
                &json!({"issues": issues, "addresses_question": true, "corrections": {}})
                    .to_string(),
            )
        }
    });
    let place = Place::with_survey(&provider.base_url(), 3, 1);
    let more = format!("review: fused\nfollow_ups: 0\nlimits: {}", limits(1));
    place.survey(&provider.base_url(), &more);
    let verdicts = |run: &str| -> Vec<Vec<StepEvent>> {
        let reader = reader(&place, run);
        let steps = (0..3).map(|n| reader.steps(PersonaIndex(n)).unwrap());
        steps.map(|steps| steps.into_iter().map(|step| step.event).collect()).collect()
    };
    ask(&place, "first", &[]);
    assert_eq!(provider.server.count(), 9);
    ask(&place, "second", &[]);
    assert_eq!(provider.server.count(), 9, "nothing is sent");
    let first = verdicts("first");
    assert_eq!(first[0].len(), 3, "{first:?}");
    assert_eq!(first, verdicts("second"));
}

#[test]
fn the_smallest_answer_is_kept_as_well() {
    // A schema-driven reply has the shape of whatever form was asked for.
    let provider = crate::common::provider::HostileServer::start(|_, body| answer_for(body));
    let place = Place::with_survey(&provider.base_url(), 2, 1);
    ask(&place, "first", &[]);
    let first = provider.count();
    ask(&place, "second", &[]);
    assert_eq!(provider.count(), first);
}
