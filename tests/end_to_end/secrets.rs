//! The API key goes to the provider and nowhere else.

use crate::{
    asking::{Provider, answer_of},
    common::{
        provider::{Gate, Reply},
        voxpop::Running,
    },
    place::{Place, RUN, limits, name},
};
use std::path::PathBuf;
use voxpop::model::PersonaIndex;

const KEY: &str = "sk-marker-7d0f3c5e9b1a";

/// The files in the runs folder that hold the key, and whether there is a log and a run file to
/// look into at all.
fn files_with_the_key(place: &Place) -> Vec<PathBuf> {
    let files = place.files_of_runs();
    for end in [".log", ".voxpop"] {
        let is_there = |path: &PathBuf| path.to_str().unwrap().ends_with(end);
        assert!(files.iter().any(|(path, bytes)| is_there(path) && !bytes.is_empty()), "{end}");
    }
    let holds = |bytes: &[u8]| bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
    files.into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect()
}

#[test]
fn the_key_is_in_no_file_no_output_and_no_argument() {
    let gate = Gate::default();
    let held = gate.clone();
    let provider = Provider::start(move |asked| match asked.name {
        failing if failing == name(2) => Reply::error(500, "server_error", None, "no"),
        failing if failing == name(3) => Reply::content("no answer at all"),
        failing if failing == name(4) => Reply::ResetBeforeReply,
        name => answer_of(name).behind(&held),
    });
    let place = Place::new();
    place
        .survey(&provider.base_url(), &format!("limits: {}\nretry: {{ attempts: 2 }}", limits(12)));
    place.people(12);
    let args = place.asking(&[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = place.command(&args);
    command.env("OPENAI_API_KEY", KEY);
    let process = Running::start(command);
    provider.wait_for(12);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap();
    let arguments = String::from_utf8(arguments).unwrap();
    assert!(arguments.contains("survey.yaml") && !arguments.contains(KEY), "{arguments}");
    gate.open();
    let outcome = process.end();
    assert_eq!(outcome.code, 3, "{outcome:?}");
    for request in provider.server.received() {
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
    }
    assert!(!(outcome.out + &outcome.err).contains(KEY));
    assert_eq!(files_with_the_key(&place), Vec::<PathBuf>::new());
    for args in [&["export", RUN][..], &["open", RUN, "--plain"], &["ls"]] {
        let outcome = place.voxpop(args);
        assert!(!(outcome.out + &outcome.err).contains(KEY), "{args:?}");
    }
}

#[test]
fn check_says_that_there_is_a_key_and_not_which() {
    let place = Place::with_survey("https://api.openai.com/v1", 2, 2);
    place.write("runs/.env", format!("OPENAI_API_KEY={KEY}\n"));
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let outcome = place.voxpop(&["check", &survey, "--personas", &people]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("OPENAI_API_KEY in") && outcome.out.contains(".env:1"));
    assert!(!(outcome.out + &outcome.err).contains(KEY));
}

/// A provider that repeats the key, as some proxies do in their errors.
#[test]
fn a_key_that_the_provider_repeats_is_not_kept_either() {
    let said = format!("{KEY} may not do this");
    let provider = Provider::start(move |asked| match asked.name {
        refused if refused == name(1) => {
            Reply::error(400, "invalid_request_error", Some(&said), &said)
        }
        malformed if malformed == name(2) => Reply::content(&said),
        declined if declined == name(3) => Reply::refusal(&said),
        cut if cut == name(4) => {
            let head = "HTTP/1.1 500 No\r\ncontent-length: 900\r\n\r\n";
            Reply::Raw(format!("{head}{said}").into_bytes())
        }
        name => answer_of(name),
    });
    let place = Place::new();
    let limits = limits(6);
    place.survey(&provider.base_url(), &format!("limits: {limits}\nretry: {{ attempts: 2 }}"));
    place.people(6);
    let args = place.asking(&[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = place.command(&args);
    command.env("OPENAI_API_KEY", KEY);
    let outcome = Running::start(command).end();
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(!(outcome.out.clone() + &outcome.err).contains(KEY), "{outcome:?}");
    assert_eq!(files_with_the_key(&place), Vec::<PathBuf>::new());
    // What else they said is kept.
    let bodies = [1, 2, 4].map(|n| {
        let attempts = place.reader().attempts(PersonaIndex(n)).unwrap();
        attempts.last().and_then(|last| last.body.clone()).unwrap_or_default()
    });
    assert!(bodies.iter().all(|body| body.contains("may not do this")), "{bodies:?}");
}
