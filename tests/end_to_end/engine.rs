//! The engine as a process of its own: what ends it, what does not, and what is left after it.

use crate::{
    asking::{Provider, answer_of, assert_own_answer},
    attach::{WIDE, attach, detached, finished, held, socket, wait_until},
    common::{provider::Gate, terminal::Terminal, voxpop::Running},
    place::{Place, RUN, count, engine_of, name, status},
};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::{collections::HashMap, fs, os::unix::net::UnixListener, path::Path, time::Duration};
use voxpop::{model::RunPhase, store::is_live};

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
    wait_until("the socket to go", || !left_behind.exists());
    assert_eq!(count(&place.export(), "done"), 20);
    for n in 0..6 {
        assert_eq!(provider.asked(&name(n)), 1, "who has answered is not asked again");
    }
}

/// After a restart of the machine the number in the lock may be any process's, and a socket may
/// be left that nobody listens at, or that somebody else does by now.
#[test]
fn a_machine_that_went_down_leaves_a_run_that_goes_on() {
    for taken in [false, true] {
        let gate = Gate::default();
        let held = gate.clone();
        let provider = Provider::start(move |asked| match asked.number {
            1..=6 => answer_of(asked.name),
            _ => answer_of(asked.name).behind(&held),
        });
        let place = Place::with_survey(&provider.base_url(), 20, 2);
        let engine = detached(&place, &[]);
        provider.wait_for(8);
        let left_behind = socket(&place);
        wait_until("six answers to be on file", || count(&place.export(), "done") == 6);
        kill_process(engine, Signal::KILL).unwrap();
        wait_until("the engine to be gone", || !is_live(&place.run_file()));
        let mut lock = place.run_file().into_os_string();
        lock.push(".lock");
        fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
        let _stranger = taken.then(|| {
            fs::remove_file(&left_behind).unwrap();
            UnixListener::bind(&left_behind).unwrap()
        });

        let listed = place.voxpop(&["ls", "--json"]).last_json();
        assert_eq!((&listed["state"], &listed["live"]), (&json!("stopped"), &json!(false)));
        let outcome = place.voxpop(&["tell", RUN, "pause"]);
        assert!(outcome.err.contains("is not live"), "{outcome:?}");
        let outcome = place.voxpop(&["resume", RUN, "--detach"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(outcome.out.contains("its last process was killed; 6 of 20"), "{outcome:?}");
        let mut terminal = attach(&place, &[]);
        terminal.wait_for(" 6 of 20 ");
        gate.open();
        terminal.wait_for("FINISHED");
        terminal.press("q");
        assert_eq!(terminal.exit_code(), 0);
        assert_eq!(count(&place.export(), "done"), 20);
        for n in 0..6 {
            assert_eq!(provider.asked(&name(n)), 1, "who has answered is not asked again");
        }
        assert!(!left_behind.exists() && !Path::new(&lock).exists());
    }
}

/// A reply that was in the cache when its engine was killed is not asked for again.
fn is_answered(record: &Value) -> bool {
    matches!(status(record), "done" | "cached")
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
            let done = is_answered(record);
            assert!(done || !is_answered(&shown[n]), "an answer that was shown is gone");
            if done {
                assert_own_answer(record, &name(n));
                asked_until_done.entry(n).or_insert_with(|| provider.asked(&name(n)));
            }
        }
    }
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(place.export().iter().all(is_answered));
    for (n, times) in asked_until_done {
        assert_eq!(provider.asked(&name(n)), times, "{} was done and was asked again", name(n));
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
