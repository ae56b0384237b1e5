//! A budget holds whatever the answers turn out to be, and nothing is lost when it is used up.

use crate::{
    asking::{Provider, answer_of, answer_text, narrative_of},
    common::{
        provider::{HostileServer, Reply},
        voxpop::{Outcome, Running},
    },
    place::{Place, count, limits},
};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A place whose one endpoint has a price: a dollar for a million tokens of a prompt, ten for
/// those of an answer.
fn place(provider: &Provider, personas: usize, budget: &str) -> Place {
    place_with(&provider.base_url(), personas, &format!("budget: {budget}"))
}

/// The same with further lines of the survey.
fn place_with(base_url: &str, personas: usize, more: &str) -> Place {
    let place = Place::new();
    let more = format!(
        "limits: {}\n{more}\nendpoints:\n  - name: priced\n    base_url: \"{base_url}\"\n    \
         price: {{ input: 1.00, cached_input: 1.00, output: 10.00 }}",
        limits(4),
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(personas);
    place
}

/// As dear as an answer can be.
fn dear_answer_of(name: &str) -> Reply {
    match answer_of(name) {
        Reply::Json { status, headers, mut body } => {
            body["usage"]["completion_tokens"] = json!(600);
            Reply::Json { status, headers, body }
        }
        other => other,
    }
}

/// What the last line of `--json` that has it says was spent, in dollars.
fn shown_as_spent(outcome: &Outcome) -> f64 {
    let mut lines = outcome.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = lines.rfind(|line| line["event"] == "progress").unwrap();
    last["money"]["spent"].as_f64().unwrap()
}

/// Stops it, and does not wait for what is in flight.
fn stop_now(process: Running) -> Outcome {
    process.signal(Signal::INT);
    process.wait_for_line("\"draining\"");
    process.signal(Signal::INT);
    process.end()
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
    let provider = Provider::start(|asked| match asked.number {
        1..=8 => Reply::Hang,
        _ => dear_answer_of(asked.name),
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

/// A call that is broken off may be billed as well.
#[test]
fn a_budget_holds_over_stops_that_wait_for_nothing() {
    let provider = Provider::start(|asked| match asked.number {
        1..=8 => Reply::Hang,
        _ => dear_answer_of(asked.name),
    });
    let place = place(&provider, 400, "0.20");
    let process = place.start_asking(&["--json"]);
    provider.wait_for(4);
    assert_eq!(stop_now(process).code, 130);
    let process = place.start(&["resume", "test-run", "--json"]);
    provider.wait_for(8);
    let stopped = stop_now(process);

    let outcome = place.voxpop(&["resume", "test-run", "--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let usage = place.reader().usage_by_endpoint().unwrap()[0].1;
    let answered = (provider.server.count() - 8) as u64;
    assert_eq!(usage.completion_tokens, answered * 600);
    let one = usage.prompt_tokens / answered + 6_000;
    let billed = (answered + 8) * one;
    assert!(billed <= 200_000, "{billed} millionths of a dollar");
    assert!(billed > 180_000, "{billed}: what was not broken off comes back");
    let spent = shown_as_spent(&stopped);
    assert!((0.045..0.06).contains(&spent), "{spent}: eight calls of up to $0.006 and a prompt");
}

/// In a small budget, the calls ahead of which it is on file what they may cost are few.
#[test]
fn a_kill_does_not_use_up_a_small_budget() {
    let provider = Provider::start(|asked| match asked.number {
        1..=4 => Reply::Hang,
        _ => dear_answer_of(asked.name),
    });
    let place = place(&provider, 40, "0.10");
    let process = place.start_asking(&["--json"]);
    provider.wait_for(4);
    process.kill();
    assert_eq!(place.voxpop(&["resume", "test-run"]).code, 4);
    let answered = provider.server.count() - 4;
    assert!((8..=12).contains(&answered), "{answered}: $0.10 pays for 16, and 4 may be lost");
}

/// A pack that timed out may have cost as much as all of its answers.
#[test]
fn what_nobody_counted_costs_the_same_after_a_resume() {
    let server = HostileServer::start(|_, body| {
        let body: Value = serde_json::from_str(body).unwrap();
        let prompt = body["messages"][1]["content"].as_str().unwrap();
        let names: Vec<_> = prompt.lines().filter_map(|l| l.strip_prefix("Name: ")).collect();
        match names[..] {
            [name] => Reply::content(&answer_text(name, &narrative_of(name))),
            _ => Reply::Hang,
        }
    });
    let more = "budget: 0.15\npack: 5\ntimeout_seconds: 1\nretry: { attempts: 1 }";
    let place = place_with(&server.base_url(), 200, more);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let (spent, asked) = (shown_as_spent(&outcome), server.count());
    let outcome = place.voxpop(&["resume", "test-run", "--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let after = shown_as_spent(&outcome);
    assert!((spent..=0.15).contains(&after), "{spent} were spent, and then {after}");
    let more = server.count() - asked;
    assert!(more <= 2, "there is no money for {more} more");
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
