//! The question critic: it shows and proposes, and changes nothing unasked.

use crate::{
    common::provider::{HostileServer, Reply},
    place::Place,
};
use serde_json::{Value, json};
use std::{fs, time::Duration};

const SURVEY: &str = "# My survey.\nname: n\nquestion: Should it, as Anna's mother says, be good and cheap?  # a draft\n\
                      grid:\n  # of what\n  support: S\n  impacts: [A]\nreview: off # none\n";

fn critique_text() -> String {
    json!({
        "findings": [{
            "fault": "double_barrelled",
            "passage": "good and \u{1b}[2Jcheap",
            "why": "it may be one and not the other",
        }],
        "rewrite": "Should it be cheap?",
        "domain": "product-design",
        "support": "Support for a low price",
        "impacts": ["Usability", "Cost"],
    })
    .to_string()
}

/// A place with the survey, and the arguments that have it checked.
fn place(server: &HostileServer) -> (Place, Vec<String>) {
    let place = Place::new();
    let survey = place.write("s.yaml", SURVEY);
    let args = vec!["critique".into(), survey, "--base-url".into(), server.base_url()];
    (place, args)
}

fn with<'a>(args: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    args.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn the_proposals_stand_beside_the_original_and_go_into_a_new_file_only() {
    let server = HostileServer::start(|number, _| match number.0 {
        1 => Reply::content("The question is fine, I think."),
        _ => Reply::content(&critique_text()),
    });
    let (place, args) = place(&server);
    let outcome = place.voxpop(&with(&args, &[]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for words in ["two questions in one", "good and [2Jcheap", "Should it be cheap?", "2 calls"] {
        assert!(outcome.out.contains(words), "{words} in {}", outcome.out);
    }
    assert!(!outcome.out.contains('\u{1b}'), "{:?}", outcome.out);
    let repair: Value = serde_json::from_str(&server.bodies()[1]).unwrap();
    let problem = repair["messages"][3]["content"].as_str().unwrap();
    assert!(problem.contains("no JSON object"), "{problem}");
    assert_eq!(repair["response_format"]["json_schema"]["name"], "question_critique");

    let new = place.path("new.yaml");
    let outcome = place.voxpop(&with(&args, &["--json", "--write", &new]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.last_json()["critique"]["domain"], "product-design");
    let written = "# My survey.\nname: n\nquestion: Should it be cheap?  # a draft\n\
                   domain: product-design\ngrid:\n  # of what\n  support: Support for a low price\n  \
                   impacts: [Usability, Cost]\nreview: off # none\n";
    assert_eq!(fs::read_to_string(&new).unwrap(), written);
    assert_eq!(fs::read_to_string(place.path("s.yaml")).unwrap(), SURVEY);

    let asked = server.count();
    let outcome = place.voxpop(&with(&args, &["--write", &new]));
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.err.contains("--force"), "{outcome:?}");
    assert_eq!(server.count(), asked, "nothing is paid for what would not be written");
    let outcome = place.voxpop(&with(&args, &["--write", &new, "--force"]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

#[test]
fn where_the_answers_go_in_batches_the_critic_is_still_a_call_that_is_tried_again() {
    for first in [
        Reply::error(500, "server_error", None, "not now"),
        Reply::rate_limited("requests", Duration::from_millis(1)),
        Reply::content("nonsense"),
    ] {
        let server = HostileServer::start(move |number, _| match number.0 {
            1 => first.clone(),
            _ => Reply::content(&critique_text()),
        });
        let (place, args) = place(&server);
        place.write("s.yaml", format!("{SURVEY}batch: true\n"));
        let outcome = place.voxpop(&with(&args, &[]));
        assert_eq!((outcome.code, server.count()), (0, 2), "{outcome:?}");
        assert!(outcome.out.contains("two questions in one"), "{outcome:?}");
    }
}

#[test]
fn a_critic_that_gives_nothing_is_told_of_and_nothing_is_written() {
    for (reply, code, words) in [
        (Reply::content("nonsense"), 1, "nothing that can be used"),
        (Reply::refusal("I would rather not."), 1, "I would rather not."),
        (Reply::error(401, "invalid_request_error", Some("invalid_api_key"), "no"), 4, "provider"),
    ] {
        let server = HostileServer::start(move |_, _| reply.clone());
        let (place, args) = place(&server);
        let new = place.path("new.yaml");
        let outcome = place.voxpop(&with(&args, &["--write", &new]));
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(outcome.err.contains(words), "{words} in {outcome:?}");
        assert!(fs::metadata(&new).is_err(), "nothing is written");
    }
}
