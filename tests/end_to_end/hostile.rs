//! A provider that fails: what mends itself is tried again, what does not ends one interview or
//! pauses the run, and nothing that was answered is lost.

use crate::{
    asking::{Provider, answer_of, assert_own_answer},
    common::provider::Reply,
    place::{Place, RUN, count, limits, name, status},
};
use serde_json::json;
use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use voxpop::model::{FailureKind, PersonaIndex};

fn place(provider: &Provider, personas: usize, slots: u32, more: &str) -> Place {
    let place = Place::new();
    place.survey(&provider.base_url(), &format!("limits: {}\n{more}", limits(slots)));
    place.people(personas);
    place
}

/// A switch that a test throws while its provider runs.
fn switch() -> (Arc<AtomicBool>, impl Fn() -> bool + Send + Sync) {
    let on = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&on);
    (on, move || seen.load(Ordering::SeqCst))
}

/// The failures of one person's attempts, oldest first.
fn failures(place: &Place, n: u32) -> Vec<FailureKind> {
    let attempts = place.reader().attempts(PersonaIndex(n)).unwrap();
    attempts.iter().filter_map(|attempt| Some(attempt.failure.as_ref()?.kind)).collect()
}

#[test]
fn broken_connections_are_tried_again() {
    let provider = Provider::start(|asked| match (asked.times, asked.number % 3) {
        (1, 0) => Reply::ResetBeforeReply,
        (1, 1) => Reply::ResetMidBody,
        (1, _) => Reply::TruncatedBody,
        _ => answer_of(asked.name),
    });
    let place = place(&provider, 12, 4, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for (n, record) in (0..).zip(&place.export()) {
        assert_own_answer(record, &name(n as usize));
        assert_eq!(record["attempts"], json!(2));
        assert_eq!(failures(&place, n), [FailureKind::Connection]);
    }
}

#[test]
fn after_a_429_nobody_is_asked_again_before_its_time() {
    const FLOOR: Duration = Duration::from_millis(400);
    let provider = Provider::start(|asked| match asked.times {
        1 => Reply::rate_limited("requests", FLOOR),
        // Whole seconds alone, as older servers say it.
        2 if asked.name == name(0) => {
            Reply::error(429, "tokens", None, "slow down").with_header("retry-after", 1)
        }
        2 => Reply::rate_limited("tokens", FLOOR),
        _ => answer_of(asked.name),
    });
    // Adaptation would make something else of a provider that says no to everybody twice.
    let place = place(&provider, 24, 8, "adapt: false");
    let outcome = place.ask(&["--json"]);
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(24)), "{outcome:?}");
    let mut arrivals: HashMap<String, Vec<Instant>> = HashMap::new();
    for (at, name) in provider.arrivals() {
        arrivals.entry(name).or_default().push(at);
    }
    for n in 0..24 {
        let times = &arrivals[&name(n)];
        assert_eq!(times.len(), 3, "{}", name(n));
        let (first, second) = (times[1] - times[0], times[2] - times[1]);
        assert!(first >= FLOOR, "{} came back after {first:?}", name(n));
        let floor = if n == 0 { Duration::from_secs(1) } else { FLOOR };
        assert!(second >= floor, "{} came back after {second:?}", name(n));
    }
}

#[test]
fn a_429_holds_back_everybody_at_that_endpoint() {
    const FLOOR: Duration = Duration::from_millis(700);
    let provider = Provider::start(|asked| match asked.number {
        2 => Reply::rate_limited("requests", FLOOR),
        _ => answer_of(asked.name),
    });
    // With one slot nothing else is in flight when the 429 comes.
    let place = place(&provider, 5, 1, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let arrivals = provider.arrivals();
    assert_eq!(arrivals.len(), 6);
    let wait = arrivals[2].0 - arrivals[1].0;
    assert!(wait >= FLOOR, "the next request came after {wait:?}");
}

#[test]
fn a_hang_costs_one_persona_its_timeout_and_nobody_else() {
    let ms = Duration::from_millis;
    let provider = Provider::start(move |asked| match asked.name {
        name if name == self::name(3) => Reply::Hang,
        name if name == self::name(4) => answer_of(name).slowly(ms(0), ms(300)),
        name => answer_of(name),
    });
    let place = place(&provider, 12, 4, "timeout_seconds: 1\nretry: { attempts: 2 }");
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    for (n, record) in (0..).zip(&place.export()) {
        if n == 3 || n == 4 {
            assert_eq!(record["failure"]["kind"], "timeout", "{record}");
            assert_eq!(failures(&place, n), [FailureKind::Timeout; 2]);
        } else {
            assert_own_answer(record, &name(n as usize));
        }
    }
}

#[test]
fn a_web_page_instead_of_an_answer_stops_the_run_with_a_hint_and_fails_nobody() {
    let page = "<html><title>Sign in to the hotel's network</title></html>";
    let provider = Provider::start(move |_| {
        let length = page.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
        Reply::Raw(format!("{head}content-length: {length}\r\n\r\n{page}").into_bytes())
    });
    let place = place(&provider, 3, 3, "retry: { attempts: 2 }");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.out.contains("is the base URL right"), "{outcome:?}");
    let mut bodies = 0;
    for (n, record) in (0..).zip(&place.export()) {
        assert_eq!(record["status"], "queued", "{record}");
        let attempts = place.reader().attempts(PersonaIndex(n)).unwrap();
        bodies += attempts.iter().filter(|a| a.body.as_deref() == Some(page)).count();
    }
    assert!(bodies >= 2, "the page is kept");
}

