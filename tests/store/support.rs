//! A survey, personas and records to fill run files with.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use voxpop::{
    model::{
        Answer, Attempt, AttemptTiming, Attribute, EndpointIndex, Failure, FailureKind, Fate, Grid,
        Persona, PersonaIndex, PromptTemplates, Review, Score, Stage, Summarizing, Survey,
        UnixMillis, Usage,
    },
    store::{Import, NewRun, Notice, OpenRun, Record, Writer, run_path},
};

/// How long a close may try on where nothing is expected to fail.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn survey() -> Survey {
    Survey {
        name: "parking".to_owned(),
        question: "Should it go?".to_owned(),
        domain: "civic-policy".to_owned(),
        grid: Grid {
            support: "Support for the proposal".to_owned(),
            impacts: ["Transport", "Housing", "Status"].map(|d| d.to_owned().into()).to_vec(),
        },
        model: "gpt-4o-mini".to_owned(),
        temperature: 0.7,
        max_output_tokens: 600,
        prompts: PromptTemplates::default(),
        review: Review::default(),
        pack: 1,
        summary: Summarizing::default(),
    }
}

pub fn persona(index: u32) -> Persona {
    let attribute = |name: &str, value: String| Attribute { name: name.to_owned(), value };
    let mut attributes = vec![
        attribute("town", format!("Town {}", index % 7)),
        attribute("age", (18 + index % 60).to_string()),
    ];
    if index % 3 == 1 {
        attributes.push(attribute("note", format!("=1+{index}")));
    }
    Persona {
        index: PersonaIndex(index),
        id: format!("p{index}"),
        weight: index.is_multiple_of(2).then_some(0.5 + f64::from(index)),
        attributes,
    }
}

pub fn answer(index: u32) -> Answer {
    let score = |n: u32| Score::try_from(1 + u8::try_from(n % 5).unwrap()).unwrap();
    Answer {
        narrative: format!("I am number {index}. \"Well\",\nit is né so."),
        support_level: score(index),
        impacts: ["transport", "housing", "status"]
            .into_iter()
            .zip(1..)
            .map(|(key, n)| (key.to_owned(), score(index + n)))
            .collect(),
        key_concerns: vec!["noise".to_owned(), format!("cost of {index}")],
        suggested_improvements: vec!["more trees".to_owned()],
    }
}

pub fn failure() -> Failure {
    Failure {
        kind: FailureKind::ServerError,
        message: "upstream is down".to_owned(),
        retry_after: Some(Duration::from_millis(1500)),
    }
}

/// An attempt with every field set; the first of a failing pair has a failure and a body.
pub fn attempt(index: u32, number: u32, failure: Option<Failure>) -> Attempt {
    Attempt {
        persona: PersonaIndex(index),
        stage: Stage::Answer,
        number,
        endpoint: EndpointIndex(1),
        sent_at: UnixMillis(1_700_000_000_000 + i64::from(index)),
        timing: AttemptTiming {
            queued: Duration::from_micros(11),
            waited_for_slot: Duration::from_micros(12),
            waited_for_rate: Duration::from_micros(13),
            on_the_wire: Duration::from_micros(1_250_014),
            parsed: Duration::from_micros(15),
        },
        status: failure.is_none().then_some(200),
        request_id: Some(format!("req-{index}")),
        usage: failure.is_none().then_some(Usage {
            prompt_tokens: 300,
            completion_tokens: 200,
            cached_tokens: 100,
        }),
        body: failure.as_ref().map(|_| "{\"error\":1}".to_owned()),
        from_cache: false,
        failure,
    }
}

/// A new run of so many personas, not yet begun.
pub fn create(dir: &Path, personas: u32) -> OpenRun {
    let settings = serde_json::json!({ "slots": 20 });
    let survey = survey();
    let run = NewRun {
        name: "parking-7f3a",
        survey: &survey,
        settings: &settings,
        personas_from: "people.csv",
    };
    let mut import = Import::create(&path_in(dir), &run).unwrap();
    for index in 0..personas {
        import.add(&persona(index)).unwrap();
    }
    import.finish().unwrap()
}

/// Where [`create`] puts the run.
pub fn path_in(dir: &Path) -> PathBuf {
    run_path(dir, "parking-7f3a")
}

/// A writer, and its notices.
pub fn writer(run: OpenRun) -> (Writer, Receiver<Notice>) {
    let (send, notices) = channel();
    let writer = run.writer(move |notice| drop(send.send(notice))).unwrap();
    (writer, notices)
}

/// A persona that answers at its first attempt.
pub fn answer_one(writer: &Writer, index: u32) {
    writer.write(Record::Attempted(Box::new(attempt(index, 1, None))));
    finish(writer, index, Fate::Answered(answer(index)), 1);
}

pub fn finish(writer: &Writer, index: u32, fate: Fate, attempts: u32) {
    writer.write(Record::Finished { persona: PersonaIndex(index), fate, attempts });
}

/// Takes everything out of a run file that the first version of the tables did not have.
pub fn make_first_version(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(
        "DROP TABLE step; DROP TABLE flag; DROP TABLE spending; \
         DROP TABLE talk; DROP TABLE packed; \
         DROP TABLE digest; DROP TABLE insight; DROP TABLE analysis; \
         DROP TABLE batch; DROP TABLE batch_line; \
         ALTER TABLE attempt DROP COLUMN from_cache; PRAGMA user_version = 1",
    )
    .unwrap();
}
