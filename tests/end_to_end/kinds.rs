//! A run over each kind of server completes, whatever its ways.

use crate::place::{Place, limits};
use serde_json::json;
use std::time::Duration;
use voxpop::{
    model::{FailureKind, PersonaIndex},
    simulator::{Faults, Kind, Options, Simulator},
};

const KINDS: [&str; 7] = ["openai", "azure", "vllm", "ollama", "llama.cpp", "gemini", "anthropic"];

/// A simulated server of this kind that serves the key `right` alone, where it looks at keys, and
/// a place with a survey for it.
fn start(kind: &str, faults: &str, key: &str) -> (Simulator, Place) {
    let options = kind.parse::<Kind>().unwrap().options();
    let keys = if kind == "ollama" { Vec::new() } else { vec!["right".parse().unwrap()] };
    let simulator = Simulator::start(Options {
        latency: Duration::from_millis(5),
        faults: faults.parse::<Faults>().unwrap(),
        keys,
        ..options
    })
    .expect("it finds a port");
    let place = Place::new();
    place.write("key", key);
    let endpoint = format!(
        "{{ name: it, kind: {kind}, base_url: \"{}\", key: {{ file: key }} }}",
        simulator.base_url()
    );
    let limits = limits(4);
    place.survey("http://127.0.0.1:9/v1", &format!("limits: {limits}\nendpoints: [{endpoint}]"));
    place.people(24);
    (simulator, place)
}

#[test]
fn everybody_is_asked_whatever_the_kind_of_server() {
    for kind in KINDS {
        let (simulator, place) = start(kind, "500=5%,malformed=5%", "right");
        let outcome = place.ask(&["--json"]);
        assert_eq!(
            (outcome.code, &outcome.last_json()["done"]),
            (0, &json!(24)),
            "{kind}: {outcome:?}"
        );
        assert!(simulator.stats().answered >= 24, "{kind}");
    }
}

#[test]
fn a_refused_key_is_told_by_every_kind_that_looks_at_it() {
    for kind in KINDS.into_iter().filter(|&kind| kind != "ollama") {
        let (_simulator, place) = start(kind, "", "wrong-key-of-some-length");
        let outcome = place.ask(&["--json"]);
        assert_eq!(
            (outcome.code, &outcome.last_json()["done"]),
            (4, &json!(0)),
            "{kind}: {outcome:?}"
        );
        let attempts = place.reader().attempts(PersonaIndex(0)).unwrap();
        let failure = attempts[0].failure.as_ref().unwrap();
        assert_eq!(failure.kind, FailureKind::KeyRefused, "{kind}: {failure:?}");
    }
}