#[test]
fn a_refused_key_stops_the_run_with_4_and_keeps_the_queue() {
    let (mended, is_mended) = switch();
    let provider = Provider::start(move |asked| {
        if is_mended() {
            answer_of(asked.name)
        } else {
            let message = "Incorrect API key provided.";
            Reply::error(401, "invalid_request_error", Some("invalid_api_key"), message)
        }
    });
    let place = place(&provider, 20, 2, "");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    for words in ["key refused", "Incorrect API key provided.", "voxpop resume test-run"] {
        assert!(outcome.out.contains(words), "{words}: {outcome:?}");
    }
    assert!(provider.server.count() <= 4, "nobody fares better: {}", provider.server.count());
    let records = place.export();
    assert_eq!((records.len(), count(&records, "queued")), (20, 20));

    mended.store(true, Ordering::SeqCst);
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 20);
}

#[test]
fn without_quota_the_run_stops_with_4_and_goes_on_after_a_top_up() {
    let (topped_up, is_topped_up) = switch();
    let provider = Provider::start(move |asked| {
        if asked.number <= 5 || is_topped_up() {
            answer_of(asked.name)
        } else {
            Reply::quota_exhausted()
        }
    });
    let place = place(&provider, 20, 3, "");
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let last = outcome.last_json();
    assert_eq!((&last["done"], &last["failed"]), (&json!(5), &json!(0)), "{last}");
    assert!(outcome.out.contains("quota_exhausted"), "{outcome:?}");
    let before = place.export();
    assert_eq!((count(&before, "done"), count(&before, "queued")), (5, 15));

    topped_up.store(true, Ordering::SeqCst);
    let outcome = place.voxpop(&["resume", RUN, "--json"]);
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(20)), "{outcome:?}");
    for (n, record) in before.iter().enumerate().filter(|(_, record)| status(record) == "done") {
        assert_eq!(provider.asked(&name(n)), 1, "{record}");
    }
    for (n, record) in place.export().iter().enumerate() {
        assert_eq!(record["attempts"], json!(provider.asked(&name(n))), "every attempt is kept");
    }
}

#[test]
fn an_endpoint_that_refuses_connections_is_named() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let place = Place::new();
    place.survey(
        &format!("http://127.0.0.1:{port}/v1"),
        &format!("limits: {}\nretry: {{ attempts: 2 }}", limits(4)),
    );
    place.people(10);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let said = outcome.out.clone() + &outcome.err;
    for words in [&format!("127.0.0.1:{port}"), "cannot be reached", "Connection refused"] {
        assert!(said.contains(words), "{words}: {outcome:?}");
    }
    let records = place.export();
    assert_eq!(count(&records, "queued"), 10, "nobody fails for it");
}

#[test]
fn one_failed_persona_is_one_failed_persona_and_retry_asks_only_that_one() {
    let (mended, is_mended) = switch();
    let provider = Provider::start(move |asked| {
        if asked.name == name(7) && !is_mended() {
            Reply::error(500, "server_error", None, &format!("time {}", asked.times))
        } else {
            answer_of(asked.name)
        }
    });
    let place = place(&provider, 20, 4, "retry: { attempts: 3 }");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.out.contains("voxpop retry test-run"), "{outcome:?}");
    let records = place.export();
    assert_eq!((count(&records, "done"), count(&records, "failed")), (19, 1));
    assert_eq!(records[7]["failure"]["kind"], "server_error");
    assert_eq!(records[7]["attempts"], json!(3));
    let attempts = place.reader().attempts(PersonaIndex(7)).unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(attempts.iter().map(|attempt| attempt.status).collect::<Vec<_>>(), [Some(500); 3]);
    assert!(attempts[2].body.as_deref().is_some_and(|body| body.contains("time 3")));
    assert_eq!(provider.server.count(), 22);

    // It fails again: only it is asked, and its attempts go on counting.
    let outcome = place.voxpop(&["retry", RUN]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert_eq!((provider.asked(&name(7)), provider.server.count()), (6, 25));
    assert_eq!(place.export()[7]["attempts"], json!(6));

    // `resume` does not ask it: its interview is over.
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.out.contains("voxpop retry test-run"), "{outcome:?}");
    assert_eq!(provider.server.count(), 25);

    mended.store(true, Ordering::SeqCst);
    let outcome = place.voxpop(&["retry", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!((provider.asked(&name(7)), provider.server.count()), (7, 26));
    let records = place.export();
    assert_own_answer(&records[7], &name(7));
    assert_eq!(records[7]["attempts"], json!(7));
    assert_eq!(count(&records, "done"), 20);

    // And then nothing is left.
    let outcome = place.voxpop(&["retry", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(provider.server.count(), 26);
}
