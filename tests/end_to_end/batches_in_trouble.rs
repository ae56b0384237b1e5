//! Runs through the Batch API of a provider that is late, small, wrong, or none at all.

use crate::{
    batch_server::{Asked, BatchServer},
    place::{Place, RUN, count},
};
use serde_json::json;
use std::time::Duration;
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
        Asked::Results(1) if book.count(asked) == 1 => {
            Some(crate::batch_server::Book::answers(&book.lines(1)[..3]))
        }
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
