//! Several endpoints in one run: a call goes where it can, one that fails is passed over and comes
//! back, one that refuses is left out, and each is asked the way it wants to be.

use crate::{
    asking::{Provider, answer_of, assert_own_answer},
    common::provider::Reply,
    place::{Place, count, id, limits, name},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use voxpop::model::PersonaIndex;

/// A place with these endpoints, further keys of each behind its base URL.
fn place(endpoints: &[(&str, &Provider, &str)], personas: usize, more: &str) -> Place {
    let place = Place::new();
    let mut text = format!("limits: {}\n{more}\nendpoints:\n", limits(4));
    for (name, provider, more) in endpoints {
        text += &format!("  - {{ name: {name}, base_url: \"{}\"{more} }}\n", provider.base_url());
    }
    // The base URL at the top is nobody's.
    place.survey("http://127.0.0.1:9/v1", &text);
    place.people(personas);
    place
}

fn body(provider: &Provider, number: usize) -> Value {
    serde_json::from_str(&provider.server.received()[number].body).unwrap()
}

#[test]
fn one_that_dies_is_passed_over_and_comes_back_by_itself() {
    let down = Arc::new(AtomicBool::new(false));
    let flaky = {
        let down = Arc::clone(&down);
        Provider::start(move |asked| {
            if down.load(Ordering::SeqCst) {
                return Reply::ResetBeforeReply;
            }
            answer_of(asked.name).slowly(Duration::from_millis(20), Duration::ZERO)
        })
    };
    let steady = Provider::start(|asked| {
        answer_of(asked.name).slowly(Duration::from_millis(20), Duration::ZERO)
    });
    let place = place(&[("flaky", &flaky, ""), ("steady", &steady, "")], 1500, "");
    let running = place.start_asking(&["--json"]);
    flaky.wait_for(20);
    down.store(true, Ordering::SeqCst);
    let before = steady.server.count();
    // While one is down, the other one goes on; then the first comes back.
    steady.wait_for(before + 60);
    let probes = flaky.server.count();
    down.store(false, Ordering::SeqCst);
    flaky.wait_for(probes + 20);
    let outcome = running.end();
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(1500)), "{outcome:?}");
    for (n, record) in place.export().iter().enumerate().step_by(97) {
        assert_eq!(record["persona_id"], json!(id(n)));
        assert_own_answer(record, &name(n));
    }
    let log = log_of(&place);
    assert!(log.contains("flaky cools down after failures in a row"), "{log}");
    assert!(log.contains("flaky answers again"), "{log}");
}

fn log_of(place: &Place) -> String {
    let files = place.files_of_runs();
    let logs = files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "log"));
    logs.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect()
}

