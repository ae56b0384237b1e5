//! A run that is over, watched once more.

use crate::{
    asking::{Provider, answer_of},
    common::{provider::Reply, terminal::Terminal},
    place::{Place, RUN, name},
};
use std::{ops::ControlFlow, time::Duration};
use voxpop::{
    model::{InterviewStatus, PersonaIndex, UnixMillis},
    store::RecordedEvent,
};

const WIDE: (u16, u16) = (120, 40);
const HOURS: i64 = 3_600_000;

/// A run of 40 with everything in it: one fails for good, one declines, one is asked twice.
fn a_run() -> (Provider, Place) {
    let provider = Provider::start(|asked| match asked.name {
        failing if failing == name(3) => Reply::error(400, "bad", Some("bad"), "not this one"),
        refusing if refusing == name(5) => Reply::refusal("I would rather not."),
        late if late == name(7) && asked.times == 1 => Reply::error(500, "oops", None, "a hiccup"),
        name => answer_of(name),
    });
    let place = Place::with_survey(&provider.base_url(), 40, 4);
    assert_eq!(place.ask(&[]).code, 3);
    (provider, place)
}

/// The half of the screen with the personas and their counts.
fn personas(screen: &str) -> String {
    let lines = screen.lines().skip(2).take_while(|line| !line.contains(" Log "));
    lines.map(|line| line.chars().take(70).collect::<String>() + "\n").collect()
}

fn replay(place: &Place, speed: &[&str]) -> Terminal {
    let args = [&["open", RUN, "--replay"], speed].concat();
    Terminal::start(&args, &place.runs(), WIDE)
}

/// Puts so many hours between the personas before and behind `from`, as a pause does.
fn pause_overnight(place: &Place, from: u32, hours: i64) {
    let file = rusqlite::Connection::open(place.run_file()).unwrap();
    let later = hours * HOURS;
    let (times, by) = ([later, i64::from(from)], [later]);
    for sql in [
        "UPDATE attempt SET sent_at = sent_at + ? WHERE persona >= ?",
        "UPDATE interview SET finished_at = finished_at + ? WHERE persona >= ?",
    ] {
        file.execute(sql, times).unwrap();
    }
    let sql = "UPDATE phase_change SET at = at + ? WHERE phase NOT LIKE '%running%'";
    file.execute(sql, by).unwrap();
}

#[test]
fn a_replay_ends_in_what_open_shows() {
    let (provider, place) = a_run();
    let asked = provider.server.count();
    let mut opened = Terminal::start(&["open", RUN], &place.runs(), WIDE);
    let expected = personas(&opened.wait_for("LOOKED AT"));
    assert!(expected.contains("done    38") && expected.contains("failed   1"), "{expected}");
    opened.press("q");
    assert_eq!(opened.exit_code(), 0);

    let mut terminal = replay(&place, &["10000x"]);
    let screen = terminal.wait_for("REPLAY OVER");
    assert_eq!(personas(&screen), expected, "{screen}");
    assert!(
        screen.contains("The replay is over: finished: 38 done, 1 failed, 1 refused"),
        "{screen}"
    );
    for words in ["server error", "refused", "bad request"] {
        assert!(screen.contains(words), "{words}:\n{screen}");
    }
    // What the answers come to is what the file has.
    terminal.press("s");
    terminal.wait_until("the summary", |screen| {
        screen.contains("n = 38") && screen.contains("Main th")
    });
    terminal.press("\x1b");
    terminal.wait_for("q quit");
    // Who failed can be looked at, and nobody is asked anything.
    terminal.press("n\r");
    terminal.wait_until("the inspector", |screen| {
        screen.contains("w write") && screen.contains("not this one")
    });
    terminal.press("\x1b");
    terminal.wait_for("q quit");
    terminal.press("p");
    terminal.wait_for("not done: the replay is over");
    terminal.wait_for_silence(Duration::from_secs(2));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.count(), asked);
    let outcome = place.voxpop(&["ls", "--json"]);
    assert_eq!(outcome.last_json()["done"], 38, "a replay changes nothing");
}

