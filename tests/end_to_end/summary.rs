//! After the interviews: what the answers come to, asked of a model or made by words alone, broken
//! off and gone on with, redone, exported and shown.

use crate::{
    asking::answer_of,
    attach::{detached, finished, wait_until},
    common::{
        provider::{Gate, HostileServer, Reply},
        voxpop::PATIENCE,
    },
    place::{Place, RUN, limits},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use voxpop::simulator::{Options, Simulator};

/// What a request wants.
enum Asked {
    /// This person's answer.
    Answer(String),
    /// A digest of these personas.
    Digest(Vec<u64>),
    /// A summary of these digests.
    Summary(Vec<u64>),
}

impl Asked {
    fn of(body: &str) -> Self {
        let body: Value = serde_json::from_str(body).expect("every request is JSON");
        let prompt = body["messages"][1]["content"].as_str().unwrap_or_default();
        let numbers = |key: &str| {
            let lines = prompt.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.filter_map(|line| line[key].as_u64()).collect()
        };
        if prompt.starts_with("<answers>") {
            Self::Digest(numbers("persona"))
        } else if prompt.starts_with("<digests>") {
            Self::Summary(numbers("group"))
        } else {
            let name = prompt.lines().find_map(|line| line.strip_prefix("Name: "));
            Self::Answer(name.expect("every prompt holds the persona's name").to_owned())
        }
    }

    /// What a good model says to it.
    fn reply(&self) -> Reply {
        let none: [Value; 0] = [];
        let reply = match self {
            Self::Answer(name) => return answer_of(name),
            Self::Digest(personas) => json!({
                "themes": [{"text": "They all say so.", "personas": [personas[0]]}],
                "conflicts": none,
                "surprises": none,
                "answers": personas.iter().map(|persona| json!({
                    "persona": persona, "drivers": ["Saying so."], "themes": ["housing"],
                })).collect::<Vec<_>>(),
            }),
            Self::Summary(groups) => json!({
                "themes": [{"text": "Everybody says so.", "groups": groups, "personas": []}],
                "conflicts": none,
                "surprises": none,
            }),
        };
        Reply::content(&reply.to_string())
    }
}

/// How many requests of each sort there were: answers, digests, summaries.
fn sorts(server: &HostileServer) -> (usize, usize, usize) {
    let mut sorts = (0, 0, 0);
    for body in server.bodies() {
        match Asked::of(&body) {
            Asked::Answer(_) => sorts.0 += 1,
            Asked::Digest(_) => sorts.1 += 1,
            Asked::Summary(_) => sorts.2 += 1,
        }
    }
    sorts
}

fn wait_for(server: &HostileServer, count: usize) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O can be had")
        .block_on(server.wait_for(count, PATIENCE));
}

fn place(base_url: &str, personas: usize, slots: u32, more: &str) -> Place {
    let place = Place::new();
    place.survey(base_url, &format!("limits: {}\n{more}", limits(slots)));
    place.people(personas);
    place
}

