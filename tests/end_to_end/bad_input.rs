//! Bad input: an error that names the file, the line or the key and the remedy; exit code 2;
//! nothing sent, nothing left behind.

use crate::{
    asking::Provider,
    common::voxpop::{Outcome, Running},
    place::{Place, RUN, limits, survey},
};
use std::{fs, path::PathBuf};

/// Where nobody listens; nothing is ever sent there.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// What stands in the runs folder, but for logs.
fn left_behind(place: &Place) -> Vec<PathBuf> {
    let mut paths: Vec<_> = place.files_of_runs().into_iter().map(|(path, _)| path).collect();
    paths.retain(|path| !path.starts_with(place.runs().join("logs")) && !place.is_cache(path));
    paths
}

/// One sentence on standard error that holds all the words, and the exit code.
fn assert_refused(what: &str, outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code, code, "{what}: {outcome:?}");
    assert!(outcome.err.starts_with("error: "), "{what}: {outcome:?}");
    for word in words {
        assert!(outcome.err.contains(word), "{what}: {word:?} is not in {outcome:?}");
    }
    for word in ["panicked", "RUST_BACKTRACE", "\x1b"] {
        assert!(!outcome.err.contains(word), "{what}: {outcome:?}");
    }
}

/// A place with a good survey and two good personas.
fn good() -> Place {
    Place::with_survey(NOWHERE, 2, 2)
}

/// Runs and checks the survey of a place and expects the same error of both.
fn refuse(what: &str, place: &Place, people: &str, more: &[&str], words: &[&str]) {
    let before = left_behind(place);
    let survey = place.path("survey.yaml");
    for command in ["run", "check"] {
        let mut args = vec![command, &survey, "--personas", people];
        args.extend(more);
        let what = format!("{what} ({command})");
        assert_refused(&what, &place.voxpop(&args), 2, words);
        assert_eq!(left_behind(place), before, "{what}");
    }
}

