//! One verdict holds for answers alike: which are, embeddings say, or the words of the answers where
//! there are no embeddings to be had; and a run that goes on knows the verdicts of before.

use crate::{
    asking::{answer_text, name_in},
    common::{
        provider::{HostileServer, Reply},
        voxpop::Outcome,
    },
    place::{Place, RUN, count, id, limits},
};
use serde_json::{Value, json};
use std::collections::HashSet;
use voxpop::{
    model::{Attempt, Judge, PersonaIndex, Stage, StepEvent},
    simulator::{Options, Simulator},
    store::RunReader,
};

/// What most of the people say.
const TOLD: &str = "I think the council should drop the rule because the car spaces cost a lot of \
    money and most of them stand empty all day long. People here would pay less every month and the \
    street would have room for trees and benches. That is what housing would gain from it.";

/// The same in other words, which the others say.
const RETOLD: &str = "To my mind this requirement had better go. Parking bays are dear to build, and \
    hardly anybody uses ours from morning to evening. Rents could come down, and one could plant \
    something green along the road and put up seats. So homes would get better by it.";

const EMBEDDINGS: &str = "cache: { similar: 0.9, embeddings: text-embedding-3-small }";

/// Whether it is a request for vectors, and of which texts.
fn texts(body: &str) -> Option<Vec<String>> {
    let body: Value = serde_json::from_str(body).expect("every request is JSON");
    serde_json::from_value(body.get("input")?.clone()).ok()
}

/// The vectors of texts: of those of one sense they are near.
fn vectors(texts: &[String]) -> Reply {
    let row = |(index, text): (usize, &String)| {
        let vector = if text.starts_with(TOLD) { [1.0, 0.0, 0.0] } else { [1.0, 0.1, 0.0] };
        assert!(text.starts_with(TOLD) || text.starts_with(RETOLD), "{text}");
        assert!(text.ends_with("what it leads to"), "the lists belong to it: {text}");
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    // In no order: the index says which is which.
    let rows: Vec<_> = texts.iter().enumerate().map(row).rev().collect();
    let body = json!({"data": rows, "usage": {"prompt_tokens": 1000, "total_tokens": 1000}});
    Reply::Json { status: 200, headers: Vec::new(), body }
}

/// An answer or a verdict that it holds; `retold` says who uses the other words.
fn chat(body: &str, retold: impl Fn(&str) -> bool) -> Reply {
    let request: Value = serde_json::from_str(body).expect("every request is JSON");
    if request["response_format"]["json_schema"]["name"] != json!("survey_answer") {
        let verdict = json!({"issues": [], "addresses_question": true, "corrections": {}});
        return Reply::content(&verdict.to_string());
    }
    let text = if retold(&name_in(body)) { RETOLD } else { TOLD };
    let mut answer: Value = serde_json::from_str(&answer_text("x", text)).unwrap();
    answer["survey"]["key_concerns"] = json!([]);
    answer["survey"]["suggested_improvements"] = json!(["what it leads to"]);
    Reply::content(&answer.to_string())
}

/// The last of twelve.
fn says_it_otherwise(name: &str) -> bool {
    ["8", "9", "10", "11"].iter().any(|n| name.ends_with(&format!(" {n}")))
}

/// A place whose one endpoint has a price: a dollar a million tokens, whatever they are.
fn place(base_url: &str, people: usize, more: &str) -> Place {
    let place = Place::new();
    let more = format!(
        "review: fused\nfollow_ups: 0\nlimits: {}\n{more}\nendpoints:\n  - name: priced\n    \
         base_url: \"{base_url}\"\n    price: {{ input: 1.00, cached_input: 1.00, output: 1.00 }}",
        limits(1)
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(people);
    place
}

/// Whose verdicts were lent: the persona, the donor, how alike they are.
fn lent(reader: &RunReader) -> Vec<(u32, u32, f32)> {
    let mut lent = Vec::new();
    for n in 0..reader.total() {
        for step in reader.steps(PersonaIndex(n)).unwrap() {
            if let StepEvent::Judged { by: Judge::Similar { donor, similarity }, .. } = step.event {
                lent.push((n, donor.0, similarity));
            }
        }
    }
    lent
}

fn embeddings(reader: &RunReader) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    reader
        .for_each_attempt(|attempt| {
            if attempt.stage == Stage::Embedding {
                attempts.push(attempt);
            }
        })
        .unwrap();
    attempts
}

/// The dollars that the attempts on file have cost. Vectors have a price of their own: $0.02 a
/// million tokens, where chats cost a dollar.
fn money_spent(reader: &RunReader) -> f64 {
    let (mut chats, mut of_vectors) = (0, 0);
    reader
        .for_each_attempt(|attempt| {
            let usage = attempt.usage.expect("everything was counted");
            let all = usage.prompt_tokens + usage.completion_tokens;
            *(if attempt.stage == Stage::Embedding { &mut of_vectors } else { &mut chats }) += all;
        })
        .unwrap();
    (chats as f64 + 0.02 * of_vectors as f64) / 1e6
}

/// The dollars that a run says it has spent, at its end.
fn money_told(outcome: &Outcome) -> f64 {
    let mut events = outcome.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last = events.rfind(|event| event["event"] == "progress").unwrap();
    last["money"]["spent"].as_f64().unwrap()
}

/// What the log says of embeddings that failed.
fn warnings(place: &Place) -> Vec<String> {
    let files = place.files_of_runs().into_iter();
    let logs = files.filter(|(path, _)| path.extension().is_some_and(|end| end == "log"));
    let text: String = logs.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()).collect();
    assert!(text.contains("run started"), "it is the log: {text}");
    text.lines().filter(|line| line.contains("the embeddings of")).map(str::to_owned).collect()
}

