//! How well the simulator's critics find what is wrong: over the program's own prompts and real
//! HTTP, on answers of the simulator's personas and on some that people wrote.
//!
//! This measures the plumbing and the rules, and says nothing about the judgement of a model.

use reqwest::Client;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use voxpop::{
    config::{EXAMPLE_SURVEY, load_survey_str},
    model::{Answer, Attribute, Persona, PersonaIndex, Survey, Verdict},
    personas,
    prompt::{Form, Prompts, read_answer, read_verdict},
    simulator::{Conduct, Options, Share, Simulator},
};

/// A survey, and a provider that answers it and judges the answers.
struct Desk {
    survey: Survey,
    prompts: Prompts,
    simulator: Simulator,
    client: Client,
}

impl Desk {
    fn new(seed: u64, conduct: Conduct) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let survey = load_survey_str(EXAMPLE_SURVEY, Path::new("survey.yaml")).unwrap();
        let prompts = Prompts::compile(&survey).unwrap();
        let options = Options { seed, latency: Duration::ZERO, conduct, ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        Self { survey, prompts, simulator, client: Client::new() }
    }

    async fn ask(&self, form: Form, prompt: &str) -> String {
        let body = json!({
            "model": "simulator",
            "messages": [
                {"role": "system", "content": self.prompts.system(form)},
                {"role": "user", "content": prompt},
            ],
            "response_format": {"type": "json_schema", "json_schema": form.schema(&self.survey)},
        });
        let url = format!("{}/chat/completions", self.simulator.base_url());
        let reply = self.client.post(url).body(body.to_string()).send().await.unwrap();
        let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
        let content = reply["choices"][0]["message"]["content"].as_str();
        content.unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    async fn answer(&self, persona: &Persona) -> Answer {
        let reply = self.ask(Form::Answer, &self.prompts.user(persona).unwrap()).await;
        read_answer(&self.survey, &reply).unwrap_or_else(|error| panic!("{error}: {reply}"))
    }

    async fn verdict(&self, form: Form, persona: &Persona, answer: &Answer) -> Verdict {
        let reply = self.ask(form, &self.prompts.judged(persona, answer).unwrap()).await;
        let verdict = read_verdict(&self.survey, form, answer, &reply);
        verdict.unwrap_or_else(|error| panic!("{error}: {reply}"))
    }
}

/// What a critic makes of the answers of the bundled personas.
#[derive(Debug, Default)]
struct Tally {
    answers: usize,
    found: usize,
    /// Of those, the ones that hold once the corrections are merged.
    mended: usize,
}

async fn tally(desk: &Desk, form: Form) -> Tally {
    let mut tally = Tally::default();
    for persona in personas::example() {
        let answer = desk.answer(&persona).await;
        tally.answers += 1;
        let verdict = desk.verdict(form, &persona, &answer).await;
        let shown = std::env::var_os("SHOW").is_some();
        match verdict {
            Verdict::Holds => {
                if shown && desk_is_slipping(desk) {
                    eprintln!(
                        "MISSED {form:?} {:?}\n  {:?}",
                        persona.attributes.iter().map(|a| a.value.as_str()).collect::<Vec<_>>(),
                        answer
                    );
                }
            }
            Verdict::NeedsChanges { issues, corrections, .. } => {
                tally.found += 1;
                let corrected = answer.corrected(&corrections);
                let again = desk.verdict(form, &persona, &corrected).await;
                tally.mended += usize::from(again == Verdict::Holds);
                if shown && !desk_is_slipping(desk) {
                    eprintln!("FALSE {form:?} {issues:?}\n  {:?}", answer);
                }
                if shown && again != Verdict::Holds {
                    eprintln!("NOT MENDED {form:?} {issues:?} {again:?}");
                }
            }
        }
    }
    tally
}

fn desk_is_slipping(_desk: &Desk) -> bool {
    SLIPPING.load(std::sync::atomic::Ordering::Relaxed)
}
static SLIPPING: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

#[tokio::test]
async fn contradictions_are_found_and_mended_and_clean_answers_are_left_alone() {
    let wrong = Conduct { contradictions: Share::percent(100), ..Conduct::default() };
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    for seed in 7..7 + seeds {
        println!("critic        answers   found  mended  false alarms");
        for form in [Form::Consistency, Form::Review] {
            SLIPPING.store(true, std::sync::atomic::Ordering::Relaxed);
            let contradictory = tally(&Desk::new(seed, wrong), form).await;
            SLIPPING.store(false, std::sync::atomic::Ordering::Relaxed);
            let clean = tally(&Desk::new(seed, Conduct::default()), form).await;
            let Tally { answers, found, mended } = contradictory;
            println!(
                "{:<12} {answers:>8} {found:>7} {mended:>7} {:>13}",
                format!("{form:?}"),
                clean.found
            );
            assert_eq!((answers, clean.answers), (200, 200));
            if seeds == 1 {
                assert!(found >= 190, "{form:?} {contradictory:?}");
                assert!(mended >= 185, "{form:?} {contradictory:?}");
                assert!(clean.found <= 4, "{form:?} {clean:?}");
            }
        }
    }
}

#[tokio::test]
async fn dbg_off_topic() {
    let desk = Desk::new(7, Conduct { off_topic: Share::percent(100), ..Conduct::default() });
    for persona in personas::example().into_iter().take(6) {
        let answer = desk.answer(&persona).await;
        println!("{}", answer.narrative);
        let missing: Vec<String> = ["housing", "transport", "community"].map(str::to_owned).into();
        let reply = desk
            .ask(Form::Answer, &desk.prompts.follow_up(&persona, &answer, &missing).unwrap())
            .await;
        println!("  -> {reply}");
        let answer = read_answer(&desk.survey, &reply).unwrap();
        println!("  => {:?}", desk.verdict(Form::Review, &persona, &answer).await);
    }
}
