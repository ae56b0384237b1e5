//! The whole program against a server that is never the bottleneck. Prints figures, asserts none.
//!
//! ```text
//! cargo bench --bench program -- speed     interviews a second and CPU each, beside `oha`
//! cargo bench --bench program -- pace      200 ms latency, and a limit of 600 a minute
//! cargo bench --bench program -- memory    peak memory at 100,000 and 1,000,000 personas
//! cargo bench --bench program -- screen    first frame, and bytes to the terminal
//! ```
//!
//! `speed`, `pace` and `memory` want a server at `VOXPOP_REFERENCE` (host:port, default
//! 127.0.0.1:18080) that answers `POST /v1/chat/completions` at once, on the next port after
//! 200 ms, and on the one after that with 429 beyond 600 a minute; `VOXPOP_REFERENCE_LOG` names
//! its access log, whose lines begin with the time, the status and, fourth, the port. `speed`
//! runs `oha` from the PATH or `OHA`. Linux only: figures of processes come from /proc.

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    env, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// One question and its answer, as the other runners ask it: no critic, no summary.
const SURVEY: &str = "\
name: bench
question: Should the council stop requiring a minimum number of car spaces in new buildings?
domain: civic-policy
grid: { support: Support for the proposal, impacts: [Housing, Transport, Community] }
model: gpt-4o-mini
review: off
summary: off
max_output_tokens: 600
";

fn main() {
    let asked: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |section: &str| asked.is_empty() || asked.iter().any(|arg| arg == section);
    let bench = Bench::new();
    if wants("speed") {
        bench.speed();
    }
    if wants("pace") {
        bench.pace();
    }
    if wants("memory") {
        bench.memory();
    }
    if wants("screen") {
        bench.screen();
    }
}

struct Bench {
    folder: tempfile::TempDir,
    host: String,
    port: u16,
}

