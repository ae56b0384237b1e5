//! One file: made in full or not at all, known for what it is, run by one process, readable
//! wherever it lies.

use crate::support::{
    PATIENCE, answer_one, create, failure, finish, path_in, persona, survey, writer,
};
use rusqlite::Connection;
use std::{fs, path::Path};
use voxpop::{
    model::{Fate, InterviewStatus, PersonaIndex, RunPhase, RunSummary, StatusCounts, StopReason},
    store::{Import, NewRun, OpenRun, Record, RunReader, StoreError, is_live, list, run_path},
};

fn files_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_import_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let survey = survey();
    let run = NewRun {
        name: "a",
        survey: &survey,
        settings: &serde_json::Value::Null,
        personas_from: "",
    };
    let runs = dir.path().join("made/for/it");
    let mut import = Import::create(&run_path(&runs, "a"), &run).unwrap();
    import.add(&persona(0)).unwrap();
    let error = import.add(&persona(2)).unwrap_err();
    assert!(matches!(error, StoreError::OutOfOrder { wanted: 1, .. }), "{error}");
    // There is no run before it is complete.
    let error = RunReader::open(&run_path(&runs, "a")).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert_eq!(list(&runs).unwrap().len(), 0);
    // What a killed import left behind goes away with the next one; this one is at work.
    fs::write(runs.join("killed.voxpop.new"), "half").unwrap();
    drop(Import::create(&run_path(&runs, "b"), &run).unwrap());
    assert_eq!(files_in(&runs), ["a.voxpop.lock", "a.voxpop.new"]);
    drop(import);
    assert_eq!(files_in(&runs), Vec::<String>::new());
}

#[test]
fn a_run_that_is_there_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path(), 3));
    let before = fs::read(path_in(dir.path())).unwrap();
    let survey = survey();
    let run = NewRun {
        name: "a",
        survey: &survey,
        settings: &serde_json::Value::Null,
        personas_from: "",
    };
    let error = Import::create(&path_in(dir.path()), &run).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    assert_eq!(fs::read(path_in(dir.path())).unwrap(), before);
}

#[test]
fn a_closed_run_is_one_file_and_its_copy_is_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _) = writer(create(dir.path(), 10));
    for index in 0..10 {
        answer_one(&writer, index);
    }
    writer.close(PATIENCE).unwrap();
    assert_eq!(files_in(dir.path()), ["parking-7f3a.voxpop"]);

    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("a copy?#%41.voxpop");
    fs::copy(path_in(dir.path()), &copy).unwrap();
    let mut permissions = copy.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&copy, permissions).unwrap();
    let reader = RunReader::open(&copy).unwrap();
    assert_eq!(reader.counts().unwrap().get(InterviewStatus::Done), 10);
    drop(reader);
    assert_eq!(files_in(elsewhere.path()), ["a copy?#%41.voxpop"]);

    // Looking at the original leaves nothing behind either.
    assert_eq!(RunReader::open(&path_in(dir.path())).unwrap().total(), 10);
    assert_eq!(files_in(dir.path()), ["parking-7f3a.voxpop"]);
}

#[test]
fn the_names_of_a_file_from_elsewhere_cannot_reach_a_terminal_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = "a\u{1b}[2J\u{202e}\nb";
    let mut survey = survey();
    for text in
        [&mut survey.name, &mut survey.question, &mut survey.domain, &mut survey.grid.support]
    {
        hostile.clone_into(text);
    }
    survey.grid.impacts = vec![hostile.to_owned().into()];
    let settings = serde_json::Value::Null;
    let run =
        NewRun { name: hostile, survey: &survey, settings: &settings, personas_from: hostile };
    let mut import = Import::create(&path_in(dir.path()), &run).unwrap();
    import.add(&persona(0)).unwrap();
    drop(import.finish().unwrap());
    let info = RunReader::open(&path_in(dir.path())).unwrap().run().unwrap();
    let survey = &info.survey;
    for text in [&info.name, &info.personas_from, &survey.name, &survey.domain] {
        assert_eq!(text, "a[2J b");
    }
    assert_eq!((survey.grid.support.as_str(), survey.question.as_str()), ("a[2J b", "a[2J\nb"));
    assert_eq!(survey.grid.impacts[0].label, "a[2J b");
}

#[test]
fn a_second_writer_is_refused_and_told_who_is_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let run = create(dir.path(), 3);
    assert!(is_live(&path));
    let error = OpenRun::open(&path).unwrap_err();
    let expected = format!("is being run by process {}", std::process::id());
    assert!(error.to_string().contains(&expected), "{error}");
    drop(run);
    assert!(!is_live(&path));
    let (writer, _) = writer(OpenRun::open(&path).unwrap());
    assert!(OpenRun::open(&path).is_err());
    drop(writer);
    drop(OpenRun::open(&path).unwrap());
}

