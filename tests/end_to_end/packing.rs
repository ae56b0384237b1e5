//! Several personas in one call: each gets its own answer, and who is left out is asked alone.

use crate::{
    asking::{answer_text, narrative_of},
    common::provider::{HostileServer, Reply},
    place::{Place, limits},
};
use serde_json::{Value, json};

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
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err.contains("drift together"), "{outcome:?}");
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