#[test]
fn an_answer_in_other_words_takes_the_verdict_and_the_export_says_whose() {
    let server = HostileServer::start(|_, body| match texts(body) {
        Some(texts) => vectors(&texts),
        None => chat(body, says_it_otherwise),
    });
    let place = place(&server.base_url(), 12, &format!("budget: 5.00\n{EMBEDDINGS}"));
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(warnings(&place), [""; 0]);
    let (reader, records) = (place.reader(), place.export());
    assert_eq!(count(&records, "done"), 12);

    let lent = lent(&reader);
    let otherwise = |n: u32| n >= 8;
    let crossed: Vec<_> =
        lent.iter().filter(|(n, donor, _)| otherwise(*n) != otherwise(*donor)).collect();
    assert!(!crossed.is_empty(), "{lent:?}");
    for (_, _, similarity) in &crossed {
        // The cosine of the two vectors.
        assert!((similarity - 0.995).abs() < 0.001, "{similarity}");
    }
    // Nobody asks for vectors to find what the words say already, nor without anything to compare.
    let received = server.received();
    let asked: Vec<_> = received.iter().filter_map(|request| texts(&request.body)).collect();
    assert_eq!(asked.len(), embeddings(&reader).len());
    assert!(asked.len() <= crossed.len() + 1, "{} calls, {lent:?}", asked.len());
    assert!(asked.iter().all(|texts| texts.len() <= 2), "{asked:?}");
    let paths = received.iter().filter(|request| request.target == "POST /v1/embeddings");
    assert_eq!(paths.count(), asked.len());
    assert_eq!(server.count(), 12 + (12 - lent.len()) + asked.len());

    for (n, record) in records.iter().enumerate() {
        let donors: Vec<_> = (lent.iter().filter(|(persona, ..)| *persona as usize == n))
            .map(|(_, donor, similarity)| {
                json!({"persona_id": id(*donor as usize), "stage": "review", "similarity": similarity})
            })
            .collect();
        let said = &record["verdict_donors"];
        assert_eq!(said.as_array().unwrap().len(), donors.len(), "{record}");
        for (said, donor) in said.as_array().unwrap().iter().zip(donors) {
            assert_eq!(
                (&said["persona_id"], &said["stage"]),
                (&donor["persona_id"], &donor["stage"])
            );
            let similarity = |of: &Value| of["similarity"].as_f64().unwrap();
            assert!((similarity(said) - similarity(&donor)).abs() < 1e-6, "{said} {donor}");
        }
    }
    let csv = place.voxpop(&["export", RUN, "--format", "csv"]).out;
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let column =
        |name: &str| csv.lines().next().unwrap().split(',').position(|c| c == name).unwrap();
    let (whose, alike) = (column("verdict_donors"), column("verdict_similarities"));
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    let (n, donor, similarity) = *crossed[0];
    assert_eq!(rows[n as usize][whose], id(donor as usize));
    assert_eq!(rows[n as usize][alike].parse::<f32>().unwrap(), similarity);

    let (told, spent) = (money_told(&outcome), money_spent(&reader));
    assert!((told - spent).abs() < 1e-9, "{told} {spent}");
}

