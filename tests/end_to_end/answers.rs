//! A run puts the survey to every persona once and gives the answers back in the order of the
//! input, whatever the format and whatever the output.

use crate::{
    asking::{Provider, assert_own_answer},
    common::voxpop::{Running, command},
    place::{Place, RUN, count, id, limits, name, status},
};
use serde_json::{Value, json};
use std::time::Duration;
use voxpop::simulator::{Options, Simulator};

const MANY: usize = 40;

fn simulator(faults: &str) -> Simulator {
    Simulator::start(Options {
        latency: Duration::from_millis(10),
        faults: faults.parse().expect("a list of faults"),
        ..Options::default()
    })
    .expect("it finds a port")
}

/// Everybody in the order of the input, each answered by itself.
fn assert_complete(place: &Place, provider: &Provider, many: usize) {
    let records = place.export();
    assert_eq!(records.len(), many);
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["index"], json!(n));
        assert_eq!(record["persona_id"], json!(id(n)));
        assert_eq!(record["attributes"]["name"], json!(name(n)));
        assert_eq!(record["attempts"], json!(1));
        assert_eq!(status(record), "done");
        assert_own_answer(record, &name(n));
        assert_eq!(provider.asked(&name(n)), 1);
    }
    assert_eq!(provider.server.count(), many);
}

#[test]
fn everybody_is_asked_once_and_the_export_is_in_order() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), MANY, 8);
    let outcome = place.ask(&["--plain"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains(&format!("{RUN}: finished in 00:")), "{outcome:?}");
    assert!(outcome.out.contains("40 of 40 done, 0 refused, 0 failed"), "{outcome:?}");
    assert!(outcome.out.contains(place.run_file().to_str().unwrap()), "{outcome:?}");
    assert!(outcome.out.contains(&format!("voxpop export {RUN}")), "{outcome:?}");
    assert!(!outcome.out.contains('\x1b'), "lines of words have no escape sequences");
    assert_complete(&place, &provider, MANY);
}

#[test]
fn personas_come_in_every_format() {
    let people = |n: usize| json!({"id": id(n), "name": name(n), "town": null, "age": 30 + n});
    let all: Vec<Value> = (0..12).map(people).collect();
    let lines: Vec<String> = all.iter().map(Value::to_string).collect();
    let yaml: Vec<String> =
        (0..12).map(|n| format!("- id: {}\n  name: {}\n  pets: []\n", id(n), name(n))).collect();
    for (file, text) in [
        ("people.json", json!(all).to_string()),
        ("wrapped.json", json!({"personas": all}).to_string()),
        ("people.jsonl", lines.join("\n")),
        ("people.yaml", yaml.concat()),
        (
            "people.csv",
            format!(
                "\u{feff}id;name;\r\n{}",
                (0..12).map(|n| format!("{};{};\r\n", id(n), name(n))).collect::<String>()
            ),
        ),
    ] {
        let provider = Provider::kind();
        let place = Place::new();
        let survey = place.survey(&provider.base_url(), &format!("limits: {}", limits(4)));
        let people = place.write(file, text);
        let outcome = place.voxpop(&["run", &survey, "--personas", &people, "--name", RUN]);
        assert_eq!(outcome.code, 0, "{file}: {outcome:?}");
        assert_complete(&place, &provider, 12);
    }
}

#[test]
fn json_lines_tell_the_run_and_the_last_one_its_end() {
    let simulator = simulator("");
    let place = Place::with_survey(&simulator.base_url(), MANY, 8);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let lines: Vec<Value> = (outcome.out.lines())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}")))
        .collect();
    assert!(lines.iter().all(|line| line["event"].is_string()), "{lines:?}");
    assert_eq!(lines[0]["event"], "run_started");
    assert_eq!(lines[0]["total"], json!(MANY));
    let last = lines.last().expect("there is a line");
    assert_eq!(last["event"], "run_finished");
    for (key, value) in [("total", MANY), ("done", MANY), ("failed", 0), ("refused", 0)] {
        assert_eq!(last[key], json!(value), "{key} in {last}");
    }
    assert!(last["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{last}");
    assert_eq!(last["run_file"], json!(place.run_file()));
    assert_eq!(simulator.stats().answered, MANY as u64);
}

#[test]
fn failures_and_refusals_show_in_the_exit_code_and_in_the_records() {
    let simulator = simulator("malformed=60%,refusal=20%");
    let place = Place::with_survey(&simulator.base_url(), MANY, 8);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let last = outcome.last_json();
    let records = place.export();
    assert_eq!(records.len(), MANY);
    for (key, wanted) in [("done", "done"), ("failed", "failed"), ("refused", "refused")] {
        assert_eq!(last[key], json!(count(&records, wanted)), "{key} in {last}");
        assert_ne!(last[key], json!(0), "the faults of this seed leave some of each: {last}");
    }
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["index"], json!(n));
        assert_eq!(record["persona_id"], json!(id(n)));
        let (answer, failure, refusal) =
            (&record["answer"], &record["failure"], &record["refusal"]);
        match status(record) {
            "done" => {
                assert!(answer.is_object() && failure.is_null() && refusal.is_null(), "{record}");
            }
            "refused" => {
                assert!(answer.is_null() && failure.is_null() && refusal.is_string(), "{record}");
            }
            "failed" => {
                assert!(answer.is_null() && refusal.is_null(), "{record}");
                assert_eq!(failure["kind"], "malformed");
                assert_eq!(record["attempts"], json!(2), "what is malformed is asked once more");
            }
            other => panic!("nobody is left {other}: {record}"),
        }
    }
}

