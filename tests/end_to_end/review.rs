//! Reviewed runs over the simulator: what critics find is mended or flagged, in as few calls as the
//! mode has, and a killed run asks for nothing that it kept.

use crate::{
    asking::{answer_text, name_in},
    attach::{detached, finished, wait_until},
    common::{
        provider::{Gate, HostileServer, Reply},
        terminal::Terminal,
        voxpop::PATIENCE,
    },
    place::{Place, RUN, count, limits, name, status},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use voxpop::{
    config::EXAMPLE_PERSONAS,
    model::{PersonaIndex, Stage, Step, StepEvent, Verdict},
    simulator::{AskedFor, Conduct, Dialect, Options, Share, Simulator, Support},
};

const QUESTION: &str = "Should the council stop requiring a minimum number of car spaces in new \
                        apartment buildings?";

/// A survey like that of the demo, put to the first of the bundled personas.
fn reviewed(simulator: &Simulator, personas: usize, review: &str) -> Place {
    let about = format!(
        "question: {QUESTION}\ndomain: civic-policy\n\
         grid: {{ impacts: [Housing, Transport, Community] }}\nreview: {review}"
    );
    asking(simulator, personas, &about)
}

fn asking(simulator: &Simulator, personas: usize, about: &str) -> Place {
    let place = Place::new();
    let (base_url, limits) = (simulator.base_url(), limits(12));
    place.write(
        "survey.yaml",
        format!("name: a-survey\n{about}\nsummary: off\nbase_url: {base_url}\nlimits: {limits}\n"),
    );
    let lines = EXAMPLE_PERSONAS.lines().take(1 + personas);
    place.write("people.csv", lines.collect::<Vec<_>>().join("\n"));
    place
}

fn simulator(conduct: Conduct) -> Simulator {
    let options = Options { seed: 7, latency: Duration::ZERO, conduct, ..Options::default() };
    Simulator::start(options).unwrap()
}

fn steps(place: &Place, persona: usize) -> Vec<Step> {
    let index = PersonaIndex(persona.try_into().unwrap());
    place.reader().steps(index).unwrap()
}

/// How often a stage has taken a step that only a call can take.
fn calls(steps: &[Step], stage: Stage) -> usize {
    let of_a_call = |step: &&Step| {
        let called =
            !matches!(step.event, StepEvent::Corrected { .. } | StepEvent::TopicsMissed { .. });
        step.stage == stage && called
    };
    steps.iter().filter(of_a_call).count()
}

#[test]
fn a_clean_persona_takes_two_calls_fused_and_three_separately() {
    for (review, verdicts) in [("fused", 20), ("separate", 40)] {
        let simulator = simulator(Conduct::default());
        let place = reviewed(&simulator, 20, review);
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(count(&place.export(), "done"), 20, "{outcome:?}");
        let asked_for = simulator.stats().asked_for;
        assert_eq!(
            asked_for,
            AskedFor { answers: 20, verdicts, ..AskedFor::default() },
            "{review}"
        );
    }
}

#[test]
fn clean_answers_of_every_domain_need_nothing_mended() {
    for (domain, question, impacts) in [
        ("civic-policy", "Should the city close the market street to cars?", "Business, Safety"),
        (
            "product-design",
            "Should the app ask for a fingerprint before each payment?",
            "Safety, Cost",
        ),
        ("employee-engagement", "Should we move to a four-day working week?", "Workload, Culture"),
        ("marketing-copy", "Does the slogan \"Rest easy\" suit a bank?", "Clarity, Emotion"),
        ("technology-adoption", "Would you use a digital driving licence?", "Privacy, Effort"),
        ("ai-adoption", "Should doctors use AI to read x-rays?", "Health, Trust"),
        ("unknown", "Should trams be free on weekends?", "Housing, Transport"),
    ] {
        let simulator = simulator(Conduct::default());
        let about = format!(
            "question: '{question}'\ndomain: {domain}\ngrid: {{ impacts: [{impacts}] }}\n\
             review: fused"
        );
        let place = asking(&simulator, 50, &about);
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{domain}: {outcome:?}");
        let asked_for = simulator.stats().asked_for;
        let clean = AskedFor { answers: 50, verdicts: 50, ..AskedFor::default() };
        assert_eq!(asked_for, clean, "{domain}");
    }
}

#[test]
fn a_server_that_takes_no_schema_is_reviewed_all_the_same() {
    let refused = Dialect {
        json_schema: Support::Refused,
        json_object: Support::Refused,
        ..Dialect::default()
    };
    let conduct = Conduct {
        contradictions: Share::percent(30),
        topics_missed: Share::percent(30),
        off_topic: Share::percent(20),
        ..Conduct::default()
    };
    for review in ["fused", "separate"] {
        let options =
            Options { latency: Duration::ZERO, conduct, dialect: refused, ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let place = reviewed(&simulator, 30, review);
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{review}: {outcome:?}");
        assert!(count(&place.export(), "done") >= 28, "{review}: {outcome:?}");
        let AskedFor { verdicts, follow_ups, mends, .. } = simulator.stats().asked_for;
        let least = if review == "fused" { 35 } else { 65 };
        assert!(
            verdicts >= least && follow_ups >= 5 && mends >= 2,
            "{verdicts} {follow_ups} {mends}"
        );
    }
}

#[test]
fn what_contradicts_itself_is_mended_and_everybody_has_answered() {
    for review in ["fused", "separate"] {
        let simulator = simulator(Conduct {
            contradictions: Share::percent(40),
            topics_missed: Share::percent(25),
            off_topic: Share::percent(10),
            critic_invents: Share::percent(20),
            numbers_dropped: Share::percent(50),
            ..Conduct::default()
        });
        let place = reviewed(&simulator, 60, review);
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let records = place.export();
        assert_eq!(count(&records, "done") + count(&records, "flagged"), 60, "{outcome:?}");
        assert!(count(&records, "done") >= 57, "{review}: nearly all is mended");
        let (mut numbers, mut narratives, mut followed_up, mut sent_back) = (0, 0, 0, 0);
        for (n, record) in records.iter().enumerate() {
            let steps = steps(&place, n);
            assert!(calls(&steps, Stage::FollowUp) <= 2);
            followed_up += calls(&steps, Stage::FollowUp).min(1);
            sent_back += calls(&steps, Stage::Mend).min(1);
            let answer = &record["answer"];
            let mut keys: Vec<_> = answer["survey"].as_object().unwrap().keys().collect();
            keys.sort();
            let all = [
                "community",
                "housing",
                "key_concerns",
                "suggested_improvements",
                "support_level",
                "transport",
            ];
            assert_eq!(keys, all, "{record}");
            for step in &steps {
                let StepEvent::Judged {
                    verdict: Verdict::NeedsChanges { corrections, issues, .. },
                    ..
                } = &step.event
                else {
                    continue;
                };
                assert!(!issues.is_empty());
                if status(record) != "done" {
                    continue;
                }
                if let Some(level) = corrections.support_level {
                    assert_eq!(answer["survey"]["support_level"], json!(level.get()), "{record}");
                    numbers += 1;
                }
                for (key, score) in &corrections.impacts {
                    assert_eq!(answer["survey"][key], json!(score.get()), "{record}");
                    numbers += 1;
                }
                if let Some(narrative) = &corrections.narrative {
                    // A follow-up may have added to it since.
                    let now = answer["narrative"].as_str().unwrap();
                    assert!(now.starts_with(narrative), "{record}");
                    narratives += 1;
                }
            }
        }
        assert!(numbers >= 5 && narratives >= 5, "{review}: {numbers} {narratives}");
        assert!(followed_up >= 5 && sent_back >= 2, "{review}: {followed_up} {sent_back}");
    }
}

#[test]
fn a_critic_that_is_never_content_leaves_flags_and_answers() {
    let conduct = Conduct { critic_disagrees: true, ..Conduct::default() };
    for (review, verdicts, mends) in [("fused", 2, 1), ("separate", 8, 5)] {
        let simulator = simulator(conduct);
        let place = reviewed(&simulator, 10, review);
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{review}: {outcome:?}");
        let records = place.export();
        assert_eq!(count(&records, "flagged"), 10, "{review}: {outcome:?}");
        for record in &records {
            let flags = record["flags"].as_array().unwrap();
            assert!(
                flags.iter().any(|flag| flag.as_str().unwrap().contains("convince")),
                "{record}"
            );
            assert!(record["answer"]["narrative"].as_str().unwrap().len() > 100, "{record}");
        }
        // The same answer given again counts as no change, and then nobody looks at it at last.
        let asked_for = simulator.stats().asked_for;
        assert_eq!((asked_for.answers, asked_for.mends), (10, 10 * mends), "{review}");
        assert!(asked_for.verdicts <= 10 * verdicts, "{review}: {asked_for:?}");
    }
}

#[test]
fn a_critic_that_answers_nonsense_leaves_the_answer_and_a_flag() {
    let conduct = Conduct { critic_nonsense: Share::percent(100), ..Conduct::default() };
    for (review, critics) in [("fused", 1), ("separate", 2)] {
        let simulator = simulator(conduct);
        let place = reviewed(&simulator, 6, review);
        let outcome = place.ask(&[]);
        assert_eq!(outcome.code, 0, "{review}: {outcome:?}");
        let records = place.export();
        assert_eq!(count(&records, "flagged"), 6, "{review}: {outcome:?}");
        for record in &records {
            let flags = record["flags"].as_array().unwrap();
            assert_eq!(flags.len(), critics, "{record}");
            assert!(flags[0].as_str().unwrap().contains("critic: "), "{record}");
            assert!(
                (1..=5).contains(&record["answer"]["survey"]["support_level"].as_i64().unwrap())
            );
        }
        // Each is asked once more to repair what it said.
        let asked_for = simulator.stats().asked_for;
        assert_eq!(asked_for.verdicts, 12 * critics as u64, "{review}: {asked_for:?}");
    }
}

/// What a request to a scripted provider asks: who, and of what stage.
fn asked(body: &str) -> (String, Stage) {
    let request: Value = serde_json::from_str(body).unwrap();
    let fields = &request["response_format"]["json_schema"]["schema"]["properties"];
    let judges = |name| fields.get(name).is_some();
    let stage = match (judges("corrections"), judges("addresses_question")) {
        (true, true) => Stage::Review,
        (true, false) => Stage::Consistency,
        (false, true) => Stage::Relevance,
        (false, false) => Stage::Answer,
    };
    (name_in(body), stage)
}

fn content_verdict() -> Reply {
    let corrections = json!({"narrative": null, "support_level": null});
    let verdict = json!({"addresses_question": true, "issues": [], "corrections": corrections});
    Reply::content(&verdict.to_string())
}

#[test]
fn who_never_speaks_of_a_topic_is_asked_for_it_twice() {
    let server = HostileServer::start(|_, body| match asked(body) {
        (name, Stage::Answer) => Reply::content(&answer_text(&name, "I do not mind either way.")),
        _ => content_verdict(),
    });
    let place = Place::new();
    place.survey(
        &server.base_url(),
        &format!("limits: {}\nreview: fused\ntopics: [zebras]", limits(2)),
    );
    place.people(3);
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for record in place.export() {
        assert_eq!(status(&record), "flagged");
        assert_eq!(record["flags"], json!(["says nothing of zebras"]), "{record}");
    }
    assert_eq!(server.count(), 3 * 4, "an answer, two follow-ups and a verdict for each");
}

#[test]
fn a_killed_run_goes_on_from_its_steps() {
    const MANY: usize = 40;
    type Counts = HashMap<(String, Stage), usize>;
    for review in ["fused", "separate"] {
        let counts = Arc::<Mutex<Counts>>::default();
        let counting = Arc::clone(&counts);
        let ms = Duration::from_millis;
        let server = HostileServer::start(move |_, body| {
            let asked = asked(body);
            *counting.lock().unwrap().entry(asked.clone()).or_default() += 1;
            let reply = match asked {
                (name, Stage::Answer) => {
                    Reply::content(&answer_text(&name, "The car, the home, the town."))
                }
                _ => content_verdict(),
            };
            reply.slowly(ms(8), ms(0))
        });
        let place = Place::new();
        place.survey(&server.base_url(), &format!("limits: {}\nreview: {review}", limits(4)));
        place.people(MANY);
        // How often each had been asked when a step of it was first found in the run file.
        let mut asked_until_kept = Counts::new();
        let mut between_stages = 0;
        for round in 0..4 {
            let before = server.count();
            let process =
                if round == 0 { place.start_asking(&[]) } else { place.start(&["resume", RUN]) };
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap()
                .block_on(server.wait_for(before + 13, PATIENCE));
            process.kill();
            let records = place.export();
            let counts = counts.lock().unwrap();
            for (n, record) in records.iter().enumerate() {
                let steps = steps(&place, n);
                between_stages += usize::from(!steps.is_empty() && status(record) == "queued");
                for step in steps {
                    let key = (name(n), step.stage);
                    let times = counts[&key];
                    asked_until_kept.entry(key).or_insert(times);
                }
            }
        }
        let outcome = place.voxpop(&["resume", RUN]);
        assert_eq!(outcome.code, 0, "{review}: {outcome:?}");
        let records = place.export();
        assert_eq!(count(&records, "done"), MANY, "{review}");
        assert!(between_stages > 0, "{review}: somebody was between two stages");
        let counts = counts.lock().unwrap();
        for ((name, stage), times) in asked_until_kept {
            let now = counts[&(name.clone(), stage)];
            assert_eq!(now, times, "{review}: {name} is asked again for its kept {stage:?}");
        }
        let stages = if review == "fused" { 2 } else { 3 };
        for n in 0..MANY {
            assert_eq!(steps(&place, n).len(), stages, "{review}: each stage left one step");
        }
    }
}

#[test]
fn the_inspector_shows_a_contradiction_that_was_found_and_mended() {
    let conduct = Conduct { contradictions: Share::percent(100), ..Conduct::default() };
    let simulator = simulator(conduct);
    let place = reviewed(&simulator, 1, "fused");
    let outcome = place.ask(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let mut terminal = Terminal::start(&["open", RUN], &place.runs(), (120, 40));
    terminal.wait_for(" 1 of 1 ");
    terminal.press("\r");
    let screen = terminal.wait_for("objects");
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{screen}");
    }
    for words in ["corrected", "no objection"] {
        assert!(screen.contains(words), "{words}:\n{screen}");
    }
    terminal.press("q");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    let records: Vec<Value> = place.export();
    assert_eq!(status(&records[0]), "done");
}

#[test]
fn a_failed_one_asked_again_in_the_same_run_goes_on_where_it_was() {
    let gate = Gate::default();
    let held = gate.clone();
    let broken = AtomicBool::new(true);
    let server = HostileServer::start(move |_, body| {
        let asked: Value = serde_json::from_str(body).unwrap();
        let is_critic = asked["response_format"]["json_schema"]["name"] == "verdict";
        let name = name_in(body);
        match (is_critic, name == crate::place::name(0)) {
            (false, true) => crate::asking::answer_of(&name),
            (false, false) => crate::asking::answer_of(&name).behind(&held),
            (true, true) if broken.swap(false, Ordering::Relaxed) => {
                Reply::error(500, "server_error", None, "not now")
            }
            (true, _) => {
                Reply::content(r#"{"addresses_question": true, "issues": [], "corrections": {}}"#)
            }
        }
    });
    let place = Place::new();
    let retry = "retry: { attempts: 1 }\nreview: fused\nfollow_ups: 0";
    place.survey(&server.base_url(), &format!("limits: {}\n{retry}", limits(2)));
    place.people(2);
    detached(&place, &[]);
    wait_until("the failure on disk", || count(&place.export(), "failed") == 1);
    let asked = server.count();
    let outcome = place.voxpop(&["tell", RUN, "retry-failed"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    gate.open();
    wait_until("the end of the run", || finished(&place));
    assert_eq!(count(&place.export(), "done"), 2);
    // The critic again, and the critic of the other: no answer again.
    assert_eq!(server.count(), asked + 2);
    let attempts = place.reader().attempts(PersonaIndex(0)).unwrap();
    let numbers: Vec<_> = attempts.iter().map(|a| (a.number, a.stage)).collect();
    assert_eq!(numbers, [(1, Stage::Answer), (2, Stage::Review), (3, Stage::Review)]);
    assert_eq!(steps(&place, 0).len(), 2);
}