/// What a process took.
struct Taken {
    wall: Duration,
    cpu: Duration,
    peak_mib: f64,
    out: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        fs::write(folder.path().join("survey.yaml"), SURVEY).expect("the survey can be written");
        let server = env::var("VOXPOP_REFERENCE").unwrap_or_else(|_| "127.0.0.1:18080".to_owned());
        let (host, port) = server.rsplit_once(':').expect("VOXPOP_REFERENCE is host:port");
        let port = port.parse().expect("VOXPOP_REFERENCE ends in a port");
        Self { folder, host: host.to_owned(), port }
    }

    fn speed(&self) {
        println!("\nspeed: 20,000 personas, 200 slots, no rate limit, every answer committed");
        println!("  beside oha -c 200 on the same server, one after the other");
        println!(
            "  {:>8}  {:>14}  {:>6}  {:>16}",
            "oha/s", "interviews/s", "ratio", "CPU, µs each"
        );
        let personas = self.personas(20_000);
        let oha = env::var("OHA").unwrap_or_else(|_| "oha".to_owned());
        self.speed_beside(&oha, &personas, "without the cache", &["--no-cache"]);
        self.speed_beside(&oha, &personas, "with an empty cache", &[]);
    }

    fn speed_beside(&self, oha: &str, personas: &Path, what: &str, more: &[&str]) {
        println!("  {what}");
        let flags = [&["--concurrency", "200", "--rpm", "unlimited"][..], more].concat();
        let mut ratios = Vec::new();
        for _ in 0..5 {
            let url = format!("http://{}:{}/v1/chat/completions", self.host, self.port);
            let oha = oha_per_second(oha, &url);
            let taken = self.run(personas, self.port, &flags);
            let per_second = 20_000.0 / seconds_of_run(&taken.out);
            let ratio = per_second / oha;
            ratios.push(ratio);
            let cpu = taken.cpu.as_secs_f64() * 1e6 / 20_000.0;
            println!("  {oha:>8.0}  {per_second:>14.0}  {ratio:>6.2}  {cpu:>16.1}");
        }
        ratios.sort_by(f64::total_cmp);
        println!("  median ratio {:.2}", ratios[ratios.len() / 2]);
    }

    fn pace(&self) {
        let log = env::var("VOXPOP_REFERENCE_LOG")
            .unwrap_or_else(|_| format!("/tmp/voxpop-reference-{}/access.log", self.port));
        println!(
            "\npace: 2,000 personas, 200 slots, 200 ms latency: ideal 2.0 s from first to last"
        );
        let personas = self.personas(2_000);
        for _ in 0..3 {
            let started = now();
            self.run(&personas, self.port + 1, &["--concurrency", "200", "--rpm", "unlimited"]);
            let requests = requests_since(&log, self.port + 1, started);
            let first = requests.first().map_or(0.0, |r| r.ended - r.took);
            let last = requests.last().map_or(0.0, |r| r.ended);
            println!(
                "  {} requests in {:.3} s ({:+.1} %), the first {:.0} ms after the start",
                requests.len(),
                last - first,
                ((last - first) / 2.0 - 1.0) * 100.0,
                (first - started) * 1000.0
            );
        }
        println!("\npace: 600 personas at --rpm 600 against a strict 600/min");
        let personas = self.personas(600);
        let started = now();
        let slots = ["--concurrency", "50", "--rpm", "600"];
        let taken = self.run(&personas, self.port + 2, &slots);
        let requests = requests_since(&log, self.port + 2, started);
        println!(
            "  {:.1} s in all, {} 429s, {}",
            taken.wall.as_secs_f64(),
            requests.iter().filter(|r| r.status == 429).count(),
            taken.out.lines().last().unwrap_or_default()
        );
    }

    fn memory(&self) {
        println!("\nmemory: 200 slots, no rate limit, peak resident memory (VmHWM)");
        let mut peaks = Vec::new();
        for many in [100_000, 1_000_000] {
            let personas = self.personas(many);
            let taken =
                self.run(&personas, self.port, &["--concurrency", "200", "--rpm", "unlimited"]);
            peaks.push(taken.peak_mib);
            println!(
                "  {many:>9} personas: {:.0} MiB, {:.1} s, {}",
                taken.peak_mib,
                taken.wall.as_secs_f64(),
                taken.out.lines().last().unwrap_or_default()
            );
        }
        println!("  {:.2} times", peaks[1] / peaks[0]);
    }

    fn screen(&self) {
        println!("\nscreen: the demo in a terminal of 120x40");
        let mut first = Vec::new();
        for _ in 0..5 {
            let mut demo = Screen::start(self.folder.path(), &["demo", "--personas", "200"]);
            first.push(demo.until(|screen| screen.contains("Personas")));
        }
        first.sort();
        println!("  first frame after {:.0} ms (median of 5)", first[2].as_secs_f64() * 1000.0);
        let busy = [
            "demo",
            "--personas",
            "100000",
            "--rpm",
            "unlimited",
            "--tpm",
            "unlimited",
            "--latency",
            "50ms",
            "--concurrency",
            "100",
        ];
        let mut demo = Screen::start(self.folder.path(), &busy);
        demo.until(|screen| screen.contains("RUNNING"));
        demo.drain_for(Duration::from_secs(2));
        let bytes = demo.drain_for(Duration::from_secs(10));
        println!("  a busy run draws {:.1} kB/s", bytes as f64 / 10_000.0);
        demo.press(b"p");
        demo.drain_for(Duration::from_secs(20));
        let bytes = demo.drain_for(Duration::from_secs(10));
        println!("  paused and settled it draws {bytes} bytes in 10 s");
        drop(demo);
        let quick = [
            "demo",
            "--personas",
            "50",
            "--rpm",
            "unlimited",
            "--tpm",
            "unlimited",
            "--latency",
            "10ms",
        ];
        let mut demo = Screen::start(self.folder.path(), &quick);
        demo.until(|screen| screen.contains("FINISHED"));
        demo.drain_for(Duration::from_secs(3));
        let bytes = demo.drain_for(Duration::from_secs(10));
        println!("  finished and left open it draws {bytes} bytes in 10 s");
    }

    /// A file of this many personas with ten attributes each.
    fn personas(&self, many: u32) -> PathBuf {
        let path = self.folder.path().join(format!("{many}.csv"));
        if path.exists() {
            return path;
        }
        let mut file = std::io::BufWriter::new(fs::File::create(&path).expect("there is room"));
        let header = "id,name,age,gender,occupation,education,tenure,household,suburb,cars,commute";
        writeln!(file, "{header}").expect("there is room");
        for i in 0..many {
            let age = 18 + i % 70;
            writeln!(
                file,
                "p{i},Person {i},{age},female,nurse,TAFE,rents,couple with two children,\
                 Parramatta,one car,train and bus"
            )
            .expect("there is room");
        }
        path
    }

    fn run(&self, personas: &Path, port: u16, flags: &[&str]) -> Taken {
        let runs = tempfile::tempdir_in(self.folder.path()).expect("there is room");
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxpop"));
        command.arg("run").arg(self.folder.path().join("survey.yaml"));
        command.arg("--personas").arg(personas).args(flags).arg("--json");
        command.args(["--base-url", &format!("http://{}:{port}/v1", self.host)]);
        command.env("VOXPOP_RUNS", runs.path()).current_dir(runs.path());
        // Nobody is to be answered by what a run before has asked.
        command.env("VOXPOP_CACHE", runs.path().join("cache.sqlite"));
        measured(command)
    }
}

