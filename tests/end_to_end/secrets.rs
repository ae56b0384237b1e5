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
    let mut command = place.command(&[
        "run",
        &place.path("survey.yaml"),
        "--personas",
        &place.path("people.csv"),
        "--name",
        RUN,
    ]);
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

/// A provider that repeats the key in its error, as some proxies do.
#[test]
fn a_key_that_the_provider_repeats_is_not_kept_either() {
    let provider = Provider::start(|asked| {
        if asked.name == name(1) {
            Reply::error(400, "invalid_request_error", None, &format!("no, {KEY} may not do this"))
        } else {
            answer_of(asked.name)
        }
    });
    let place = Place::with_survey(&provider.base_url(), 3, 3);
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let mut command = place.command(&["run", &survey, "--personas", &people, "--name", RUN]);
    command.env("OPENAI_API_KEY", KEY);
    let outcome = Running::start(command).end();
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(!(outcome.out.clone() + &outcome.err).contains(KEY), "{outcome:?}");
    assert_eq!(files_with_the_key(&place), Vec::<PathBuf>::new());
}
