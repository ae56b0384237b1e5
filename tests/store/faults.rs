//! Disks that are full, files that may not grow: nothing is lost, and all is said.

use crate::support::{PATIENCE, answer, answer_one, create, path_in, writer};
use std::{
    collections::BTreeSet, fs, path::Path, process::Command, sync::mpsc::Receiver, time::Duration,
};
use voxpop::{
    model::{Fate, PersonaIndex},
    store::{Notice, OpenRun, RunReader, StoreError},
};

const TOTAL: u32 = 2_000;

/// Reads notices until one fits; gives back the personas committed meanwhile.
fn wait_for(
    notices: &Receiver<Notice>,
    wanted: impl Fn(&Notice) -> bool,
    committed: &mut BTreeSet<PersonaIndex>,
) -> Notice {
    loop {
        let notice = notices.recv_timeout(PATIENCE).unwrap();
        if let Notice::Committed(changes) = &notice {
            committed.extend(changes.iter().map(|(persona, _)| *persona));
        }
        if wanted(&notice) {
            return notice;
        }
    }
}

fn all_answers_are_there(path: &Path) {
    let reader = RunReader::open(path).unwrap();
    for index in 0..reader.total() {
        let interview = reader.interview(PersonaIndex(index)).unwrap().unwrap();
        assert_eq!(interview.fate, Fate::Answered(answer(index)));
        assert_eq!(reader.attempts(PersonaIndex(index)).unwrap().len(), 1);
    }
}

fn is_stalled(notice: &Notice) -> bool {
    matches!(notice, Notice::Stalled { .. })
}

/// Another program's lock stands for every error of a commit that goes away again.
#[test]
fn a_stall_keeps_everything_says_so_once_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = writer(create(dir.path(), TOTAL));
    let mut committed = BTreeSet::new();
    answer_one(&writer, 0);
    wait_for(&notices, |n| matches!(n, Notice::Committed(_)), &mut committed);

    let shell = rusqlite::Connection::open(path_in(dir.path())).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    for index in 1..TOTAL {
        answer_one(&writer, index);
    }
    let Notice::Stalled { message } = wait_for(&notices, is_stalled, &mut committed) else {
        unreachable!()
    };
    assert!(message.contains("another program"), "{message}");
    assert_eq!(committed.len(), 1);
    shell.execute_batch("ROLLBACK").unwrap();
    let next = wait_for(&notices, |n| !matches!(n, Notice::Committed(_)), &mut committed);
    assert_eq!(next, Notice::Recovered);
    drop(shell);
    writer.close(PATIENCE).unwrap();
    for notice in &notices {
        let Notice::Committed(changes) = notice else { panic!("{notice:?}") };
        committed.extend(changes.iter().map(|(persona, _)| *persona));
    }
    assert_eq!(committed.len(), TOTAL as usize);
    all_answers_are_there(&path_in(dir.path()));
}

#[test]
fn a_close_that_cannot_write_says_how_many_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (first, notices) = writer(create(dir.path(), 10));
    let shell = rusqlite::Connection::open(path_in(dir.path())).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    for index in 0..3 {
        answer_one(&first, index);
    }
    wait_for(&notices, is_stalled, &mut BTreeSet::new());
    for index in 3..7 {
        answer_one(&first, index);
    }
    let error = first.close(Duration::ZERO).unwrap_err();
    assert!(matches!(error, StoreError::Unsaved { answers: 7, .. }), "{error}");
    // The run is free again, and what is not there is asked again.
    shell.execute_batch("ROLLBACK").unwrap();
    drop(OpenRun::open(&path_in(dir.path())).unwrap());
    assert_eq!(RunReader::open(&path_in(dir.path())).unwrap().pending(None, 99).unwrap().len(), 10);
}

/// A small disk of its own, which only root may have.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(dir))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.0.path()).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_holds_the_answers_until_there_is_room() {
    let Some(disk) = SmallDisk::new("size=4m") else {
        println!("skipped: a disk of its own needs root");
        return;
    };
    let dir = disk.0.path();
    let (writer, notices) = writer(create(dir, TOTAL));
    let mut committed = BTreeSet::new();
    answer_one(&writer, 0);
    wait_for(&notices, |n| matches!(n, Notice::Committed(_)), &mut committed);
    // Whatever room is left goes to another file.
    let filler = dir.join("filler");
    assert!(fs::write(&filler, vec![1; 8 << 20]).is_err());
    for index in 1..TOTAL {
        answer_one(&writer, index);
    }
    let Notice::Stalled { message } = wait_for(&notices, is_stalled, &mut committed) else {
        unreachable!()
    };
    assert!(message.contains("disk is full"), "{message}");
    // Readers go on beside it.
    let reader = RunReader::open(&path_in(dir)).unwrap();
    assert_eq!(reader.statuses().unwrap().iter().filter(|s| s.is_over()).count(), committed.len());
    drop(reader);
    fs::remove_file(&filler).unwrap();
    disk.remount("size=64m");
    wait_for(&notices, |n| *n == Notice::Recovered, &mut committed);
    writer.close(PATIENCE).unwrap();
    all_answers_are_there(&path_in(dir));
}

#[test]
fn a_run_on_a_read_only_disk_can_be_read() {
    let Some(disk) = SmallDisk::new("size=16m") else {
        println!("skipped: a disk of its own needs root");
        return;
    };
    let dir = disk.0.path();
    let (writer, _) = writer(create(dir, 5));
    for index in 0..5 {
        answer_one(&writer, index);
    }
    writer.close(PATIENCE).unwrap();
    disk.remount("ro");
    all_answers_are_there(&path_in(dir));
    let error = OpenRun::open(&path_in(dir)).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

/// The same without root: a file that may not grow, in a process that may undo it.
#[cfg(unix)]
mod growth {
    use super::*;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use std::env;

    const DIR: &str = "VOXPOP_TEST_GROWTH_DIR";

    #[test]
    fn child_whose_files_may_not_grow() {
        let Some(dir) = env::var_os(DIR) else { return };
        let dir = Path::new(&dir);
        let (writer, notices) = writer(create(dir, TOTAL));
        let mut committed = BTreeSet::new();
        answer_one(&writer, 0);
        wait_for(&notices, |n| matches!(n, Notice::Committed(_)), &mut committed);
        let limit = getrlimit(Resource::Fsize);
        setrlimit(Resource::Fsize, Rlimit { current: Some(200_000), maximum: limit.maximum })
            .unwrap();
        for index in 1..TOTAL {
            answer_one(&writer, index);
        }
        wait_for(&notices, is_stalled, &mut committed);
        setrlimit(Resource::Fsize, limit).unwrap();
        wait_for(&notices, |n| *n == Notice::Recovered, &mut committed);
        writer.close(PATIENCE).unwrap();
        all_answers_are_there(&path_in(dir));
        println!("nothing lost");
    }

    #[test]
    fn a_file_that_may_not_grow_holds_the_answers_until_it_may() {
        let dir = tempfile::tempdir().unwrap();
        // The shell turns off the signal that would end the child at the limit.
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(env::current_exe().unwrap())
            .args(["--exact", "faults::growth::child_whose_files_may_not_grow", "--nocapture"])
            .env(DIR, dir.path())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("nothing lost"), "{printed}{output:?}");
    }
}