#[test]
fn a_bad_survey_is_refused_with_file_line_and_remedy() {
    let question = "question: Should it?\n";
    for (what, text, words) in [
        ("syntax", "question: [a, b\n", &["survey.yaml:"][..]),
        ("a colon in a text", "question: Should it: yes or no?\n", &["survey.yaml:1:", "quotes"]),
        ("a tab", "question: Should it?\nlimits:\n\tslots: 3\n", &["survey.yaml:3:", "spaces"]),
        ("no question", "name: parking\n", &["survey.yaml: ", "question"]),
        ("an empty file", "", &["survey.yaml: ", "question"]),
        (
            "an unknown key",
            &format!("{question}temprature: 0.5\n"),
            &["survey.yaml:2:1", "\"temprature\"", "did you mean \"temperature\"?"],
        ),
        (
            "an unknown limit",
            &format!("{question}limits: {{ slot: 3 }}\n"),
            &["survey.yaml:2:", "\"slot\"", "did you mean \"slots\"?"],
        ),
        (
            "a key from elsewhere",
            &format!("{question}api_key: sk-1\n"),
            &["survey.yaml:2:1", "OPENAI_API_KEY"],
        ),
        ("a key twice", &format!("{question}{question}"), &["survey.yaml:2:1", "twice"]),
        (
            "no slots",
            &format!("{question}limits: {{ slots: 0 }}\n"),
            &["survey.yaml:2:", "slots", "from 1 to", "not 0"],
        ),
        (
            "negative slots",
            &format!("{question}limits:\n  slots: -4\n"),
            &["survey.yaml:3:", "slots", "from 1 to", "not -4"],
        ),
        (
            "absurd slots",
            &format!("{question}limits: {{ slots: 1000000000000 }}\n"),
            &["survey.yaml:2:", "slots", "from 1 to", "1000000000000"],
        ),
        (
            "no requests",
            &format!("{question}limits: {{ requests_per_minute: 0 }}\n"),
            &["survey.yaml:2:", "requests_per_minute", "not 0"],
        ),
        (
            "words for a number",
            &format!("{question}limits: {{ tokens_per_minute: lots }}\n"),
            &["survey.yaml:2:", "tokens_per_minute", "\"lots\""],
        ),
        (
            "no output",
            &format!("{question}max_output_tokens: 0\n"),
            &["survey.yaml:2:", "max_output_tokens", "not 0"],
        ),
        (
            "too hot",
            &format!("{question}temperature: 7\n"),
            &["survey.yaml:2:", "temperature", "not 7"],
        ),
        (
            "no time",
            &format!("{question}timeout_seconds: 0\n"),
            &["survey.yaml:2:", "timeout_seconds", "not 0"],
        ),
        (
            "no URL",
            &format!("{question}base_url: localhost:8000\n"),
            &["survey.yaml:2:", "base_url", "http://"],
        ),
        (
            "a template that does not parse",
            &format!("{question}prompts: {{ user: \"{{{{ persona.age \" }}\n"),
            &["prompts.user"],
        ),
        (
            "a name that no persona and no survey has",
            &format!("{question}prompts: {{ user: \"{{{{ pesona.age }}}}\" }}\n"),
            &["prompts.user", "pesona"],
        ),
    ] {
        let place = good();
        place.write("survey.yaml", text);
        refuse(what, &place, &place.path("people.csv"), &["--base-url", NOWHERE], words);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = good();
    let people = place.path("people.csv");
    let absent = place.path("nobody.csv");
    refuse("no personas", &place, &absent, &[], &[&absent, "no such file", "check the spelling"]);
    let folder = place.runs().to_str().unwrap().to_owned();
    refuse("a folder", &place, &folder, &[], &[&folder, "is a folder"]);

    let utf16: Vec<u8> =
        "\u{feff}question: a\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let survey = place.write("survey.yaml", utf16);
    refuse("UTF-16", &place, &people, &[], &[&survey, "UTF-16", "save the file as UTF-8"]);
    place.write("survey.yaml", b"name: caf\xe9\nquestion: a\n");
    refuse("Latin-1", &place, &people, &[], &[&format!("{survey}:1"), "0xE9", "UTF-8", "iconv"]);
    fs::remove_file(&survey).unwrap();
    refuse("no survey", &place, &people, &[], &[&survey, "no such file"]);
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let place = good();
    let people = place.path("people.csv");
    fs::set_permissions(&people, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&people).is_ok() {
        // Root reads everything.
        return;
    }
    refuse("permissions", &place, &people, &[], &[&people, "cannot be read", "ermission denied"]);
}

#[test]
fn bad_personas_are_refused_with_file_line_and_remedy() {
    for (what, file, text, words) in [
        ("nothing", "people.csv", &b""[..], &["no personas in", "people.csv"][..]),
        ("a header alone", "people.csv", b"id,name\n", &["no personas in", "people.csv"]),
        ("an empty list", "people.json", b"[]", &["no personas in", "people.json"]),
        ("no lines", "people.jsonl", b"\n\n", &["no personas in", "people.jsonl"]),
        ("an empty YAML list", "people.yaml", b"[]\n", &["no personas in", "people.yaml"]),
        (
            "an id twice",
            "people.csv",
            b"id,name\na,Ann\nb,Bob\na,Abe\n",
            &["people.csv:4", "\"a\"", "line 2", "its own"],
        ),
        (
            "an id twice in JSON lines",
            "people.jsonl",
            b"{\"id\": 1}\n{\"id\": \"1\"}\n",
            &["people.jsonl:2", "\"1\"", "line 1"],
        ),
        (
            "a row too short",
            "people.csv",
            b"id,name,town\na,Ann,Perth\nb,Bob\n",
            &["people.csv:3", "2 fields", "3", "empty fields"],
        ),
        (
            "a row too long",
            "people.csv",
            b"id,name\na,Ann, nurse\n",
            &["people.csv:2", "3 fields", "2", "double quotes"],
        ),
        (
            "an open quote",
            "people.csv",
            b"id,name\na,\"Ann\nb,Bob\n",
            &["people.csv:2", "quote", "close it"],
        ),
        (
            "a column twice",
            "people.csv",
            b"id,age,age\na,1,2\n",
            &["people.csv", "columns 2 and 3", "\"age\"", "rename"],
        ),
        (
            "Latin-1",
            "people.csv",
            b"id,name\na,Ann\nb,Andr\xe9\n",
            &["people.csv:3", "0xE9", "column 7", "UTF-8", "iconv"],
        ),
        ("JSON that ends early", "people.json", b"[{\"id\": 1},", &["people.json:1:"]),
        ("no list", "people.json", b"\"Ann\"", &["people.json", "list"]),
        ("a line that is no object", "people.jsonl", b"{\"id\": 1}\n[2]\n", &["people.jsonl", "2"]),
        ("bad YAML", "people.yaml", b"- id: [1\n", &["people.yaml:"]),
        (
            "a weight that is none",
            "people.csv",
            b"id,weight\na,heavy\n",
            &["people.csv:2", "weight", "heavy"],
        ),
        (
            "a weight below nothing",
            "people.csv",
            b"id,weight\na,-2\n",
            &["people.csv:2", "weight", "-2"],
        ),
        ("a workbook", "people.csv", b"PK\x03\x04 and so on", &["people.csv", "Excel", "CSV"]),
    ] {
        let place = good();
        let people = place.write(file, text);
        refuse(what, &place, &people, &[], words);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_word() {
    let provider = Provider::kind();
    let place = Place::new();
    let more = format!("limits: {}", limits(2));
    place.write("survey.yaml", format!("\u{feff}{}", survey(&provider.base_url(), &more)));
    place.write("people.csv", "\u{feff}id,name\nx,Person X\n");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(place.export()[0]["persona_id"], "x");
}

#[test]
fn limits_that_no_run_can_work_with_are_refused_wherever_they_stand() {
    let place = good();
    let people = place.path("people.csv");
    for (flag, value, words) in [
        ("--concurrency", "0", &["--concurrency", "from 1 to", "not 0"][..]),
        ("--concurrency", "-3", &["--concurrency", "from 1 to", "not -3"]),
        ("--concurrency", "999999999", &["--concurrency", "from 1 to", "not 999999999"]),
        ("--concurrency", "many", &["--concurrency", "many"]),
        ("--rpm", "0", &["--rpm", "not 0"]),
        ("--rpm", "-1", &["--rpm", "not -1"]),
        ("--rpm", "99999999999999", &["--rpm", "99999999999999"]),
        ("--rpm", "fast", &["--rpm", "fast", "unlimited"]),
        ("--tpm", "0", &["--tpm", "not 0"]),
        ("--plan", "tier9", &["--plan", "tier1", "tier2", "tier9"]),
        ("--model", " ", &["--model"]),
        ("--base-url", "ftp://x/v1", &["--base-url", "http"]),
    ] {
        refuse(&format!("{flag} {value}"), &place, &people, &[flag, value], words);
    }
    let survey = place.path("survey.yaml");
    for (variable, value, words) in [
        ("MAX_CONCURRENT_REQUESTS", "0", &["from 1 to", "not 0"][..]),
        ("MAX_CONCURRENT_REQUESTS", "five", &["\"five\"", "such as 5"]),
        ("REQUESTS_PER_MINUTE", "-5", &["not -5"]),
        ("TOKENS_PER_MINUTE", "1e12", &["1e12"]),
        ("OPENAI_BASE_URL", "api.example.org", &["http://"]),
    ] {
        let what = format!("{variable}={value}");
        let mut command = place.command(&["run", &survey, "--personas", &people]);
        command.env(variable, value);
        let outcome = Running::start(command).end();
        let place_of_value = format!("{variable} in the environment");
        assert_refused(&what, &outcome, 2, &[&[&*place_of_value], words].concat());
        assert_eq!(left_behind(&place), Vec::<PathBuf>::new(), "{what}");

        let dotenv = place.write("runs/.env", format!("# mine\n{variable}={value}\n"));
        let outcome = place.voxpop(&["run", &survey, "--personas", &people]);
        assert_refused(&what, &outcome, 2, &[&[".env:2", variable], words].concat());
        fs::remove_file(dotenv).unwrap();
    }
}

#[test]
fn an_endpoint_that_needs_a_key_is_not_asked_without_one() {
    let place = Place::with_survey("https://api.openai.com/v1", 2, 2);
    let words = ["api.openai.com", "OPENAI_API_KEY", ".env"];
    refuse("no key", &place, &place.path("people.csv"), &[], &words);

    // A check shows all the rest first, and every key that is missing.
    let endpoints = "endpoints: [{ name: a, key: { env: KEY_OF_A } }, { name: b, model: m, key: { env: KEY_OF_B } }]";
    place.survey(NOWHERE, endpoints);
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let outcome = place.voxpop(&["check", &survey, "--personas", &people]);
    assert_refused("two keys", &outcome, 2, &["KEY_OF_A is not set", "\nerror: ", "KEY_OF_B"]);
    for words in ["endpoints.a.key", "missing", "Person Number 1", "nothing was sent"] {
        assert!(outcome.out.contains(words), "{words:?} is not in {}", outcome.out);
    }
    assert!(!outcome.out.contains("all is well"), "{}", outcome.out);
}

#[test]
fn a_simulators_faults_are_checked_at_once() {
    let place = good();
    for (faults, words) in [
        ("nonsense", &["--fault", "unknown fault \"nonsense\"", "known are 429"][..]),
        ("malfromed=1%", &["did you mean \"malformed\"?"]),
        ("500=2", &["between 0 % and 100 %"]),
        ("429=60%,500=60%", &["120 %"]),
    ] {
        for command in ["demo", "simulate"] {
            let outcome = place.voxpop(&[command, "--fault", faults]);
            assert_refused(faults, &outcome, 2, words);
        }
    }
    for (flag, value) in [("--personas", "0"), ("--latency", "3"), ("--fps", "0")] {
        let outcome = place.voxpop(&["demo", flag, value]);
        assert_refused(flag, &outcome, 2, &[flag, value]);
    }
    for (flag, value) in [("--concurrency", "0"), ("--rpm", "-2")] {
        let outcome = place.voxpop(&["demo", flag, value]);
        assert_refused(flag, &outcome, 2, &[flag, value]);
    }
    assert_eq!(left_behind(&place), Vec::<PathBuf>::new());
}

#[test]
fn a_run_that_is_not_there_is_named_with_the_way_to_find_it() {
    let place = good();
    for command in ["resume", "retry", "export", "open"] {
        let outcome = place.voxpop(&[command, "no-such-run"]);
        assert_refused(command, &outcome, 2, &["\"no-such-run\"", "voxpop ls"]);
        let outcome = place.voxpop(&[command, "latest"]);
        assert_refused(command, &outcome, 2, &["no runs in", place.runs().to_str().unwrap()]);
        // A file of something else.
        let outcome = place.voxpop(&[command, &place.path("people.csv")]);
        assert_refused(command, &outcome, 2, &["people.csv", "not a voxpop run", "voxpop ls"]);
    }
    assert_eq!(left_behind(&place), Vec::<PathBuf>::new());
    for name in ["../up", "", "a/b", ".hidden"] {
        let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
        let outcome = place.voxpop(&["run", &survey, "--personas", &people, "--name", name]);
        assert_refused(name, &outcome, 2, &["--name", "letters"]);
    }
    assert_eq!(left_behind(&place), Vec::<PathBuf>::new());
}

/// The file is not the user's doing, so this is code 1: could not run.
#[test]
fn a_run_file_that_is_damaged_or_newer_is_named_and_left_alone() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 3, 3);
    assert_eq!(place.ask(&[]).code, 0);
    let sound = fs::read(place.run_file()).unwrap();
    let asked = provider.server.count();

    let cut_off = sound[..60].to_vec();
    let mut garbled = sound.clone();
    garbled[..16].fill(b'x');
    let mut holed = sound.clone();
    holed[100..].fill(0);
    // Byte 60 to 63 of the header of a SQLite file are its user version.
    let mut newer = sound.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    for (what, bytes, words) in [
        ("empty", Vec::new(), &["damaged", "restore a copy"][..]),
        ("cut off", cut_off, &["damaged", "cut off", "restore a copy"]),
        ("garbled", garbled, &["damaged", "restore a copy"]),
        ("holed", holed, &["damaged", "restore a copy"]),
        ("newer", newer, &["newer voxpop", "99", "update voxpop"]),
    ] {
        fs::write(place.run_file(), &bytes).unwrap();
        for command in ["resume", "retry", "export", "open"] {
            let what = format!("{what} ({command})");
            let outcome = place.voxpop(&[command, RUN]);
            let file = place.run_file();
            assert_refused(&what, &outcome, 1, &[words, &[file.to_str().unwrap()]].concat());
            assert!(fs::read(place.run_file()).unwrap() == bytes, "{what}: it was changed");
            assert_eq!(left_behind(&place), [place.run_file()], "{what}");
        }
        let listed = place.voxpop(&["ls"]);
        assert_eq!(listed.code, 0, "{what}: {listed:?}");
        assert!(listed.out.contains("unusable"), "{what}: {listed:?}");
    }
    assert_eq!(provider.server.count(), asked);
}
