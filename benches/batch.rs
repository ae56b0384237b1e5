//! A run of 120,000 personas through the Batch API of the simulated provider, killed in the middle:
//! what is lost, what is sent twice, memory and time. Prints figures, asserts none.
//!
//! ```text
//! cargo bench --bench batch              120,000 requests, 5 % expired, 1 % failed, one kill -9
//! cargo bench --bench batch -- 20000     as many as that
//! ```
//!
//! Linux only: the memory of processes comes from /proc.

use serde_json::Value;
use std::{
    env,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PERSONAS: usize = 120_000;

fn main() {
    let asked = env::args().skip(1).find_map(|arg| arg.parse().ok());
    let personas = asked.unwrap_or(PERSONAS);
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let (mut provider, base_url) = provider(folder.path());
    write_input(folder.path(), &base_url, personas);
    println!("\nbatch: {personas} requests, 5 % of the lines expire, 1 % fail, one kill -9");

    let begun = Instant::now();
    let run = ["run", "survey.yaml", "--personas", "people.csv", "--name", "bench", "--batch"];
    // In the middle of reading a batch: its results are there, and some of them are on file.
    let killed = carry_on(folder.path(), &run, Some(": expired"));
    let resumed = carry_on(folder.path(), &["resume", "bench"], None);
    let seconds = begun.elapsed().as_secs_f64();

    let records = command(folder.path(), &["export", "bench"]).output().expect("it exports");
    let records: Vec<Value> = (records.stdout.split(|byte| *byte == b'\n'))
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("an export is JSON"))
        .collect();
    let in_order = (records.iter().enumerate())
        .all(|(n, record)| record["persona_id"] == Value::String(format!("p{n}")));
    let answered = records.iter().filter(|record| record["status"] == "done").count();
    let stats = stats(&base_url);
    let stat = |name: &str| stats["batches"][name].as_u64().unwrap_or_default();
    println!("  answered           {answered} of {personas}, in order: {in_order}");
    println!("  lost               {}", personas - answered);
    println!("  answered twice     {}", stat("lines_answered_again"));
    println!(
        "  batches            {}, lines expired {}, lines failed {}",
        stat("created"),
        stat("lines_expired"),
        stat("lines_failed")
    );
    println!("  peak memory        {killed} MiB until the kill, {resumed} MiB after it");
    println!("  seconds            {seconds:.0}");
    let _ = provider.kill();
    let _ = provider.wait();
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxpop"));
    command.args(args).current_dir(folder).env("VOXPOP_RUNS", folder).env("TMPDIR", folder);
    command
}

fn provider(folder: &Path) -> (Child, String) {
    let flags = ["simulate", "--port", "0", "--latency", "0ms", "--batch-seconds", "2"];
    let trouble = ["--batch-expired", "5%", "--batch-failed", "1%"];
    let mut child = command(folder, &[&flags[..], &trouble].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the provider starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let base_url = loop {
        let line = lines.next().expect("it says where it is").expect("it is text");
        if let Some(at) = line.find("http://") {
            break line[at..].split_whitespace().next().unwrap_or_default().to_owned();
        }
    };
    thread::spawn(move || lines.for_each(drop));
    (child, base_url)
}

fn write_input(folder: &Path, base_url: &str, personas: usize) {
    let survey = format!(
        "name: bench\n\
         question: Should the council stop requiring a minimum number of car spaces?\n\
         domain: civic-policy\n\
         grid: {{ support: Support for the proposal, impacts: [Housing, Transport] }}\n\
         review: off\n\
         base_url: {base_url}\n"
    );
    let mut people = "id,name,age,town,job\n".to_owned();
    for n in 0..personas {
        let (age, town, job) = (18 + n % 70, n % 40, n % 90);
        writeln!(people, "p{n},Person {n},{age},Town {town},Job {job}")
            .expect("a string takes every byte");
    }
    fs::write(folder.join("survey.yaml"), survey).expect("it can be written");
    fs::write(folder.join("people.csv"), people).expect("it can be written");
}

/// Carries the run on, to its end or until a line has these words, and a moment longer. Gives back
/// the peak memory in MiB.
fn carry_on(folder: &Path, args: &[&str], until: Option<&str>) -> u64 {
    let mut child = command(folder, &[args, &["--plain"]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("voxpop starts");
    let peak = Peak::of(child.id());
    let out = BufReader::new(child.stdout.take().expect("it is piped"));
    for line in out.lines().map_while(Result::ok) {
        println!("    {line}");
        if until.is_some_and(|words| line.contains(words)) {
            thread::sleep(Duration::from_millis(300));
            child.kill().expect("it is still there");
            break;
        }
    }
    let _ = child.wait();
    peak.mib()
}

/// The peak memory of a process, looked at while it lives.
struct Peak {
    kib: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Peak {
    fn of(pid: u32) -> Self {
        let (kib, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (writes, ends) = (Arc::clone(&kib), Arc::clone(&over));
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Acquire) {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let peak = peak.and_then(|words| words.split_whitespace().next()?.parse().ok());
                writes.fetch_max(peak.unwrap_or(0), Ordering::AcqRel);
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { kib, over, thread }
    }

    fn mib(self) -> u64 {
        self.over.store(true, Ordering::Release);
        let _ = self.thread.join();
        self.kib.load(Ordering::Acquire).div_ceil(1024)
    }
}

fn stats(base_url: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/simulator/stats", base_url.trim_end_matches("/v1"));
    let text = runtime.expect("a runtime starts").block_on(async {
        reqwest::get(url).await.expect("the provider is there").text().await.expect("it is text")
    });
    serde_json::from_str(&text).expect("it is JSON")
}
