//! Several personas in one call: each gets its own answer and verdict, and who is left out is asked
//! alone.

use crate::{
    asking::{answer_text, level_of, narrative_of},
    attach::{detached, wait_until},
    common::provider::{Gate, HostileServer, Reply},
    place::{Place, RUN, count, limits},
};
use serde_json::{Value, json};
use std::time::Duration;
use voxpop::{
    config::{EXAMPLE_PERSONAS, EXAMPLE_SURVEY},
    model::PersonaIndex,
    simulator::{AskedFor, Options, Simulator},
    store::is_live,
};

/// Longer than it takes to stand in line.
const MOMENT: Duration = Duration::from_millis(150);

/// The names in a request, with their numbers where there are several.
fn names_in(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    let prompt = body["messages"][1]["content"].as_str().unwrap();
    prompt.lines().filter_map(|line| line.strip_prefix("Name: ")).map(str::to_owned).collect()
}

fn packed(names: &[String], keep: impl Fn(usize) -> usize) -> Reply {
    let mut answers = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let mut answer: Value =
            serde_json::from_str(&answer_text(name, &narrative_of(name))).unwrap();
        answer["person"] = json!(n + 1);
        answers.extend(vec![answer; keep(n)]);
    }
    // In no order.
    answers.reverse();
    Reply::content(&json!({ "answers": answers }).to_string())
}

fn place(server: &HostileServer, personas: usize) -> Place {
    place_with(server, personas, &format!("pack: 5\nlimits: {}", limits(3)))
}

fn place_with(server: &HostileServer, personas: usize, more: &str) -> Place {
    let place = Place::new();
    place.survey(&server.base_url(), more);
    place.people(personas);
    place
}

/// Whether a critic is asked.
fn is_review(body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap();
    body["response_format"]["json_schema"]["name"] == "verdict"
}

fn holds() -> Reply {
    let none: [Value; 0] = [];
    let verdict = json!({"addresses_question": true, "issues": none, "corrections": {}});
    Reply::content(&verdict.to_string())
}

fn steps(place: &Place, persona: u32) -> usize {
    place.reader().steps(PersonaIndex(persona)).unwrap().len()
}