#[test]
fn one_whose_key_is_refused_is_left_out_and_the_other_serves_all() {
    let refusing =
        Provider::start(|_| Reply::error(401, "invalid_request_error", None, "no such key"));
    let serving = Provider::kind();
    let place = place(&[("refusing", &refusing, ""), ("serving", &serving, "")], 30, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(serving.server.count(), 30);
    assert!(refusing.server.count() <= 4, "only what was in flight: {}", refusing.server.count());
    assert_eq!(count(&place.export(), "done"), 30);
}

#[test]
fn where_every_key_is_refused_the_run_stops_and_fails_nobody() {
    let refuse = || Provider::start(|_| Reply::error(401, "auth", None, "no such key"));
    let (one, two) = (refuse(), refuse());
    let place = place(&[("one", &one, ""), ("two", &two, "")], 10, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert_eq!(count(&place.export(), "queued"), 10);
}

#[test]
fn a_quota_that_is_used_up_takes_its_whole_group_out() {
    let used_up = || {
        Provider::start(|_| {
            Reply::error(429, "insufficient_quota", Some("insufficient_quota"), "no")
        })
    };
    // The second one would answer, but it shares the quota of the first.
    let slow = |asked: &crate::asking::Asked<'_>| {
        answer_of(asked.name).slowly(Duration::from_millis(20), Duration::ZERO)
    };
    let (one, two, other) = (used_up(), Provider::start(slow), Provider::start(slow));
    let group = ", group: project";
    let endpoints = [("one", &one, group), ("two", &two, group), ("other", &other, "")];
    let place = place(&endpoints, 60, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(two.server.count() <= 4, "only what was in flight: {}", two.server.count());
    assert!(other.server.count() >= 56, "{}", other.server.count());
}

#[test]
fn a_dialect_is_learned_once_and_not_once_a_call() {
    let old = Provider::start(|asked| match asked.number {
        1 => Reply::error(400, "invalid_request_error", None, "response_format: unknown field"),
        2 => Reply::error(400, "invalid_request_error", None, "json_object is not supported"),
        3 => {
            Reply::error(400, "invalid_request_error", None, "unknown field max_completion_tokens")
        }
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&old.base_url(), 12, 1);
    let outcome = place.ask(&["--json"]);
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(12)), "{outcome:?}");
    assert_eq!(old.server.count(), 12 + 3);
    let last = body(&old, 14);
    assert!(last.get("response_format").is_none() && last["max_tokens"].is_u64(), "{last}");
    assert_eq!(body(&old, 1)["response_format"]["type"], "json_object");
    // The three are attempts of the first persona like any other.
    assert_eq!(place.reader().attempts(PersonaIndex(0)).unwrap().len(), 4);
}

#[test]
fn a_malformed_answer_is_repaired_with_one_call_that_says_what_was_wrong() {
    let provider = Provider::start(|asked| match asked.times {
        1 => Reply::content("I would say four, all in all."),
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&provider.base_url(), 3, 1);
    let outcome = place.ask(&[]);
    assert_eq!((outcome.code, provider.server.count()), (0, 6), "{outcome:?}");
    let repair = body(&provider, 1);
    assert_eq!(repair["messages"][2]["content"], "I would say four, all in all.");
    let asked = repair["messages"][3]["content"].as_str().unwrap();
    assert!(asked.contains("JSON object"), "{asked}");
    let attempts = place.reader().attempts(PersonaIndex(0)).unwrap();
    let stages: Vec<_> = attempts.iter().map(|attempt| attempt.stage.as_str()).collect();
    assert_eq!(stages, ["answer", "repair"]);
}

#[test]
fn an_answer_that_is_cut_off_gets_more_room_once() {
    let provider = Provider::start(|asked| match (asked.name, asked.times) {
        (_, 1) => Reply::cut_off("{\"narrative\": \"I"),
        (person, _) if person == name(1) => Reply::cut_off("{\"narrative\": \"I"),
        (person, _) => answer_of(person),
    });
    let place = Place::with_survey(&provider.base_url(), 2, 1);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let caps: Vec<_> =
        (0..4).map(|n| body(&provider, n)["max_completion_tokens"].as_u64().unwrap()).collect();
    assert_eq!(caps, [600, 1200, 600, 1200]);
    assert_eq!(place.export()[1]["failure"]["kind"], "cut_off");
}

#[test]
fn a_retry_after_of_a_year_stops_the_run_with_a_clear_line_and_fails_nobody() {
    let provider = Provider::start(|asked| match asked.number {
        3 => Reply::error(429, "requests", Some("rate_limit_exceeded"), "come back next year")
            .with_header("retry-after", 31_536_000),
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&provider.base_url(), 6, 1);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.out.contains("come back next year"), "{outcome:?}");
    let records = place.export();
    assert_eq!((count(&records, "done"), count(&records, "queued")), (2, 4));
}

#[test]
fn headers_of_nonsense_change_nothing() {
    let provider = Provider::start(|asked| {
        answer_of(asked.name)
            .with_header("x-ratelimit-limit-requests", "-1")
            .with_header("x-ratelimit-remaining-requests", "0")
            .with_header("x-ratelimit-reset-requests", "soon")
            .with_header("x-ratelimit-limit-tokens", "0")
            .with_header("x-ratelimit-remaining-tokens", "many")
    });
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(place.reader().limit_changes().unwrap().is_empty());
}

#[test]
fn a_limit_in_the_headers_holds_at_once_and_is_on_file() {
    let provider = Provider::start(|asked| {
        answer_of(asked.name).with_header("x-ratelimit-limit-requests", "6000")
    });
    let place = Place::with_survey(&provider.base_url(), 40, 4);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let changes = place.reader().limit_changes().unwrap();
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.from, change.to, change.set_by.as_str()), (None, Some(6000), "header"));
    assert!(change.reason.contains("6000"), "{change:?}");
}

#[test]
fn one_with_a_wrong_model_is_left_out_and_fails_nobody() {
    let wrong = Provider::start(|_| Reply::error(404, "invalid_request_error", None, "no model"));
    let right = Provider::start(|asked| {
        answer_of(asked.name).slowly(Duration::from_millis(5), Duration::ZERO)
    });
    let place = place(&[("wrong", &wrong, ""), ("right", &right, "")], 40, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(wrong.server.count() <= 4, "{}", wrong.server.count());
}

#[test]
fn a_key_that_dies_in_the_middle_fails_no_more_than_two() {
    let dying = Provider::start(|asked| match asked.number {
        ..=20 => answer_of(asked.name),
        _ => Reply::error(403, "forbidden", None, "the account is closed"),
    });
    let place = Place::with_survey(&dying.base_url(), 100, 4);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let records = place.export();
    assert!(count(&records, "failed") <= 2, "{}", count(&records, "failed"));
    assert!(count(&records, "queued") >= 75);
}
