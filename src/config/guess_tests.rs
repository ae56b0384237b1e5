//! Which limits are a first guess, and how that goes through the run file.

use super::{
    tests::{Case, KEY},
    *,
};
use crate::model::{EndpointIndex, Guessed, LimitName, PerMinute};
use std::path::Path;

/// Whether slots, requests/min and tokens/min of each endpoint are guessed.
fn guessed(config: &Config) -> Vec<[bool; 3]> {
    let of = |g: Guessed| [g.slots, g.requests_per_minute, g.tokens_per_minute];
    config.endpoints.iter().map(|endpoint| of(endpoint.guessed)).collect()
}

/// The run goes on from what its file keeps.
fn resumed(first: &Config, kept: &RunSettings, flags: &Flags) -> Config {
    let sources = Sources {
        survey: Path::new("run.voxpop"),
        dotenv_dir: Path::new("/nonexistent"),
        environment: &|name| (name == "OPENAI_API_KEY").then(|| "sk-again".to_owned()),
        flags,
        keys: Keys::Fetched,
    };
    load_resumed(first.survey.clone(), kept, &sources).unwrap()
}

#[test]
fn a_limit_that_nobody_spelled_out_is_a_guess() {
    let plan = || Flags { plan: Some("payg".into()), ..Flags::default() };
    let rpm = |rate| Flags { rpm: Some(rate), ..Flags::default() };
    for (what, survey, environment, flags, expected) in [
        ("nothing", "question: Q", &[][..], Flags::default(), [true, true, true]),
        (
            "a file",
            "question: Q\nlimits: { slots: 5, tokens_per_minute: unlimited }",
            &[],
            Flags::default(),
            [false, true, false],
        ),
        (
            "a variable",
            "question: Q",
            &[("TOKENS_PER_MINUTE", "unlimited")],
            Flags::default(),
            [true, true, false],
        ),
        ("a flag", "question: Q", &[], rpm(RateFlag::Unlimited), [true, false, true]),
        (
            "a plan over a file",
            "question: Q\nlimits: { slots: 7, tokens_per_minute: 9 }",
            &[],
            plan(),
            [true, true, false],
        ),
        (
            "a plan below its file",
            "question: Q\nplan: payg\nlimits: { slots: 7 }",
            &[],
            Flags::default(),
            [false, true, true],
        ),
    ] {
        let environment = [KEY, environment].concat().leak();
        let config = Case { survey, environment, flags, ..Case::default() }.load().unwrap();
        assert_eq!(guessed(&config), [expected], "{what}");
        // A second start knows as much as the first.
        let kept = serde_json::to_string(&config.run_settings()).unwrap();
        let kept: RunSettings = serde_json::from_str(&kept).unwrap();
        assert_eq!(guessed(&resumed(&config, &kept, &Flags::default())), [expected], "{what}");
    }
}

#[test]
fn what_one_member_spells_out_is_no_guess_for_its_group() {
    let survey = "question: Q\nendpoints:\n  - { name: a, group: g }\n  - { name: b, group: g, limits: { requests_per_minute: 5, slots: 3 } }\n  - { name: c }";
    let config = Case { survey, environment: KEY, ..Case::default() }.load().unwrap();
    assert_eq!(guessed(&config), [[true, false, true], [false, false, true], [true, true, true]]);
}

#[test]
fn another_model_of_a_group_has_a_quota_of_its_own() {
    let survey = "question: Q\nendpoints:\n  - { name: a, group: g, limits: { requests_per_minute: 5 } }\n  - { name: b, group: g, model: large, limits: { requests_per_minute: 7 } }\n  - { name: c, group: g, model: large }";
    let config = Case { survey, environment: KEY, ..Case::default() }.load().unwrap();
    let rates: Vec<_> = config
        .endpoints
        .iter()
        .map(|endpoint| endpoint.limits.requests_per_minute.map(PerMinute::get))
        .collect();
    assert_eq!(rates, [Some(5), Some(7), Some(7)]);
}

#[test]
fn a_limit_that_was_tuned_is_no_guess_any_more() {
    let survey = "question: Q\nendpoints:\n  - { name: a, group: g }\n  - { name: b, group: g }\n  - { name: c }";
    let first = Case { survey, environment: KEY, ..Case::default() }.load().unwrap();
    let mut kept = first.run_settings();
    kept.set_limit(EndpointIndex(1), LimitName::TokensPerMinute, None);
    kept.set_limit(EndpointIndex(1), LimitName::Slots, Some(4));
    let kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    let again = resumed(&first, &kept, &Flags::default());
    assert_eq!(guessed(&again), [[true, true, false], [false, true, false], [true, true, true]]);
    let flags = Flags { rpm: Some(RateFlag::Number(5)), ..Flags::default() };
    assert!(
        resumed(&first, &kept, &flags).endpoints.iter().all(|e| !e.guessed.requests_per_minute)
    );
}
