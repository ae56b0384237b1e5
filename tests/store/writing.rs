//! What is written comes back, in order, and only once it is committed.

use crate::support::{
    PATIENCE, answer, answer_one, attempt, create, failure, finish, make_first_version, path_in,
    persona, writer,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use voxpop::{
    model::{
        EndpointIndex, Fate, InterviewStatus, LimitChange, LimitName, LimitSetBy, PersonaIndex,
        RunPhase, RunSummary, StopReason, UnixMillis, Usd,
    },
    store::{Kept, Notice, OpenRun, Record, RunReader, Spending},
};

#[test]
fn everything_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let before = UnixMillis::now();
    let (writer, notices) = writer(create(dir.path(), 4));
    let attempts = [attempt(1, 1, Some(failure())), attempt(1, 2, None), attempt(0, 1, None)];
    for attempt in &attempts {
        writer.write(Record::Attempted(Box::new(attempt.clone())));
    }
    let refusal = Fate::Refused { reason: "I'd rather not.".to_owned() };
    let fates = [Fate::Answered(answer(0)), refusal, Fate::Failed(failure())];
    for (index, fate) in (0..).zip(&fates) {
        finish(&writer, index, fate.clone(), index + 1);
    }
    let change = LimitChange {
        at: UnixMillis(5),
        endpoint: EndpointIndex(2),
        limit: LimitName::RequestsPerMinute,
        from: None,
        to: Some(600),
        set_by: LimitSetBy::Header,
        reason: "the provider says so".to_owned(),
    };
    writer.write(Record::LimitChanged(change.clone()));
    let stopped = RunPhase::Stopped { reason: StopReason::Asked };
    let summary = RunSummary {
        run: "parking-7f3a".to_owned(),
        run_file: path.clone(),
        total: 4,
        done: 1,
        failed: 1,
        refused: 1,
        in_batches: 0,
        flagged: 0,
        seconds: 1.5,
    };
    writer.write(Record::PhaseChanged(RunPhase::Running));
    writer.write(Record::PhaseChanged(stopped.clone()));
    writer.write(Record::Ended(summary.clone()));
    writer.close(PATIENCE).unwrap();
    let committed: Vec<_> = notices
        .iter()
        .flat_map(|notice| match notice {
            Notice::Committed(changes) => changes,
            other => panic!("{other:?}"),
        })
        .collect();
    let statuses = [InterviewStatus::Done, InterviewStatus::Refused, InterviewStatus::Failed];
    assert_eq!(committed, (0..).map(PersonaIndex).zip(statuses).collect::<Vec<_>>());

    let reader = RunReader::open(&path).unwrap();
    for (index, (fate, status)) in (0..).zip(fates.into_iter().zip(statuses)) {
        let interview = reader.interview(PersonaIndex(index)).unwrap().unwrap();
        assert_eq!((interview.fate, interview.status), (fate, status));
        assert_eq!(interview.attempts, index + 1);
        assert!(before <= interview.finished_at && interview.finished_at <= UnixMillis::now());
        let took = f64::from(reader.attempts_made(PersonaIndex(index)).unwrap()) * 1.250_065;
        assert!((interview.seconds - took).abs() < 1e-9, "{}", interview.seconds);
    }
    assert_eq!(reader.interview(PersonaIndex(3)).unwrap(), None);
    assert_eq!(reader.attempts(PersonaIndex(1)).unwrap(), attempts[..2]);
    assert_eq!(reader.attempts(PersonaIndex(0)).unwrap(), attempts[2..]);
    assert_eq!(reader.limit_changes().unwrap(), [change]);
    let phases: Vec<_> = reader.phase_changes().unwrap().into_iter().map(|(_, p)| p).collect();
    assert_eq!(phases, [RunPhase::Running, stopped.clone()]);
    let info = reader.run().unwrap();
    assert_eq!((info.phase, info.summary), (Some(stopped), Some(summary)));
    let mut all = statuses.to_vec();
    all.push(InterviewStatus::Queued);
    assert_eq!(reader.statuses().unwrap(), all);
}

