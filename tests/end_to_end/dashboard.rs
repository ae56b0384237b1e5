//! The dashboard, driven by keys in a real terminal.

use crate::{
    asking::{Asked, Provider, answer_of, assert_own_answer},
    common::{
        provider::{Gate, Reply},
        terminal::Terminal,
    },
    place::{Place, RUN, count, limits, name},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use voxpop::model::{LimitName, LimitSetBy, PersonaIndex};

const WIDE: (u16, u16) = (120, 40);
const ESC: &str = "\x1b";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";

/// A provider that holds every answer back until the gate opens.
fn held() -> (Gate, Provider) {
    let gate = Gate::default();
    let held = gate.clone();
    (gate, Provider::start(move |asked: &Asked<'_>| answer_of(asked.name).behind(&held)))
}

/// A run that is on the screen and has so many requests in flight.
fn in_flight(provider: &Provider, place: &Place, size: (u16, u16), many: usize) -> Terminal {
    let terminal = place.watch(size, &[]);
    terminal.wait_for("RUNNING");
    provider.wait_for(many);
    terminal
}

/// Waits until the header says how many interviews are over.
fn wait_for_over(terminal: &Terminal, over: usize, total: usize) -> String {
    let screen = terminal.wait_for(&format!(" {over} of {total} "));
    // What the answers come to is made after the last one.
    if over == total { terminal.wait_for("FINISHED") } else { screen }
}

/// The screen is as it was before, but for what was printed.
fn assert_restored(terminal: &Terminal) {
    terminal.wait_until_screen("the terminal to be given back", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor()
    });
    assert!(!terminal.text().contains("panicked"), "{}", terminal.text());
}

#[test]
fn the_demo_fills_the_grid_and_q_leaves_it() {
    let place = Place::new();
    let args = ["demo", "--personas", "30", "--latency", "50ms", "--rpm", "3000", "--seed", "1"];
    let args = [&args[..], &["--fault", "none"]].concat();
    let mut terminal = Terminal::start(&args, &place.runs(), WIDE);
    terminal.wait_until_screen("the alternate screen", |screen| {
        screen.alternate_screen() && screen.hide_cursor()
    });
    let screen = terminal.wait_for("FINISHED");
    assert!(screen.contains(" 30 of 30 "), "{screen}");
    assert!(screen.matches('■').count() >= 30, "a cell for everyone:\n{screen}");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_restored(&terminal);
    let text = terminal.text().replace('\n', "");
    for words in ["30 of 30 done", "run file:", "voxpop open", "voxpop export"] {
        assert!(text.contains(words), "{words}:\n{}", terminal.text());
    }
}

#[test]
fn plus_and_minus_change_the_slots_at_once_and_on_record() {
    let (gate, provider) = held();
    let place = Place::new();
    place.survey(&provider.base_url(), "limits: { slots: 3, requests_per_minute: 600 }");
    place.people(20);
    let mut terminal = in_flight(&provider, &place, WIDE, 3);
    terminal.wait_for("3 of 3");
    terminal.press("+");
    // Nothing has come back yet: the fourth request is the new slot's.
    provider.wait_for(4);
    terminal.wait_for("4 of 4");
    terminal.press("--");
    terminal.wait_for("4 of 2 (shrinking)");
    terminal.press("<");
    terminal.wait_for("of 550");
    gate.open();
    terminal.wait_for("FINISHED");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.most_in_flight(), 4);
    let changes = place.reader().limit_changes().unwrap();
    assert!(changes.iter().all(|change| change.set_by == LimitSetBy::User), "{changes:?}");
    assert!(changes.iter().all(|change| change.at >= place.reader().run().unwrap().created_at));
    let changes: Vec<_> = changes.iter().map(|c| (c.limit, c.from, c.to)).collect();
    assert_eq!(
        changes,
        [
            (LimitName::Slots, Some(3), Some(4)),
            (LimitName::Slots, Some(4), Some(3)),
            (LimitName::Slots, Some(3), Some(2)),
            (LimitName::RequestsPerMinute, Some(600), Some(550)),
        ]
    );
}

#[test]
fn p_pauses_and_resumes() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 2);
    let mut terminal = in_flight(&provider, &place, WIDE, 2);
    terminal.press("p");
    terminal.wait_for("PAUSED");
    gate.open();
    wait_for_over(&terminal, 2, 20);
    assert_eq!(provider.server.count(), 2, "nothing new is sent");
    terminal.press("p");
    wait_for_over(&terminal, 20, 20);
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.count(), 20);
}

