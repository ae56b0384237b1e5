//! Talks with personas after their answers: in the terminal and on the dashboard, with the engine
//! of a live run and without one.

use crate::{
    asking::{Provider, answer_of, narrative_of},
    attach::{attach, detached, finished, held, wait_until},
    common::{
        provider::{Gate, HostileServer, Reply},
        terminal::Terminal,
        voxpop::Outcome,
    },
    place::{Place, RUN, limits, name},
};
use serde_json::Value;
use std::{io::Write, process::Stdio, time::Duration};
use voxpop::{
    model::{PersonaIndex, Stage, TurnBy},
    simulator::{BatchOptions, Options, Simulator},
    store::is_live,
};

const WIDE: (u16, u16) = (120, 40);

/// A provider that answers the survey, and each message by what the script says.
fn talking(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> HostileServer {
    HostileServer::start(move |_, body| match message_in(body) {
        Some(said) => reply(&said),
        None => answer_of(&name(usize::from(body.contains("Number 1")))),
    })
}

/// What was said last, where the request is one of a talk.
fn message_in(body: &str) -> Option<String> {
    let prompt = prompt_in(body);
    let (_, after) = prompt.split_once("<message>\n")?;
    Some(after.split_once("\n</message>")?.0.to_owned())
}

fn prompt_in(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["messages"][1]["content"].as_str().unwrap().to_owned()
}

/// Says lines to a persona, as from a pipe.
fn chat(place: &Place, persona: &str, said: &str, more: &[&str]) -> Outcome {
    let args = [&["chat", RUN, persona], more].concat();
    let mut child = place
        .command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    Outcome::of(child.wait_with_output().unwrap())
}

/// What the run file has of a talk.
fn kept(place: &Place, persona: u32) -> Vec<(TurnBy, String)> {
    let turns = place.reader().talk(PersonaIndex(persona)).unwrap();
    turns.into_iter().map(|turn| (turn.by, turn.text)).collect()
}

fn turn(by: TurnBy, text: &str) -> (TurnBy, String) {
    (by, text.to_owned())
}

#[test]
fn a_persona_of_a_run_that_is_over_answers_with_its_life_and_its_answer_in_mind() {
    let server = talking(|said| Reply::content(&format!("I heard: \u{1b}[2J{said}\u{9b}1m.")));
    let place = Place::with_survey(&server.base_url(), 2, 2);
    assert_eq!(place.ask(&[]).code, 0);
    let before = place.export();

    let outcome = chat(&place, "1", "Why is that?\n\nAnd then?\n/quit\nnever\n", &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.out, "I heard: [2JWhy is that?1m.\nI heard: [2JAnd then?1m.\n");
    let talk = [
        turn(TurnBy::Asker, "Why is that?"),
        turn(TurnBy::Persona, "I heard: [2JWhy is that?1m."),
        turn(TurnBy::Asker, "And then?"),
        turn(TurnBy::Persona, "I heard: [2JAnd then?1m."),
    ];
    assert_eq!(kept(&place, 1), talk);
    let body: Value = serde_json::from_str(&server.bodies()[3]).unwrap();
    assert!(body.get("response_format").is_none(), "plain text is wanted: {body}");
    let prompt = prompt_in(&server.bodies()[3]);
    for words in ["Name: Person Number 1", &narrative_of(&name(1)), "They said: Why is that?"] {
        assert!(prompt.contains(words), "{words} in\n{prompt}");
    }

    // The money is in the attempts, and nothing of the answer has changed.
    let attempts = place.reader().attempts(PersonaIndex(1)).unwrap();
    let numbers: Vec<_> = attempts.iter().map(|a| (a.number, a.stage)).collect();
    assert_eq!(numbers, [(1, Stage::Answer), (2, Stage::Chat), (3, Stage::Chat)]);
    let turns = place.reader().talk(PersonaIndex(1)).unwrap();
    assert_eq!(turns[1].usage, attempts[1].usage);
    assert!(turns[1].usage.is_some());
    assert_eq!(place.export(), before);
    assert!(!is_live(&place.run_file()), "the run file is let go of");

    // By its id, on another day; and whoever does not exist.
    let outcome = chat(&place, "p9999", "Still?\n", &[]);
    assert_eq!((outcome.code, kept(&place, 1).len()), (0, 6), "{outcome:?}");
    let long = format!("{}\n", "why ".repeat(40_000));
    let outcome = chat(&place, "1", &long, &[]);
    assert_eq!(outcome.code, 3, "{}", outcome.code);
    assert!(outcome.out.contains("at most 4000 characters"), "{}", outcome.out);
    let outcome = chat(&place, "nobody", "Hello?\n", &[]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.err.contains("from 0 to 1"), "{outcome:?}");
}

#[test]
fn what_is_not_answered_is_said_in_the_talk() {
    let server = talking(|said| match said {
        "secret?" => Reply::refusal("That is private."),
        "broken?" => Reply::error(400, "invalid_request_error", None, "no such thing"),
        _ => Reply::content("Yes."),
    });
    let place = Place::with_survey(&server.base_url(), 2, 2);
    assert_eq!(place.ask(&[]).code, 0);
    let outcome = chat(&place, "0", "secret?\nbroken?\nwell?\n", &[]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let lines: Vec<_> = outcome.out.lines().collect();
    let [refused, broken, well] = lines[..] else { panic!("{outcome:?}") };
    assert!(refused.contains("declines: That is private."), "{refused}");
    assert!(broken.contains("no such thing"), "{broken}");
    assert_eq!(well, "Yes.");
    // What nobody answered is no part of the conversation.
    let prompt = prompt_in(server.bodies().last().unwrap());
    assert!(!prompt.contains("secret?") && !prompt.contains("<talk>"), "{prompt}");
    let by: Vec<_> = kept(&place, 0).into_iter().map(|(by, _)| by).collect();
    let notice = [TurnBy::Asker, TurnBy::Notice];
    assert_eq!(by, [notice, notice, [TurnBy::Asker, TurnBy::Persona]].concat());
}

#[test]
fn a_budget_holds_for_talks_too() {
    let server = talking(|_| Reply::content("Yes."));
    let place = Place::new();
    let more = format!(
        "limits: {}\nendpoints:\n  - name: priced\n    base_url: \"{}\"\n    price: {{ input: 1.00, \
         cached_input: 1.00, output: 10.00 }}",
        limits(2),
        server.base_url()
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(2);
    assert_eq!(place.ask(&[]).code, 0);
    let asked = server.count();
    // The cap of 600 tokens alone costs $0.006.
    let outcome = chat(&place, "0", "well?\n", &["--budget", "0.005"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.out.contains("budget"), "{outcome:?}");
    assert_eq!(server.count(), asked, "nothing was sent");
    let outcome = chat(&place, "0", "well?\n", &["--budget", "1"]);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, "Yes.\n"), "{outcome:?}");
}

#[test]
fn a_run_that_went_in_batches_is_talked_with_under_a_budget() {
    let batch = BatchOptions { takes: Duration::ZERO, ..BatchOptions::default() };
    let options = Options { latency: Duration::ZERO, batch, ..Options::default() };
    let simulator = Simulator::start(options).unwrap();
    let place = Place::new();
    let more = format!(
        "endpoints:\n  - name: priced\n    base_url: \"{}\"\n    price: {{ input: 1.00, \
         cached_input: 1.00, output: 10.00 }}",
        simulator.base_url()
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(2);
    let outcome = place.ask(&["--batch", "--budget", "5"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let outcome = chat(&place, "0", "Why is that?\n", &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let by: Vec<_> = kept(&place, 0).into_iter().map(|(by, _)| by).collect();
    assert_eq!(by, [TurnBy::Asker, TurnBy::Persona]);
}

#[test]
fn a_talk_that_cannot_be_read_is_refused() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| match asked.name {
        "Person Number 0" => answer_of(asked.name),
        _ => answer_of(asked.name).behind(&held),
    });
    let place = Place::with_survey(&provider.base_url(), 3, 3);
    detached(&place, &[]);
    wait_until("the first answer on disk", || {
        place.reader().interview(PersonaIndex(0)).unwrap().is_some()
    });
    let file = rusqlite::Connection::open(place.run_file()).unwrap();
    file.execute_batch("ALTER TABLE talk RENAME TO elsewhere").unwrap();
    let outcome = chat(&place, "0", "Are you there?\n", &[]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains("cannot be shown"), "{outcome:?}");
    file.execute_batch("ALTER TABLE elsewhere RENAME TO talk").unwrap();
    drop(file);
    gate.open();
    wait_until("the end of the run", || finished(&place));
}

#[test]
fn a_talk_goes_through_the_engine_of_a_live_run() {
    let gate = Gate::default();
    let held = gate.clone();
    // All but one wait: the talk is with who has answered.
    let provider = Provider::start(move |asked| match (asked.name, asked.times) {
        ("Person Number 0", 1) => answer_of(asked.name),
        ("Person Number 0", _) => Reply::content("I stand by it."),
        _ => answer_of(asked.name).behind(&held),
    });
    let place = Place::with_survey(&provider.base_url(), 5, 3);
    detached(&place, &[]);
    provider.wait_for(4);
    wait_until("the first answer on disk", || {
        place.reader().interview(PersonaIndex(0)).unwrap().is_some()
    });
    let outcome = chat(&place, "3", "You?\n", &[]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains("no answer to talk about"), "{outcome:?}");
    // One for each who waits, and one for the talk.
    place.voxpop(&["tell", RUN, "slots=5"]);
    let outcome = chat(&place, "0", "Really?\n", &[]);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, "I stand by it.\n"), "{outcome:?}");
    place.voxpop(&["tell", RUN, "pause"]);
    let outcome = chat(&place, "0", "And now?\n", &[]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.out.contains("paused"), "{outcome:?}");
    place.voxpop(&["tell", RUN, "resume"]);
    gate.open();
    wait_until("the end of the run", || finished(&place));
    assert_eq!(kept(&place, 0).len(), 2);
    let records = place.export();
    assert!(records.iter().all(|record| record["status"] == "done"), "{records:?}");
}

/// Closes the inspector, and the dashboard.
fn leave(terminal: &mut Terminal) {
    // With the next key it would be one: Alt and that key.
    terminal.press("\x1b");
    terminal.wait_for("Enter inspect");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

/// Opens the talk with the first persona.
fn open_talk(terminal: &mut Terminal) {
    terminal.press("g\r");
    terminal.wait_for("Person Number 0");
    terminal.press("c");
    terminal.wait_for("Talk with persona 0");
}

#[test]
fn c_on_the_dashboard_opens_a_talk_that_is_there_again_later() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = talking(move |said| {
        Reply::content(&format!("You ask \u{1b}]0;x\u{7}{said}, do you.")).behind(&held)
    });
    let place = Place::with_survey(&server.base_url(), 2, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    open_talk(&mut terminal);
    terminal.wait_for("Nothing has been said yet");
    // Letters are letters here: q leaves nothing.
    terminal.press("quite so x\x7f?");
    terminal.wait_for("> quite so ?");
    terminal.press("\r");
    terminal.wait_for("persona 0 is thinking");
    terminal.press("next");
    terminal.wait_for("> next");
    gate.open();
    let screen = terminal.wait_for("You ask ]0;xquite so ?, do you.");
    assert!(screen.contains("tokens") && screen.contains("> next"), "{screen}");
    terminal.press("\x1b");
    terminal.wait_until("the talk to be left", |text| !text.contains("Talk with persona"));
    terminal.press("c");
    terminal.wait_for("You ask ]0;xquite so ?, do you.");
    terminal.press("\x1b");
    terminal.wait_until("the talk to be left", |text| !text.contains("Talk with persona"));
    leave(&mut terminal);
    assert_eq!(kept(&place, 0).len(), 2);

    // Long after, without an engine: the same talk, and it goes on.
    let mut later = Terminal::start(&["open", RUN], &place.runs(), WIDE);
    later.wait_for("LOOKED AT");
    open_talk(&mut later);
    later.wait_for("quite so ?, do you.");
    later.press("still\r");
    later.wait_for("You ask ]0;xstill, do you.");
    assert!(is_live(&place.run_file()), "nobody else writes while one talks");
    later.press("\x1b");
    later.wait_for("Esc close");
    wait_until("the run file to be let go of", || !is_live(&place.run_file()));
    leave(&mut later);
    assert_eq!(kept(&place, 0).len(), 4);
}

#[test]
fn who_only_looks_on_cannot_talk() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 3, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    let mut terminal = attach(&place, &["--read-only"]);
    terminal.wait_for("RUNNING");
    terminal.press("g\rc");
    let screen = terminal.wait_for("only looks on");
    assert!(!screen.contains("Talk with persona"), "{screen}");
    leave(&mut terminal);
    let mut terminal = attach(&place, &[]);
    terminal.wait_for("RUNNING");
    terminal.press("g\rc");
    terminal.wait_for("no answer to talk about: it is in flight");
    gate.open();
    terminal.wait_for("FINISHED");
    leave(&mut terminal);
}