#[test]
fn a_retried_persona_is_queued_again_and_keeps_its_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = writer(create(dir.path(), 3));
    first.write(Record::Attempted(Box::new(attempt(1, 1, Some(failure())))));
    finish(&first, 1, Fate::Failed(failure()), 1);
    first.close(PATIENCE).unwrap();

    let (second, notices) = writer(OpenRun::open(&path_in(dir.path())).unwrap());
    second.write(Record::Requeued { persona: PersonaIndex(1) });
    assert_eq!(
        notices.recv().unwrap(),
        Notice::Committed(vec![(PersonaIndex(1), InterviewStatus::Queued)])
    );
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(reader.interview(PersonaIndex(1)).unwrap(), None);
    assert_eq!(reader.attempts_made(PersonaIndex(1)).unwrap(), 1);
    assert_eq!(reader.pending(None, 10).unwrap().len(), 3);
    second.write(Record::Attempted(Box::new(attempt(1, 2, None))));
    finish(&second, 1, Fate::Answered(answer(1)), 2);
    second.close(PATIENCE).unwrap();
    let interview = reader.interview(PersonaIndex(1)).unwrap().unwrap();
    assert_eq!((interview.fate, interview.attempts), (Fate::Answered(answer(1)), 2));
    assert_eq!(reader.attempts(PersonaIndex(1)).unwrap().len(), 2);
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_committed_and_nothing_else() {
    const TOTAL: u32 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = writer(create(dir.path(), TOTAL));
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    let mut committed = BTreeSet::new();
    let mut written = 0;
    let mut looks = 0;
    while committed.len() < TOTAL as usize {
        for _ in 0..100.min(TOTAL - written) {
            answer_one(&writer, written);
            written += 1;
        }
        for notice in notices.try_iter() {
            let Notice::Committed(changes) = notice else { panic!("{notice:?}") };
            committed.extend(changes.into_iter().map(|(persona, _)| persona));
        }
        let mut seen = BTreeSet::new();
        reader
            .for_each_record::<voxpop::store::StoreError>(|record| {
                if let Some(fate) = record.fate {
                    let index = record.persona.index;
                    assert_eq!(fate, Fate::Answered(answer(index.0)));
                    seen.insert(index);
                }
                Ok(())
            })
            .unwrap();
        assert!(committed.is_subset(&seen), "what was committed is there");
        assert!(seen.iter().all(|index| index.0 < written));
        for index in seen.iter().rev().take(3) {
            assert_eq!(reader.attempts(*index).unwrap().len(), 1, "the attempt came first");
        }
        looks += 1;
    }
    assert!(looks > 1);
    writer.close(PATIENCE).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_pending_are_those_that_are_not_over(
        over in proptest::collection::btree_set(0_u32..60, 0..60),
        total in 1_u32..60,
        most in 1_usize..20,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (writer, _) = writer(create(dir.path(), total));
        let over: BTreeSet<_> = over.into_iter().filter(|index| *index < total).collect();
        for index in &over {
            answer_one(&writer, *index);
        }
        writer.close(PATIENCE).unwrap();
        let reader = RunReader::open(&path_in(dir.path())).unwrap();
        let mut pending = Vec::new();
        loop {
            let after = pending.last().map(|persona: &voxpop::model::Persona| persona.index);
            let more = reader.pending(after, most).unwrap();
            prop_assert!(more.len() <= most);
            let last = more.len() < most;
            pending.extend(more);
            if last {
                break;
            }
        }
        let expected: Vec<_> =
            (0..total).filter(|index| !over.contains(index)).map(persona).collect();
        prop_assert_eq!(pending, expected);
    }
}

#[test]
fn what_may_be_spent_is_told_once_it_is_on_disk_and_the_last_word_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let (writer, _notices) = writer(create(dir.path(), 1));
    assert_eq!(RunReader::open(&path).unwrap().spending().unwrap(), Spending::default());
    let recorder = writer.recorder();
    let (tell, told) = std::sync::mpsc::channel();
    for picos in [100, 250] {
        let unrecorded = Usd::from_picos(7);
        let spending = Spending { at_most: Some(Usd::from_picos(picos)), unrecorded };
        let (tell, path) = (tell.clone(), path.clone());
        let kept = Kept::new(move || {
            let on_disk = RunReader::open(&path).unwrap().spending().unwrap();
            tell.send((spending, on_disk)).unwrap();
        });
        recorder.write(Record::MaySpend { spending, kept });
    }
    for _ in 0..2 {
        let (wanted, on_disk) = told.recv_timeout(PATIENCE).unwrap();
        assert!(on_disk.at_most >= wanted.at_most, "{on_disk:?}");
    }
    writer.close(PATIENCE).unwrap();
    let expected = Spending { at_most: Some(Usd::from_picos(250)), unrecorded: Usd::from_picos(7) };
    assert_eq!(RunReader::open(&path).unwrap().spending().unwrap(), expected);
}

/// As runs have it that were made before anybody wrote down what may be spent.
#[test]
fn a_file_without_what_may_be_spent_is_read_and_gets_it_when_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    drop(create(dir.path(), 1));
    make_first_version(&path);
    assert_eq!(RunReader::open(&path).unwrap().spending().unwrap(), Spending::default());
    let (writer, _notices) = writer(OpenRun::open(&path).unwrap());
    let spending = Spending { at_most: None, unrecorded: Usd::from_picos(7) };
    writer.write(Record::MaySpend { spending, kept: Kept::new(|| {}) });
    writer.close(PATIENCE).unwrap();
    assert_eq!(RunReader::open(&path).unwrap().spending().unwrap(), spending);
}
