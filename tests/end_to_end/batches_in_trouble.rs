//! Runs through the Batch API of a provider that is late, small, wrong, or none at all.

use crate::{
    batch_server::{Asked, BatchServer, Book, result, text_reply},
    common::provider::Reply,
    place::{Place, RUN, count},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use voxpop::{
    model::PersonaIndex,
    simulator::{BatchOptions, Options, Simulator},
};

fn place(base_url: &str, personas: usize, more: &str) -> Place {
    let place = Place::new();
    place.survey(base_url, more);
    place.people(personas);
    place
}

/// A provider whose batches never end, and single calls neither.
fn endless() -> Simulator {
    let never = Duration::from_secs(3600);
    let batch = BatchOptions { takes: never, ..BatchOptions::default() };
    Simulator::start(Options { latency: never, batch, ..Options::default() }).unwrap()
}

#[test]
fn a_batch_that_is_over_before_its_output_is_there_is_looked_at_again() {
    let server = BatchServer::start(|book, asked, _| match asked {
        Asked::Look(1) if book.count(asked) == 1 => {
            let counts = json!({"total": 6, "completed": 6, "failed": 0});
            Some(book.batch(1, "completed", json!({"request_counts": counts})))
        }
        // And then only half of it.
        Asked::Results(1) if book.count(asked) == 1 => Some(Book::answers(&book.lines(1)[..3])),
        _ => None,
    });
    let place = place(&server.base_url(), 6, "");
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(server.book().batches.len(), 1, "nobody is asked again: {outcome:?}");
    for n in 0..6 {
        let attempts = place.reader().attempts(PersonaIndex(n)).unwrap();
        assert_eq!(attempts.len(), 1, "{attempts:?}");
    }
    assert_eq!(count(&place.export(), "done"), 6);
}

#[test]
fn a_second_signal_ends_a_run_whose_batches_are_at_rest_already() {
    let provider = endless();
    let place = place(&provider.base_url(), 20, "");
    let outcome = place.ask(&["--batch", "--detach"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let process = place.start(&["attach", RUN, "--plain"]);
    process.wait_for_line("batch 1: in progress");
    let told = place.voxpop(&["tell", RUN, "batch=off"]);
    assert!(told.out.contains("1 batch is cancelled"), "{told:?}");
    process.wait_for_line("batch 1: read");
    // Single calls, which hang: the first stop waits for them.
    while provider.stats().in_flight < 5 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(place.voxpop(&["tell", RUN, "stop"]).code, 0);
    assert_eq!(place.voxpop(&["tell", RUN, "stop-now"]).code, 0);
    let outcome = process.end();
    assert!(outcome.out.contains("not asked"), "{outcome:?}");
}

#[test]
fn a_run_ends_whose_batches_on_file_cannot_be_read() {
    let provider = endless();
    let place = place(&provider.base_url(), 5, "");
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 1: in progress");
    process.kill();
    let file = rusqlite::Connection::open(place.run_file()).unwrap();
    assert_eq!(file.execute("UPDATE batch SET record = '{}'", []).unwrap(), 1);
    drop(file);
    let outcome = place.voxpop(&["resume", RUN, "--plain"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.out.contains("batch 1 in the run file cannot be read"), "{outcome:?}");
}

#[test]
fn a_summary_of_a_run_with_open_batches_leaves_them_alone() {
    let server = BatchServer::start(|book, asked, _| match asked {
        // Of the first one the last two lines were not run; the second one never ends.
        Asked::Look(1) => {
            let counts = json!({"total": 8, "completed": 6, "failed": 2});
            let files = json!({"output_file_id": "output-1", "request_counts": counts});
            Some(book.batch(1, "expired", files))
        }
        Asked::Results(1) => Some(Book::answers(&book.lines(1)[..6])),
        Asked::Look(_) => Some(book.batch(2, "in_progress", json!({}))),
        _ => None,
    });
    let place = place(&server.base_url(), 8, "summary: off\n");
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 2: in progress");
    process.signal(Signal::INT);
    process.end();
    let before = server.book().asked.len();
    let outcome = place.voxpop(&["summarize", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let book = server.book();
    let asked = &book.asked[before..];
    assert!(asked.iter().all(|asked| *asked == Asked::Call), "{asked:?}");
}

#[test]
fn open_batches_of_an_endpoint_that_has_none_any_more_are_told_of() {
    let provider = endless();
    let place = place(&provider.base_url(), 5, "");
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 1: in progress");
    process.kill();
    let file = rusqlite::Connection::open(place.run_file()).unwrap();
    let settings: String =
        file.query_row("SELECT settings FROM run", [], |row| row.get(0)).unwrap();
    let mut settings: Value = serde_json::from_str(&settings).unwrap();
    settings["batch"] = json!(false);
    settings["endpoints"][0]["kind"] = json!("ollama");
    let changed = file.execute("UPDATE run SET settings = ?", [settings.to_string()]).unwrap();
    assert_eq!(changed, 1);
    drop(file);
    let outcome = place.voxpop(&["resume", RUN, "--plain"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.out.contains("no endpoint has a Batch API any more"), "{outcome:?}");
}

#[test]
fn a_field_that_the_server_does_not_know_is_learnt_by_all_lines_of_a_batch_taken_up() {
    let ready = Arc::new(AtomicBool::new(false));
    let goes_on = Arc::clone(&ready);
    let server = BatchServer::start(move |book, asked, _| match asked {
        Asked::Look(1) if !goes_on.load(Ordering::Relaxed) => {
            Some(book.batch(1, "in_progress", json!({})))
        }
        Asked::Results(1) => Some(text_reply(book.lines(1).iter().map(|line| {
            let field = "max_completion_tokens";
            assert!(line["body"][field].is_number(), "{line}");
            let message = format!("Unsupported parameter: '{field}'. Use 'max_tokens' instead.");
            let error = json!({
                "message": message, "type": "invalid_request_error", "param": field,
                "code": "unsupported_parameter",
            });
            result(line, 400, json!({"error": error}))
        }))),
        _ => None,
    });
    let place = place(&server.base_url(), 6, "");
    let process = place.start_asking(&["--batch", "--plain"]);
    process.wait_for_line("batch 1: in progress");
    process.kill();
    ready.store(true, Ordering::Relaxed);
    let outcome = place.voxpop(&["resume", RUN, "--plain"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 6);
    assert_eq!(server.book().batches.len(), 2);
}

#[test]
fn a_server_with_files_and_without_batches_is_given_the_file_twice_and_no_more() {
    let server = BatchServer::start(|_, asked, _| match asked {
        Asked::Create => Some(Reply::error(404, "invalid_request_error", None, "Not Found")),
        _ => None,
    });
    let place = place(&server.base_url(), 3, "");
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.out.contains("has no Batch API"), "{outcome:?}");
    assert_eq!(server.book().count(Asked::Upload), 2);
    assert_eq!(count(&place.export(), "queued"), 3, "nobody fails for it");
}

#[test]
fn a_cancel_that_is_refused_for_good_is_asked_for_once() {
    let server = BatchServer::start(|book, asked, _| match asked {
        Asked::Look(1) if book.count(Asked::Cancel(1)) == 0 => {
            Some(book.batch(1, "in_progress", json!({})))
        }
        Asked::Cancel(1) => Some(Reply::error(
            400,
            "invalid_request_error",
            None,
            "This batch cannot be cancelled.",
        )),
        _ => None,
    });
    let place = place(&server.base_url(), 4, "");
    let outcome = place.ask(&["--batch", "--detach"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let process = place.start(&["attach", RUN, "--plain"]);
    process.wait_for_line("batch 1: in progress");
    let told = place.voxpop(&["tell", RUN, "cancel"]);
    assert!(told.out.contains("cancelling 1 batch"), "{told:?}");
    let outcome = process.end();
    assert!(outcome.out.contains("batch 1: read"), "{outcome:?}");
    assert_eq!(server.book().count(Asked::Cancel(1)), 1);
    assert_eq!(count(&place.export(), "done"), 4);
}

#[test]
fn a_prompt_that_no_queue_has_room_for_fails_by_the_words_of_the_provider() {
    let server = BatchServer::start(|book, asked, body| match asked {
        Asked::Create => {
            let _ = book.usual(asked, body);
            let message = "Enqueued token limit reached. Limit: 10 enqueued tokens.";
            let problem = json!({"code": "token_limit_exceeded", "message": message});
            let errors = json!({"errors": {"data": [problem]}});
            Some(book.batch(book.batches.len(), "failed", errors))
        }
        _ => None,
    });
    let place = place(&server.base_url(), 3, "");
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let records = place.export();
    assert_eq!(count(&records, "failed"), 3);
    assert!(records.iter().all(|record| record.to_string().contains("Limit: 10")), "{records:?}");
    assert_eq!(server.book().batches.len(), 4, "all together, and then one by one");
}

#[test]
fn files_are_made_smaller_for_a_provider_that_takes_less() {
    let server = BatchServer::start(|book, asked, body| match asked {
        // Ten kilobytes a file, and two lines.
        Asked::Upload if body.len() > 10_000 => {
            Some(Reply::error(413, "invalid_request_error", None, "Request Entity Too Large"))
        }
        Asked::Create => {
            let _ = book.usual(asked, body);
            let batch = book.batches.len();
            let problem = json!({"code": "too_many_tasks", "message": "at most 2 a batch"});
            let errors = json!({"errors": {"data": [problem]}});
            (book.lines(batch).len() > 2)
                .then(|| book.batch(batch, "failed", errors))
                .or_else(|| Some(book.batch(batch, "in_progress", json!({}))))
        }
        _ => None,
    });
    let place = place(&server.base_url(), 20, "");
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 20);
    let book = server.book();
    assert!(book.files.iter().any(Vec::is_empty) || book.count(Asked::Upload) > book.files.len());
    assert!(book.files.iter().all(|file| file.len() < 20), "{}", book.files.len());
}

#[test]
fn one_cause_for_every_line_fails_nobody() {
    let server = BatchServer::start(|book, asked, body| match asked {
        Asked::Create => {
            let _ = book.usual(asked, body);
            let batch = book.batches.len();
            let lines = 1..=book.lines(batch).len();
            let problems = lines.map(
                |line| json!({"code": "model_not_found", "message": "no such model", "line": line}),
            );
            let errors = json!({"errors": {"data": problems.collect::<Vec<_>>()}});
            Some(book.batch(batch, "failed", errors))
        }
        _ => None,
    });
    let place = place(&server.base_url(), 6, "");
    let outcome = place.ask(&["--batch", "--plain"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.out.contains("no such model"), "{outcome:?}");
    assert_eq!(server.book().batches.len(), 1);
    assert_eq!(count(&place.export(), "queued"), 6);
}
