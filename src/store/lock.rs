//! Who may write a run file: the process that holds the lock file beside it.
//!
//! The lock is the operating system's (`flock` on Unix), so one whose process died, however it
//! died, is free. The pid in the file is for the message only.

use super::{StoreError, files};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// [`is_live`] takes the lock for a moment to look at it, so one refusal proves nothing.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The right to write one run file, until dropped.
#[derive(Debug)]
pub(super) struct RunLock {
    file: File,
    path: PathBuf,
}

fn lock_path(run: &Path) -> PathBuf {
    files::beside(run, ".lock")
}

impl RunLock {
    /// Takes the lock, or says who has it.
    pub fn take(run: &Path) -> Result<Self, StoreError> {
        let path = lock_path(run);
        let failed = |e| StoreError::io(&path, e);
        for _ in 0..TRIES {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) if is_still_there(&file, &path) => {
                    let mut lock = Self { file, path };
                    // On a full disk the pid is missing from a message; that is all.
                    let _ = lock.write_pid();
                    return Ok(lock);
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
        let mut pid = String::new();
        let pid = File::open(&path)
            .and_then(|mut file| file.read_to_string(&mut pid))
            .ok()
            .and_then(|_| pid.trim().parse().ok());
        Err(StoreError::Locked { path: run.to_owned(), pid })
    }

    fn write_pid(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        writeln!(self.file, "{}", std::process::id())
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Removed while it is held: who opened it before finds that it is no longer there and
        // makes a new one. Where that cannot be checked, the file stays.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether the file that was locked is the one that the next process would open.
#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_there(_: &File, _: &Path) -> bool {
    true
}

/// Whether a process, this one included, holds the run for writing.
pub fn is_live(run: &Path) -> bool {
    let Ok(file) = File::open(lock_path(run)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_the_pid_and_a_dead_lock_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a.voxpop");
        assert!(!is_live(&run));
        let lock = RunLock::take(&run).unwrap();
        assert!(is_live(&run));
        let refused = RunLock::take(&run).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(lock);
        assert!(!is_live(&run));
        assert!(!lock_path(&run).exists());

        // What a killed process leaves behind: the file with its pid, unlocked.
        std::fs::write(lock_path(&run), "999999999999\n").unwrap();
        assert!(!is_live(&run));
        drop(RunLock::take(&run).unwrap());
    }

    #[test]
    fn takers_that_race_never_both_have_it() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a.voxpop");
        let holders = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        is_live(&run);
                        let Ok(lock) = RunLock::take(&run) else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
    }
}