#[test]
fn a_replay_is_paused_and_played_at_another_speed() {
    let (_provider, place) = a_run();
    // An hour in which nothing happens for 50 s at a time: nobody would wait for the end of it.
    let file = rusqlite::Connection::open(place.run_file()).unwrap();
    for (table, column) in [("attempt", "sent_at"), ("interview", "finished_at")] {
        let sql = format!("UPDATE {table} SET {column} = {column} + persona * 50000");
        file.execute(&sql, []).unwrap();
    }
    drop(file);
    let mut terminal = replay(&place, &["0.1x"]);
    let screen = terminal.wait_for("REPLAY 0.1x");
    assert!(screen.contains("RUNNING"), "{screen}");
    assert!(screen.contains("+/- speed") && !screen.contains("slots "), "{screen}");
    terminal.press("+");
    terminal.wait_for("REPLAY 0.2x");
    terminal.press("-");
    terminal.wait_for("REPLAY 0.1x");
    terminal.press("p");
    terminal.wait_for("REPLAY 0.1x PAUSED");
    terminal.wait_for_silence(Duration::from_secs(2));
    // Keys of a live run mean nothing here.
    terminal.press("ra{");
    terminal.wait_for_silence(Duration::from_secs(1));
    terminal.press("++++++++++++");
    terminal.wait_for("REPLAY 1000x PAUSED");
    terminal.press("p");
    terminal.wait_for("REPLAY OVER");
    terminal.press("?");
    terminal.wait_for("Replay faster");
    terminal.press("q");
    terminal.wait_until("the help to be closed", |screen| !screen.contains("Replay faster"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_night_in_which_nothing_happens_is_left_out_and_it_is_said() {
    let (_provider, place) = a_run();
    pause_overnight(&place, 20, 9);
    let mut terminal = replay(&place, &[]);
    terminal.wait_for("REPLAY 10x");
    let screen = terminal.wait_for("LEFT OUT: 08:59:");
    assert!(screen.contains("left out"), "the log has it too:\n{screen}");
    terminal.wait_for("REPLAY OVER");
    terminal.wait_for("38");
    terminal.press("\x03");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let (_provider, place) = a_run();
    for (args, code, words) in [
        (["open", RUN, "--replay", "20x"], 2, "--replay needs the dashboard"),
        (["open", RUN, "--replay", "fast"], 2, "such as 20x"),
        (["open", RUN, "--replay", "0.01x"], 2, "0.1x to 10000x"),
    ] {
        let outcome = place.voxpop(&args);
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(outcome.err.contains(words), "{outcome:?}");
    }
}

#[test]
fn all_that_is_on_record_comes_in_the_order_of_time() {
    let (_provider, place) = a_run();
    let reader = place.reader();
    let mut last = UnixMillis(0);
    let (mut sent, mut came, mut failed) = (0, 0, Vec::new());
    reader
        .for_each_recorded(|recorded| {
            assert!(recorded.at >= last);
            last = recorded.at;
            match recorded.event {
                RecordedEvent::Sent { .. } => sent += 1,
                RecordedEvent::Came(attempt) => {
                    came += 1;
                    assert_eq!((attempt.body, attempt.request_id), (None, None));
                }
                RecordedEvent::Over { persona, status: InterviewStatus::Failed, failure } => {
                    failed.push((persona, failure.unwrap().message));
                }
                RecordedEvent::Over { failure, .. } => assert_eq!(failure, None),
            }
            assert!(sent >= came);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((sent, came), (41, 41));
    assert_eq!(failed, [(PersonaIndex(3), "not this one".to_owned())]);
    let mut first = 0;
    reader
        .for_each_recorded(|_| {
            first += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(first, 1);
}