#[test]
fn a_file_that_is_no_good_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _) = writer(create(dir.path(), 2_000));
    for index in 0..2_000 {
        answer_one(&writer, index);
    }
    writer.close(PATIENCE).unwrap();
    let good = fs::read(path_in(dir.path())).unwrap();
    let path = dir.path().join("b.voxpop");
    let open = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let for_writing = OpenRun::open(&path).map(drop).unwrap_err();
        let error = RunReader::open(&path).map(drop).unwrap_err();
        assert_eq!(for_writing.to_string(), error.to_string());
        assert!(error.to_string().contains("b.voxpop"), "{error}");
        error
    };

    let error = open(&good[..good.len() / 2]);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let error = open(&good[..50]);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let error = open(b"");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let mut garbled = good.clone();
    garbled[..100].fill(0xaa);
    let error = open(&garbled);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let mut schema_gone = good.clone();
    schema_gone[100..8_000].fill(0xaa);
    let error = open(&schema_gone);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");

    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&77_i32.to_be_bytes());
    let error = open(&newer);
    assert!(matches!(error, StoreError::Newer { found: 77, .. }), "{error}");

    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let other_program = fs::read(&path).unwrap();
    let error = open(&other_program);
    assert!(matches!(error, StoreError::NotARun { .. }), "{error}");
    let text = dir.path().join("b.voxpop.yaml");
    fs::write(&text, "name: parking\n").unwrap();
    let error = OpenRun::open(&text).unwrap_err();
    assert!(matches!(error, StoreError::NotARun { .. }), "{error}");
    let error = RunReader::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotARun { .. }), "{error}");
    let error = OpenRun::open(&dir.path().join("c.voxpop")).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");

    // Damage in the middle is found when it is read, and is no panic.
    let mut middle = good;
    let from = middle.len() / 3;
    middle[from..].fill(0xaa);
    fs::write(&path, middle).unwrap();
    let reader = RunReader::open(&path).unwrap();
    let error = reader.for_each_record::<StoreError>(|_| Ok(())).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");

    drop(reader);
    let none_locked = files_in(dir.path()).iter().all(|name| !name.ends_with(".lock"));
    assert!(none_locked);
}

#[test]
fn a_list_shows_every_run_and_the_damaged_ones_too() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(list(&dir.path().join("nowhere")).unwrap().len(), 0);
    let run = create(dir.path(), 5);
    fs::write(run_path(dir.path(), "broken"), "nonsense").unwrap();
    fs::write(dir.path().join("notes.txt"), "not listed").unwrap();
    let (writer, notices) = writer(run);
    writer.write(Record::PhaseChanged(RunPhase::Running));
    answer_one(&writer, 4);
    notices.recv().unwrap();

    let listed = list(dir.path()).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((&*listed[0].name, &*listed[1].name), ("parking-7f3a", "broken"));
    let run = listed[0].run.as_ref().unwrap();
    assert_eq!(run.survey, "parking");
    assert_eq!(run.phase, Some(RunPhase::Running));
    assert!(run.live);
    assert_eq!(run.counts.get(InterviewStatus::Queued), 4);
    assert!(matches!(listed[1].run, Err(StoreError::Damaged { .. })));
    writer.close(PATIENCE).unwrap();
    assert!(!list(dir.path()).unwrap()[0].run.as_ref().unwrap().live);
}

/// However a run ended, and whatever became of it since.
#[test]
fn a_list_counts_what_is_over_however_the_run_ended() {
    let dir = tempfile::tempdir().unwrap();
    let run = create(dir.path(), 6);
    let (open, _notices) = writer(run);
    open.write(Record::PhaseChanged(RunPhase::Running));
    answer_one(&open, 0);
    answer_one(&open, 1);
    finish(&open, 2, Fate::Failed(failure()), 1);
    let counted = |done, failed| {
        let run = list(dir.path()).unwrap().remove(0).run.unwrap();
        let reader = RunReader::open(&path_in(dir.path())).unwrap();
        let counts = StatusCounts::of(&reader.statuses().unwrap());
        assert_eq!((run.counts, reader.counts().unwrap()), (counts, counts));
        let of = |status| run.counts.get(status);
        assert_eq!((of(InterviewStatus::Done), of(InterviewStatus::Failed)), (done, failed));
        assert!(run.per_minute.is_some_and(|rate| rate > 0.0), "{run:?}");
    };
    open.close(PATIENCE).unwrap();
    // It says that it runs, and does not: it was killed.
    counted(2, 1);

    let go_on = || writer(OpenRun::open(&path_in(dir.path())).unwrap()).0;
    let open = go_on();
    let reason = StopReason::Asked;
    open.write(Record::PhaseChanged(RunPhase::Stopped { reason }));
    open.write(Record::Ended(summary(2, 1)));
    open.close(PATIENCE).unwrap();
    counted(2, 1);

    // Put back before the run went on: the summary is of another time.
    OpenRun::open(&path_in(dir.path())).unwrap().requeue_failed().unwrap();
    counted(2, 0);
    let open = go_on();
    open.write(Record::PhaseChanged(RunPhase::Running));
    answer_one(&open, 5);
    open.close(PATIENCE).unwrap();
    counted(3, 0);
}

fn summary(done: u32, failed: u32) -> RunSummary {
    let run_file = "elsewhere.voxpop".into();
    RunSummary {
        run: "parking".into(),
        run_file,
        total: 6,
        done,
        failed,
        refused: 0,
        in_batches: 0,
        flagged: 0,
        seconds: 1.0,
    }
}

#[test]
fn personas_come_back_in_order_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path(), 25));
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(reader.total(), 25);
    let mut all = reader.personas(PersonaIndex(0), 20).unwrap();
    all.extend(reader.personas(PersonaIndex(20), 20).unwrap());
    assert_eq!(all, (0..25).map(persona).collect::<Vec<_>>());
    assert_eq!(reader.persona(PersonaIndex(25)).unwrap(), None);
    let info = reader.run().unwrap();
    assert_eq!((info.survey, &*info.name), (survey(), "parking-7f3a"));
    assert_eq!((info.phase, info.summary), (None, None));
}
