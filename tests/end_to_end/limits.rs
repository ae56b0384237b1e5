//! The limits hold, as the provider counts.

use crate::{
    asking::{Provider, answer_of},
    place::{Place, limits},
};
use serde_json::json;
use std::time::Duration;
use voxpop::{
    model::PersonaIndex,
    simulator::{LimitShape, Options, Simulator},
};

#[test]
fn never_more_in_flight_than_there_are_slots_and_all_of_them_are_used() {
    let ms = Duration::from_millis;
    for slots in [1, 7, 25] {
        let provider = Provider::start(move |asked| answer_of(asked.name).slowly(ms(30), ms(0)));
        let place = Place::new();
        // The flag overrules the file.
        place.survey(&provider.base_url(), &format!("limits: {}", limits(50)));
        place.people((slots * 4).max(6));
        let outcome = place.ask(&["--concurrency", &slots.to_string()]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(provider.server.most_in_flight(), slots);
    }
}

#[test]
fn a_persona_that_backs_off_holds_no_slot() {
    use crate::common::provider::Reply;
    // The first three are told to come back in an hour; there are two slots. It is no overload,
    // which would be a word to all.
    let provider = Provider::start(|asked| match asked.number {
        1..=3 => Reply::error(500, "server_error", None, "later").with_header("retry-after", 3600),
        _ => answer_of(asked.name),
    });
    let place = Place::new();
    place.survey(
        &provider.base_url(),
        &format!("limits: {}\nretry: {{ attempts: 5, seconds: 86400 }}", limits(2)),
    );
    place.people(20);
    let process = place.start_asking(&["--json"]);
    // Everybody else is asked while they wait.
    provider.wait_for(20);
    process.signal(rustix::process::Signal::INT);
    let outcome = process.end();
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (130, &json!(17)), "{outcome:?}");
}

#[test]
fn requests_a_minute_are_held() {
    const MANY: u32 = 36;
    const PER_SECOND: f64 = 10.0;
    // A strict provider: of 600 a minute it takes ten at once, then one each tenth of a second.
    let simulator = Simulator::start(Options {
        latency: Duration::from_millis(5),
        requests_per_minute: Some(600),
        limit_shape: LimitShape::TokenBucket { burst: Duration::from_secs(1) },
        ..Options::default()
    })
    .expect("it finds a port");
    let place = Place::with_survey(&simulator.base_url(), MANY as usize, 20);
    let outcome = place.ask(&["--rpm", "600"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let stats = simulator.stats();
    assert_eq!((stats.answered, stats.limited_by_requests), (u64::from(MANY), 0), "{stats:?}");

    // And it is we who hold it: from the first to the last it takes its time. Two may go at once,
    // since the clock has a grain; half a second is for a first request that was late.
    let reader = place.reader();
    let sent: Vec<i64> =
        (0..MANY).map(|n| reader.attempts(PersonaIndex(n)).unwrap()[0].sent_at.0).collect();
    let took = (sent.iter().max().unwrap() - sent.iter().min().unwrap()) as f64 / 1000.0;
    let least = f64::from(MANY - 2) / PER_SECOND - 0.5;
    assert!(took >= least, "{MANY} requests went out within {took} s, least is {least} s");
}
