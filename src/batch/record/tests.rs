//! A batch's life against a provider of a few lines, with a crash wherever there can be one.

use super::*;
use crate::model::BatchCounts;
use proptest::prelude::*;

const RULES: Rules = Rules {
    settles_after: Duration::from_secs(30),
    comes_back_after: Duration::from_secs(10),
    comes_back_within: Duration::from_secs(60),
    most_refusals: 3,
    most_rereads: 2,
};

fn at(seconds: i64) -> UnixMillis {
    UnixMillis(seconds * 1000)
}

fn record() -> BatchRecord {
    BatchRecord::new(BatchKey("run-1".into()), 100, Tokens(5_000))
}

fn said(state: BatchState) -> BatchSaid {
    let counts = BatchCounts { total: 100, completed: 90, failed: 10 };
    let (output, errors) = (Some(FileId("out".into())), Some(FileId("err".into())));
    let id = BatchId("b".into());
    BatchSaid { id, key: None, state, counts, output, errors, problems: Vec::new() }
}

fn problem(code: &str, message: &str, line: Option<u64>) -> BatchProblem {
    BatchProblem { code: code.into(), message: message.into(), param: None, line }
}

fn refused(problems: Vec<BatchProblem>) -> Event {
    Event::Said { said: BatchSaid { problems, ..said(BatchState::Failed) }, at: at(100) }
}

fn is_now(state: BatchState) -> Event {
    Event::Said { said: said(state), at: at(100) }
}

fn apply(record: &mut BatchRecord, events: impl IntoIterator<Item = Event>) {
    for event in events {
        record.apply(event, &RULES);
    }
}

/// A record that is about to be created.
fn creating() -> BatchRecord {
    let mut record = record();
    apply(&mut record, [Event::Uploaded(FileId("in".into())), Event::Intended { at: at(0) }]);
    record
}

/// As a process finds it that starts after a crash.
fn on_file(record: &BatchRecord) -> BatchRecord {
    BatchRecord::read(&serde_json::to_string(record).unwrap()).unwrap()
}

#[test]
fn a_batch_goes_from_its_file_to_its_results() {
    let mut record = record();
    let mut next = |event: Option<Event>| {
        apply(&mut record, event);
        record.next(at(100), &RULES)
    };
    let (input, id) = (FileId("in".into()), BatchId("b".into()));
    assert_eq!(next(None), Next::Upload);
    assert_eq!(next(Some(Event::Uploaded(input.clone()))), Next::Intend);
    let key = BatchKey("run-1".into());
    assert_eq!(next(Some(Event::Intended { at: at(0) })), Next::Create { key, input });
    assert_eq!(next(Some(is_now(BatchState::Validating))), Next::Look { id: id.clone() });
    assert_eq!(next(Some(is_now(BatchState::Unknown))), Next::Look { id });
    let read =
        Next::Read { output: Some(FileId("out".into())), errors: Some(FileId("err".into())) };
    assert_eq!(next(Some(is_now(BatchState::Expired))), read);
    let counts = ReadCounts { answered: 90, failed: 10, ..Default::default() };
    assert_eq!(next(Some(Event::Read(counts))), Next::Nothing);
    assert_eq!(record.leftover(), Some(&FileId("in".into())));
    assert!(matches!(record.step(), Step::Over { end: End::Read, .. }));
}

#[test]
fn results_that_are_cut_short_are_looked_at_again_before_they_are_read_again() {
    let read = |counts| Event::Read(counts);
    let short = ReadCounts { answered: 85, failed: 5, missing: 10, ..Default::default() };
    let later = ReadCounts { answered: 4, again: 85, missing: 6, ..Default::default() };
    let mut record = creating();
    apply(&mut record, [is_now(BatchState::Completed)]);
    assert!(record.is_cut_short(&short, &RULES), "the provider counts 90 answers");
    for times in 1..=2 {
        apply(&mut record, [read(short)]);
        assert_eq!(record.next(at(100), &RULES), Next::Look { id: BatchId("b".into()) });
        assert_eq!((record.rereads(), on_file(&record).rereads()), (times, times));
        apply(&mut record, [is_now(BatchState::Completed)]);
        assert!(matches!(record.next(at(100), &RULES), Next::Read { .. }));
    }
    assert!(!record.is_cut_short(&later, &RULES), "it has been read often enough");
    apply(&mut record, [read(later)]);
    assert!(matches!(record.step(), Step::Over { end: End::Read, .. }));

    // What a provider counts otherwise is not waited for where nothing is missing.
    let mut record = creating();
    apply(&mut record, [is_now(BatchState::Completed)]);
    let all = ReadCounts { answered: 85, failed: 15, ..Default::default() };
    assert!(!record.is_cut_short(&all, &RULES));
    // Nor is a batch cancelled again that is over.
    let mut record = creating();
    apply(&mut record, [is_now(BatchState::Cancelled), Event::CancelWanted, read(short)]);
    assert_eq!(record.next(at(100), &RULES), Next::Look { id: BatchId("b".into()) });
}

