//! A run that is stopped, killed or started twice: what was answered stays, nobody who answered
//! is asked again, and one process has the run.

use crate::{
    asking::{Provider, answer_of, assert_own_answer},
    common::{provider::Gate, voxpop::Running},
    place::{Place, RUN, count, id, name, status},
};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// Who is done, as an export has it.
/// Who has answered; a reply that was in the cache when its engine was killed is not asked for again.
fn done(records: &[Value]) -> HashSet<usize> {
    let answered = |&n: &usize| matches!(status(&records[n]), "done" | "cached");
    (0..records.len()).filter(answered).collect()
}

#[test]
fn killed_again_and_again_it_goes_on_and_asks_nobody_twice_who_answered() {
    const MANY: usize = 150;
    for seed in [1, 2] {
        let ms = Duration::from_millis;
        let provider = Provider::start(move |asked| answer_of(asked.name).slowly(ms(8), ms(0)));
        let place = Place::with_survey(&provider.base_url(), MANY, 6);
        let mut rng = fastrand::Rng::with_seed(seed);
        // How often each had been asked when an export first had its answer.
        let mut asked_until_done: HashMap<usize, usize> = HashMap::new();
        for round in 0..4 {
            let before = provider.server.count();
            let process =
                if round == 0 { place.start_asking(&[]) } else { place.start(&["resume", RUN]) };
            provider.wait_for(before + rng.usize(1..35));
            let live = done(&place.export());
            process.kill();
            let records = place.export();
            let after = done(&records);
            assert!(live.is_subset(&after), "seed {seed}: an answer that was exported is gone");
            assert_eq!(records.len(), MANY);
            assert_eq!(count(&records, "queued"), MANY - after.len(), "nobody failed for it");
            for n in after {
                assert_own_answer(&records[n], &name(n));
                asked_until_done.entry(n).or_insert_with(|| provider.asked(&name(n)));
            }
        }
        let outcome = place.voxpop(&["resume", RUN]);
        assert_eq!(outcome.code, 0, "seed {seed}: {outcome:?}");
        assert!(outcome.out.contains("its last process was killed"), "{outcome:?}");
        let records = place.export();
        assert_eq!(done(&records).len(), MANY);
        for (n, record) in records.iter().enumerate() {
            assert_eq!(record["persona_id"], json!(id(n)));
            assert_own_answer(record, &name(n));
        }
        for (n, times) in asked_until_done {
            let now = provider.asked(&name(n));
            assert_eq!(now, times, "seed {seed}: {} was done and was asked again", name(n));
        }
    }
}

#[test]
fn a_signal_finishes_what_is_in_flight_and_keeps_the_rest() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let gate = Gate::default();
        let held = gate.clone();
        let provider = Provider::start(move |asked| answer_of(asked.name).behind(&held));
        let place = Place::with_survey(&provider.base_url(), 30, 4);
        let process = place.start_asking(&[]);
        process.wait_for_line("asking 30 personas");
        provider.wait_for(4);
        process.signal(signal);
        process.wait_for_line("finishing what is in flight");
        gate.open();
        let outcome = process.end();
        assert_eq!(outcome.code, 130, "{signal:?}: {outcome:?}");
        assert!(outcome.out.contains("4 of 30 done"), "{signal:?}: {outcome:?}");
        assert!(outcome.out.contains("26 not asked"), "{signal:?}: {outcome:?}");
        assert!(outcome.out.contains("voxpop resume test-run"), "{signal:?}: {outcome:?}");
        assert_eq!(provider.server.count(), 4, "{signal:?}: nothing new is sent");
        let records = place.export();
        assert_eq!((count(&records, "done"), count(&records, "queued")), (4, 26), "{signal:?}");

        let outcome = place.voxpop(&["resume", RUN]);
        assert_eq!(outcome.code, 0, "{signal:?}: {outcome:?}");
        assert_eq!(count(&place.export(), "done"), 30);
        assert_eq!(provider.server.count(), 30, "{signal:?}: everybody was asked once");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_what_is_in_flight() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| answer_of(asked.name).behind(&held));
    let place = Place::with_survey(&provider.base_url(), 10, 4);
    let process = place.start_asking(&["--json"]);
    process.wait_for_line("run_started");
    provider.wait_for(4);
    process.signal(Signal::INT);
    process.wait_for_line("\"draining\"");
    process.signal(Signal::INT);
    // The provider still holds all four.
    let outcome = process.end();
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert_eq!(outcome.last_json()["done"], json!(0));
    assert_eq!(count(&place.export(), "queued"), 10);

    gate.open();
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 10);
    assert_eq!(provider.server.count(), 14);
}

