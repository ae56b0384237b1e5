//! A run that outlives its terminal: the engine in a process of its own, dashboards that come and
//! go, and a socket that lets in nobody else.

use crate::{
    asking::{Provider, answer_of, assert_own_answer},
    common::{
        provider::Gate,
        terminal::Terminal,
        voxpop::{PATIENCE, Running},
    },
    place::{Place, RUN, count, engine_of, name},
    terminal::{drop_the_line, state_of},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    env, fs,
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use voxpop::{link::socket::socket_name, model::RunPhase, store::is_live};

const WIDE: (u16, u16) = (120, 40);

fn held() -> (Gate, Provider) {
    let gate = Gate::default();
    let held = gate.clone();
    (gate, Provider::start(move |asked| answer_of(asked.name).behind(&held)))
}

/// Waits until a condition holds that nobody tells about.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts the run without a dashboard.
fn detached(place: &Place, more: &[&str]) -> Pid {
    let outcome = place.ask(&[&["--detach"], more].concat());
    assert_eq!((outcome.code, outcome.out.as_str()), (0, "test-run\n"), "{outcome:?}");
    engine_of(&place.run_file()).expect("the engine is there")
}

fn attach(place: &Place, more: &[&str]) -> Terminal {
    Terminal::start(&[&["attach", RUN], more].concat(), &place.runs(), WIDE)
}

/// Where the run's socket is, as long as no other place is named by a variable.
fn socket(place: &Place) -> PathBuf {
    let name = socket_name(&place.run_file()).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let places = [format!("/run/user/{uid}/voxpop"), format!("/tmp/voxpop-{uid}")];
    let mut paths = places.iter().map(|folder| Path::new(folder).join(&name));
    paths.find(|path| path.exists()).expect("the engine has a socket")
}

fn finished(place: &Place) -> bool {
    place.reader().run().unwrap().phase == Some(RunPhase::Finished) && !is_live(&place.run_file())
}

#[test]
fn a_run_goes_on_without_its_terminal_and_is_steered_from_two_others() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 30, 4);
    let mut first = place.watch(WIDE, &[]);
    first.wait_for("RUNNING");
    provider.wait_for(4);
    let engine = engine_of(&place.run_file()).unwrap();
    assert_ne!(engine.as_raw_nonzero().get().unsigned_abs(), first.pid());
    first.press("q");
    first.wait_for("Detach: the run goes on");
    first.press("d");
    assert_eq!(first.exit_code(), 0);
    assert!(first.text().contains("voxpop attach test-run"), "{}", first.text());

    let mut second = attach(&place, &[]);
    second.wait_for("4 of 4");
    let third = attach(&place, &["--read-only"]);
    third.wait_for("4 of 4");
    second.press("+");
    second.wait_for("slots now 5");
    third.wait_for("5 of 5");
    provider.wait_for(5);

    // The line of the second drops, the third only looks on.
    drop(second);
    gate.open();
    third.wait_for("FINISHED");
    wait_until("the run to end", || finished(&place));
    assert_eq!(provider.server.count(), 30);
    let records = place.export();
    for (n, record) in records.iter().enumerate() {
        assert_own_answer(record, &name(n));
    }
}

#[test]
fn a_dropped_line_ends_the_dashboard_and_the_run_is_come_back_to() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 30, 4);
    let first = drop_the_line(&provider, &place, &[], "", |pid| state_of(pid) == Some('S'));
    wait_until("the dashboard to end", || matches!(state_of(first.pid), None | Some('Z')));
    let engine = engine_of(&place.run_file()).unwrap();
    // It has no terminal to lose.
    kill_process(engine, Signal::HUP).unwrap();

    let mut second = attach(&place, &[]);
    second.wait_for("RUNNING");
    assert_eq!(engine_of(&place.run_file()), Some(engine));
    gate.open();
    second.wait_for("30 of 30");
    second.wait_for("FINISHED");
    second.press("q");
    assert_eq!(second.exit_code(), 0);
    assert!(second.text().contains("30 of 30 done"), "{}", second.text());
    assert_eq!(provider.server.count(), 30);
    assert!(!is_live(&place.run_file()), "the engine has ended by the time that its end is told");
}