#[test]
fn a_creation_that_nobody_answered_is_looked_for_before_it_is_sent_again() {
    let key = BatchKey("run-1".into());
    let unclear = |record: &BatchRecord| {
        assert_eq!(record.next(at(29), &RULES), Next::Wait { until: at(30) });
        assert_eq!(record.next(at(30), &RULES), Next::Find { key: key.clone() });
        assert!(record.is_enqueued());
    };
    unclear(&on_file(&creating()));
    let mut lost = creating();
    apply(&mut lost, [Event::CreationUnclear { at: at(0) }]);
    unclear(&lost);
    apply(&mut lost, [Event::NotFound { at: at(40) }]);
    assert!(matches!(lost.next(at(40), &RULES), Next::Create { .. }));
    // A crash now must wait anew, for the second creation may be on its way.
    assert_eq!(on_file(&lost).next(at(41), &RULES), Next::Wait { until: at(70) });
    apply(&mut lost, [is_now(BatchState::InProgress)]);
    assert_eq!(lost.next(at(41), &RULES), Next::Look { id: BatchId("b".into()) });
}

#[test]
fn a_creation_that_ran_into_its_timeout_is_given_the_whole_time_to_show_up() {
    let mut late = creating();
    apply(&mut late, [Event::CreationUnclear { at: at(120) }]);
    assert_eq!(late.next(at(120), &RULES), Next::Wait { until: at(150) });
    assert_eq!(on_file(&late).next(at(149), &RULES), Next::Wait { until: at(150) });
    assert!(matches!(late.next(at(150), &RULES), Next::Find { .. }));
}

#[test]
fn a_full_queue_is_waited_for_under_a_new_name_each_time() {
    let full = || problem("token_limit_exceeded", "... Limit: 90,000 enqueued tokens.", None);
    let mut record = creating();
    apply(&mut record, [refused(vec![full()])]);
    assert!(!record.is_enqueued());
    assert_eq!(record.next(at(100), &RULES), Next::Wait { until: at(110) });
    assert_eq!(record.next(at(110), &RULES), Next::Intend);
    apply(&mut record, [Event::Intended { at: at(110) }]);
    let key = BatchKey("run-1+1".into());
    assert_eq!(record.next(at(110), &RULES), Next::Create { key, input: FileId("in".into()) });
    apply(&mut record, [Event::TurnedAway { at: at(110) }, Event::Intended { at: at(140) }]);
    apply(&mut record, [refused(vec![full()]), Event::Intended { at: at(150) }]);
    apply(&mut record, [refused(vec![full()])]);
    let end = End::Refused(vec![full()]);
    assert_eq!(*record.step(), Step::Over { input: Some(FileId("in".into())), end });

    let mut large = creating();
    let small = problem("token_limit_exceeded", "Limit: 4,999 enqueued tokens.", None);
    assert_eq!(enqueued_limit(&small), Some(Tokens(4_999)));
    apply(&mut large, [refused(vec![small])]);
    assert!(matches!(large.step(), Step::Over { end: End::Refused(_), .. }), "it never fits");
}

#[test]
fn what_is_wrong_with_a_file_is_kept_by_line() {
    let problems = vec![problem("invalid_json_line", "This line ...", Some(7))];
    let mut record = creating();
    apply(&mut record, [refused(problems.clone())]);
    let Step::Over { end, .. } = record.step() else { panic!("{record:?}") };
    assert_eq!(*end, End::Refused(problems));
    let mut record = creating();
    apply(&mut record, [Event::CreationRefused(problem("no_model", "no such model", None))]);
    assert!(matches!(record.step(), Step::Over { end: End::Refused(_), .. }));
    let mut record = creating();
    apply(&mut record, [Event::InputGone]);
    assert_eq!(record.next(at(0), &RULES), Next::Upload);
}

#[test]
fn a_file_goes_up_once_more_where_it_is_gone_and_no_third_time() {
    let uploaded = || [Event::Uploaded(FileId("in".into())), Event::Intended { at: at(0) }];
    let mut record = creating();
    apply(&mut record, [Event::InputGone]);
    let mut record = on_file(&record);
    apply(&mut record, uploaded());
    let mut known = record.clone();
    apply(&mut record, [Event::InputGone]);
    let Step::Over { end: End::Refused(problems), .. } = record.step() else {
        panic!("{record:?}")
    };
    assert_eq!(problems[0].code, "no_batch_api");
    // A server that has turned it away in between has batches.
    apply(&mut known, [Event::TurnedAway { at: at(0) }, Event::Intended { at: at(20) }]);
    apply(&mut known, [Event::InputGone]);
    assert_eq!(known.next(at(20), &RULES), Next::Upload);
}

