//! What the provider does with files and batches, as the client sees it.

use crate::{
    bench::{Bench, client, ids, line, lines, quick},
    common::voxpop::{PATIENCE, Running, command},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};
use voxpop::{
    model::{BatchKey, BatchState, FailureKind},
    provider::{BatchError, Exchange, NewBatch},
    simulator::{BatchOptions, Change, Key, Options, Simulator},
};

#[tokio::test]
async fn a_batch_answers_each_line_once_in_no_order_as_a_request_would_be() {
    let bench = Bench::start(quick().batch);
    let made = bench.create("ours", &lines(300)).await;
    assert_eq!((made.state, made.key), (BatchState::Validating, Some(BatchKey("ours".into()))));
    let over = bench.end_of(&made.id).await;
    assert_eq!(
        (over.state, over.counts.total, over.counts.completed),
        (BatchState::Completed, 300, 300)
    );
    assert_eq!((over.errors, &over.problems[..]), (None, &[][..]));
    let output = bench.lines(over.output.as_ref()).await;
    let got = ids(&output);
    let sent: Vec<_> = (0..300).map(|number| format!("p{number}")).collect();
    assert_ne!(got, sent, "no order is promised, so none is kept");
    assert_eq!(got.iter().collect::<BTreeSet<_>>(), sent.iter().collect());

    let first = &output[0];
    let alone = line("", "m", first["custom_id"].as_str().unwrap()[1..].parse().unwrap());
    let exchange = bench.client.exchange(alone["body"].to_string().into(), "alone").await;
    let body = first["response"]["body"].to_string();
    let read = Exchange::of_line(200, None, body.as_bytes());
    assert_eq!(read.result.unwrap(), exchange.result.unwrap());
    assert_eq!(read.usage, exchange.usage);

    let stats = bench.simulator.batch_stats();
    assert_eq!((stats.created, stats.completed, stats.lines_answered), (1, 1, 300));
    assert_eq!(stats.lines_answered_again, 0);
}

