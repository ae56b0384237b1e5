//! Attempts and interviews that the cache has answered, and files from before there was one.

use crate::support::{
    PATIENCE, answer, attempt, create, finish, make_first_version, path_in, writer,
};
use voxpop::{
    model::{Attempt, AttemptTiming, Fate, InterviewStatus, PersonaIndex},
    store::{OpenRun, Record, RunReader},
};

/// What stands in the place of an attempt that was not made.
fn hit(persona: u32, number: u32) -> Attempt {
    Attempt {
        status: None,
        usage: None,
        request_id: None,
        timing: AttemptTiming::default(),
        from_cache: true,
        ..attempt(persona, number, None)
    }
}

#[test]
fn a_hit_comes_back_as_one_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _notices) = writer(create(dir.path(), 2));
    writer.write(Record::Attempted(Box::new(hit(0, 1))));
    finish(&writer, 0, Fate::Cached(answer(0)), 1);
    writer.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(reader.attempts(PersonaIndex(0)).unwrap(), [hit(0, 1)]);
    let interview = reader.interview(PersonaIndex(0)).unwrap().unwrap();
    assert_eq!(interview.status, InterviewStatus::Cached);
    assert_eq!(interview.fate, Fate::Cached(answer(0)));
    assert_eq!(reader.counts().unwrap().answered(), 1);
    assert!(reader.usage_by_endpoint().unwrap().is_empty());
    assert!(reader.uncounted_by_endpoint().unwrap().is_empty());
}

#[test]
fn attempts_of_the_first_version_were_all_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let (first, _notices) = writer(create(dir.path(), 2));
    first.write(Record::Attempted(Box::new(attempt(0, 1, None))));
    finish(&first, 0, Fate::Answered(answer(0)), 1);
    first.close(PATIENCE).unwrap();
    make_first_version(&path);

    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.attempts(PersonaIndex(0)).unwrap(), [attempt(0, 1, None)]);
    assert_eq!(reader.usage_by_endpoint().unwrap().len(), 1);
    drop(reader);

    let (second, _notices) = writer(OpenRun::open(&path).unwrap());
    second.write(Record::Attempted(Box::new(hit(1, 1))));
    finish(&second, 1, Fate::Cached(answer(1)), 1);
    second.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.attempts(PersonaIndex(0)).unwrap(), [attempt(0, 1, None)]);
    assert_eq!(reader.attempts(PersonaIndex(1)).unwrap(), [hit(1, 1)]);
}