#[test]
fn a_dashboard_may_only_look() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    let mut terminal = attach(&place, &["--read-only"]);
    terminal.wait_for("RUNNING");
    for key in ["+", "p"] {
        terminal.press(key);
        terminal.wait_for("not done: this dashboard only looks");
    }
    terminal.press("g\r");
    terminal.wait_for("Esc close");
    terminal.wait_for("You take part in a survey");
    terminal.press("\x1b");
    terminal.wait_until("the inspector to close", |screen| !screen.contains("Esc close"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(place.reader().limit_changes().unwrap(), []);
    gate.open();
    wait_until("the run to end", || finished(&place));
}

#[test]
fn a_run_is_told_and_listed_without_a_screen() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    let outcome = place.voxpop(&["tell", RUN, "slots=3", "rpm=900", "pause"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for words in ["slots=3: slots now 3", "rpm=900: requests/min now 900", "pause: paused"] {
        assert!(outcome.out.contains(words), "{words}: {outcome:?}");
    }
    let listed =
        || -> Value { serde_json::from_str(place.voxpop(&["ls", "--json"]).out.trim()).unwrap() };
    let row = listed();
    assert_eq!((&row["state"], &row["live"]), (&json!("paused"), &json!(true)), "{row}");
    assert!(row["per_minute"].is_number(), "the engine says it: {row}");
    let outcome = place.voxpop(&["tell", RUN, "retry-failed", "--json"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(outcome.last_json()["outcome"], json!("refused"));
    for (orders, words) in [("slots=0", "at least 1"), ("go", "is no order")] {
        let outcome = place.voxpop(&["tell", RUN, orders]);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(outcome.err.contains(words), "{outcome:?}");
    }
    assert_eq!(place.voxpop(&["tell", RUN, "resume"]).code, 0);
    provider.wait_for(3);
    gate.open();
    wait_until("the run to end", || finished(&place));
    let row = listed();
    assert_eq!((&row["state"], &row["live"]), (&json!("finished"), &json!(false)), "{row}");
    let outcome = place.voxpop(&["tell", RUN, "pause"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains("is not live"), "{outcome:?}");
    assert_eq!(provider.server.count(), 20);
}

#[test]
fn what_is_wrong_with_the_input_is_said_before_the_run_leaves_the_terminal() {
    let place = Place::new();
    place.survey("https://api.openai.com/v1", "limits: { slots: 2 }");
    place.people(3);
    for more in [&["--detach"][..], &[]] {
        let args = place.asking(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut terminal = Terminal::start(&args, &place.runs(), WIDE);
        assert_eq!(terminal.exit_code(), 2, "{}", terminal.text());
        assert!(terminal.text().contains("OPENAI_API_KEY"), "{}", terminal.text());
    }
    assert!(!place.run_file().exists());
}

#[test]
fn a_stopped_dashboard_holds_up_nothing() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 3_000, 8);
    detached(&place, &[]);
    provider.wait_for(8);
    let mut terminal = attach(&place, &[]);
    terminal.wait_for("RUNNING");
    let dashboard = Pid::from_raw(terminal.pid().try_into().unwrap()).unwrap();
    kill_process(dashboard, Signal::STOP).unwrap();
    gate.open();
    let done = || place.reader().run().unwrap().phase == Some(RunPhase::Finished);
    wait_until("the run to end", done);
    kill_process(dashboard, Signal::CONT).unwrap();
    terminal.wait_for("FINISHED");
    terminal.wait_for("3,000 of 3,000");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.count(), 3_000);
}

#[test]
fn a_killed_engine_shows_on_its_dashboard_and_another_takes_over() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| match asked.number {
        1..=6 => answer_of(asked.name),
        _ => answer_of(asked.name).behind(&held),
    });
    let place = Place::with_survey(&provider.base_url(), 20, 2);
    let engine = detached(&place, &[]);
    let mut terminal = attach(&place, &[]);
    terminal.wait_for(" 6 of 20 ");
    let left_behind = socket(&place);
    // A second one is refused.
    let outcome = place.voxpop(&["resume", RUN, "--detach"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains(&format!("process {}", engine.as_raw_nonzero())), "{outcome:?}");

    kill_process(engine, Signal::KILL).unwrap();
    terminal.wait_for("RECONNECTING");
    terminal.wait_for("Cut short by a crash: 6 done, 14 left");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 1);
    assert!(terminal.text().contains("voxpop resume test-run"), "{}", terminal.text());
    assert!(left_behind.exists(), "nobody was there to take it away");

    let outcome = place.voxpop(&["resume", RUN, "--detach"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("its last process was killed; 6 of 20"), "{outcome:?}");
    let again = attach(&place, &[]);
    again.wait_for(" 6 of 20 ");
    gate.open();
    again.wait_for("FINISHED");
    drop(again);
    wait_until("the run to end", || finished(&place));
    assert!(!left_behind.exists());
    assert_eq!(count(&place.export(), "done"), 20);
    for n in 0..6 {
        assert_eq!(provider.asked(&name(n)), 1, "who has answered is not asked again");
    }
}

#[test]
fn a_termination_signal_drains_and_a_second_one_does_not_wait() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let engine = detached(&place, &[]);
    provider.wait_for(2);
    kill_process(engine, Signal::TERM).unwrap();
    let draining = || place.reader().run().unwrap().phase == Some(RunPhase::Draining);
    wait_until("the run to drain", draining);
    gate.open();
    wait_until("the run to stop", || !is_live(&place.run_file()));
    assert_eq!(count(&place.export(), "done"), 2);

    let (_gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let engine = detached(&place, &["--grace", "60m"]);
    provider.wait_for(2);
    kill_process(engine, Signal::TERM).unwrap();
    wait_until("the run to drain", || {
        place.reader().run().unwrap().phase == Some(RunPhase::Draining)
    });
    kill_process(engine, Signal::TERM).unwrap();
    wait_until("the run to stop", || !is_live(&place.run_file()));
    assert_eq!(count(&place.export(), "queued"), 10);
}

#[test]
fn after_the_grace_a_drained_run_stops() {
    let (_gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let engine = detached(&place, &["--grace", "100ms"]);
    provider.wait_for(2);
    kill_process(engine, Signal::TERM).unwrap();
    wait_until("the run to stop", || !is_live(&place.run_file()));
    assert_eq!(count(&place.export(), "queued"), 10);

    // So it is where the engine is this process.
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let process = place.start_asking(&["--grace", "100ms"]);
    process.wait_for_line("asking 10 personas");
    provider.wait_for(4);
    process.signal(Signal::TERM);
    let outcome = process.end();
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert_eq!(count(&place.export(), "queued"), 10);
}

#[test]
fn engines_killed_again_and_again_ask_nobody_twice_who_answered() {
    const MANY: usize = 120;
    let ms = Duration::from_millis;
    let provider = Provider::start(move |asked| answer_of(asked.name).slowly(ms(8), ms(0)));
    let place = Place::with_survey(&provider.base_url(), MANY, 6);
    let mut rng = fastrand::Rng::with_seed(3);
    let mut asked_until_done = HashMap::new();
    for round in 0..5 {
        let before = provider.server.count();
        let engine = if round == 0 {
            detached(&place, &[])
        } else {
            let outcome = place.voxpop(&["resume", RUN, "--detach"]);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            engine_of(&place.run_file()).expect("the engine is there")
        };
        provider.wait_for(before + rng.usize(1..20));
        let shown = place.export();
        kill_process(engine, Signal::KILL).unwrap();
        wait_until("the engine to be gone", || !is_live(&place.run_file()));
        let kept = place.export();
        for (n, record) in kept.iter().enumerate() {
            let done = record["status"] == "done";
            assert!(done || shown[n]["status"] != "done", "an answer that was shown is gone");
            if done {
                assert_own_answer(record, &name(n));
                asked_until_done.entry(n).or_insert_with(|| provider.asked(&name(n)));
            }
        }
    }
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), MANY);
    for (n, times) in asked_until_done {
        assert_eq!(provider.asked(&name(n)), times, "{} was done and was asked again", name(n));
    }
}

#[test]
fn where_ci_is_set_and_in_the_foreground_the_run_is_in_one_process() {
    let (_gate, provider) = held();
    for (more, environment) in [(&[][..], &[("CI", "true")][..]), (&["--foreground"], &[])] {
        let place = Place::with_survey(&provider.base_url(), 4, 2);
        let args = place.asking(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut terminal = Terminal::start_with(&args, &place.runs(), WIDE, environment);
        terminal.wait_for("RUNNING");
        let process = engine_of(&place.run_file()).unwrap();
        assert_eq!(process.as_raw_nonzero().get().unsigned_abs(), terminal.pid());
        let outcome = place.voxpop(&["attach", RUN]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.err.contains("--foreground"), "{outcome:?}");
        terminal.press("q");
        let menu = terminal.wait_for("Stop now");
        assert!(!menu.contains("Detach"), "{menu}");
        terminal.press("s");
        assert_eq!(terminal.exit_code(), 130);
    }
}

#[test]
fn the_key_goes_to_the_engine_and_is_no_argument_of_it() {
    const KEY: &str = "sk-this-is-a-secret-of-mine-0123456789";
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 4, 2);
    let args = place.asking(&["--detach"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = place.command(&args);
    command.env("OPENAI_API_KEY", KEY);
    let outcome = Running::start(command).end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    provider.wait_for(2);
    let engine = engine_of(&place.run_file()).unwrap().as_raw_nonzero();
    let arguments = fs::read(format!("/proc/{engine}/cmdline")).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(KEY));
    let session = rustix::process::getsid(engine_of(&place.run_file())).unwrap();
    assert_eq!(session.as_raw_nonzero(), engine, "it has a session of its own");
    gate.open();
    wait_until("the run to end", || finished(&place));
    let bearer = format!("Bearer {KEY}");
    let sent = provider.server.received();
    assert!(sent.iter().all(|request| request.header("authorization") == Some(bearer.as_str())));
    for (path, bytes) in place.files_of_runs() {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{}", path.display());
    }
}

/// Sends bytes to the socket and returns all that comes back before the end.
fn send(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // It may be reset with unread bytes in it; what came before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap().to_le_bytes();
    [&b"vox1"[..], &length, &[0; 4], json.as_bytes()].concat()
}

#[test]
fn what_is_no_dashboard_is_refused_in_one_line() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    let path = socket(&place);
    let found = fs::symlink_metadata(&path).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let folder = fs::metadata(path.parent().unwrap()).unwrap();
    assert_eq!((folder.mode() & 0o777, folder.uid()), (0o700, found.uid()));
    assert!(path.as_os_str().len() <= 100);

    let oversized = [&b"vox1"[..], &u32::MAX.to_le_bytes(), &[0; 4]].concat();
    let newer = r#"{"hello":{"protocol":99,"voxpop_version":"9.0.0","role":"control","stays":true,"more":1}}"#;
    let early = r#"{"ordered":{"id":1,"order":{"order":"stop_now"}}}"#;
    let hello =
        r#"{"hello":{"protocol":1,"voxpop_version":"0.1.0","role":"control","stays":false}}"#;
    for (bytes, words) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not voxpop's protocol"),
        (b"x".to_vec(), "not voxpop's protocol"),
        (oversized.clone(), "over the limit of 65536"),
        (frame("{\"hello\":"), "cannot be understood"),
        (frame(newer), "attach with the voxpop that started the run"),
        (frame(early), "before the hello"),
        ([frame(hello), oversized].concat(), "over the limit of 65536"),
        ([frame(hello), b"garbage".to_vec()].concat(), "not voxpop's protocol"),
    ] {
        let answer = send(&path, &bytes);
        assert!(answer.contains(words), "{words}: {answer:?}");
        let refusals = answer.lines().filter(|line| line.contains("{\"refused\":"));
        assert_eq!(refusals.count(), 1, "{answer:?}");
    }
    // None of it has done anything to the run.
    assert_eq!(place.voxpop(&["tell", RUN, "slots=3"]).code, 0);
    provider.wait_for(3);
    gate.open();
    wait_until("the run to end", || finished(&place));
    assert_eq!(provider.server.count(), 10);
}

const STRANGER: &str = "VOXPOP_TEST_SOCKET";

/// The child: another user. In a usual test run it has nothing to do.
#[test]
fn child_that_is_another_user() {
    let Ok(path) = env::var(STRANGER) else { return };
    println!("answer: {}", send(Path::new(&path), b"").replace('\n', " "));
}

/// Only root may become somebody else, so elsewhere there is nothing to try.
#[test]
fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    // A copy that anybody can start, and a way around what the modes refuse already.
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = open.path().join("test");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = socket(&place);
    let way_in = open.path().join("socket");
    fs::hard_link(&path, &way_in).or_else(|_| std::os::unix::fs::symlink(&path, &way_in)).unwrap();
    let ask = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&program);
        command
            .args(["--exact", "attach::child_that_is_another_user", "--nocapture"])
            .env(STRANGER, &way_in)
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .stdin(Stdio::null());
        Running::start(command).end()
    };
    let outcome = ask(0o600);
    assert_ne!(outcome.code, 0, "the mode keeps it out: {outcome:?}");
    let outcome = ask(0o666);
    assert!(outcome.out.contains("belongs to another user"), "{outcome:?}");
    gate.open();
    wait_until("the run to end", || finished(&place));
}