fn analysis(out: &str) -> Value {
    let line = out.lines().find(|line| line.contains(r#""event":"analysis""#));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no analysis in {out}"))).unwrap()
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

#[test]
fn a_run_over_the_simulator_ends_in_a_summary_that_cites_its_groups() {
    let latency = Duration::from_millis(1);
    let simulator = Simulator::start(Options { latency, ..Options::default() }).unwrap();
    let place = place(&simulator.base_url(), 60, 8, "review: fused\nsummary: model");
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let said = analysis(&outcome.out);
    assert_eq!((&said["answers"], &said["groups"]), (&json!(60), &json!(2)), "{said:#}");
    assert_eq!(said["made"]["by"], "model");
    let themes = said["findings"]["themes"].as_array().unwrap();
    assert!((1..=5).contains(&themes.len()), "{said:#}");
    for theme in themes {
        let groups = numbers(&theme["groups"]);
        assert!(!groups.is_empty() && groups.iter().all(|group| (1..=2).contains(group)));
        assert!(numbers(&theme["personas"]).iter().all(|persona| *persona < 60));
    }
    assert!(themes.iter().any(|theme| numbers(&theme["groups"]) == [1, 2]), "{said:#}");
    for tally in said["drivers"].as_array().unwrap() {
        let by_support = numbers(&tally["by_support_level"]);
        assert_eq!(json!(by_support.iter().sum::<u64>()), tally["answers"], "{tally}");
    }
    let records = place.export();
    for record in &records {
        let drivers = record["drivers"].as_array().unwrap();
        assert!((1..=3).contains(&drivers.len()), "{record}");
        assert!(record["themes"].is_array(), "{record}");
    }
    // The distribution of the last progress line is that of the export.
    let progress = outcome.out.lines().rfind(|line| line.contains(r#""event":"progress""#));
    let progress: Value = serde_json::from_str(progress.unwrap()).unwrap();
    let support = &progress["distribution"]["scores"][0];
    let levels = records.iter().map(|record| record["answer"]["survey"]["support_level"].as_u64());
    let mut counts = [0; 5];
    levels.for_each(|level| counts[usize::try_from(level.unwrap()).unwrap() - 1] += 1);
    assert_eq!(support["counts"], json!(counts));
    assert_eq!(progress["distribution"]["answers"], 60);
    // The run is over in every way.
    let again = place.voxpop(&["resume", RUN]);
    assert!(again.out.contains("nothing is left to ask"), "{again:?}");
    let shown = place.voxpop(&["open", RUN, "--plain"]);
    assert!(shown.out.contains("Main themes") && shown.out.contains("groups 1, 2"), "{shown:?}");
}

#[test]
fn a_stop_during_the_analysis_leaves_it_undone_and_a_resume_asks_for_nothing_twice() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = HostileServer::start(move |number, body| {
        let asked = Asked::of(body);
        let reply = asked.reply();
        // The second digest.
        if number.0 == 122 { reply.behind(&held) } else { reply }
    });
    let place = place(&server.base_url(), 120, 1, "summary: model");
    let process = place.start_asking(&[]);
    wait_for(&server, 122);
    process.signal(Signal::INT);
    process.wait_for_line("finishing what is in flight");
    gate.open();
    let outcome = process.end();
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert!(outcome.out.contains("120 of 120 done"), "{outcome:?}");
    assert!(outcome.out.contains(&format!("voxpop resume {RUN}")), "{outcome:?}");
    assert_eq!(sorts(&server), (120, 2, 0));
    let with_drivers = |records: &[Value]| {
        records.iter().filter(|record| record["drivers"][0] == "saying so").count()
    };
    assert_eq!(with_drivers(&place.export()), 100, "what came back is kept");

    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("their summary is not made yet"), "{outcome:?}");
    assert!(outcome.out.contains("Everybody says so. [groups 1, 2, 3]"), "{outcome:?}");
    assert_eq!(sorts(&server), (120, 3, 1));
    assert_eq!(with_drivers(&place.export()), 120);
}

#[test]
fn a_pause_during_the_analysis_sends_nothing_until_somebody_resumes() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = HostileServer::start(move |number, body| {
        let reply = Asked::of(body).reply();
        if number.0 == 121 { reply.behind(&held) } else { reply }
    });
    let place = place(&server.base_url(), 120, 1, "summary: model");
    let mut terminal = place.watch_in_foreground((120, 40));
    wait_for(&server, 121);
    terminal.press("p");
    terminal.wait_for("PAUSED");
    gate.open();
    terminal.wait_for("summing up 1 of 3");
    assert_eq!(sorts(&server), (120, 1, 0));
    terminal.press("p");
    terminal.wait_for("FINISHED");
    assert_eq!(sorts(&server), (120, 3, 1));
}

#[test]
fn words_summarize_without_a_network_and_a_key() {
    let server = HostileServer::start(|_, body| Asked::of(body).reply());
    let place = place(&server.base_url(), 60, 4, "summary: off");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(!outcome.out.contains("Main themes"), "{outcome:?}");
    assert_eq!(place.export()[0]["drivers"], json!([]));
    drop(server);
    let said = place.voxpop(&["summarize", RUN, "--words", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = analysis(&said.out);
    assert_eq!(said["made"], json!({"by": "words"}));
    assert_eq!((&said["answers"], &said["groups"]), (&json!(60), &json!(2)));
    assert!(!numbers(&said["findings"]["themes"][0]["groups"]).is_empty(), "{said:#}");
    assert_eq!(place.export()[0]["drivers"], json!(["what person number 0 worries about"]));
    // It is in the run file, and made anew as often as one likes.
    let shown = place.voxpop(&["open", RUN, "--json"]);
    assert_eq!(analysis(&shown.out), said);
    let again = place.voxpop(&["summarize", RUN, "--words", "--json"]);
    assert_eq!(analysis(&again.out), said);
    assert!(!place.runs().join(format!("{RUN}.voxpop-wal")).exists(), "one file is left");
}

#[test]
fn shares_by_words_are_those_of_the_weights() {
    let server = HostileServer::start(|_, body| Asked::of(body).reply());
    let more = "summary: words\nthemes: { zoe: [zoe], bob: [bob] }";
    let place = place(&server.base_url(), 1, 4, more);
    place.write("people.csv", "id,name,weight\n1,Bob,1\n2,Zoe,3\n3,Bob,1\n");
    let outcome = place.ask(&["--json"]);
    let said = analysis(&outcome.out);
    let theme = |n: usize| said["findings"]["themes"][n]["text"].as_str().unwrap_or_default();
    assert!(theme(0).starts_with("Zoe: 1 of 3 speak of it (60 % by weight);"), "{said:#}");
    assert!(theme(1).starts_with("Bob: 2 of 3 speak of it (40 % by weight);"), "{said:#}");
}

#[test]
fn where_the_model_gives_nothing_words_do_it_and_the_summary_says_so() {
    let server = HostileServer::start(|_, body| match Asked::of(body) {
        Asked::Digest(personas) if personas.contains(&0) => Reply::content("I would rather not."),
        asked => asked.reply(),
    });
    let place = place(&server.base_url(), 60, 4, "summary: model");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("group 1 by words, the model gave nothing"), "{outcome:?}");
    assert!(outcome.out.contains("Everybody says so. [groups 1, 2]"), "{outcome:?}");
    // The digest that was no use was asked for once more, and not for ever.
    let (_, digests, summaries) = sorts(&server);
    assert_eq!((digests, summaries), (3, 1));
    let records = place.export();
    assert_eq!(records[0]["drivers"], json!(["what person number 0 worries about"]));
    assert_eq!(records[59]["drivers"], json!(["saying so"]));
    // Redone, all of it is asked for again.
    let said = place.voxpop(&["summarize", RUN, "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(analysis(&said.out)["groups_by_words"], json!([1]));
    assert_eq!(sorts(&server).2, 2);
}

#[test]
fn a_provider_that_refuses_at_the_end_does_not_keep_the_run_from_finishing() {
    let server = HostileServer::start(|_, body| match Asked::of(body) {
        Asked::Answer(name) => answer_of(&name),
        Asked::Digest(_) | Asked::Summary(_) => Reply::quota_exhausted(),
    });
    let place = place(&server.base_url(), 120, 2, "summary: model");
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let said = analysis(&outcome.out);
    assert_eq!(said["made"]["by"], "words");
    assert!(said["made"]["why"].as_str().unwrap().contains("quota"), "{said:#}");
    assert_eq!(said["groups_by_words"], json!([1, 2, 3]));
}

#[test]
fn a_budget_without_room_for_a_digest_is_not_passed_and_words_do_it() {
    let server = HostileServer::start(|_, body| Asked::of(body).reply());
    let place = Place::new();
    // An answer is capped at 600 tokens, which are $0.006; a digest at more than 2,000.
    let more = format!(
        "limits: {}\nsummary: model\nbudget: 0.02\nendpoints:\n  - {{ name: priced, base_url: \
         \"{}\", price: {{ input: 1.00, cached_input: 1.00, output: 10.00 }} }}",
        limits(1),
        server.base_url()
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(2);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let said = analysis(&outcome.out);
    assert!(said["made"]["why"].as_str().unwrap().contains("budget"), "{said:#}");
    assert_eq!(sorts(&server), (2, 0, 0));
}

#[test]
fn the_dashboard_shows_what_the_answers_come_to() {
    let server = HostileServer::start(|_, body| Asked::of(body).reply());
    let place = place(&server.base_url(), 60, 4, "summary: model");
    let mut terminal = place.watch_in_foreground((120, 40));
    terminal.wait_for("s summary");
    terminal.press("s");
    let screen = terminal.wait_for("Everybody says so.");
    for words in ["n = 60", "Support for the proposal", "groups 1, 2", "saying so", "housing"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    terminal.press("\u{1b}");
    terminal.wait_until("the summary is closed", |screen| !screen.contains("Everybody says so."));
}

#[test]
fn a_summary_is_no_matter_of_batches_and_is_tried_as_often_as_any_call() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = HostileServer::start(move |_, body| match Asked::of(body) {
        Asked::Digest(_) => Reply::error(500, "server_error", None, "not now").behind(&held),
        asked => asked.reply(),
    });
    let place = place(&server.base_url(), 2, 2, "retry: { attempts: 2 }\nsummary: model");
    detached(&place, &[]);
    wait_for(&server, 3);
    let outcome = place.voxpop(&["tell", RUN, "batch"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    gate.open();
    wait_until("the end of the run", || finished(&place));
    assert_eq!(sorts(&server).1, 2, "as often as `attempts` allows");
}