/// Over SSH every byte counts, and a screen that changes says that something happens.
#[test]
fn a_paused_run_with_nothing_in_flight_draws_nothing() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 2);
    let mut terminal = in_flight(&provider, &place, WIDE, 2);
    terminal.press("p");
    terminal.wait_for("PAUSED");
    gate.open();
    wait_for_over(&terminal, 2, 20);
    terminal.wait_for_silence(Duration::from_secs(2));
    assert_eq!(provider.server.count(), 2);
}

#[test]
fn n_finds_the_failed_enter_shows_why_and_r_asks_again() {
    let gate = Gate::default();
    let (held, mended) = (gate.clone(), Arc::new(AtomicBool::new(false)));
    let is_mended = Arc::clone(&mended);
    let provider = Provider::start(move |asked| match asked.name {
        failing if failing == name(5) && !is_mended.load(Ordering::SeqCst) => {
            Reply::error(500, "server_error", None, "out of order today")
        }
        // The last one keeps the run going.
        last if last == name(19) => answer_of(last).behind(&held),
        name => answer_of(name),
    });
    let place = Place::new();
    place.survey(&provider.base_url(), &format!("limits: {}\nretry: {{ attempts: 1 }}", limits(4)));
    place.people(20);
    let mut terminal = place.watch(WIDE, &[]);
    wait_for_over(&terminal, 19, 20);
    terminal.press("n");
    terminal.wait_for("Persona 5");
    terminal.press(ENTER);
    terminal.wait_for("Esc close");
    let screen = terminal.wait_for("Raw body of attempt 1");
    for words in ["failed", "server error: out of order today", "500", "server_error"] {
        assert!(screen.contains(words), "{words}:\n{screen}");
    }
    terminal.press(ESC);
    terminal.wait_for("q quit");
    mended.store(true, Ordering::SeqCst);
    terminal.press("r");
    terminal.wait_for("asking 1 failed again");
    provider.wait_for(21);
    gate.open();
    terminal.wait_for("FINISHED");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.asked(&name(5)), 2);
    let records = place.export();
    assert_own_answer(&records[5], &name(5));
    assert_eq!(records[5]["attempts"], 2);
    let attempts = place.reader().attempts(PersonaIndex(5)).unwrap();
    let kept: Vec<_> = attempts.iter().map(|a| (a.number, a.failure.is_some())).collect();
    assert_eq!(kept, [(1, true), (2, false)], "the failed attempt is kept");
    assert_eq!(count(&records, "done"), 20);
}

#[test]
fn the_help_lists_the_keys() {
    let (_gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 2);
    let mut terminal = in_flight(&provider, &place, WIDE, 2);
    terminal.press("?");
    let screen = terminal.wait_for("Help");
    for words in ["More slots", "Pause", "Retry the failed", "next failed"] {
        assert!(screen.contains(words), "{words}:\n{screen}");
    }
    terminal.press(ESC);
    terminal.wait_until("the help to close", |screen| !screen.contains("More slots"));
}

#[test]
fn q_can_finish_what_is_in_flight_and_stop() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let mut terminal = in_flight(&provider, &place, WIDE, 4);
    terminal.press("q");
    terminal.wait_for("Finish what is in flight");
    terminal.press(ESC);
    terminal.wait_until("the menu to close", |s| !s.contains("Finish what is in flight"));
    terminal.press("q");
    terminal.wait_for("Finish what is in flight");
    terminal.press("f");
    terminal.wait_for("STOPPING");
    gate.open();
    assert_eq!(terminal.exit_code(), 130);
    assert_restored(&terminal);
    assert!(terminal.text().replace('\n', "").contains("voxpop resume test-run"));
    assert_eq!((count(&place.export(), "done"), provider.server.count()), (4, 4));
    assert_eq!(place.voxpop(&["resume", RUN]).code, 0);
    assert_eq!((count(&place.export(), "done"), provider.server.count()), (20, 20));
}

