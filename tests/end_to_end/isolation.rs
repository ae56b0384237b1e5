//! Order and isolation: whatever a provider does to some, everybody keeps their place, their own
//! answer and their own failure.

use crate::{
    asking::{Asked, Provider, answer_of, assert_own_answer},
    common::provider::Reply,
    place::{Place, id, limits, name, status},
};
use serde_json::json;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use voxpop::model::PersonaIndex;

const MANY: usize = 60;

/// Attempts in all, as the survey says.
const ATTEMPTS: usize = 3;

/// What the provider does to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    Answer,
    Refusal,
    BadRequest,
    ServerError,
    Overloaded,
    RateLimited,
    Reset,
    ResetMidBody,
    Truncated,
    NotJson,
    WrongScore,
    WebPage,
    CutOff,
}

const ALL_LUCK: [Luck; 13] = [
    Luck::Answer,
    Luck::Refusal,
    Luck::BadRequest,
    Luck::ServerError,
    Luck::Overloaded,
    Luck::RateLimited,
    Luck::Reset,
    Luck::ResetMidBody,
    Luck::Truncated,
    Luck::NotJson,
    Luck::WrongScore,
    Luck::WebPage,
    Luck::CutOff,
];

/// The same for the same person and time, in whatever order requests arrive.
fn luck(seed: u64, name: &str, times: usize) -> Luck {
    let mut hasher = DefaultHasher::new();
    (seed, name, times).hash(&mut hasher);
    let mut rng = fastrand::Rng::with_seed(hasher.finish());
    if rng.f64() < 0.4 { Luck::Answer } else { ALL_LUCK[rng.usize(..ALL_LUCK.len())] }
}

/// A text that only this reply has.
fn token(name: &str, times: usize) -> String {
    format!("reply {times} to {name}")
}

fn reply(luck: Luck, Asked { name, times, .. }: &Asked<'_>) -> Reply {
    let token = token(name, *times);
    let ms = Duration::from_millis;
    match luck {
        Luck::Answer => answer_of(name).slowly(ms(2), ms(0)),
        Luck::Refusal => Reply::refusal(&token),
        Luck::BadRequest => Reply::error(400, "invalid_request_error", None, &token),
        Luck::ServerError => Reply::error(500, "server_error", None, &token),
        Luck::Overloaded => Reply::error(503, "overloaded", None, &token),
        Luck::RateLimited => Reply::error(429, "requests", Some("rate_limit_exceeded"), &token)
            .with_header("retry-after-ms", 15),
        Luck::Reset => Reply::ResetBeforeReply,
        Luck::ResetMidBody => Reply::ResetMidBody,
        Luck::Truncated => Reply::TruncatedBody,
        Luck::NotJson => Reply::content(&token),
        Luck::WrongScore => Reply::content(
            &json!({"narrative": token, "survey": {"support_level": 9, "housing": 1,
                    "public_transport": 1, "key_concerns": [], "suggested_improvements": []}})
            .to_string(),
        ),
        Luck::WebPage => {
            let page = format!("<html><body>{token}</body></html>");
            Reply::Raw(
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n{page}",
                    page.len()
                )
                .into_bytes(),
            )
        }
        Luck::CutOff => Reply::cut_off(&token),
    }
}

/// How an interview must end, and after how many attempts: the rules of the table of failures.
fn fate(seed: u64, name: &str) -> (&'static str, usize) {
    let (mut malformed, mut cut_off) = (0, 0);
    for times in 1.. {
        match luck(seed, name, times) {
            Luck::Answer => return ("done", times),
            Luck::Refusal => return ("refused", times),
            Luck::BadRequest => return ("failed", times),
            Luck::NotJson | Luck::WrongScore => malformed += 1,
            Luck::CutOff => cut_off += 1,
            _ => {}
        }
        // Each is mended once.
        if malformed > 1 || cut_off > 1 || times == ATTEMPTS {
            return ("failed", times);
        }
    }
    unreachable!("every loop over all numbers returns")
}

#[test]
fn everybody_keeps_their_place_and_their_own_fate_under_random_faults() {
    for seed in 1..=3 {
        let provider =
            Provider::start(move |asked| reply(luck(seed, asked.name, asked.times), asked));
        let place = Place::new();
        place.survey(
            &provider.base_url(),
            // Adaptation would take a provider with so many random 429s at its word, and time.
            &format!("limits: {}\nretry: {{ attempts: {ATTEMPTS} }}\nadapt: false", limits(16)),
        );
        place.people(MANY);
        let outcome = place.ask(&["--json"]);
        assert_eq!(outcome.code, 3, "seed {seed}: {outcome:?}");
        assert!(!outcome.err.contains("panicked"), "seed {seed}: {outcome:?}");

        let records = place.export();
        assert_eq!(records.len(), MANY);
        let reader = place.reader();
        for (n, record) in records.iter().enumerate() {
            let (name, what) = (name(n), format!("seed {seed}, {record}"));
            let (ending, times) = fate(seed, &name);
            assert_eq!(record["index"], json!(n), "{what}");
            assert_eq!(record["persona_id"], json!(id(n)), "{what}");
            assert_eq!(record["attributes"]["name"], json!(name), "{what}");
            assert_eq!(status(record), ending, "{what}");
            assert_eq!(record["attempts"], json!(times), "{what}");
            assert_eq!(provider.asked(&name), times, "{what}");

            let attempts = reader.attempts(PersonaIndex(n.try_into().unwrap())).unwrap();
            let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number as usize).collect();
            assert_eq!(numbers, (1..=times).collect::<Vec<_>>(), "{what}");
            for attempt in &attempts {
                let luck = luck(seed, &name, attempt.number as usize);
                assert_eq!(attempt.failure.is_none(), luck == Luck::Answer, "{what}");
                let body = attempt.body.as_deref().unwrap_or_default();
                match luck {
                    Luck::Answer | Luck::Reset => assert_eq!(body, "", "{what}"),
                    // A reset may take what came before it along.
                    Luck::ResetMidBody => {}
                    Luck::Truncated => assert!(body.contains("chatcmpl"), "{what}: {body:?}"),
                    _ => {
                        let token = token(&name, attempt.number as usize);
                        assert!(body.contains(&token), "{what}: {luck:?} {body:?}");
                    }
                }
            }
            match ending {
                "done" => assert_own_answer(record, &name),
                "refused" => assert_eq!(record["refusal"], json!(token(&name, times)), "{what}"),
                _ => assert!(record["failure"]["kind"].is_string(), "{what}"),
            }
        }
    }
}