#[test]
fn each_of_a_pack_gets_its_own_answer_and_who_is_left_out_is_asked_alone() {
    let server = HostileServer::start(|_, body| match names_in(body).as_slice() {
        [name] => Reply::content(&answer_text(name, &narrative_of(name))),
        // The second is left out, and the third is there twice.
        names => packed(names, |n| match n {
            1 => 0,
            2 => 2,
            _ => 1,
        }),
    });
    let place = place(&server, 20);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err.contains("drift together"), "{outcome:?}");
    let progress = outcome.out.lines().rfind(|line| line.contains(r#""event":"progress""#));
    let progress: Value = serde_json::from_str(progress.unwrap()).unwrap();
    assert_eq!(progress["distribution"]["answers"], 20);
    let records = place.export();
    for (n, record) in records.iter().enumerate() {
        crate::asking::assert_own_answer(record, &crate::place::name(n));
    }
    let alone = records.iter().filter(|record| record["packed"].is_null()).count();
    assert_eq!(alone, 8, "two of each of four packs");
    assert!(records.iter().filter(|r| !r["packed"].is_null()).all(|r| r["packed"] == 5));
    assert_eq!(server.count(), 4 + 8);
    // Town after town: those who are alike are asked together.
    let together = server.bodies().into_iter().map(|body| names_in(&body)).find(|n| n.len() == 5);
    let together = together.unwrap();
    assert!(together.windows(2).any(|pair| town(&pair[0]) == town(&pair[1])), "{together:?}");
    let body: Value = serde_json::from_str(&server.bodies()[0]).unwrap();
    assert_eq!(body["max_completion_tokens"], 3_000);
}

fn town(name: &str) -> usize {
    name.rsplit(' ').next().unwrap().parse::<usize>().unwrap() % 7
}

#[test]
fn a_pack_of_twins_is_asked_itself_and_the_same_people_only_once() {
    let server = HostileServer::start(|_, body| packed(&names_in(body), |_| 1));
    let place = place(&server, 5);
    let people = |letter: char| {
        let rows: String = (0..5).map(|n| format!("{letter}{n},Same\n")).collect();
        place.write("people.csv", format!("id,name\n{rows}"));
    };
    for (run, letter, calls) in [("first", 'a', 1), ("twins", 'b', 2), ("again", 'a', 2)] {
        people(letter);
        let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
        let outcome = place.voxpop(&["run", &survey, "--personas", &people, "--name", run]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(server.count(), calls, "{run}");
    }
}

#[test]
fn a_pack_that_gives_nothing_is_asked_one_by_one() {
    let server = HostileServer::start(|_, body| match names_in(body).as_slice() {
        [name] => Reply::content(&answer_text(name, &narrative_of(name))),
        _ => Reply::content("I would rather speak for myself."),
    });
    let place = place(&server, 5);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(place.export().iter().all(|r| r["status"] == "done" && r["packed"].is_null()));
    // The call, its repair, and each alone.
    assert_eq!(server.count(), 2 + 5);
}

/// Another level than this person's.
fn other_level(name: &str) -> u64 {
    1 + level_of(name) % 5
}

/// Of five, the second has no verdict, the third is corrected and the fourth has two verdicts.
fn verdicts(names: &[String]) -> Reply {
    let mut verdicts = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let (issues, corrections, times) = match n {
            1 => (json!([]), json!({}), 0),
            2 => (json!(["the level"]), json!({ "support_level": other_level(name) }), 1),
            3 => (json!([]), json!({}), 2),
            _ => (json!([]), json!({}), 1),
        };
        let verdict = json!({ "person": n + 1, "addresses_question": true, "issues": issues,
            "corrections": corrections });
        verdicts.extend(vec![verdict; times]);
    }
    verdicts.reverse();
    Reply::content(&json!({ "verdicts": verdicts }).to_string())
}

#[test]
fn a_pack_is_reviewed_together_and_who_needs_more_goes_on_alone() {
    let shape = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["response_format"]["json_schema"]["name"].as_str().unwrap().to_owned()
    };
    let server = HostileServer::start(move |_, body| match shape(body).as_str() {
        "survey_answers" => packed(&names_in(body), |_| 1),
        "verdicts" => verdicts(&names_in(body)),
        "verdict" => {
            let holds = json!({ "addresses_question": true, "issues": [], "corrections": {} });
            Reply::content(&holds.to_string())
        }
        other => panic!("nobody is to be asked for {other}"),
    });
    let place = Place::new();
    let more = format!("review: fused\nfollow_ups: 0\npack: 5\nlimits: {}", limits(3));
    place.survey(&server.base_url(), &more);
    place.people(20);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let records = place.export();
    assert_eq!(count(&records, "done"), 20, "{outcome:?}");
    let mut corrected = 0;
    for (n, record) in records.iter().enumerate() {
        let (name, answer) = (crate::place::name(n), &record["answer"]);
        assert_eq!(answer["narrative"], narrative_of(&name));
        let level = answer["survey"]["support_level"].as_u64().unwrap();
        assert!(level == level_of(&name) || level == other_level(&name), "{record}");
        corrected += usize::from(level == other_level(&name));
    }
    assert_eq!(corrected, 4, "one of each pack");
    let asked =
        |wanted: &str| server.bodies().into_iter().filter(|body| shape(body) == wanted).count();
    assert_eq!((asked("survey_answers"), asked("verdicts"), asked("verdict")), (4, 4, 4 * 3));
    assert_eq!(server.count(), 4 + 4 + 4 * 3);
}

