//! A budget holds whatever the answers turn out to be, and nothing is lost when it is used up.

use crate::{
    asking::{Provider, answer_of},
    place::{Place, count, limits},
};
use serde_json::json;

/// A place whose one endpoint has a price: a dollar for a million tokens of a prompt, ten for
/// those of an answer.
fn place(provider: &Provider, personas: usize, budget: &str) -> Place {
    let place = Place::new();
    let more = format!(
        "limits: {}\nbudget: {budget}\nendpoints:\n  - name: priced\n    base_url: \"{}\"\n    \
         price: {{ input: 1.00, cached_input: 1.00, output: 10.00 }}",
        limits(4),
        provider.base_url()
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(personas);
    place
}

#[test]
fn the_run_stops_before_the_budget_is_passed_and_goes_on_with_a_higher_one() {
    let provider = Provider::start(|asked| answer_of(asked.name));
    // Of each reply: usage of the test's server, below a cent; the cap of 600 is $0.006.
    let place = place(&provider, 30, "0.02");
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let done = count(&place.export(), "done");
    assert!((1..30).contains(&done), "{done}");
    let spent: u64 = (place.reader().usage_by_endpoint().unwrap().iter())
        .map(|(_, usage)| usage.prompt_tokens + 10 * usage.completion_tokens)
        .sum();
    assert!(spent <= 20_000, "{spent} millionths of a dollar");
    let records = place.export();
    assert_eq!(count(&records, "done") + count(&records, "queued"), 30, "nobody failed for it");

    let outcome = place.voxpop(&["resume", "test-run", "--json", "--budget", "100"]);
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(30)), "{outcome:?}");
}

#[test]
fn what_was_spent_before_counts_after_a_resume() {
    let provider = Provider::start(|asked| answer_of(asked.name));
    let place = place(&provider, 30, "0.02");
    assert_eq!(place.ask(&[]).code, 4);
    let asked = provider.server.count();
    let outcome = place.voxpop(&["resume", "test-run"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(provider.server.count() <= asked + 1, "there is no money for another");
}

/// What was under way when a process was killed may be billed, and leaves no other trace.
#[test]
fn a_budget_holds_over_kills() {
    use crate::common::provider::Reply;
    let provider = Provider::start(|asked| match (asked.number, answer_of(asked.name)) {
        (1..=8, _) => Reply::Hang,
        // As dear as an answer can be.
        (_, Reply::Json { status, headers, mut body }) => {
            body["usage"]["completion_tokens"] = json!(600);
            Reply::Json { status, headers, body }
        }
        (_, other) => other,
    });
    let place = place(&provider, 400, "1.00");
    let process = place.start_asking(&["--json"]);
    provider.wait_for(4);
    process.kill();
    let process = place.start(&["resume", "test-run", "--json"]);
    provider.wait_for(8);
    process.kill();

    let outcome = place.voxpop(&["resume", "test-run", "--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let usage = place.reader().usage_by_endpoint().unwrap()[0].1;
    let answered = (provider.server.count() - 8) as u64;
    assert_eq!(usage.completion_tokens, answered * 600);
    let one = usage.prompt_tokens / answered + 6_000;
    let billed = (answered + 8) * one;
    assert!(billed <= 1_000_000, "{billed} millionths of a dollar");
    assert!(billed > 700_000, "{billed}: what the kills may have cost is far less than the rest");

    // It counts for good, not only after the kill.
    let asked = provider.server.count();
    assert_eq!(place.voxpop(&["resume", "test-run"]).code, 4);
    assert!(provider.server.count() <= asked + 1, "there is no money for another");
}

#[test]
fn what_one_endpoint_has_no_money_for_goes_to_a_cheaper_one() {
    let (dear, own) = (Provider::kind(), Provider::kind());
    let place = Place::new();
    let more = format!(
        "limits: {}\nbudget: 0.02\nendpoints:\n  - {{ name: dear, base_url: \"{}\", price: \
         {{ input: 1.00, cached_input: 1.00, output: 10.00 }} }}\n  - {{ name: own, base_url: \
         \"{}\", price: {{ input: 0, cached_input: 0, output: 0 }} }}",
        limits(2),
        dear.base_url(),
        own.base_url()
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(120);
    let outcome = place.ask(&["--json"]);
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(120)), "{outcome:?}");
    assert!(dear.server.count() > 0 && own.server.count() > 60);
}
