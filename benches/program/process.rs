//! What a process takes: time, CPU and memory, as /proc has them.

use std::{
    fs,
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// What a process took.
pub struct Taken {
    pub wall: Duration,
    pub cpu: Duration,
    pub peak_mib: f64,
    pub out: String,
}

/// Runs a command to its end.
pub fn measured(mut command: Command) -> Taken {
    let before = children_cpu();
    let started = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("voxpop starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut out = String::new();
        stdout.read_to_string(&mut out).expect("voxpop writes UTF-8");
        out
    });
    let peak_mib = peak_memory(&mut child);
    let out = reader.join().expect("the reader does not panic");
    Taken { wall: started.elapsed(), cpu: children_cpu() - before, peak_mib, out }
}

/// Waits for the child to end, and looks at its high-water mark on the way.
fn peak_memory(child: &mut Child) -> f64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0;
    loop {
        if let Some(kib) = fs::read_to_string(&status).ok().as_deref().and_then(high_water) {
            peak = kib / 1024.0;
        }
        if child.try_wait().expect("the child can be waited for").is_some() {
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn high_water(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// CPU of all children that have ended, in ticks of 10 ms.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = [fields[13], fields[14]].iter().filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
