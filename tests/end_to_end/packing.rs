//! Several personas in one call: each gets its own answer and verdict, and who is left out is asked
//! alone.

use crate::{
    asking::{answer_text, level_of, narrative_of},
    common::provider::{HostileServer, Reply},
    place::{Place, count, limits},
};
use serde_json::{Value, json};
use std::time::Duration;
use voxpop::{
    config::{EXAMPLE_PERSONAS, EXAMPLE_SURVEY},
    simulator::{AskedFor, Options, Simulator},
};

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
    let place = Place::new();
    place.survey(&server.base_url(), &format!("pack: 5\nlimits: {}", limits(3)));
    place.people(personas);
    place
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
