//! What keeping answers costs: `cargo bench --bench store`, or `-- 1000000` for the full size.
//! It prints figures and asserts nothing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};
use voxpop::{
    export::{Format, export},
    model::{
        Answer, Attempt, AttemptTiming, Attribute, EndpointIndex, Fate, Grid, InterviewStatus,
        Persona, PersonaIndex, PromptTemplates, Review, Score, Stage, Summarizing, Survey,
        UnixMillis, Usage,
    },
    store::{AnswerAsJson, Import, NewRun, Notice, OpenRun, Record, RunReader, Writer, run_path},
};

/// Answers given and not yet committed, as a run with very many slots has them.
const WINDOW: u32 = 8_000;

fn main() {
    let personas = env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(200_000);
    let dir = env::temp_dir().join(format!("voxpop-bench-{}", std::process::id()));
    let path = run_path(&dir, "bench");
    measure(&path, personas);
    let _ = fs::remove_dir_all(dir);
}

fn measure(path: &Path, personas: u32) {
    println!("{personas} personas, answers of {} bytes", answer_size());
    let (run, took) = timed(|| import(path, personas));
    figure("import", took, personas);

    let (cpu, took) = timed(|| write_answers(run, personas));
    figure("attempt + answer, committed", took, personas);
    if let Some(cpu) = cpu {
        let micros = cpu.as_secs_f64() * 1e6 / f64::from(personas);
        println!("  writer thread's CPU: {micros:.2} us an answer");
    }
    let size = fs::metadata(path).map_or(0, |m| m.len());
    println!("  file: {} MB, {} bytes an answer", size >> 20, size / u64::from(personas.max(1)));
    print_peak_memory("after writing");

    let (reader, took) = timed(|| RunReader::open(path).expect("the run opens"));
    println!("open: {took:.2?}");
    let (statuses, took) = timed(|| reader.statuses().expect("statuses"));
    println!("resume scan, all statuses: {took:.2?}");
    assert!(statuses.iter().all(|s| *s == InterviewStatus::Done));
    println!("counts: {:.2?}", timed(|| reader.counts()).1);
    println!("first pending, none left: {:.2?}", timed(|| reader.pending(None, 1_000)).1);
    for format in Format::ALL {
        let took = timed(|| export(&reader, format, &mut std::io::sink()).expect("export")).1;
        figure(&format!("export as {}", format.as_str()), took, personas);
    }
    print_peak_memory("at the end");
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = f();
    (result, start.elapsed())
}

fn figure(what: &str, took: Duration, count: u32) {
    let rate = f64::from(count) / took.as_secs_f64();
    println!("{what}: {took:.2?}, {rate:.0} a second");
}

fn import(path: &Path, personas: u32) -> OpenRun {
    let survey = Survey {
        name: "bench".to_owned(),
        question: "Should it go?".to_owned(),
        domain: "civic-policy".to_owned(),
        grid: Grid { support: "Support".to_owned(), impacts: vec!["Housing".to_owned().into()] },
        model: "m".to_owned(),
        temperature: 0.7,
        max_output_tokens: 600,
        prompts: PromptTemplates::default(),
        review: Review::default(),
        pack: 1,
        summary: Summarizing::default(),
    };
    let settings = serde_json::Value::Null;
    let run =
        NewRun { name: "bench", survey: &survey, settings: &settings, personas_from: "bench" };
    let mut import = Import::create(path, &run).expect("a new run");
    for index in 0..personas {
        let attributes = ["age", "town", "job", "household", "transport", "income", "view"]
            .map(|name| Attribute { name: name.to_owned(), value: format!("{name} {index}") });
        let persona = Persona {
            index: PersonaIndex(index),
            id: format!("person-{index}"),
            weight: Some(1.0),
            attributes: attributes.to_vec(),
        };
        import.add(&persona).expect("a persona");
    }
    import.finish().expect("an imported run")
}

/// Writes all answers as fast as they are committed; gives back the writer thread's CPU time,
/// where the system tells.
fn write_answers(run: OpenRun, personas: u32) -> Option<Duration> {
    let committed = Arc::new(AtomicU32::new(0));
    let (wake, woken) = channel();
    let counter = Arc::clone(&committed);
    let writer = run
        .writer(move |notice| match notice {
            Notice::Committed(changes) => {
                let count = u32::try_from(changes.len()).expect("a batch is small");
                counter.fetch_add(count, Ordering::Release);
                let _ = wake.send(());
            }
            other => println!("{other:?}"),
        })
        .expect("a writer");
    let wait_for = |least: u32| {
        while committed.load(Ordering::Acquire) < least {
            woken.recv().expect("the writer lives");
        }
    };
    for index in 0..personas {
        wait_for(index.saturating_sub(WINDOW));
        write_one(&writer, index);
    }
    wait_for(personas);
    let cpu = writer_cpu();
    writer.close(Duration::from_secs(60)).expect("a clean close");
    cpu
}

fn write_one(writer: &Writer, index: u32) {
    writer.write(Record::Attempted(Box::new(Attempt {
        persona: PersonaIndex(index),
        stage: Stage::Answer,
        number: 1,
        endpoint: EndpointIndex(0),
        sent_at: UnixMillis::now(),
        timing: AttemptTiming {
            queued: Duration::from_micros(1200),
            waited_for_slot: Duration::from_micros(35_000),
            waited_for_rate: Duration::from_micros(900),
            on_the_wire: Duration::from_micros(1_250_000),
            parsed: Duration::from_micros(40),
        },
        status: Some(200),
        request_id: Some(format!("req_0123456789abcdef{index:08}")),
        usage: Some(Usage { prompt_tokens: 420, completion_tokens: 310, cached_tokens: 256 }),
        failure: None,
        body: None,
        from_cache: false,
    })));
    let fate = Fate::Answered(answer(index));
    writer.write(Record::Finished { persona: PersonaIndex(index), fate, attempts: 1 });
}

fn answer(index: u32) -> Answer {
    let score = |n: u32| {
        u8::try_from(1 + n % 5).ok().and_then(|n| Score::try_from(n).ok()).expect("1 to 5")
    };
    let sentence = "I have lived here for most of my life and I see both sides of this change. ";
    Answer {
        narrative: sentence.repeat(12),
        support_level: score(index),
        impacts: ["housing", "transport", "community"]
            .into_iter()
            .zip(1..)
            .map(|(key, n)| (key.to_owned(), score(index + n)))
            .collect(),
        key_concerns: vec!["parking on my street".to_owned(), "the cost of rent".to_owned()],
        suggested_improvements: vec!["more frequent buses in the evening".to_owned()],
    }
}

fn answer_size() -> usize {
    serde_json::to_vec(&AnswerAsJson(&answer(0))).map_or(0, |json| json.len())
}

/// CPU time of the thread that writes, from Linux' scheduler.
fn writer_cpu() -> Option<Duration> {
    let tasks: Vec<PathBuf> =
        fs::read_dir("/proc/self/task").ok()?.flatten().map(|entry| entry.path()).collect();
    let task = tasks.into_iter().find(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "voxpop-store")
    })?;
    let times = fs::read_to_string(task.join("schedstat")).ok()?;
    times.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn print_peak_memory(when: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("peak memory {when}: {}", line.trim_start_matches("VmHWM:").trim());
    }
}
