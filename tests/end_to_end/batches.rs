//! Runs through the Batch API: the same interviews, whatever expires, fails, is refused or dies.

use crate::{
    common::{
        provider::{HostileServer, Reply},
        voxpop::{Outcome, PATIENCE, Running},
    },
    place::{Place, RUN, count, id, status},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use voxpop::{
    model::{InterviewStatus, PersonaIndex},
    simulator::{BatchOptions, BatchStats, Options, Simulator},
};

/// A provider whose batches take no time.
fn provider(batch: BatchOptions) -> Simulator {
    let batch = BatchOptions { takes: Duration::ZERO, ..batch };
    Simulator::start(Options { latency: Duration::ZERO, batch, ..Options::default() }).unwrap()
}

/// A provider whose batches never end.
fn endless() -> Simulator {
    let batch = BatchOptions { takes: Duration::from_secs(3600), ..BatchOptions::default() };
    Simulator::start(Options { latency: Duration::ZERO, batch, ..Options::default() }).unwrap()
}

fn place(provider: &Simulator, personas: usize, more: &str) -> Place {
    let place = Place::new();
    place.survey(&provider.base_url(), more);
    place.people(personas);
    place
}

/// Everybody has answered, in the order of the input.
fn assert_all_answered(place: &Place, personas: usize) {
    let records = place.export();
    assert_eq!(records.len(), personas);
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["persona_id"], json!(id(n)));
        assert!(matches!(status(record), "done" | "flagged"), "{record}");
        assert!(record["answer"].is_object() || record["narrative"].is_string(), "{record}");
    }
}

