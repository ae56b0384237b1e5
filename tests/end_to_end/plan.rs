//! A plan counts and calculates as it says, and sends nothing.

use crate::{
    asking::Provider,
    place::{Place, limits, survey},
};
use serde_json::Value;

/// The plan of a place, as JSON.
fn planned(place: &Place, more: &[&str]) -> Value {
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let mut args = vec!["plan", &survey, "--personas", &people, "--json"];
    args.extend(more);
    let outcome = place.voxpop(&args);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.last_json()
}

/// The row of a plan, or of the limits that are set.
fn row<'p>(plan: &'p Value, of: &str, name: Option<&str>) -> &'p Value {
    let rows = plan["limits"].as_array().expect("there are rows");
    rows.iter().find(|row| row["of"] == of && row["plan"].as_str() == name).expect("it has a row")
}

#[test]
fn a_plan_shows_every_plan_and_what_binds_and_sends_nothing() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 600, 10);
    let plan = planned(&place, &["--rpm", "300", "--latency", "4s"]);
    assert_eq!(plan["requests"], 600);
    let set = row(&plan, "set", None);
    // 300 a minute for 4 s each want 20 slots, and there are 10: 60 rounds of 4 s.
    assert_eq!(set["binds"], "slots");
    assert_eq!(set["slots_wanted"], 20);
    assert_eq!(set["seconds"], 240.0);
    for (name, slots, rpm, ceiling) in [
        ("free", 1, 3, 3),
        ("payg", 10, 100, 3_500),
        ("tier1", 10, 100, 3_500),
        ("tier2", 15, 150, 5_000),
    ] {
        let start = row(&plan, "plan", Some(name));
        assert_eq!((&start["slots"], &start["requests_per_minute"]), (&slots.into(), &rpm.into()));
        assert_eq!(row(&plan, "ceiling", Some(name))["requests_per_minute"], ceiling);
    }

    let people = place.path("people.csv");
    let outcome = place.voxpop(&["plan", &place.path("survey.yaml"), "--personas", &people]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for words in ["600 requests", "tier2", "its ceiling", "4.7 s", "nothing was sent"] {
        assert!(outcome.out.contains(words), "{words:?} is not in {}", outcome.out);
    }
    assert!(outcome.out.lines().all(|line| line.chars().count() <= 80), "{}", outcome.out);
    assert_eq!(provider.server.count(), 0);
    assert!(place.files_of_runs().is_empty());
}

#[test]
fn the_personas_of_a_large_file_are_sampled() {
    let place = Place::with_survey("http://127.0.0.1:9/v1", 1, 5);
    // Every tenth person says a lot.
    let people = |n: usize| {
        let long = "gardens and bicycles ".repeat(100);
        let words = |n: usize| if n.is_multiple_of(10) { long.as_str() } else { "little" };
        let rows = (0..n).map(|n| format!("{n},{}\n", words(n)));
        format!("id,says\n{}", rows.collect::<String>())
    };
    place.write("people.csv", people(2_000));
    let all = planned(&place, &[]);
    place.write("people.csv", people(20_000));
    let sampled = planned(&place, &[]);
    assert_eq!(
        (&all["counted_personas"], &sampled["counted_personas"]),
        (&2_000.into(), &2_000.into())
    );
    let tokens = |plan: &Value| plan["prompt_tokens"].as_f64().expect("it is a number");
    let off = tokens(&sampled) / (10.0 * tokens(&all));
    assert!((0.98..1.02).contains(&off), "{off}");
}

#[test]
fn nobody_needs_a_key_to_plan_and_an_unknown_model_is_an_estimate() {
    let place = Place::with_survey("https://api.openai.com/v1", 3, 5);
    let known = planned(&place, &[]);
    assert_eq!(known["vocabulary_is_the_models_own"], true);
    let unknown = planned(&place, &["--model", "some-model-of-ours"]);
    assert_eq!(unknown["vocabulary_is_the_models_own"], false);
    assert_eq!(known["prompt_tokens"], unknown["prompt_tokens"]);

    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let words = place.voxpop(&["plan", &survey, "--personas", &people, "--model", "ours"]).out;
    assert!(words.contains("estimated with the vocabulary of gpt-4o"), "{words}");
    assert!(words.contains("there is no price for ours"), "{words}");
}

#[test]
fn what_cannot_go_well_is_said() {
    let place = Place::new();
    place.people(3);
    let more = format!("max_output_tokens: 120\nlimits: {}", limits(5));
    place.survey("http://127.0.0.1:9/v1", &more);
    for (what, more, words) in [
        ("a tight cap", &[][..], "max_output_tokens 120 will cut answers off"),
        ("a request beyond the limit", &["--tpm", "500"], "a provider refuses it for good"),
        ("a reasoning model", &["--model", "openai/gpt-5-mini"], "thinks before it answers"),
    ] {
        let warnings = planned(&place, more)["warnings"].to_string();
        assert!(warnings.contains(words), "{what}: {warnings}");
    }
    place.survey("http://127.0.0.1:9/v1", &format!("limits: {}", limits(5)));
    assert_eq!(planned(&place, &[])["warnings"], serde_json::json!([]));
}

#[test]
fn bad_input_is_refused() {
    let place = Place::with_survey("http://127.0.0.1:9/v1", 2, 5);
    let (good, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let empty = place.write("empty.csv", "");
    let nobody = place.write("nobody.csv", "id,name\n");
    let broken =
        place.write("broken.yaml", survey("http://127.0.0.1:9/v1", "limits: { slots: 0 }"));
    for (what, args, words) in [
        ("an empty file", [&good, "--personas", &empty][..].to_vec(), "empty.csv"),
        ("a header only", vec![&good, "--personas", &nobody], "nobody.csv"),
        ("no such file", vec![&good, "--personas", "absent.csv"], "absent.csv"),
        ("no slots", vec![&broken, "--personas", &people], "slots"),
        ("no rate", vec![&good, "--personas", &people, "--rpm", "0"], "--rpm"),
        ("a time without a unit", vec![&good, "--personas", &people, "--latency", "2"], "2s"),
        ("an unknown plan", vec![&good, "--personas", &people, "--plan", "tier9"], "tier2"),
    ] {
        let mut all = vec!["plan"];
        all.extend(args);
        let outcome = place.voxpop(&all);
        assert_eq!(outcome.code, 2, "{what}: {outcome:?}");
        assert!(outcome.err.contains(words), "{what}: {outcome:?}");
        assert!(outcome.out.is_empty(), "{what}: {outcome:?}");
    }
}