#[test]
fn refusals_alone_are_no_failure() {
    let simulator = simulator("refusal=100%");
    let place = Place::with_survey(&simulator.base_url(), 5, 5);
    let outcome = place.ask(&["--json"]);
    assert_eq!((outcome.code, &outcome.last_json()["refused"]), (0, &json!(5)), "{outcome:?}");
}

#[test]
fn the_three_formats_of_an_export_agree() {
    let simulator = simulator("malformed=40%");
    let place = Place::with_survey(&simulator.base_url(), 20, 8);
    place.ask(&[]);
    let records = place.export();
    let array: Vec<Value> =
        serde_json::from_str(&place.voxpop(&["export", RUN, "--format", "json"]).out).unwrap();
    assert_eq!(array, records);
    let file = place.path("out.csv");
    let outcome = place.voxpop(&["export", RUN, "--format", "csv", "--out", &file]);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, ""), "{outcome:?}");
    let table = std::fs::read_to_string(file).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let headers = rows.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (at_id, at_status) = (column("persona_id"), column("status"));
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), records.len());
    for (row, record) in rows.iter().zip(&records) {
        assert_eq!(row[at_id], *record["persona_id"].as_str().unwrap());
        assert_eq!(row[at_status], *status(record));
    }
}

#[test]
fn the_simulator_serves_alone_and_says_where() {
    let place = Place::new();
    let simulator =
        Running::start(command(&["simulate", "--port", "0", "--latency", "5ms"], &place.runs()));
    let url = simulator.wait_for_line("http://127.0.0.1:");
    place.survey("https://example.org/v1", &format!("limits: {}", limits(4)));
    place.people(6);
    // The flag overrules the file.
    let outcome = place.ask(&["--json", "--base-url", &url]);
    assert_eq!((outcome.code, &outcome.last_json()["done"]), (0, &json!(6)), "{outcome:?}");
    simulator.signal(rustix::process::Signal::INT);
    assert_eq!(simulator.end().code, 0);
}

#[test]
fn ls_and_open_tell_what_a_run_came_to() {
    let simulator = simulator("");
    let place = Place::with_survey(&simulator.base_url(), 5, 5);
    place.ask(&[]);
    let listed = place.voxpop(&["ls", "--json"]);
    let run: Value = serde_json::from_str(listed.out.trim()).unwrap();
    assert_eq!(run["run"], json!(RUN));
    assert_eq!((&run["state"], &run["done"]), (&json!("finished"), &json!(5)));
    let opened = place.voxpop(&["open", "latest", "--plain"]);
    assert_eq!(opened.code, 0, "{opened:?}");
    assert!(opened.out.contains("5  done"), "{opened:?}");
    let opened = place.voxpop(&["open", "latest", "--json"]);
    assert_eq!(opened.code, 0, "{opened:?}");
    let progress = opened.out.lines().find(|line| line.contains(r#""event":"progress""#));
    let progress: Value = serde_json::from_str(progress.unwrap()).unwrap();
    assert_eq!(progress["distribution"]["answers"], json!(5), "{progress}");
}

/// A run file is copied and opened elsewhere: nothing of it may be in files beside it.
#[test]
fn a_run_that_has_ended_is_one_file() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 10, 5);
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let mut files = Vec::new();
    // Each is a chance for a connection that is closed too late.
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let outcome = place.voxpop(&["run", &survey, "--personas", &people, "--name", name]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        files.push(place.runs().join(format!("{name}.voxpop")));
        let mut found: Vec<_> = place.files_of_runs().into_iter().map(|(path, _)| path).collect();
        found.retain(|path| !path.starts_with(place.runs().join("logs")) && !place.is_cache(path));
        found.sort();
        assert_eq!(found, files);
    }
}

#[test]
fn check_shows_settings_and_prompts_and_sends_nothing() {
    let provider = Provider::kind();
    let place = Place::new();
    let more = format!("temperature: 0.25\nlimits: {}", limits(9));
    let survey = place.survey(&provider.base_url(), &more);
    let people = place.people(5);
    let args = ["check", &survey, "--personas", &people, "--rpm", "77"];
    let mut command = place.command(&args);
    command.env("TOKENS_PER_MINUTE", "123456");
    let outcome = Running::start(command).end();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for (setting, value, origin) in [
        ("temperature", "0.25", "survey.yaml"),
        ("limits.slots", "9", "survey.yaml"),
        ("limits.requests_per_minute", "77", "--rpm"),
        ("limits.tokens_per_minute", "123456", "TOKENS_PER_MINUTE in the environment"),
        ("max_output_tokens", "600", "default"),
    ] {
        let told = |line: &&str| {
            let mut words = line.split_whitespace();
            words.next() == Some(setting) && words.next() == Some(value) && line.ends_with(origin)
        };
        assert!(outcome.out.lines().any(|line| told(&line)), "{setting}: {}", outcome.out);
    }
    for n in 0..5 {
        assert_eq!(outcome.out.contains(&format!("Name: {}\n", name(n))), n < 3, "{}", outcome.out);
    }
    assert!(outcome.out.contains("nothing was sent"));
    assert_eq!(provider.server.count(), 0);
    assert!(place.files_of_runs().is_empty());
}