fn over(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

fn stats(provider: &Simulator) -> BatchStats {
    provider.batch_stats()
}

/// Nothing is left beside the run file.
fn assert_tidy(place: &Place) {
    let folder = place.runs().join(format!("{RUN}.voxpop.batches"));
    assert!(!folder.exists(), "{folder:?} is still there");
}

#[test]
fn a_run_goes_through_every_stage_in_batches_and_keeps_the_order() {
    let provider = provider(BatchOptions::default());
    let place = place(&provider, 60, "review: fused\n");
    let outcome = place.ask(&["--batch", "--plain"]);
    over(&outcome);
    for words in
        ["in batches: each stage may take up to 24 h", "batch 1: read, 60 of 60 calls done"]
    {
        assert!(outcome.out.contains(words), "{words}: {outcome:?}");
    }
    assert_all_answered(&place, 60);
    let stats = stats(&provider);
    assert_eq!((stats.lines_answered_again, stats.lines_failed), (0, 0), "{stats:?}");
    assert!(stats.created >= 2 && stats.lines_answered >= 120, "{stats:?}");
    assert_eq!(provider.stats().answered, 0, "not one single call");
    let steps = place.reader().steps(PersonaIndex(7)).unwrap();
    assert!(steps.len() >= 2, "a critic has judged: {steps:?}");
    assert_tidy(&place);
}

#[test]
fn lines_that_expire_or_fail_are_asked_again_and_strange_ones_left() {
    let batch = BatchOptions {
        expired: 0.1,
        failed: 0.05,
        strange: 0.1,
        unclear: 0.0,
        ..BatchOptions::default()
    };
    let provider = provider(batch);
    let place = place(&provider, 300, "");
    let outcome = place.ask(&["--batch", "--json"]);
    over(&outcome);
    assert_all_answered(&place, 300);
    let lines = outcome.out.lines().map(|line| serde_json::from_str(line).unwrap());
    let changes: Vec<Value> =
        lines.filter(|line: &Value| line["event"] == "batch_changed").collect();
    let read = changes.iter().find(|change| change["state"] == "read").unwrap();
    assert_eq!((&read["batch"], &read["calls"]), (&json!(1), &json!(300)));
    let stats = stats(&provider);
    assert!(stats.lines_expired > 10 && stats.lines_failed > 5, "{stats:?}");
    assert_eq!((stats.lines_answered, stats.lines_answered_again), (300, 0), "{stats:?}");
    let attempts = place.reader().attempts(PersonaIndex(3)).unwrap();
    assert!(attempts.iter().rev().skip(1).all(|attempt| attempt.failure.is_some()));
}

#[test]
fn what_fails_for_ever_fails_as_it_does_alone() {
    let provider = provider(BatchOptions { failed: 1.0, ..BatchOptions::default() });
    let place = place(&provider, 5, "retry: { attempts: 2 }\n");
    let outcome = place.ask(&["--batch", "--json"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert_eq!(count(&place.export(), "failed"), 5);
    assert_eq!(stats(&provider).lines_failed, 10);
}

#[test]
fn malformed_answers_get_their_one_repair_in_the_next_batch() {
    let faults = "malformed=30%".parse().unwrap();
    let batch = BatchOptions { takes: Duration::ZERO, ..BatchOptions::default() };
    let options = Options { latency: Duration::ZERO, batch, faults, ..Options::default() };
    let provider = Simulator::start(options).unwrap();
    let place = place(&provider, 60, "");
    let outcome = place.ask(&["--batch", "--json"]);
    assert!(matches!(outcome.code, 0 | 3), "{outcome:?}");
    let records = place.export();
    let repaired: Vec<_> = (0..60)
        .map(|n| place.reader().attempts(PersonaIndex(n)).unwrap())
        .filter(|attempts| attempts.len() == 2)
        .collect();
    assert!(repaired.len() > 5, "{}", repaired.len());
    assert!(repaired.iter().all(|attempts| attempts[1].stage.as_str() == "repair"));
    assert_eq!(count(&records, "done") + count(&records, "failed"), 60);
    assert!(count(&records, "done") > 40, "{outcome:?}");
}

#[test]
fn killed_in_every_state_it_goes_on_and_sends_nothing_twice() {
    let batch = BatchOptions {
        takes: Duration::from_millis(500),
        expired: 0.04,
        ..BatchOptions::default()
    };
    let options = Options { latency: Duration::ZERO, batch, ..Options::default() };
    let provider = Simulator::start(options).unwrap();
    let place = place(&provider, 400, "review: fused\n");
    let [completed, expired] = [": completed", ": expired"];
    for (killed, states) in
        [&[": validating"][..], &[completed, expired], &[": read"], &[completed, expired]]
            .into_iter()
            .enumerate()
    {
        let process = if killed == 0 {
            place.start_asking(&["--batch", "--plain"])
        } else {
            place.start(&["resume", RUN, "--plain"])
        };
        wait(|| states.iter().any(|state| process.said().contains(state)));
        process.kill();
    }
    let outcome = place.voxpop(&["resume", RUN, "--plain"]);
    over(&outcome);
    assert_all_answered(&place, 400);
    // Whom the critic sends back twice with the same answer has the same call twice.
    let alike = place.export().iter().filter(|record| status(record) == "flagged").count();
    let again = stats(&provider).lines_answered_again;
    assert!(again <= alike as u64, "{alike} may be alike: {:?}", stats(&provider));
    assert_tidy(&place);
}

/// Starts a run in a process of its own, which can be told, and follows it.
fn detached(place: &Place, args: &[&str]) -> Running {
    let outcome = place.ask(&[args, &["--detach"]].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    place.start(&["attach", RUN, "--plain"])
}

#[test]
fn a_file_that_is_too_large_for_the_queue_is_split_and_waits_its_turn() {
    let batch = BatchOptions { enqueued_tokens: Some(30_000), ..BatchOptions::default() };
    let provider = provider(batch);
    let place = place(&provider, 100, "");
    let outcome = place.ask(&["--batch", "--plain"]);
    over(&outcome);
    let refused = "batch 1: refused, 0 of 100 calls done; Enqueued token limit reached";
    assert!(outcome.out.contains(refused), "{outcome:?}");
    assert_all_answered(&place, 100);
    let stats = stats(&provider);
    assert_eq!((stats.lines_answered, stats.lines_answered_again), (100, 0), "{stats:?}");
    assert!(stats.completed >= 2, "{stats:?}");
}

#[test]
fn stopped_it_leaves_its_batches_with_the_provider_and_resume_takes_them_up() {
    let takes = Duration::from_secs(8);
    let batch = BatchOptions { takes, ..BatchOptions::default() };
    let options = Options { latency: Duration::ZERO, batch, ..Options::default() };
    let provider = Simulator::start(options).unwrap();
    let place = place(&provider, 40, "");
    let process = detached(&place, &["--batch"]);
    process.wait_for_line("batch 1: in progress");
    let told = place.voxpop(&["tell", RUN, "stop"]);
    assert!(told.out.contains("1 batch stays with the provider"), "{told:?}");
    let outcome = process.end();
    assert!(outcome.out.contains("0 not asked, 40 in batches that go on"), "{outcome:?}");
    let outcome = place.voxpop(&["resume", RUN, "--plain"]);
    over(&outcome);
    assert!(outcome.out.contains("1 batch is taken up"), "{outcome:?}");
    assert_all_answered(&place, 40);
    let stats = stats(&provider);
    assert_eq!((stats.created, stats.cancelled, stats.lines_answered), (1, 0, 40), "{stats:?}");
}

#[test]
fn cancelled_it_keeps_what_was_done_and_stops() {
    let provider = endless();
    let place = place(&provider, 500, "");
    let process = detached(&place, &["--batch"]);
    process.wait_for_line("batch 1: in progress");
    let told = place.voxpop(&["tell", RUN, "cancel"]);
    assert!(told.out.contains("cancelling 1 batch"), "{told:?}");
    let outcome = process.end();
    assert!(outcome.out.contains("batch 1: read"), "{outcome:?}");
    let records = place.export();
    let (done, queued) = (count(&records, "done"), count(&records, "queued"));
    assert_eq!(done + queued, 500, "nobody fails for it");
    let stats = stats(&provider);
    assert_eq!((stats.cancelled, stats.lines_answered), (1, done as u64), "{stats:?}");
    assert!(queued > 0 && place.reader().batches().unwrap()[0].record.contains("read"));
}

#[test]
fn the_rest_of_a_live_run_moves_to_batches_and_back() {
    let takes = Duration::from_secs(3600);
    let batch = BatchOptions { takes, ..BatchOptions::default() };
    let latency = Duration::from_millis(100);
    let provider = Simulator::start(Options { latency, batch, ..Options::default() }).unwrap();
    let place = place(&provider, 300, &format!("limits: {}\n", crate::place::limits(8)));
    let process = detached(&place, &[]);
    wait(|| provider.stats().answered > 20);
    let told = place.voxpop(&["tell", RUN, "batch"]);
    assert!(told.out.contains("up to 24 h"), "{told:?}");
    process.wait_for_line("batch 1: in progress");
    let single = provider.stats().answered;
    assert!(single < 300, "{single}");
    let again = place.voxpop(&["tell", RUN, "batch"]);
    assert!(again.out.contains("in batches already"), "{again:?}");
    let back = place.voxpop(&["tell", RUN, "batch=off"]);
    assert!(back.out.contains("1 batch is cancelled"), "{back:?}");
    let outcome = process.end();
    assert!(outcome.out.contains("300 of 300 done"), "{outcome:?}");
    assert_all_answered(&place, 300);
    let stats = stats(&provider);
    assert_eq!(provider.stats().answered + stats.lines_answered, 300, "{stats:?}");
}

fn wait(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_budget_holds_for_batches_too() {
    let provider = provider(BatchOptions::default());
    let place = Place::new();
    let survey = |budget: &str| {
        format!(
            "budget: {budget}\nendpoints:\n  - name: priced\n    base_url: \"{}\"\n    price: \
             {{ input: 1.00, output: 10.00, batch: 0.5 }}",
            provider.base_url()
        )
    };
    place.survey("http://127.0.0.1:9/v1", &survey("0.05"));
    place.people(60);
    let outcome = place.ask(&["--batch", "--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let spent: u64 = (place.reader().usage_by_endpoint().unwrap().iter())
        .map(|(_, usage)| (usage.prompt_tokens + 10 * usage.completion_tokens) / 2)
        .sum();
    assert!(spent > 0 && spent <= 50_000, "{spent} millionths of a dollar");
    let outcome = place.voxpop(&["resume", RUN, "--json", "--budget", "5"]);
    over(&outcome);
    let last: Value = (outcome.out.lines())
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|line| line["event"] == "progress")
        .unwrap();
    let total: u64 = (place.reader().usage_by_endpoint().unwrap().iter())
        .map(|(_, usage)| usage.prompt_tokens + 10 * usage.completion_tokens)
        .sum();
    let shown = last["money"]["spent"].as_f64().unwrap();
    let due = total as f64 / 2e6;
    assert!((shown - due).abs() < 0.001, "{shown} shown, {due} due: half the price");
    assert_eq!(last["money"]["reserved"], json!(0.0));
}

/// The text of a survey whose calls have a price: a dollar for a million tokens of a prompt, ten
/// for those of an answer, and half of it in a batch.
fn priced(base_url: &str, more: &str) -> String {
    format!(
        "{more}\nendpoints:\n  - name: priced\n    base_url: \"{base_url}\"\n    price: \
         {{ input: 1.00, output: 10.00, batch: 0.5 }}"
    )
}

/// What `--json` says last of the money.
fn spent(outcome: &Outcome) -> f64 {
    let mut lines = outcome.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = lines.rfind(|line| line["event"] == "progress").unwrap();
    last["money"]["spent"].as_f64().unwrap()
}

fn most(place: &Place, batch: usize) -> f64 {
    place.reader().batches().unwrap()[batch - 1].most.dollars()
}

#[test]
fn what_an_open_batch_may_cost_is_not_spent_by_a_kill() {
    let takes = Duration::from_secs(3);
    let batch = BatchOptions { takes, ..BatchOptions::default() };
    let options = Options { latency: Duration::ZERO, batch, ..Options::default() };
    let provider = Simulator::start(options).unwrap();
    let place = Place::new();
    place.survey(
        "http://127.0.0.1:9/v1",
        &priced(&provider.base_url(), "review: fused\nbudget: 1.00"),
    );
    place.people(40);
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 1: in progress");
    process.kill();
    let one = most(&place, 1);
    assert!((0.1..0.4).contains(&one), "{one}: the budget has room for more than one");
    let outcome = place.voxpop(&["resume", RUN, "--json"]);
    over(&outcome);
    assert_all_answered(&place, 40);
    let total: u64 = (place.reader().usage_by_endpoint().unwrap().iter())
        .map(|(_, usage)| usage.prompt_tokens + 10 * usage.completion_tokens)
        .sum();
    let (shown, due) = (spent(&outcome), total as f64 / 2e6);
    assert!((shown - due).abs() < 0.001, "{shown} shown, {due} due");
}

#[test]
fn what_a_batch_has_not_cost_is_there_for_the_next() {
    let provider = provider(BatchOptions::default());
    let place = Place::new();
    let survey =
        |budget: &str| priced(&provider.base_url(), &format!("review: fused\nbudget: {budget}"));
    place.survey("http://127.0.0.1:9/v1", &survey("5.00"));
    place.people(40);
    over(&place.ask(&["--batch"]));
    let one = place.reader().batches().unwrap()[0].most;

    let place = Place::new();
    place.survey("http://127.0.0.1:9/v1", &survey(&one.exact()));
    place.people(40);
    let outcome = place.ask(&["--batch"]);
    let batches = place.reader().batches().unwrap();
    assert!(batches.len() > 1, "the first has cost a part of what it may have: {outcome:?}");
    let second = place.reader().batch_lines(2).unwrap().len();
    assert!(second > 10, "{second} of 40 are judged");
}

#[test]
fn a_lost_batch_may_have_cost_all_and_does_so_after_a_resume() {
    let first = endless();
    let place = Place::new();
    let second = provider(BatchOptions::default());
    place.survey("http://127.0.0.1:9/v1", &priced(&first.base_url(), "budget: 5.00"));
    place.people(20);
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 1: in progress");
    process.kill();
    drop(first);
    place.survey("http://127.0.0.1:9/v1", &priced(&second.base_url(), "budget: 5.00"));
    let resume = ["resume", RUN, "--json", "--base-url", &second.base_url()];
    let outcome = place.voxpop(&resume);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let lost = most(&place, 1);
    assert!((spent(&outcome) - lost).abs() < 1e-6, "{} of {lost}", spent(&outcome));
    let outcome = place.voxpop(&resume);
    over(&outcome);
    let total: u64 = (place.reader().usage_by_endpoint().unwrap().iter())
        .map(|(_, usage)| usage.prompt_tokens + 10 * usage.completion_tokens)
        .sum();
    let (shown, due) = (spent(&outcome), total as f64 / 2e6 + lost);
    assert!((shown - due).abs() < 0.001, "{shown} shown, {due} due");
}

#[test]
fn who_has_no_batch_api_is_told_so() {
    let place = Place::new();
    place.survey("http://127.0.0.1:9/v1", "endpoints: [{ name: own, kind: ollama }]");
    place.people(3);
    let outcome = place.ask(&["--batch"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.err.contains("ollama has none"), "{outcome:?}");
    // One that cannot be told by its kind is asked.
    let options = Options { kind: "vllm".parse().unwrap(), ..Options::default() };
    let provider = Simulator::start(options).unwrap();
    place.survey(&provider.base_url(), "");
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.out.contains("has no Batch API"), "{outcome:?}");
    let queued = InterviewStatus::Queued;
    assert!(place.reader().statuses().unwrap().iter().all(|status| *status == queued));
}

#[test]
fn the_key_b_moves_the_rest_to_batches_and_back() {
    let takes = Duration::from_secs(3600);
    let batch = BatchOptions { takes, ..BatchOptions::default() };
    let latency = Duration::from_millis(200);
    let provider = Simulator::start(Options { latency, batch, ..Options::default() }).unwrap();
    let place = place(&provider, 80, &format!("limits: {}\n", crate::place::limits(4)));
    let mut terminal = place.watch((120, 40), &[]);
    terminal.wait_for("RUNNING");
    terminal.press("b");
    terminal.wait_for("in batches: up to 24 h a stage");
    terminal.wait_for("in progress");
    terminal.wait_for("The Batch API binds: 1 batch");
    terminal.press("b");
    terminal.wait_for("FINISHED");
    assert_all_answered(&place, 80);
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    let stats = stats(&provider);
    assert_eq!(provider.stats().answered + stats.lines_answered, 80, "{stats:?}");
}

#[test]
fn a_batch_that_the_provider_does_not_know_any_more_is_asked_about() {
    let first = endless();
    let place = place(&first, 20, "");
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 1: in progress");
    process.kill();
    drop(first);
    let second = provider(BatchOptions::default());
    let resume = ["resume", RUN, "--plain", "--base-url", &second.base_url()];
    let outcome = place.voxpop(&resume);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    for words in ["batch 1: lost", "may pay twice"] {
        assert!(outcome.out.contains(words), "{words}: {outcome:?}");
    }
    assert_eq!(stats(&second).created, 0, "nobody is asked again before somebody says so");
    over(&place.voxpop(&resume));
    assert_all_answered(&place, 20);
}

#[test]
fn the_failed_are_asked_again_in_batches() {
    let broken = provider(BatchOptions { failed: 1.0, ..BatchOptions::default() });
    let place = place(&broken, 10, "retry: { attempts: 1 }\n");
    assert_eq!(place.ask(&["--batch"]).code, 3);
    drop(broken);
    let mended = provider(BatchOptions::default());
    over(&place.voxpop(&["retry", RUN, "--base-url", &mended.base_url()]));
    assert_all_answered(&place, 10);
    assert_eq!((mended.stats().answered, stats(&mended).lines_answered), (0, 10));
    let attempts = place.reader().attempts(PersonaIndex(0)).unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
}

/// The files that were uploaded, and what the provider says of each batch.
#[test]
fn a_file_that_is_refused_is_told_with_its_line_and_the_others_are_asked_again() {
    let uploads = Arc::new(Mutex::new(Vec::<String>::new()));
    let kept = Arc::clone(&uploads);
    let server = HostileServer::start(move |_, body| {
        let mut uploads = kept.lock().unwrap();
        if body.contains("\"custom_id\"") {
            uploads.push(body.to_owned());
            return json_reply(json!({"id": format!("file-{}", uploads.len())}));
        }
        if body.contains("input_file_id") && uploads.len() == 1 {
            let problem = json!({"code": "invalid_request", "message": "no such field", "line": 3});
            return json_reply(json!({
                "id": "batch-1", "status": "failed", "errors": {"data": [problem]},
            }));
        }
        if body.contains("input_file_id") {
            return json_reply(json!({
                "id": "batch-2", "status": "completed", "output_file_id": "output",
            }));
        }
        // The results of the second one: everybody declines. A deletion gets the same, and does
        // not mind.
        let lines = uploads.last().map_or("", String::as_str).lines();
        let ids = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let results: String = ids
            .map(|line| {
                let message =
                    json!({"role": "assistant", "content": null, "refusal": "I decline."});
                let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
                let body = json!({"choices": [choice], "usage": {
                    "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12,
                }});
                let response = json!({"status_code": 200, "request_id": "r", "body": body});
                json!({"custom_id": line["custom_id"], "response": response, "error": null})
                    .to_string()
                    + "\n"
            })
            .collect();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let reply = format!("{head}content-length: {}\r\n\r\n{results}", results.len());
        Reply::Raw(reply.into_bytes())
    });
    let place = Place::new();
    place.survey(&server.base_url(), "");
    place.people(5);
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let words = "batch 1 was refused: persona";
    assert!(outcome.out.contains(words) && outcome.out.contains("line 3: no such field"));
    let records = place.export();
    assert_eq!((count(&records, "failed"), count(&records, "refused")), (1, 4), "{outcome:?}");
    let third = uploads.lock().unwrap()[0].matches("custom_id").count();
    assert_eq!(third, 5);
    let failed = records.iter().find(|record| status(record) == "failed").unwrap();
    assert!(failed.to_string().contains("line 3: no such field"), "{failed}");
}

fn json_reply(body: Value) -> Reply {
    Reply::Json { status: 200, headers: Vec::new(), body }
}
