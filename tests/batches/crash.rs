//! Batches planned, run and merged by a client that dies again and again, with a provider whose
//! replies get lost.

use crate::bench::{Bench, line, quick};
use std::{
    collections::BTreeMap,
    fs, mem,
    path::{Path, PathBuf},
    time::Duration,
};
use voxpop::{
    batch::{
        BatchRecord, CustomId, End, Event, FileLimits, LineOutcome, LineSize, Next, Placement,
        Read, ReadCounts, Reading, Rules, Splitter, Step, line_length, push_line,
    },
    model::{BatchKey, FileId, PersonaIndex, Stage, Tokens, UnixMillis},
    provider::{BatchError, NewBatch},
    simulator::BatchOptions,
};

const PERSONAS: u32 = 1_000;

const RULES: Rules = Rules {
    settles_after: Duration::ZERO,
    comes_back_after: Duration::ZERO,
    comes_back_within: Duration::ZERO,
    most_refusals: 9,
    most_rereads: 2,
};

/// What is on the disk of somebody who runs batches: all that a crash leaves.
#[derive(Default)]
struct Disk {
    batches: Vec<Batch>,
    /// What was taken, by persona, with its status.
    taken: BTreeMap<PersonaIndex, (CustomId, u16)>,
    strange: u64,
}

struct Batch {
    /// Its [`BatchRecord`] as JSON.
    record: String,
    members: Vec<CustomId>,
    path: PathBuf,
}

impl Disk {
    /// Writes lines into as many files as they need.
    fn plan(&mut self, folder: &Path, ids: &[CustomId]) {
        let limits = FileLimits { lines: 400, ..FileLimits::default() };
        let mut splitter = Splitter::new(limits);
        let (mut file, mut members) = (Vec::new(), Vec::new());
        for &id in ids {
            let body = line("", "m", id.persona.as_usize())["body"].to_string().into_bytes();
            let bytes = line_length(id, &body);
            match splitter.place(LineSize { bytes, tokens: Tokens(40) }) {
                Placement::Here => {}
                Placement::NextFile { full } => {
                    assert_eq!(full.bytes, file.len() as u64);
                    self.keep(folder, &mem::take(&mut file), mem::take(&mut members));
                }
                Placement::TooLarge => panic!("{id}"),
            }
            push_line(&mut file, id, &body);
            members.push(id);
        }
        if !members.is_empty() {
            self.keep(folder, &file, members);
        }
    }

    fn keep(&mut self, folder: &Path, file: &[u8], members: Vec<CustomId>) {
        let number = self.batches.len();
        let path = folder.join(format!("{number}.jsonl"));
        fs::write(&path, file).unwrap();
        let key = BatchKey(format!("run-{number}"));
        let record = BatchRecord::new(key, members.len() as u32, Tokens(0));
        let record = serde_json::to_string(&record).unwrap();
        self.batches.push(Batch { record, members, path });
    }

    fn record(&self, number: usize) -> BatchRecord {
        serde_json::from_str(&self.batches[number].record).unwrap()
    }

    fn commit(&mut self, number: usize, record: &BatchRecord) {
        self.batches[number].record = serde_json::to_string(record).unwrap();
    }
}

/// Carries out what is next. `None` is a failure after which the same is to be tried again.
async fn carry_out(bench: &Bench, path: &Path, next: Next) -> Option<Event> {
    let (client, at) = (&bench.client, UnixMillis::now());
    let said = |said| Event::Said { said, at };
    match next {
        Next::Upload => client.upload(path, "input.jsonl").await.ok().map(Event::Uploaded),
        Next::Intend => Some(Event::Intended { at }),
        Next::Create { key, input } => {
            let new = NewBatch { key: &key, input: &input };
            Some(match client.create_batch(new).await {
                Ok(made) => said(made),
                Err(error) => {
                    assert!(!error.was_refused(), "{error}");
                    Event::CreationUnclear { at: UnixMillis::now() }
                }
            })
        }
        Next::Find { key } => {
            let found = client.find_batch(&key).await.ok()?;
            Some(found.map_or(Event::NotFound { at }, said))
        }
        Next::Look { id } => client.batch(&id).await.ok().map(said),
        next => panic!("{next:?}"),
    }
}

/// Why results were not read to their end.
enum Broken {
    Download,
    Died,
}