#[test]
fn q_can_stop_at_once() {
    // The menu's own key, and Ctrl-C twice.
    for keys in [["q", "s"], [CTRL_C, CTRL_C]] {
        let (gate, provider) = held();
        let place = Place::with_survey(&provider.base_url(), 20, 4);
        let mut terminal = in_flight(&provider, &place, WIDE, 4);
        terminal.press(keys[0]);
        terminal.wait_for("Stop now");
        terminal.press(keys[1]);
        // The provider still holds all four.
        assert_eq!(terminal.exit_code(), 130);
        assert_restored(&terminal);
        assert_eq!(count(&place.export(), "queued"), 20);
        gate.open();
        assert_eq!(place.voxpop(&["resume", RUN]).code, 0);
        assert_eq!(count(&place.export(), "done"), 20);
    }
}

#[test]
fn a_termination_signal_finishes_what_is_in_flight() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let mut terminal = place.watch_in_foreground(WIDE);
    terminal.wait_for("RUNNING");
    provider.wait_for(4);
    let pid = Pid::from_raw(terminal.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    terminal.wait_for("STOPPING");
    gate.open();
    assert_eq!(terminal.exit_code(), 130);
    assert_restored(&terminal);
    assert_eq!((count(&place.export(), "done"), provider.server.count()), (4, 4));
}

#[test]
fn a_finished_run_is_opened_and_only_looked_at() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    assert_eq!(place.ask(&[]).code, 0);
    let mut terminal = Terminal::start(&["open", RUN], &place.runs(), WIDE);
    let screen = terminal.wait_for("LOOKED AT");
    assert!(screen.contains("20 of 20"), "{screen}");
    terminal.press("+");
    terminal.wait_for("only looked at");
    terminal.press(ENTER);
    terminal.press("l");
    terminal.press(ENTER);
    terminal.wait_for("I am Person Number");
    // Nothing moves in it, so nothing is drawn.
    terminal.wait_for_silence(Duration::from_secs(2));
    terminal.press(ESC);
    terminal.wait_for("q quit");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_restored(&terminal);
    assert_eq!(provider.server.count(), 20);
}

#[test]
fn with_exit_the_dashboard_leaves_by_itself() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let args = place.asking(&["--exit"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut terminal = Terminal::start(&args, &place.runs(), WIDE);
    assert_eq!(terminal.exit_code(), 0);
    assert_restored(&terminal);
    assert!(terminal.text().replace('\n', "").contains("20 of 20 done"), "{}", terminal.text());
}

#[test]
fn r_asks_the_failed_of_a_run_that_is_over_again() {
    let provider = Provider::start(|asked| match asked.times {
        1 if asked.name == name(3) => Reply::error(400, "invalid_request_error", None, "not today"),
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    terminal.wait_for("9 done, 1 failed");
    terminal.press("r");
    terminal.wait_for("asking 1 failed again");
    terminal.wait_for("10 done");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.count(), 11);
    let records = place.export();
    assert_own_answer(&records[3], &name(3));
    assert_eq!(records[3]["attempts"], 2);
}

/// Nobody is there to mend it in a test without a terminal; on the dashboard somebody is.
#[test]
fn a_provider_that_refuses_pauses_the_run_until_r() {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let provider = Provider::start(move |asked| {
        if is_mended.load(Ordering::SeqCst) {
            answer_of(asked.name)
        } else {
            Reply::quota_exhausted()
        }
    });
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("PAUSED");
    terminal.wait_for("quota");
    mended.store(true, Ordering::SeqCst);
    terminal.press("r");
    terminal.wait_for("FINISHED");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    let records = place.export();
    assert_eq!(count(&records, "done"), 10);
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["attempts"], provider.asked(&name(n)), "every attempt is kept");
    }
}

/// The same, but the user leaves it: the run keeps its queue, and the exit code says why.
#[test]
fn leaving_a_run_that_the_provider_paused_is_code_4() {
    let provider = Provider::start(|_| Reply::quota_exhausted());
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("PAUSED");
    terminal.press("q");
    terminal.wait_for("Stop now");
    terminal.press("f");
    assert_eq!(terminal.exit_code(), 4);
    assert_restored(&terminal);
    assert_eq!(count(&place.export(), "queued"), 10);
}
