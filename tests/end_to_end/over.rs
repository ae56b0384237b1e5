//! A run that is over, and still looked at: what happens to it then.

use crate::{
    asking::{Asked, Provider, answer_of, assert_own_answer},
    attach::wait_until,
    common::provider::{Gate, Reply},
    place::{Place, RUN, name},
};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use voxpop::model::RunPhase;

const WIDE: (u16, u16) = (120, 40);

/// The last interview ended while the run was paused: the pause must not outlive the run.
#[test]
fn the_failed_are_asked_again_after_a_run_that_ended_paused() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked: &Asked<'_>| match asked.times {
        1 => Reply::error(400, "invalid_request_error", None, "not today").behind(&held),
        _ => answer_of(asked.name),
    });
    let place = Place::with_survey(&provider.base_url(), 1, 1);
    let mut terminal = place.watch(WIDE, &[]);
    provider.wait_for(1);
    terminal.press("p");
    terminal.wait_for("PAUSED");
    gate.open();
    terminal.wait_for("FINISHED");
    terminal.press("r");
    terminal.wait_for("1 done");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_own_answer(&place.export()[0], &name(0));
}

/// The dashboard takes a run that goes on for one: limits can be set, and `q` asks before it stops.
#[test]
fn a_run_that_goes_on_after_its_end_is_a_run_again() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked: &Asked<'_>| match asked.times {
        1 => Reply::error(400, "invalid_request_error", None, "not today"),
        _ => answer_of(asked.name).behind(&held),
    });
    let place = Place::with_survey(&provider.base_url(), 3, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    terminal.press("r");
    provider.wait_for(5);
    terminal.wait_for("RUNNING");
    terminal.press("+");
    terminal.wait_for("slots now 3");
    terminal.press("q");
    terminal.wait_for("Stop now");
    terminal.press("\x1b");
    gate.open();
    terminal.wait_for("3 done");
    terminal.wait_for("FINISHED");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

/// A line that drops while a finished run is looked at changes nothing about the run.
#[test]
fn a_finished_run_stays_finished_when_the_terminal_goes() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 3, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    let pid = Pid::from_raw(terminal.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    terminal.exit_code();
    // The screen says so a moment before the disk does.
    let phase = || place.reader().run().unwrap().phase;
    wait_until("the run is not running any more", || phase() != Some(RunPhase::Running));
    assert_eq!(phase(), Some(RunPhase::Finished));
}

/// What was tuned holds for the rest of the run, also in another process.
#[test]
fn a_resumed_run_goes_on_under_the_limits_that_were_tuned_last() {
    let (first, second) = (Gate::default(), Gate::default());
    let gates = (first.clone(), second.clone());
    let begun = Arc::new(AtomicUsize::new(0));
    let provider = Provider::start(move |asked: &Asked<'_>| {
        let early = begun.fetch_add(1, Ordering::SeqCst) < 3;
        answer_of(asked.name).behind(if early { &gates.0 } else { &gates.1 })
    });
    let place = Place::with_survey(&provider.base_url(), 8, 2);
    let mut terminal = place.watch(WIDE, &[]);
    // The engine asks whether or not a screen has joined already.
    terminal.wait_for("RUNNING");
    provider.wait_for(2);
    terminal.press("+");
    terminal.wait_for("slots now 3");
    provider.wait_for(3);
    terminal.press("q");
    terminal.wait_for("Finish what is in flight");
    terminal.press("f");
    terminal.wait_for("STOPPING");
    first.open();
    assert_eq!(terminal.exit_code(), 130);
    let resumed = place.start(&["resume", RUN]);
    // With the two slots of the survey file the sixth request would never come.
    provider.wait_for(6);
    second.open();
    assert_eq!(resumed.end().code, 0);
    assert_eq!(provider.server.most_in_flight(), 3);
}

#[test]
fn a_run_goes_on_with_adaptation_as_it_was_switched_last() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked: &Asked<'_>| answer_of(asked.name).behind(&held));
    let place = Place::with_survey(&provider.base_url(), 4, 2);
    let mut terminal = place.watch(WIDE, &[]);
    provider.wait_for(2);
    terminal.press("a");
    terminal.wait_for("fixed limits");
    terminal.press("q");
    terminal.wait_for("Stop now");
    terminal.press("s");
    assert_eq!(terminal.exit_code(), 130);
    gate.open();
    let outcome = place.voxpop(&["resume", RUN, "--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("\"adapting\":false"), "{outcome:?}");
}