#[test]
fn a_cancelled_batch_is_never_created_or_read_for_what_was_done() {
    let never = |record: &BatchRecord| {
        assert!(matches!(record.step(), Step::Over { end: End::NeverCreated, .. }), "{record:?}");
    };
    let mut written = record();
    apply(&mut written, [Event::CancelWanted]);
    never(&written);
    let mut unsent = creating();
    apply(&mut unsent, [Event::CancelWanted]);
    never(&unsent);
    let mut unclear = on_file(&creating());
    apply(&mut unclear, [Event::CancelWanted]);
    assert!(matches!(unclear.next(at(60), &RULES), Next::Find { .. }));
    let mut found = unclear.clone();
    apply(&mut unclear, [Event::NotFound { at: at(60) }]);
    never(&unclear);
    let id = BatchId("b".into());
    apply(&mut found, [is_now(BatchState::InProgress)]);
    assert_eq!(on_file(&found).next(at(60), &RULES), Next::Cancel { id: id.clone() });
    let mut late = found.clone();
    apply(&mut found, [is_now(BatchState::Cancelling)]);
    assert_eq!(found.next(at(60), &RULES), Next::Look { id: id.clone() });
    apply(&mut found, [is_now(BatchState::Cancelled)]);
    assert!(matches!(found.next(at(60), &RULES), Next::Read { .. }));
    apply(&mut late, [Event::CancelRefused]);
    assert_eq!(late.next(at(60), &RULES), Next::Look { id });
}

#[test]
fn the_wait_between_looks_grows_with_age() {
    let look = |seconds| look_after(Duration::from_secs(seconds)).as_secs();
    assert_eq!([0, 30, 300, 86_400].map(look), [2, 3, 30, 60]);
}

/// A provider that creates batches, whether its answers arrive or not.
#[derive(Default)]
struct Provider {
    created: Vec<BatchKey>,
    /// Looks until a batch is over.
    looks: u32,
}

impl Provider {
    fn batch(&self, number: usize) -> BatchSaid {
        let state = if self.looks > 3 { BatchState::Completed } else { BatchState::InProgress };
        BatchSaid { id: BatchId(format!("b{number}")), ..said(state) }
    }

    fn carry_out(&mut self, next: Next, now: UnixMillis) -> Event {
        match next {
            Next::Upload => Event::Uploaded(FileId("in".into())),
            Next::Intend => Event::Intended { at: now },
            Next::Create { key, .. } => {
                self.created.push(key);
                Event::Said { said: self.batch(self.created.len() - 1), at: now }
            }
            Next::Find { key } => match self.created.iter().position(|known| *known == key) {
                Some(number) => Event::Said { said: self.batch(number), at: now },
                None => Event::NotFound { at: now },
            },
            Next::Look { .. } => {
                self.looks += 1;
                Event::Said { said: self.batch(0), at: now }
            }
            Next::Read { .. } => Event::Read(ReadCounts { answered: 90, ..Default::default() }),
            Next::Cancel { .. } | Next::Wait { .. } | Next::Nothing => unreachable!("{next:?}"),
        }
    }
}

/// What goes wrong at one step.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    None,
    /// The process dies before it does anything.
    DiesBefore,
    /// It dies after it has been done, before that is on file.
    DiesAfter,
    /// The answer is lost on its way.
    NoAnswer,
}

proptest! {
    #[test]
    fn whenever_it_crashes_a_batch_is_created_once_and_read(
        mishaps in prop::collection::vec(
            prop_oneof![
                3 => Just(Mishap::None), 1 => Just(Mishap::DiesBefore),
                1 => Just(Mishap::DiesAfter), 1 => Just(Mishap::NoAnswer),
            ],
            0..30,
        )
    ) {
        let (mut provider, mut record, mut now) = (Provider::default(), record(), at(0));
        let mut mishaps = mishaps.into_iter();
        for _ in 0..200 {
            let next = record.next(now, &RULES);
            match next {
                Next::Nothing => break,
                Next::Wait { until } => {
                    now = until;
                    continue;
                }
                _ => {}
            }
            let creates = matches!(next, Next::Create { .. });
            match mishaps.next().unwrap_or(Mishap::None) {
                Mishap::None => record.apply(provider.carry_out(next, now), &RULES),
                Mishap::DiesBefore => record = on_file(&record),
                Mishap::DiesAfter => {
                    provider.carry_out(next, now);
                    record = on_file(&record);
                }
                Mishap::NoAnswer => {
                    let event = provider.carry_out(next, now);
                    if creates {
                        record.apply(Event::CreationUnclear { at: now }, &RULES);
                    } else if let Event::Intended { .. } = event {
                        record.apply(event, &RULES);
                    }
                }
            }
        }
        prop_assert_eq!(&provider.created, &[BatchKey("run-1".into())]);
        let read = matches!(record.step(), Step::Over { end: End::Read, .. });
        prop_assert!(read, "{:?}", record);
    }
}
