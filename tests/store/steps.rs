//! The timelines of interviews with several stages, their flags, and files from before there were
//! any.

use crate::support::{PATIENCE, answer, answer_one, create, finish, path_in, writer};
use rusqlite::Connection;
use voxpop::{
    model::{
        Corrections, Fate, InterviewStatus, Judge, PersonaIndex, Stage, Step, StepEvent,
        UnixMillis, Verdict,
    },
    store::{OpenRun, Record, RunReader},
};

fn steps() -> Vec<Step> {
    let wants = Verdict::NeedsChanges {
        issues: vec!["for it, yet 1".to_owned()],
        off_topic: true,
        corrections: Corrections {
            support_level: Some(answer(3).support_level),
            ..Corrections::default()
        },
    };
    let donor = Judge::Similar { donor: PersonaIndex(7), similarity: 0.93 };
    [
        (Stage::Answer, StepEvent::Answered { answer: answer(1) }),
        (Stage::Review, StepEvent::Judged { verdict: wants, by: Judge::Critic }),
        (Stage::Review, StepEvent::Corrected { fields: vec!["x".into()], answer: answer(2) }),
        (Stage::FollowUp, StepEvent::TopicsMissed { topics: vec!["housing".into()] }),
        (Stage::FollowUp, StepEvent::GaveNothing { why: "cut off".into() }),
        (Stage::Review, StepEvent::Judged { verdict: Verdict::Holds, by: donor }),
    ]
    .into_iter()
    .map(|(stage, event)| Step { at: UnixMillis(5), stage, event })
    .collect()
}

#[test]
fn steps_and_flags_come_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _notices) = writer(create(dir.path(), 2));
    for (number, step) in (0..).zip(steps()) {
        let persona = PersonaIndex(1);
        writer.write(Record::Stepped { persona, number, step: Box::new(step) });
    }
    let issues = vec!["says nothing of housing".to_owned(), "gave \"nothing\"".to_owned()];
    let flagged = Fate::Flagged { answer: answer(1), issues };
    finish(&writer, 1, flagged.clone(), 4);
    writer.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(reader.steps(PersonaIndex(1)).unwrap(), steps());
    assert!(reader.steps(PersonaIndex(0)).unwrap().is_empty());
    let interview = reader.interview(PersonaIndex(1)).unwrap().unwrap();
    assert_eq!((interview.status, interview.fate), (InterviewStatus::Flagged, flagged));
    assert_eq!(reader.counts().unwrap().answered(), 1);
}

#[test]
fn a_file_of_the_first_version_can_be_read_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let (first, _notices) = writer(create(dir.path(), 2));
    answer_one(&first, 0);
    first.close(PATIENCE).unwrap();
    let raw = Connection::open(&path).unwrap();
    let later = "DROP TABLE step; DROP TABLE flag; DROP TABLE batch; DROP TABLE batch_line;";
    raw.execute_batch(&format!("{later} PRAGMA user_version = 1")).unwrap();
    raw.close().unwrap();

    let reader = RunReader::open(&path).unwrap();
    let interview = reader.interview(PersonaIndex(0)).unwrap().unwrap();
    assert_eq!(interview.fate, Fate::Answered(answer(0)));
    assert!(reader.steps(PersonaIndex(0)).unwrap().is_empty());
    drop(reader);

    let (second, _notices) = writer(OpenRun::open(&path).unwrap());
    let step = Box::new(steps().remove(0));
    second.write(Record::Stepped { persona: PersonaIndex(1), number: 0, step });
    second.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.steps(PersonaIndex(1)).unwrap().len(), 1);
}