impl From<BatchError> for Broken {
    fn from(_: BatchError) -> Self {
        Self::Download
    }
}

/// Reads the results of a batch for so many lines. Gives back what is to be asked again.
async fn read(
    bench: &Bench,
    disk: &mut Disk,
    number: usize,
    files: [Option<FileId>; 2],
    mut lives_for: usize,
) -> Result<(ReadCounts, Vec<CustomId>), Broken> {
    let mut reading = Reading::new(disk.batches[number].members.iter().copied());
    for (id, _) in disk.taken.values() {
        reading.was_taken(*id);
    }
    let mut again = Vec::new();
    for file in files.into_iter().flatten() {
        let mut content = bench.client.content(&file).await?;
        while let Some(bytes) = content.next().await? {
            match reading.read(&bytes) {
                Read::Line(line) => {
                    let status = match line.outcome {
                        LineOutcome::Answered { .. } => 200,
                        LineOutcome::Failed { status, .. } => status,
                        LineOutcome::NotRun => {
                            again.push(line.id);
                            continue;
                        }
                        LineOutcome::NoReply { .. } => panic!("{line:?}"),
                    };
                    let before = disk.taken.insert(line.id.persona, (line.id, status));
                    assert_eq!(before, None, "{} twice", line.id);
                }
                Read::Again { .. } => {}
                Read::Strange(_) => disk.strange += 1,
            }
            lives_for = lives_for.checked_sub(1).ok_or(Broken::Died)?;
        }
    }
    again.extend(reading.missing());
    Ok((reading.counts(), again))
}

#[tokio::test]
async fn nothing_is_lost_or_sent_twice_whatever_dies_and_whatever_reply_is_lost() {
    let batch =
        BatchOptions { expired: 0.05, failed: 0.01, strange: 0.1, unclear: 0.3, ..quick().batch };
    let bench = Bench::start(batch);
    let mut disk = Disk::default();
    let (stage, round, attempt) = (Stage::Answer, 0, 1);
    let id = |persona| CustomId { persona: PersonaIndex(persona), stage, round, attempt };
    disk.plan(bench.folder.path(), &(0..PERSONAS).map(id).collect::<Vec<_>>());
    assert_eq!(disk.batches.len(), 3);
    let (mut number, mut step, mut deaths) = (0, 0, 0);
    while number < disk.batches.len() {
        let mut record = disk.record(number);
        loop {
            step += 1;
            // Every third step is carried out, and the client dies before that is on file.
            let dies = step % 3 == 0;
            match record.next(UnixMillis::now(), &RULES) {
                Next::Nothing => break,
                Next::Read { output, errors } => {
                    let lives_for = if dies { 150 } else { usize::MAX };
                    let read = read(&bench, &mut disk, number, [output, errors], lives_for).await;
                    if let Ok((counts, again)) = read {
                        record.apply(Event::Read(counts), &RULES);
                        let again = again.into_iter().map(|id| id.again(9).unwrap());
                        disk.plan(bench.folder.path(), &again.collect::<Vec<_>>());
                        disk.commit(number, &record);
                    }
                }
                next => {
                    let path = disk.batches[number].path.clone();
                    let event = carry_out(&bench, &path, next).await;
                    if dies {
                        deaths += 1;
                        record = disk.record(number);
                    } else if let Some(event) = event {
                        record.apply(event, &RULES);
                        disk.commit(number, &record);
                    }
                }
            }
        }
        assert!(matches!(record.step(), Step::Over { end: End::Read, .. }), "{record:?}");
        number += 1;
    }
    let everybody: Vec<_> = (0..PERSONAS).map(PersonaIndex).collect();
    assert_eq!(disk.taken.keys().copied().collect::<Vec<_>>(), everybody);
    let answered = disk.taken.values().filter(|(_, status)| *status == 200).count();
    let stats = bench.simulator.batch_stats();
    assert_eq!(stats.lines_answered, answered as u64);
    assert_eq!(stats.lines_answered + stats.lines_failed, u64::from(PERSONAS));
    assert_eq!((stats.lines_answered_again, stats.created), (0, disk.batches.len() as u64));
    assert!(stats.lines_expired > 20 && disk.strange > 50 && deaths > 5, "{stats:?} {deaths}");
}