#[test]
fn a_signal_while_backing_off_does_not_wait_for_the_pause() {
    use crate::common::provider::Reply;
    let provider = Provider::start(|asked| match asked.times {
        1 => Reply::rate_limited("requests", Duration::from_secs(3600 * 5)),
        _ => answer_of(asked.name),
    });
    let place = Place::new();
    let limits = crate::place::limits(2);
    let retry = "retry: { attempts: 5, seconds: 86400 }";
    place.survey(&provider.base_url(), &format!("limits: {limits}\n{retry}"));
    place.people(2);
    let process = place.start_asking(&[]);
    provider.wait_for(2);
    process.signal(Signal::INT);
    let outcome = process.end();
    assert_eq!(outcome.code, 130, "{outcome:?}");
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 2);
}

#[test]
fn a_run_has_one_process_and_a_second_one_is_told_its_pid() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| answer_of(asked.name).behind(&held));
    let place = Place::with_survey(&provider.base_url(), 6, 2);
    let process = place.start_asking(&[]);
    provider.wait_for(2);
    for command in ["resume", "retry"] {
        let outcome = place.voxpop(&[command, RUN]);
        assert_eq!(outcome.code, 1, "{command}: {outcome:?}");
        let pid = format!("process {}", process.pid());
        assert!(outcome.err.contains(&pid), "{command}: {outcome:?}");
        assert!(outcome.err.contains("stop it first"), "{command}: {outcome:?}");
    }
    // A second run of that name is refused as well.
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.err.contains("already"), "{outcome:?}");
    // Who only looks is welcome.
    let listed: Value = serde_json::from_str(place.voxpop(&["ls", "--json"]).out.trim()).unwrap();
    assert_eq!((&listed["live"], &listed["state"]), (&json!(true), &json!("running")));
    gate.open();
    assert_eq!(process.end().code, 0);
    assert_eq!(provider.server.count(), 6);
}

/// Lets a process write no file beyond its first byte, as a full disk would; or any file again.
fn set_disk_full(process: &Running, full: bool) {
    let pid = Pid::from_raw(process.pid().try_into().unwrap());
    let current = full.then_some(1);
    prlimit(pid, Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
}

#[test]
fn on_a_full_disk_answers_are_held_until_there_is_room() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| match asked.number {
        1..=5 => answer_of(asked.name),
        _ => answer_of(asked.name).behind(&held),
    });
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let process = place.start_asking(&[]);
    provider.wait_for(9);
    set_disk_full(&process, true);
    gate.open();
    process.wait_for_line("paused: answers cannot be stored");
    set_disk_full(&process, false);
    let outcome = process.end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let records = place.export();
    assert_eq!(count(&records, "done"), 20);
    for (n, record) in records.iter().enumerate() {
        assert_own_answer(record, &name(n));
        assert_eq!(provider.asked(&name(n)), 1, "nobody is asked twice");
    }
}

#[test]
fn a_run_that_is_stopped_on_a_full_disk_says_what_was_not_saved() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| match asked.number {
        1..=5 => answer_of(asked.name),
        _ => answer_of(asked.name).behind(&held),
    });
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let process = place.start_asking(&[]);
    provider.wait_for(9);
    set_disk_full(&process, true);
    gate.open();
    process.wait_for_line("paused: answers cannot be stored");
    process.signal(Signal::INT);
    let outcome = process.end();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for words in ["could not be saved", "voxpop resume"] {
        assert!(outcome.err.contains(words), "{words}: {outcome:?}");
    }
    let before = done(&place.export());
    assert!(before.len() < 20, "{before:?}");
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 20);
    for n in before {
        assert_eq!(provider.asked(&name(n)), 1, "who was saved is not asked again");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_run() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let args = [
        "run",
        &place.path("survey.yaml"),
        "--personas",
        &place.path("people.csv"),
        "--name",
        RUN,
        "--json",
    ];
    let mut child = place.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(count(&place.export(), "done"), 20);
}