#[tokio::test]
async fn lines_expire_and_fail_at_their_rates_and_are_told_apart() {
    let batch = BatchOptions { expired: 0.1, failed: 0.05, ..quick().batch };
    let bench = Bench::start(batch);
    let made = bench.create("ours", &lines(1000)).await;
    let over = bench.end_of(&made.id).await;
    assert_eq!(over.state, BatchState::Expired);
    let output = bench.lines(over.output.as_ref()).await;
    let errors = bench.lines(over.errors.as_ref()).await;
    let expired = errors.iter().filter(|line| line["error"]["code"] == "batch_expired").count();
    let failed = errors.iter().filter(|line| line["response"]["status_code"] == 500).count();
    assert_eq!((output.len() + errors.len(), expired + failed), (1000, errors.len()));
    assert!((60..140).contains(&expired) && (25..80).contains(&failed), "{expired} {failed}");
    let both = [ids(&output), ids(&errors)].concat();
    assert_eq!(both.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(
        (over.counts.completed, over.counts.failed),
        (output.len() as u64, errors.len() as u64)
    );
}

#[tokio::test]
async fn faults_strike_lines_too_but_nothing_breaks() {
    let faults = "malformed=20%,400=20%,hang=20%,html=20%".parse().unwrap();
    let bench = Bench::with(Options { faults, ..quick() });
    let made = bench.create("ours", &lines(200)).await;
    let over = bench.end_of(&made.id).await;
    let output = bench.lines(over.output.as_ref()).await;
    let errors = bench.lines(over.errors.as_ref()).await;
    assert_eq!(output.len() + errors.len(), 200);
    assert!(errors.iter().all(|line| line["response"]["status_code"] == 400));
    let page = output.iter().find(|line| line["response"]["body"].is_string()).unwrap();
    let body = page["response"]["body"].to_string();
    let read = Exchange::of_line(200, None, body.as_bytes());
    assert_eq!(read.result.unwrap_err().failure.kind, FailureKind::Malformed);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_by_line() {
    let bench = Bench::start(quick().batch);
    let mut wrong_url = line("c", "m", 3);
    wrong_url["url"] = json!("/v1/embeddings");
    let text = format!(
        "{}\n{{\"custom_id\": \n{}\n{wrong_url}\n\n{}\n",
        line("a", "m", 1),
        line("a", "m", 2),
        line("d", "other", 4)
    );
    let made = bench.create("ours", &text).await;
    let over = bench.end_of(&made.id).await;
    assert_eq!((over.state, over.output, over.errors), (BatchState::Failed, None, None));
    let told: Vec<_> = over.problems.iter().map(|p| (p.line, p.code.as_str())).collect();
    let expected = [
        (Some(2), "invalid_json_line"),
        (Some(3), "duplicate_custom_id"),
        (Some(4), "mismatched_url"),
        (Some(6), "mismatched_model"),
    ];
    assert_eq!(told, expected);
    assert!(over.problems[1].to_string().starts_with("line 3: The custom_id 'a'"));

    let mut many = String::new();
    for number in 0..50_001 {
        many += &format!("{{\"custom_id\": \"{number}\"}}\n");
    }
    for (text, code) in [(many, "too_many_tasks"), ("\n".to_owned(), "empty_file")] {
        let made = bench.create("ours", &text).await;
        let over = bench.end_of(&made.id).await;
        assert_eq!((over.state, over.problems[0].code.as_str()), (BatchState::Failed, code));
        assert_eq!(over.problems[0].line, None);
    }
    assert_eq!(bench.simulator.batch_stats().failed, 3);
}

#[tokio::test]
async fn a_file_of_more_than_200_mb_is_refused_and_never_held_in_memory() {
    let bench = Bench::start(quick().batch);
    let path = bench.folder.path().join("large.jsonl");
    // It takes no room on the disk.
    fs::File::create(&path).unwrap().set_len(200_000_001).unwrap();
    let input = bench.client.upload(&path, "large.jsonl").await.unwrap();
    let key = BatchKey("ours".into());
    let made = bench.client.create_batch(NewBatch { key: &key, input: &input }).await.unwrap();
    let over = bench.end_of(&made.id).await;
    assert_eq!(over.problems[0].code, "file_too_large");
    bench.client.delete_file(&input).await.unwrap();
    assert!(bench.client.delete_file(&input).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn enqueued_tokens_are_capped_until_a_batch_is_over() {
    let takes = Duration::from_secs(3600);
    let batch = BatchOptions { takes, enqueued_tokens: Some(3_000), ..quick().batch };
    let bench = Bench::start(batch);
    let first = bench.create("one", &lines(100)).await;
    bench.wait_for(&first.id, |said| said.state == BatchState::InProgress).await;
    let second = bench.create("two", &lines(100)).await;
    let refused = bench.end_of(&second.id).await;
    assert_eq!(refused.state, BatchState::Failed);
    assert_eq!(refused.problems[0].code, "token_limit_exceeded");
    bench.client.cancel_batch(&first.id).await.unwrap();
    bench.end_of(&first.id).await;
    let third = bench.create("three", &lines(100)).await;
    bench.wait_for(&third.id, |said| said.state == BatchState::InProgress).await;
}

#[tokio::test]
async fn a_cancelled_batch_keeps_what_was_done() {
    let batch = BatchOptions { takes: Duration::from_secs(3600), ..quick().batch };
    let bench = Bench::start(batch);
    let made = bench.create("ours", &lines(500)).await;
    bench.wait_for(&made.id, |said| said.counts.completed > 0).await;
    let cancelling = bench.client.cancel_batch(&made.id).await.unwrap();
    assert_eq!(cancelling.state, BatchState::Cancelling);
    let over = bench.end_of(&made.id).await;
    assert_eq!(over.state, BatchState::Cancelled);
    let output = bench.lines(over.output.as_ref()).await;
    assert!(!output.is_empty() && output.len() < 500, "{}", output.len());
    assert_eq!(over.counts.completed, output.len() as u64);
    let error = bench.client.cancel_batch(&made.id).await.unwrap_err();
    assert!(error.to_string().contains("Cannot cancel"), "{error}");
}

#[tokio::test]
async fn a_batch_is_found_again_by_our_key_among_many_pages() {
    let bench = Bench::start(quick().batch);
    let input = bench.upload(&lines(1)).await;
    let mut made = Vec::new();
    for number in 0..105 {
        let key = BatchKey(format!("k{number}"));
        let new = NewBatch { key: &key, input: &input };
        made.push(bench.client.create_batch(new).await.unwrap().id);
    }
    let oldest = bench.client.find_batch(&BatchKey("k0".into())).await.unwrap();
    assert_eq!(oldest.map(|said| said.id).as_ref(), made.first());
    assert_eq!(bench.client.find_batch(&BatchKey("never".into())).await.unwrap(), None);
    let page = bench.client.batches(None).await.unwrap();
    assert_eq!((page.batches.len(), page.has_more), (100, true));
    assert_eq!(page.batches.first().map(|said| &said.id), made.last());
}

#[tokio::test]
async fn what_belongs_to_another_project_is_not_there() {
    let keys = vec![Key::alone("sk-the-key-of-one-project"), Key::alone("sk-the-key-of-another")];
    let simulator = Simulator::start(Options { keys, ..quick() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.jsonl");
    fs::write(&path, lines(3)).unwrap();
    let base_url = simulator.base_url();
    let one = client(&base_url, "sk-the-key-of-one-project");
    let other = client(&base_url, "sk-the-key-of-another");
    let nobody = client(&base_url, "sk-the-key-of-nobody-at-all");
    let input = one.upload(&path, "input.jsonl").await.unwrap();
    let key = BatchKey("ours".into());
    let made = one.create_batch(NewBatch { key: &key, input: &input }).await.unwrap();
    assert!(other.batch(&made.id).await.unwrap_err().is_unknown());
    assert!(other.content(&input).await.err().unwrap().is_unknown());
    let refused = other.create_batch(NewBatch { key: &key, input: &input }).await.unwrap_err();
    assert!(refused.is_unknown(), "{refused}");
    assert_eq!(other.find_batch(&key).await.unwrap(), None);
    let BatchError::Provider { status, failure } = nobody.batch(&made.id).await.unwrap_err() else {
        panic!("it is no error of a file");
    };
    assert_eq!((status, failure.kind), (Some(401), FailureKind::KeyRefused));
    assert!(!failure.message.contains("sk-the-key-of-nobody"), "{failure}");
}

#[tokio::test]
async fn a_provider_that_is_down_says_nothing_and_nobody_knows_what_it_did() {
    let bench = Bench::start(quick().batch);
    let input = bench.upload(&lines(1)).await;
    bench.simulator.change(Change::Down).unwrap();
    let key = BatchKey("ours".into());
    let error = bench.client.create_batch(NewBatch { key: &key, input: &input }).await.unwrap_err();
    assert!(!error.was_refused(), "{error}");
    let missing = bench.folder.path().join("missing.jsonl");
    let error = bench.client.upload(&missing, "missing.jsonl").await.unwrap_err();
    assert!(error.to_string().contains("missing.jsonl"), "{error}");
    bench.simulator.change(Change::Up).unwrap();
    let error = bench.client.upload(&bench.file("{}"), "input.txt").await.unwrap_err();
    assert!(error.was_refused() && error.to_string().contains("Must be .jsonl"), "{error}");
}

#[tokio::test]
async fn near_texts_have_near_vectors_and_a_share_of_requests_fails() {
    let simulator = Simulator::start(Options { embeddings_failed: 0.3, ..quick() }).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let (mut failed, mut vectors) = (0, Vec::new());
    for number in 0..60 {
        let body = json!({"model": "m", "input": [format!("text {number}"), "the same words"]});
        let request = http.post(format!("{}/embeddings", simulator.base_url()));
        let response = request.body(body.to_string()).send().await.unwrap();
        if response.status() == 500 {
            failed += 1;
            continue;
        }
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(body["data"][0]["embedding"].as_array().unwrap().len(), 256);
        vectors.push(body["data"][1]["embedding"].clone());
    }
    assert!((5..35).contains(&failed), "{failed}");
    assert!(vectors.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(simulator.stats().embedded, 60);
}

#[tokio::test]
async fn the_program_serves_batches_as_its_flags_say() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--batch-seconds", "0", "--batch-expired", "100%", "--embeddings-failed", "0.5"];
    let always = ["simulate", "--port", "0", "--latency", "0ms"];
    let mut command = command(&[&always[..], &flags].concat(), folder.path());
    // It is killed, and leaves its files.
    command.env("TMPDIR", folder.path());
    let process = Running::start(command);
    let client = client(&process.wait_for_line("http://127.0.0.1:"), "any");
    let path = folder.path().join("input.jsonl");
    fs::write(&path, lines(3)).unwrap();
    let input = client.upload(&path, "input.jsonl").await.unwrap();
    let key = BatchKey("ours".into());
    let made = client.create_batch(NewBatch { key: &key, input: &input }).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let over = loop {
        let said = client.batch(&made.id).await.unwrap();
        if said.state.is_over() {
            break said;
        }
        assert!(Instant::now() < deadline, "{said:?}");
    };
    assert_eq!((over.state, over.output, over.counts.failed), (BatchState::Expired, None, 3));
}
