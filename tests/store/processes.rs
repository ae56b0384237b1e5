//! Several processes at one run: the test binary starts itself again, as a writer that is killed
//! or as a reader beside the writer.

use crate::support::{answer, answer_one, create, path_in, writer};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};
use voxpop::{
    model::{Fate, InterviewStatus, PersonaIndex, RunPhase, StopReason},
    store::{Notice, OpenRun, Record, RunReader, is_live, list},
};

const WRITER_DIR: &str = "VOXPOP_TEST_WRITER_DIR";
const READER_DIR: &str = "VOXPOP_TEST_READER_DIR";
const TOTAL: u32 = 200_000;

/// The child: writes answers and says which are committed, until it is killed. In a usual test
/// run it has nothing to do.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = env::var_os(WRITER_DIR) else { return };
    let run = create(Path::new(&dir), TOTAL);
    let writer = run
        .writer(|notice| {
            let Notice::Committed(changes) = notice else { panic!("{notice:?}") };
            let mut out = std::io::stdout().lock();
            for (persona, _) in changes {
                writeln!(out, "committed {persona}").unwrap();
            }
            out.flush().unwrap();
        })
        .unwrap();
    writer.write(Record::PhaseChanged(RunPhase::Running));
    for index in 0..TOTAL {
        answer_one(&writer, index);
        // About as fast as a fast provider answers; it is killed long before the end.
        if index % 50 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    panic!("it should have been killed");
}

#[test]
fn what_was_reported_as_committed_is_there_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(WRITER_DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let index_of = |line: String| line.strip_prefix("committed ").and_then(|n| n.parse().ok());
    let mut committed: Vec<u32> = lines.by_ref().filter_map(index_of).take(5_000).collect();
    assert!(is_live(&path));
    let error = OpenRun::open(&path).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    committed.extend(lines.filter_map(index_of));
    assert!(committed.len() < TOTAL as usize, "killed in the middle");

    assert!(!is_live(&path));
    let reader = RunReader::open(&path).unwrap();
    let phase = reader.run().unwrap().phase;
    assert_eq!(phase, Some(RunPhase::Stopped { reason: StopReason::Crashed }));
    let statuses = reader.statuses().unwrap();
    for index in committed.iter().map(|index| PersonaIndex(*index)) {
        assert_eq!(statuses[index.as_usize()], InterviewStatus::Done);
        let interview = reader.interview(index).unwrap().unwrap();
        assert_eq!(interview.fate, Fate::Answered(answer(index.0)));
        assert_eq!(reader.attempts(index).unwrap().len(), 1);
    }

    // The dead process's lock is taken over, and the run goes on after the last answer.
    let done = statuses.iter().filter(|status| status.is_over()).count();
    let next = reader.pending(None, 1).unwrap()[0].index;
    assert_eq!(next.as_usize(), done);
    let (writer, notices) = writer(OpenRun::open(&path).unwrap());
    answer_one(&writer, next.0);
    assert_eq!(notices.recv().unwrap(), Notice::Committed(vec![(next, InterviewStatus::Done)]));
    drop(reader);
    writer.close(crate::support::PATIENCE).unwrap();
    assert!(!path.with_extension("voxpop-wal").exists());
}

/// The child: looks at a run and goes away.
#[test]
fn child_that_reads() {
    let Some(dir) = env::var_os(READER_DIR) else { return };
    let reader = RunReader::open(&path_in(Path::new(&dir))).unwrap();
    println!("over {}", reader.counts().unwrap().over());
}

/// The last connection to leave a file takes its write-ahead log away. Another process must never
/// believe to be the last one while the writer is there, whatever the writer's own process looked
/// at: on Unix, a process that opens and closes the file by other means than SQLite lets go of
/// SQLite's locks on it.
#[test]
fn a_reader_in_another_process_leaves_the_writers_log_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(dir.path());
    let over_elsewhere = || {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "processes::child_that_reads", "--nocapture"])
            .env(READER_DIR, dir.path())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.lines().find_map(|line| line.strip_prefix("over ")?.parse::<u32>().ok()).unwrap()
    };
    let (writer, notices) = writer(create(dir.path(), 10));
    for index in 0..10 {
        answer_one(&writer, index);
        notices.recv().unwrap();
        drop(RunReader::open(&path).unwrap());
        drop(list(dir.path()).unwrap());
        assert!(OpenRun::open(&path).is_err());
        assert_eq!(over_elsewhere(), index + 1);
        assert!(path.with_extension("voxpop-wal").exists());
    }
    writer.close(crate::support::PATIENCE).unwrap();
    assert_eq!(over_elsewhere(), 10);
}