#[test]
fn a_survey_with_a_critic_of_its_own_has_each_answer_judged_alone() {
    let own = "prompts: { judged: \"{{ persona.attributes }} {{ answer.json }} Check it.\" }\n";
    for (more, verdicts) in [("", 4), (own, 20)] {
        let options = Options { latency: Duration::ZERO, ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let place = Place::new();
        let url = simulator.base_url();
        let more = format!("summary: off\npack: 5\nbase_url: {url}\n{more}");
        place.write("survey.yaml", format!("{EXAMPLE_SURVEY}{more}"));
        let lines = EXAMPLE_PERSONAS.lines().take(1 + 20);
        place.write("people.csv", lines.collect::<Vec<_>>().join("\n"));
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(count(&place.export(), "done"), 20, "{outcome:?}");
        let clean = AskedFor { answers: 4, verdicts, ..AskedFor::default() };
        assert_eq!(simulator.stats().asked_for, clean, "{more}");
    }
}

#[test]
fn a_run_that_dies_between_a_pack_and_its_critics_asks_for_no_answer_again() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = HostileServer::start(move |_, body| match names_in(body).as_slice() {
        _ if is_review(body) => holds().behind(&held),
        names => packed(names, |_| 1),
    });
    let place = place_with(
        &server,
        5,
        &format!("pack: 5\nreview: separate\nfollow_ups: 0\nlimits: {}", limits(3)),
    );
    let run = place.start_asking(&[]);
    run.wait_for_line("asking 5 personas");
    wait_until("the pack to be on disk", || (0..5).all(|persona| steps(&place, persona) == 1));
    run.kill();
    gate.open();
    let outcome = place.voxpop(&["resume", RUN]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let answers = server.bodies().into_iter().filter(|body| !is_review(body)).count();
    assert_eq!(answers, 1, "nobody is asked for the answer that is on disk");
    let records = place.export();
    assert_eq!(count(&records, "done"), 5, "{records:?}");
    for (n, record) in records.iter().enumerate() {
        crate::asking::assert_own_answer(record, &crate::place::name(n));
        assert_eq!(record["packed"], 5);
    }
}

#[test]
fn answers_of_packs_are_in_the_distribution_and_those_from_the_cache_say_so() {
    let server = HostileServer::start(|_, body| packed(&names_in(body), |_| 1));
    let place = place(&server, 10);
    for (run, status) in [("first", "done"), ("second", "cached")] {
        let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
        let args = ["run", &survey, "--personas", &people, "--name", run, "--json"];
        let outcome = place.voxpop(&args);
        assert_eq!((outcome.code, server.count()), (0, 2), "{outcome:?}");
        let progress = outcome.out.lines().rfind(|line| line.contains(r#""event":"progress""#));
        let progress: Value = serde_json::from_str(progress.unwrap()).unwrap();
        assert_eq!(progress["distribution"]["answers"], 10, "{progress}");
        let exported = place.voxpop(&["export", run]).out;
        let records = exported.lines().map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(count(&records.collect::<Vec<_>>(), status), 10, "{exported}");
    }
}

#[test]
fn the_critics_of_a_pack_come_before_new_packs() {
    let server = HostileServer::start(|number, body| match names_in(body).as_slice() {
        _ if is_review(body) => holds(),
        // The critics of the first are in line by then.
        names if number.0 == 2 => packed(names, |_| 1).slowly(MOMENT, Duration::ZERO),
        names => packed(names, |_| 1),
    });
    let more = format!("pack: 5\nreview: separate\nfollow_ups: 0\nlimits: {}", limits(1));
    let place = place_with(&server, 15, &more);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let reviews: Vec<_> = server.bodies().iter().map(|body| is_review(body)).collect();
    let packs: Vec<_> = (0..reviews.len()).filter(|&n| !reviews[n]).collect();
    assert!(packs.len() == 3 && packs[2] >= 7, "{packs:?}");
}

/// Packs that waited when the run moved to batches are no packs when it has moved back.
#[test]
fn a_run_that_moved_to_batches_and_back_stops_when_nothing_is_in_flight() {
    let (of_first, of_second, of_one) = (Gate::default(), Gate::default(), Gate::default());
    let held = (of_first.clone(), of_second.clone(), of_one.clone());
    let (one, three) = (crate::place::name(2), crate::place::name(0));
    let alone = one.clone();
    let server = HostileServer::start(move |_, body| match names_in(body).as_slice() {
        [name] => Reply::content(&answer_text(name, &narrative_of(name))).behind(&held.2),
        names if names.contains(&three) => packed(names, |_| 1).behind(&held.0),
        names if names.contains(&one) => Reply::content("I speak for myself.").behind(&held.1),
        names => packed(names, |_| 1),
    });
    let place = place_with(&server, 6, &format!("pack: 2\nlimits: {}", limits(2)));
    detached(&place, &[]);
    wait_until("two packs in flight", || server.count() == 2);
    // The second pack is to be repaired, and there is no slot for it.
    assert_eq!(place.voxpop(&["tell", RUN, "slots=1"]).code, 0);
    of_second.open();
    let attempts = || place.reader().attempts(PersonaIndex(2)).unwrap().len();
    wait_until("its attempt on disk", || attempts() == 1);
    let outcome = place.voxpop(&["tell", RUN, "batch", "batch=off"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    of_first.open();
    // Who was asked before is asked alone, and its neighbour with somebody else.
    let asked = || server.bodies().iter().any(|body| names_in(body) == [alone.as_str()]);
    wait_until("one to be asked alone", asked);
    assert_eq!(place.voxpop(&["tell", RUN, "stop"]).code, 0);
    of_one.open();
    wait_until("the run to stop", || !is_live(&place.run_file()));
    let records = place.export();
    assert_eq!(count(&records, "done") + count(&records, "queued"), 6, "{records:?}");
}
