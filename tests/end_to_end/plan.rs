//! A plan counts and calculates as it says, and sends nothing.

use crate::{
    asking::Provider,
    common::voxpop::Running,
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

/// Two keys of one project beside a server of one's own.
const ENDPOINTS: &str = "\
endpoints:
  - name: main
    key: { env: KEY_THAT_NOBODY_HAS }
    group: project
    limits: { slots: 50, requests_per_minute: 500 }
  - { name: spare, key: { command: 'touch started; echo sk-1' }, group: project }
  - name: gpu
    base_url: http://10.0.0.5:8000/v1
    model: llama
    limits: { slots: 8, requests_per_minute: unlimited }
";

#[test]
fn the_limits_of_several_endpoints_add_up_and_those_of_a_group_count_once() {
    let place = Place::new();
    place.people(600);
    let survey = format!("question: Should it?\nreview: off\nbudget: 1.00\n{ENDPOINTS}");
    place.write("survey.yaml", survey);
    let plan = planned(&place, &["--latency", "2s"]);
    let set = row(&plan, "set", None);
    assert_eq!((&set["slots"], &set["requests_per_minute"]), (&63.into(), &Value::Null));
    let endpoints = plan["endpoints"].as_array().unwrap();
    let carried = |n: usize| endpoints[n]["requests"].as_u64().unwrap();
    assert_eq!(carried(0) + carried(1) + carried(2), 600);
    // 500 a minute for the group, and 8 slots for 2 s each: 240 a minute.
    assert!((190..200).contains(&carried(2)), "{plan}");
    let binds: Vec<_> = endpoints.iter().map(|endpoint| endpoint["binds"].as_str()).collect();
    assert_eq!(binds, [Some("requests_per_minute"), Some("slots"), Some("slots")]);
    assert_eq!(row(&plan, "plan", Some("tier2"))["slots"], 15);
    assert_eq!(plan["budget"]["enough"], "at_cap");
    assert_eq!(endpoints[2]["cost_usd"]["cap"], 0.0);
    let cost = |of: &Value| of["cost_usd"]["high"].as_f64().unwrap();
    assert!((cost(&plan) - cost(&endpoints[0]) - cost(&endpoints[1])).abs() < 1e-9, "{plan}");

    let people = place.path("people.csv");
    let words = place.voxpop(&["plan", &place.path("survey.yaml"), "--personas", &people]);
    for text in ["3 endpoints, main, spare and gpu", "shared", "carries", "budget: $1.00 is enough"]
    {
        assert!(words.out.contains(text), "{text:?} is not in {}", words.out);
    }
    assert!(!place.runs().join("started").exists(), "a command for a key was started");
}

#[test]
fn critics_are_part_of_the_work() {
    let place = Place::new();
    place.people(30);
    let work = |review: &str| {
        let survey = format!("question: Should it?\nreview: {review}\nlimits: {}\n", limits(5));
        place.write("survey.yaml", survey);
        let plan = planned(&place, &[]);
        (plan["requests"].as_u64().unwrap(), plan["prompt_tokens"].as_u64().unwrap())
    };
    let [off, fused, separate] = ["off", "fused\nsummary: off", "separate\nsummary: off"].map(work);
    assert_eq!((off.0, fused.0, separate.0), (30, 60, 90));
    // A critic reads the answer beside the profile.
    assert!(off.1 + 30 * 250 < fused.1 && fused.1 < separate.1, "{off:?} {fused:?} {separate:?}");
}

#[test]
fn packs_and_the_summary_are_part_of_the_work_and_what_is_not_is_said() {
    let place = Place::new();
    place.people(123);
    let plan = |more: &str| {
        place.write("survey.yaml", format!("question: Should it?\nlimits: {}\n{more}", limits(5)));
        planned(&place, &[])
    };
    let usual = plan("");
    let wanted = serde_json::json!({"answers": 123, "reviews": 123, "summary": 3 + 1});
    assert_eq!((&usual["requests_for"], &usual["requests"]), (&wanted, &250.into()));
    let without = plan("summary: words");
    assert_eq!(without["requests"], 246);
    let tokens = |plan: &Value| plan["prompt_tokens"].as_u64().unwrap();
    assert!(tokens(&usual) > tokens(&without) + 123 * 250, "each answer is read once more");
    let most = |plan: &Value| plan["output_tokens"]["cap"].as_u64().unwrap();
    assert!(most(&usual) >= most(&without) + 2 * 6_000 + 3_840 + 2_000, "{usual}");
    // Batches take half the price, but for the summary.
    let cost = |plan: &Value, of: &str| plan[of]["cap"].as_f64().unwrap();
    let (full, half) = (cost(&usual, "cost_usd"), usual["in_batches"].clone());
    let summary = full - cost(&without, "cost_usd");
    let expected = cost(&without, "cost_usd") / 2.0 + summary;
    assert!((cost(&half, "cost_usd") / expected - 1.0).abs() < 0.01, "{half} {expected}");

    let packed = plan("review: off\npack: 5");
    assert_eq!(packed["requests_for"]["answers"], 25);
    assert!(tokens(&packed) < tokens(&plan("review: off")) / 2, "they share what is the same");
    assert_eq!(most(&packed), 25 * 5 * 600);
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    plan("pack: 5\nfollow_ups: 1");
    let page = place.voxpop(&["plan", &survey, "--personas", &people]).out;
    let page = page.replace("\n  ", " ").replace('\n', " ");
    for words in [
        "152 requests (25 for answers, 5 in each, 123 for reviews, 4 for the summary) to",
        "the summary: one request for every 50 answers, and one for all",
        "on top come follow-ups (up to 1 a persona), mending, second looks of critics, whoever a",
        "pack leaves out and retries",
    ] {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
}

/// Nobody could be asked with it, so nobody starts.
#[test]
fn a_budget_below_the_cost_of_one_call_is_refused_everywhere() {
    let place = Place::new();
    place.people(3);
    place.write("survey.yaml", format!("question: Should it?\nlimits: {}\n", limits(5)));
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let started = |command: &str, more: &[&str]| {
        let mut process =
            place.command(&[&[command, &survey, "--personas", &people], more].concat());
        // Where nobody could be asked, nobody asks.
        process.env("OPENAI_API_KEY", "sk-1").env("HTTPS_PROXY", "http://127.0.0.1:9");
        Running::start(process).end()
    };
    for command in ["run", "check", "plan"] {
        let outcome = started(command, &["--budget", "0.0001"]);
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{command}: {outcome:?}");
        for words in ["error: --budget is $0.0001, less than the $0.0004", "api.openai.com"] {
            assert!(outcome.err.contains(words), "{command}: {outcome:?}");
        }
        let mut left = place.files_of_runs();
        left.retain(|(path, _)| !path.starts_with(place.runs().join("logs")));
        assert_eq!(left, [], "{command}");
    }
    // What the message asks for is enough, to the last digit.
    let told = started("check", &["--budget", "0.0001"]).err;
    let cost = told.split_once("less than the $").unwrap().1.split_once(' ').unwrap().0;
    assert_eq!(started("check", &["--budget", cost]).code, 0, "{told}");
    let less = format!("{:.12}", cost.parse::<f64>().unwrap() - 1e-9);
    assert_eq!(started("check", &["--budget", &less]).code, 2, "{told}");

    let two = "question: Should it?\nbudget: 0.001\nendpoints:\n  - { name: main }\n  - { name: dear, model: gpt-4o }\n";
    place.write("survey.yaml", two);
    let outcome = started("check", &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("warning: one call to dear may cost $0.0"), "{outcome:?}");
    place.write("survey.yaml", two.replace("0.001", "0.00001"));
    let outcome = started("check", &[]);
    assert!(outcome.err.contains("survey.yaml:2:9: budget: is $0.00001, less"), "{outcome:?}");
    assert!(outcome.err.contains("at main"), "the cheapest is named: {outcome:?}");
}

#[test]
fn a_check_says_what_a_call_costs_at_each_endpoint() {
    let place = Place::new();
    place.people(3);
    let survey = "question: Should it?\nendpoints: [{ name: main }, { name: gpu, base_url: 'http://10.0.0.5:8000/v1' }, { name: ours, model: ours }]";
    place.write("survey.yaml", survey);
    let mut check = place.command(&[
        "check",
        &place.path("survey.yaml"),
        "--personas",
        &place.path("people.csv"),
    ]);
    check.env("OPENAI_API_KEY", "sk-1");
    let outcome = Running::start(check).end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for words in
        ["tokens, the same for all", "main  $0.000", "gpu   nothing", "ours  unknown", "600 tokens"]
    {
        assert!(outcome.out.contains(words), "{words:?} is not in {}", outcome.out);
    }
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