/// One line of the server's log.
struct Request {
    ended: f64,
    took: f64,
    status: u16,
}

fn requests_since(log: &str, port: u16, started: f64) -> Vec<Request> {
    // The server writes its log out every 200 ms.
    std::thread::sleep(Duration::from_millis(500));
    let text = fs::read_to_string(log).unwrap_or_default();
    let port = port.to_string();
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let ended = words.next()?.parse().ok()?;
        let status = words.next()?.parse().ok()?;
        let took = words.next()?.parse().ok()?;
        (words.next()? == port && ended >= started).then_some(Request { ended, took, status })
    };
    let mut requests: Vec<_> = text.lines().filter_map(parse).collect();
    requests.sort_by(|a, b| a.ended.total_cmp(&b.ended));
    requests
}

fn oha_per_second(oha: &str, url: &str) -> f64 {
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}"#;
    let output = Command::new(oha)
        .args(["-c", "200", "-n", "200000", "--no-tui", "-m", "POST", "-d", body])
        .args(["-T", "application/json", url])
        .output()
        .expect("oha is on the PATH, or OHA names it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("Requests/sec")).expect("oha reports");
    line.split_whitespace().last().and_then(|n| n.parse().ok()).expect("a number")
}

fn seconds_of_run(out: &str) -> f64 {
    let last = out.lines().last().unwrap_or_default();
    let end: serde_json::Value = serde_json::from_str(last).expect("run_finished is the last line");
    assert_eq!(end["total"], end["done"], "{last}");
    end["seconds"].as_f64().expect("seconds")
}

fn measured(mut command: Command) -> Taken {
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

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64()
}

/// The dashboard in a pty.
struct Screen {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    input: Box<dyn Write + Send>,
    output: std::sync::mpsc::Receiver<Vec<u8>>,
    emulator: vt100::Parser,
    started: Instant,
}

impl Screen {
    fn start(runs: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("the system has a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_voxpop"));
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("VOXPOP_RUNS", runs.join("runs"));
        let mut reader = pty.master.try_clone_reader().expect("the pty can be read");
        let input = pty.master.take_writer().expect("the pty can be written");
        let started = Instant::now();
        let child = pty.slave.spawn_command(command).expect("voxpop starts");
        let (out, output) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _master = pty.master;
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if out.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, input, output, emulator: vt100::Parser::new(40, 120, 0), started }
    }

    /// How long after the start the screen's text satisfied `condition`.
    fn until(&mut self, condition: impl Fn(&str) -> bool) -> Duration {
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_secs(60)) {
            self.emulator.process(&bytes);
            if condition(&self.emulator.screen().contents()) {
                return self.started.elapsed();
            }
        }
        panic!("this is not what was awaited:\n{}", self.emulator.screen().contents());
    }

    /// How many bytes are drawn in this time.
    fn drain_for(&mut self, time: Duration) -> usize {
        let deadline = Instant::now() + time;
        let mut bytes = 0;
        while let Ok(read) =
            self.output.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            bytes += read.len();
            self.emulator.process(&read);
        }
        bytes
    }

    fn press(&mut self, key: &[u8]) {
        self.input.write_all(key).and_then(|()| self.input.flush()).expect("the pty takes keys");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
