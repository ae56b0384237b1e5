//! The engine's process, from outside.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use voxpop::store::is_live;

/// A run's engine. It is killed when this is dropped.
pub struct Engine {
    pid: Pid,
    run_file: PathBuf,
}

impl Engine {
    /// The one that has the run.
    pub fn of(run_file: &Path) -> Self {
        let mut lock = run_file.as_os_str().to_owned();
        lock.push(".lock");
        let pid = fs::read_to_string(lock).ok().and_then(|pid| pid.trim().parse().ok());
        let pid = pid.and_then(Pid::from_raw).expect("the run has an engine");
        Self { pid, run_file: run_file.to_owned() }
    }

    /// CPU so far.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.pid)
    }

    /// Kills it as nothing can be prepared for, and waits until it is gone.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
        while is_live(&self.run_file) {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// CPU of a process, of all its threads, in ticks of 10 ms.
pub fn cpu_of(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let stat = stat.expect("the process is there, and this is Linux");
    let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = [fields[11], fields[12]].iter().filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A figure of this process from /proc/self/status, in MiB.
pub fn own_memory(figure: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(figure));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or_default() / 1024.0
}