#[test]
fn embeddings_that_always_fail_cost_a_warning_and_no_interview() {
    let run = |embeddings_failed, cache: &str| {
        let options =
            Options { embeddings_failed, latency: std::time::Duration::ZERO, ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let more =
            format!("retry: {{ attempts: 2, seconds: 60 }}\ncache: {{ on: false, {cache} }}");
        let place = place(&simulator.base_url(), 120, &more);
        let outcome = place.ask(&["--json"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        (outcome, place, simulator.stats())
    };
    let answers = |place: &Place| -> Vec<Value> {
        let mut records = place.export();
        assert_eq!(count(&records, "done") + count(&records, "flagged"), 120);
        records.iter_mut().map(|record| record["answer"].take()).collect()
    };
    let (outcome, failing, stats) = run(1.0, "similar: 0.5, embeddings: some-model");
    let warned = warnings(&failing);
    assert_eq!(warned.len(), 1, "{warned:?} {outcome:?}");
    assert!(warned[0].contains("the words of answers say which are alike"), "{warned:?}");
    let attempts = embeddings(&failing.reader());
    assert!(
        attempts.iter().all(|attempt| attempt.failure.is_some() && attempt.status == Some(500))
    );
    // All tries of the first call; others may have been under way.
    assert!((2..=12).contains(&attempts.len()), "{}", attempts.len());
    assert_eq!(stats.embedded, attempts.len() as u64);
    let (_, without, stats) = run(0.0, "similar: 0.5");
    assert_eq!(stats.embedded, 0);
    assert_eq!(answers(&failing), answers(&without));

    let (outcome, place, stats) = run(0.0, "similar: 0.5, embeddings: some-model");
    assert_eq!(warnings(&place), [""; 0], "{outcome:?}");
    assert!(stats.embedded > 2, "{stats:?}");
    assert_eq!(stats.embedded, embeddings(&place.reader()).len() as u64);
    let lent = lent(&place.reader());
    assert!(!lent.is_empty() && lent.iter().all(|(.., similarity)| *similarity >= 0.5), "{lent:?}");
    assert_eq!(answers(&place), answers(&without));
}

#[test]
fn vectors_that_cannot_be_are_refused_and_the_run_goes_on() {
    for (broken, says) in [
        (json!({"data": []}), "0 embeddings came back for 2 texts"),
        (json!({"data": [{"embedding": [1, 2]}, {"embedding": [1]}]}), "has 1 numbers, not 2"),
        (json!({"data": [{"embedding": [1, 1e39]}, {"embedding": [1, 1]}]}), "numbers beyond all"),
        (json!({"object": "list"}), "no list of embeddings"),
    ] {
        let server = HostileServer::start(move |_, body| match texts(body) {
            Some(_) => Reply::Json { status: 200, headers: Vec::new(), body: broken.clone() },
            None => chat(body, says_it_otherwise),
        });
        let place = place(&server.base_url(), 12, EMBEDDINGS);
        let outcome = place.ask(&["--json"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let warned = warnings(&place);
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert!(warned[0].contains(says), "{warned:?}");
        assert_eq!(count(&place.export(), "done"), 12);
        assert!(!embeddings(&place.reader()).is_empty());
    }
}

#[test]
fn a_server_without_embeddings_stays_in_service() {
    let server = HostileServer::start(|_, body| match texts(body) {
        Some(_) => Reply::error(404, "invalid_request_error", None, "no such path"),
        None => chat(body, says_it_otherwise),
    });
    let place = place(&server.base_url(), 12, EMBEDDINGS);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!((warnings(&place).len(), count(&place.export(), "done")), (1, 12), "{outcome:?}");
}

#[test]
fn a_budget_needs_the_price_of_vectors() {
    let more = "budget: 5.00\ncache: { similar: 0.9, embeddings: my-own }";
    let place = place("http://127.0.0.1:9/v1", 1, more);
    let (survey, people) = (place.path("survey.yaml"), place.path("people.csv"));
    let outcome = place.voxpop(&["check", &survey, "--personas", &people]);
    assert_ne!(outcome.code, 0, "{outcome:?}");
    let said = outcome.out + &outcome.err;
    assert!(said.contains("cache.embeddings: the price of my-own is not known"), "{said}");
}

#[test]
fn a_run_that_goes_on_knows_the_verdicts_of_before() {
    for cache in ["cache: { similar: 0.9 }", EMBEDDINGS] {
        let both = cache == EMBEDDINGS;
        let server = HostileServer::start(move |_, body| match texts(body) {
            Some(texts) => vectors(&texts),
            None => chat(body, |name| both && name.ends_with(['1', '3', '5', '7', '9'])),
        });
        let chats = || server.bodies().iter().filter(|body| texts(body).is_none()).count();
        let place = place(&server.base_url(), 40, &format!("budget: 0.004\n{cache}"));
        let outcome = place.ask(&["--json"]);
        assert_eq!(outcome.code, 4, "{outcome:?}");
        let is_over = |n: &u32| place.reader().interview(PersonaIndex(*n)).unwrap().is_some();
        let before: HashSet<u32> = (0..40).filter(is_over).collect();
        assert!((1..40).contains(&before.len()), "{before:?}");

        let asked = chats();
        let outcome = place.voxpop(&["resume", RUN, "--json", "--budget", "5"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(count(&place.export(), "done"), 40);
        let lent = lent(&place.reader());
        let of_before =
            |(n, donor, _): &&(u32, u32, f32)| !before.contains(n) && before.contains(donor);
        assert!(lent.iter().filter(of_before).count() > 0, "{before:?} {lent:?}");
        // Hardly anybody needs a critic any more.
        let (more, left) = (chats() - asked, 40 - before.len());
        assert!(more < left + 5, "{more} {left}");
        let (told, spent) = (money_told(&outcome), money_spent(&place.reader()));
        assert!((told - spent).abs() < 1e-9, "{told} {spent}");
    }
}

#[test]
fn vectors_come_from_one_server_and_nobody_waits_for_it_for_ever() {
    let first = HostileServer::start(|_, body| match texts(body) {
        Some(texts) => vectors(&texts),
        // Its key is refused as soon as it is asked to chat, so that it goes out of service.
        None => Reply::error(401, "invalid_request_error", Some("invalid_api_key"), "no"),
    });
    let other = HostileServer::start(|_, body| {
        assert!(texts(body).is_none(), "its vectors would be of another space");
        chat(body, says_it_otherwise)
    });
    let place = Place::new();
    let more = format!(
        "review: fused\nfollow_ups: 0\nlimits: {}\n{EMBEDDINGS}\nendpoints:\n  - {{ name: first, \
         base_url: \"{}\" }}\n  - {{ name: other, base_url: \"{}\" }}",
        limits(1),
        first.base_url(),
        other.base_url()
    );
    place.survey("http://127.0.0.1:9/v1", &more);
    place.people(12);
    let outcome = place.ask(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(count(&place.export(), "done"), 12);
    // It is out of service for all, and that is no fault of embeddings.
    assert_eq!(warnings(&place), [""; 0]);
    assert!(lent(&place.reader()).iter().all(|(.., similarity)| *similarity > 0.99));
}
