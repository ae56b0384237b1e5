//! A run that outlives its terminal: dashboards come and go, and those without a screen steer it
//! and look on.

use crate::{
    asking::{Provider, answer_of, assert_own_answer},
    common::{
        provider::{Gate, Reply},
        terminal::Terminal,
        voxpop::PATIENCE,
    },
    place::{Place, RUN, engine_of, name},
    terminal::{drop_the_line, drop_the_line_of, state_of},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use voxpop::{link::socket::socket_name, model::RunPhase, store::is_live};

pub const WIDE: (u16, u16) = (120, 40);

pub fn held() -> (Gate, Provider) {
    let gate = Gate::default();
    let held = gate.clone();
    (gate, Provider::start(move |asked| answer_of(asked.name).behind(&held)))
}

/// Waits until a condition holds that nobody tells about.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts the run without a dashboard.
pub fn detached(place: &Place, more: &[&str]) -> Pid {
    let outcome = place.ask(&[&["--detach"], more].concat());
    assert_eq!((outcome.code, outcome.out.as_str()), (0, "test-run\n"), "{outcome:?}");
    engine_of(&place.run_file()).expect("the engine is there")
}

pub fn attach(place: &Place, more: &[&str]) -> Terminal {
    Terminal::start(&[&["attach", RUN], more].concat(), &place.runs(), WIDE)
}

/// Where the run's socket is, as long as no other place is named by a variable.
pub fn socket(place: &Place) -> PathBuf {
    let name = socket_name(&place.run_file()).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let places = [format!("/run/user/{uid}/voxpop"), format!("/tmp/voxpop-{uid}")];
    let mut paths = places.iter().map(|folder| Path::new(folder).join(&name));
    paths.find(|path| path.exists()).expect("the engine has a socket")
}

pub fn finished(place: &Place) -> bool {
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
fn a_dashboard_that_has_tuned_loses_its_terminal_and_another_one_sees_the_end() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 30, 4);
    let mut first = place.watch(WIDE, &[]);
    first.wait_for("RUNNING");
    provider.wait_for(4);
    first.press("qd");
    assert_eq!(first.exit_code(), 0);

    let second = attach(&place, &[]);
    second.wait_for("4 of 4");
    // The third orders one slot more, and its terminal is closed on it.
    let args = ["attach", RUN].map(str::to_owned);
    let third = drop_the_line_of(&args, &place, "+", |_| second.text().contains("5 of 5"));
    wait_until("the dashboard to end", || matches!(state_of(third.pid), None | Some('Z')));
    provider.wait_for(5);

    let mut fourth = attach(&place, &[]);
    fourth.wait_for("5 of 5");
    gate.open();
    for terminal in [&second, &fourth] {
        terminal.wait_for("FINISHED");
        terminal.wait_for("30 of 30");
    }
    drop(second);
    fourth.press("q");
    assert_eq!(fourth.exit_code(), 0);
    assert!(!is_live(&place.run_file()));
    assert_eq!(provider.server.count(), 30);
    assert_eq!(place.reader().limit_changes().unwrap().len(), 1, "one order, once");
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

/// A process that hangs still has its run, and its socket still takes connections.
#[test]
fn an_engine_that_says_nothing_is_noticed() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 2);
    let engine = detached(&place, &[]);
    provider.wait_for(2);
    let mut terminal = attach(&place, &[]);
    terminal.wait_for("RUNNING");
    let listed =
        || -> Value { serde_json::from_str(place.voxpop(&["ls", "--json"]).out.trim()).unwrap() };
    assert_eq!(listed()["silent"], json!(false));
    kill_process(engine, Signal::STOP).unwrap();
    terminal.wait_for("NO NEWS for ");
    let row = listed();
    assert_eq!((&row["live"], &row["silent"]), (&json!(true), &json!(true)), "{row}");
    assert!(place.voxpop(&["ls"]).out.contains(" silent "));
    kill_process(engine, Signal::CONT).unwrap();
    terminal.wait_until("news", |screen| !screen.contains("NO NEWS"));
    gate.open();
    terminal.wait_for("FINISHED");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.count(), 20);
}

#[test]
fn twenty_look_on_without_a_screen_and_hear_how_it_ended() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    let lookers: Vec<_> =
        (0..20).map(|_| place.start(&["attach", RUN, "--json", "--read-only"])).collect();
    for looker in &lookers {
        looker.wait_for_line("run_started");
    }
    gate.open();
    for looker in lookers {
        let outcome = looker.end();
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.last_json()["done"], json!(10));
    }
    assert_eq!(provider.server.count(), 10);
}

/// Without a screen nobody is there to mend a run; but that is not for those to say who look on.
#[test]
fn a_run_that_needs_a_person_waits_for_one() {
    let provider = Provider::start(|asked| match asked.number {
        1..=2 => Reply::quota_exhausted(),
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    let looker = place.start(&["attach", RUN, "--plain"]);
    looker.wait_for_line("paused: the provider refuses");
    let paused = || matches!(place.reader().run().unwrap().phase, Some(RunPhase::Paused { .. }));
    wait_until("the pause to be on file", paused);
    assert_eq!(place.voxpop(&["tell", RUN, "resume"]).code, 0);
    let outcome = looker.end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("10 of 10 done"), "{outcome:?}");
    assert!(!outcome.out.contains("only looks"), "{outcome:?}");
}
