//! What the answers come to is kept, counted, and forgotten where it is made anew.

use crate::support::{PATIENCE, answer, answer_one, create, failure, finish, path_in, writer};
use voxpop::{
    model::{
        Analysis, Covers, Digest, Fate, Finding, Findings, Insight, InterviewStatus, MadeBy,
        PersonaIndex, Tally,
    },
    store::{Counted, DigestOnFile, Notice, OpenRun, Record, RunReader},
};

fn digest(number: u32, personas: std::ops::Range<u32>) -> Digest {
    let insight = |persona: u32| Insight {
        persona: PersonaIndex(persona),
        support: answer(persona).support_level,
        drivers: vec!["noise".to_owned(), format!("cost of {persona}")],
        themes: if persona.is_multiple_of(2) { vec!["housing".to_owned()] } else { vec![] },
    };
    let finding = Finding {
        text: "They say so.".to_owned(),
        groups: vec![],
        personas: vec![PersonaIndex(personas.start)],
    };
    Digest {
        number,
        covers: Covers::Answers(personas.clone().map(PersonaIndex).collect()),
        findings: Findings { themes: vec![finding], ..Findings::default() },
        by: MadeBy::Words { why: Some("it did not answer".to_owned()) },
        insights: personas.map(insight).collect(),
    }
}

#[test]
fn digests_and_the_summary_come_back_and_are_counted_by_support_level() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = writer(create(dir.path(), 6));
    for index in 0..5 {
        answer_one(&writer, index);
    }
    finish(&writer, 5, Fate::Refused { reason: "no".to_owned() }, 1);
    let digests = [digest(1, 0..3), digest(2, 3..5)];
    for digest in &digests {
        writer.write(Record::Digested(Box::new(digest.clone())));
    }
    let analysis = Analysis {
        findings: digests[0].findings.clone(),
        by: MadeBy::Model,
        covers: vec![1, 2],
        groups: 2,
        fell_back: vec![],
        answers: 5,
        weight: 5.0,
        drivers: vec![Tally { name: "noise".to_owned(), by_support: [1; 5], weight: 5.0 }],
        themes: vec![],
    };
    writer.write(Record::Analysed(Box::new(analysis.clone())));
    writer.close(PATIENCE).unwrap();
    let done: Vec<_> = notices
        .iter()
        .flat_map(|notice| match notice {
            Notice::Committed(changes) => changes,
            other => panic!("{other:?}"),
        })
        .filter_map(|(subject, status)| Some((subject.piece()?, status)))
        .collect();
    assert_eq!(
        done,
        [1, 2, 0].map(|piece| (piece, InterviewStatus::Done)),
        "who waits hears of it"
    );

    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(reader.analysis().unwrap(), Some(analysis));
    let on_file = |digest: &Digest| DigestOnFile {
        number: digest.number,
        covers: digest.covers.clone(),
        by: digest.by.clone(),
    };
    assert_eq!(reader.digests().unwrap(), digests.each_ref().map(on_file));
    assert_eq!(reader.findings(2).unwrap().as_ref(), Some(&digests[1].findings));
    assert_eq!(reader.findings(3).unwrap(), None);
    assert_eq!(reader.answered().unwrap(), [0, 1, 2, 3, 4].map(PersonaIndex));
    let wanted = [4, 5].map(PersonaIndex);
    assert_eq!(reader.answers(&wanted).unwrap(), [(PersonaIndex(4), answer(4))]);
    // Persona 0, 2 and 4 weigh 0.5, 2.5 and 4.5, the others 1 each.
    assert_eq!(reader.digested().unwrap(), (5, 9.5));
    let drivers = reader.tallies(Counted::Drivers, 2).unwrap();
    let noise = Tally { name: "noise".to_owned(), by_support: [1; 5], weight: 9.5 };
    assert_eq!((drivers.len(), &drivers[0]), (2, &noise));
    let themes = reader.tallies(Counted::Themes, 9).unwrap();
    let housing = Tally { name: "housing".to_owned(), by_support: [1, 0, 1, 0, 1], weight: 7.5 };
    assert_eq!(themes, [housing]);
    assert_eq!(reader.groups_with_theme("housing", 5).unwrap(), [1, 2]);
    let against = reader.personas_with_theme("housing", 1..=2, 5).unwrap();
    assert_eq!(against, [PersonaIndex(0)]);
    let mut records = Vec::new();
    let keep = |record| {
        records.push(record);
        Ok::<_, voxpop::store::StoreError>(())
    };
    reader.for_each_record(keep).unwrap();
    assert_eq!(records[2].drivers, ["noise", "cost of 2"]);
    assert_eq!((records[2].themes.len(), records[5].drivers.len()), (1, 0));
    drop(reader);

    let mut open = OpenRun::open(&path_in(dir.path())).unwrap();
    open.forget_analysis().unwrap();
    drop(open);
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!((reader.analysis().unwrap(), reader.digests().unwrap()), (None, vec![]));
    assert_eq!(reader.digested().unwrap(), (0, 0.0));
}

#[test]
fn what_few_say_who_weigh_much_comes_before_what_many_say() {
    let dir = tempfile::tempdir().unwrap();
    // Persona 2 weighs 2.5, the others 1 each.
    let (writer, _notices) = writer(create(dir.path(), 4));
    for index in [1, 2, 3] {
        answer_one(&writer, index);
    }
    let mut digest = digest(1, 1..4);
    for insight in &mut digest.insights {
        let weighty = insight.persona == PersonaIndex(2);
        insight.drivers = vec![if weighty { "rent" } else { "noise" }.to_owned()];
    }
    writer.write(Record::Digested(Box::new(digest)));
    writer.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    let drivers = reader.tallies(Counted::Drivers, 1).unwrap();
    assert_eq!((drivers[0].name.as_str(), drivers[0].weight), ("rent", 2.5));
}

#[test]
fn who_was_answered_from_the_cache_or_flagged_has_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _notices) = writer(create(dir.path(), 6));
    let issues = vec!["says nothing of noise".to_owned()];
    let refused = Fate::Refused { reason: "no".to_owned() };
    for (index, fate) in (0..).zip([
        Fate::Cached(answer(0)),
        Fate::Answered(answer(1)),
        refused,
        Fate::Flagged { answer: answer(3), issues },
        Fate::Failed(failure()),
    ]) {
        finish(&writer, index, fate, 1);
    }
    writer.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(reader.answered().unwrap(), [0, 1, 3].map(PersonaIndex));
}

#[test]
fn the_numbers_of_every_answer_are_one_query() {
    const MANY: u32 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let (writer, _notices) = writer(create(dir.path(), MANY + 1));
    for index in 0..MANY {
        answer_one(&writer, index);
    }
    finish(&writer, MANY, Fate::Refused { reason: "no".to_owned() }, 1);
    writer.close(PATIENCE).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    let (mut answers, mut support, mut weight) = (0, [0; 5], 0.0);
    reader
        .for_each_score(&["transport", "no such \"key"], |weighs, scores| {
            answers += 1;
            weight += weighs.unwrap_or(1.0);
            support[usize::from(scores[0].unwrap().get()) - 1] += 1;
            assert!(scores[1].is_some_and(|transport| transport != scores[0].unwrap()));
            assert_eq!(scores[2], None);
        })
        .unwrap();
    assert_eq!((answers, support), (MANY, [MANY / 5; 5]));
    assert!(weight > f64::from(MANY));
}
