//! Batches of calls in the run file.

use crate::support::{PATIENCE, answer, create, path_in, writer};
use voxpop::{
    model::{
        Attempt, AttemptTiming, EndpointIndex, Fate, PersonaIndex, Stage, UnixMillis, Usage, Usd,
    },
    store::{BatchLine, Notice, Record, RunReader, StoredBatch},
};

fn line(persona: u32, attempt: u32) -> BatchLine {
    BatchLine {
        persona: PersonaIndex(persona),
        stage: Stage::FollowUp,
        round: 3,
        attempt,
        failed: 2,
        repaired: true,
        cap_raised: false,
    }
}

fn batch(number: u32, record: &str, lines: Vec<BatchLine>) -> StoredBatch {
    StoredBatch {
        number,
        made_at: UnixMillis(5),
        endpoint: EndpointIndex(1),
        most: Usd::from_picos(7_000),
        record: record.to_owned(),
        lines,
    }
}

fn attempt(persona: u32, number: u32) -> Box<Attempt> {
    Box::new(Attempt {
        persona: PersonaIndex(persona),
        stage: Stage::Answer,
        number,
        endpoint: EndpointIndex(1),
        sent_at: UnixMillis(9),
        timing: AttemptTiming::default(),
        status: Some(200),
        request_id: None,
        usage: Some(Usage { prompt_tokens: 10, completion_tokens: 3, cached_tokens: 1 }),
        failure: None,
        body: None,
        from_cache: false,
    })
}

#[test]
fn batches_come_back_with_their_lines_in_the_order_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = writer(create(dir.path(), 3));
    let lines = vec![line(2, 1), line(0, 4)];
    let first = batch(1, r#"{"step":"written"}"#, lines.clone());
    let second = batch(2, r#"{"step":"written"}"#, vec![line(1, 1)]);
    writer.write(Record::Batches { kept: vec![first, second.clone()], ticket: 1 });
    // Later it is kept without its lines, which stay.
    let over = batch(1, r#"{"step":{"over":{"input":null,"end":"read"}}}"#, Vec::new());
    writer.write(Record::Batches { kept: vec![over.clone()], ticket: 2 });
    let finished =
        Record::Finished { persona: PersonaIndex(2), fate: Fate::Answered(answer(1)), attempts: 1 };
    writer.write(Record::Together(vec![Record::Attempted(attempt(2, 1)), finished]));
    writer.write(Record::Attempted(attempt(0, 1)));
    writer.close(PATIENCE).unwrap();
    let told: Vec<Notice> = notices.iter().collect();
    for ticket in [1, 2] {
        assert!(told.contains(&Notice::Kept { ticket }), "{told:?}");
    }
    let committed =
        |notice: &Notice| matches!(notice, Notice::Committed(ended) if ended.len() == 1);
    assert!(told.iter().any(committed), "{told:?}");

    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    let without = |batch: StoredBatch| StoredBatch { lines: Vec::new(), ..batch };
    assert_eq!(reader.batches().unwrap(), [over, without(second)]);
    assert_eq!(reader.batch_lines(1).unwrap(), lines);
    assert_eq!(reader.taken_of_batch(1).unwrap(), [PersonaIndex(2)]);
    assert_eq!(reader.attempt(PersonaIndex(2), 1).unwrap(), Some(*attempt(2, 1)));
    assert_eq!(reader.attempt(PersonaIndex(2), 2).unwrap(), None);
    let usage = Usage { prompt_tokens: 10, completion_tokens: 3, cached_tokens: 1 };
    assert_eq!(reader.usage_in_batches().unwrap(), [(EndpointIndex(1), usage)]);
    assert_eq!(reader.usage_by_endpoint().unwrap()[0].1.prompt_tokens, 20);
}

#[test]
fn what_was_asked_alone_under_the_number_of_a_line_that_never_ran_is_no_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _notices) = writer(create(dir.path(), 1));
    let never = r#"{"step":{"over":{"input":null,"end":"never_created"}}}"#;
    let kept = vec![batch(1, never, vec![line(0, 1)])];
    writer.write(Record::Batches { kept, ticket: 1 });
    writer.write(Record::BatchSwitched { on: true });
    writer.write(Record::Attempted(attempt(0, 1)));
    writer.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert!(reader.usage_in_batches().unwrap().is_empty());
    assert_eq!(reader.run().unwrap().settings["batch"], serde_json::json!(true));
}
