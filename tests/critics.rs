//! How well the simulator's critics find what is wrong: over the program's own prompts and real
//! HTTP, on answers of the simulator's personas and on some that people wrote.
//!
//! This measures the plumbing and the rules, and says nothing about the judgement of a model.

use reqwest::Client;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use voxpop::{
    config::{EXAMPLE_SURVEY, load_survey_str},
    model::{Answer, Attribute, Persona, PersonaIndex, Score, Survey, Verdict},
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
    /// Of those, the ones with the numbers that the persona has when it does not slip, or nearly.
    as_meant: usize,
}

/// Whether all numbers of two answers are at most one apart.
fn near(one: &Answer, other: &Answer) -> bool {
    let numbers = |answer: &Answer| -> Vec<u8> {
        let impacts = answer.impacts.iter().map(|(_, score)| score.get());
        impacts.chain([answer.support_level.get()]).collect()
    };
    numbers(one).iter().zip(numbers(other)).all(|(one, other)| one.abs_diff(other) <= 1)
}

impl Tally {
    async fn of(form: Form, conduct: Conduct) -> Self {
        let (desk, clean) = (Desk::new(SEED, conduct), Desk::new(SEED, Conduct::default()));
        let mut tally = Self::default();
        for persona in personas::example() {
            let answer = desk.answer(&persona).await;
            tally.answers += 1;
            match desk.verdict(form, &persona, &answer).await {
                Verdict::Holds => {}
                Verdict::NeedsChanges { corrections, .. } => {
                    tally.found += 1;
                    let corrected = answer.corrected(&corrections);
                    let again = desk.verdict(form, &persona, &corrected).await;
                    tally.mended += usize::from(again == Verdict::Holds);
                    let meant = clean.answer(&persona).await;
                    let is_meant = again == Verdict::Holds && near(&corrected, &meant);
                    tally.as_meant += usize::from(is_meant);
                }
            }
        }
        tally
    }
}

const SEED: u64 = 7;

#[tokio::test]
async fn contradictions_are_found_and_mended_and_clean_answers_are_left_alone() {
    println!("critic       contradictory   found  mended  as meant   clean  false alarms");
    for form in [Form::Consistency, Form::Review] {
        let wrong = Conduct { contradictions: Share::percent(100), ..Conduct::default() };
        let contradictory = Tally::of(form, wrong).await;
        let clean = Tally::of(form, Conduct::default()).await;
        let Tally { answers, found, mended, as_meant } = contradictory;
        let name = format!("{form:?}");
        let (all_clean, alarms) = (clean.answers, clean.found);
        println!(
            "{name:<12} {answers:>13} {found:>7} {mended:>7} {as_meant:>9} {all_clean:>7} {alarms:>13}"
        );
        assert_eq!((answers, clean.answers), (200, 200));
        assert!(found >= 190 && mended >= 185 && as_meant >= 180, "{form:?} {contradictory:?}");
        assert!(clean.found <= 4, "{form:?} {clean:?}");
    }
}

/// An answer that nobody's program wrote: a profile, the words, and the numbers for support,
/// housing, transport and community. `wrong` is the field that does not go with the rest.
struct Written {
    profile: &'static [(&'static str, &'static str)],
    narrative: &'static str,
    numbers: [u8; 4],
    wrong: Option<&'static str>,
}

const RENTER: &[(&str, &str)] = &[
    ("age", "29"),
    ("occupation", "barista"),
    ("tenure", "rents"),
    ("household", "shares a flat with two housemates, no children"),
    ("car_ownership", "no car"),
];
const OWNER: &[(&str, &str)] = &[
    ("age", "58"),
    ("occupation", "electrician"),
    ("tenure", "owns with a mortgage"),
    ("household", "couple with two children (11 and 15)"),
    ("car_ownership", "two cars"),
];

fn written() -> Vec<Written> {
    let of = |profile, narrative, numbers, wrong| Written { profile, narrative, numbers, wrong };
    vec![
        // What contradicts itself or the profile.
        of(
            RENTER,
            "Look, I'm totally against dropping the parking rule. There's never a spot on my street and visitors circle for ages.",
            [5, 3, 2, 3],
            Some("support_level"),
        ),
        of(
            RENTER,
            "Yes please. It's a brilliant idea, and cheaper flats without a car space would suit me and my mates fine.",
            [1, 5, 4, 3],
            Some("support_level"),
        ),
        of(
            OWNER,
            "No, I won't support this. Apartments need parking. Traffic round our way is a nightmare already.",
            [2, 3, 5, 3],
            Some("transport"),
        ),
        of(
            OWNER,
            "I lean towards yes on the car spaces. More homes near the station would be good for housing here.",
            [4, 1, 3, 3],
            Some("housing"),
        ),
        of(
            RENTER,
            "I'm in favour of it. As a homeowner I know what a garage adds to the price of an apartment.",
            [4, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            RENTER,
            "I'm not convinced about fewer car spaces. I drive to work at five in the morning when no train runs.",
            [2, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            OWNER,
            "I don't support it. My landlord would just pocket whatever the developers save on parking.",
            [2, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            RENTER,
            "I'm for it, mostly. My kids could cycle to school if the streets were calmer and there were fewer cars.",
            [4, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            OWNER,
            "Honestly I'm torn about the parking minimum. I can see both sides and I'd want to know more.",
            [5, 3, 3, 3],
            Some("support_level"),
        ),
        of(
            OWNER,
            "It's long overdue. I love this, and it will bring neighbours together when streets aren't car parks.",
            [5, 3, 3, 1],
            Some("community"),
        ),
        of(
            OWNER,
            "I oppose it. At 34 I've got enough on my plate without hunting for a parking space.",
            [1, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            RENTER,
            "I think it's a terrible idea. The buses here are packed and where would the cars go?",
            [1, 3, 4, 3],
            Some("transport"),
        ),
        // What holds, however unusual.
        of(
            RENTER,
            "I'm against it, and I don't even own a car. My nan visits by car and she can't walk far.",
            [2, 3, 3, 3],
            None,
        ),
        of(
            OWNER,
            "I support this, though my neighbours won't thank me. We own our place and have two cars, and still I think parking takes too much room.",
            [4, 4, 3, 3],
            None,
        ),
        of(
            OWNER,
            "No. We bought here because there was room for the cars. Parking will get worse and I'm dreading it.",
            [1, 3, 1, 2],
            None,
        ),
        of(
            RENTER,
            "It's about time. If I owned a flat I'd say the same: why pay for a garage I never use?",
            [5, 5, 3, 3],
            None,
        ),
        of(
            RENTER,
            "I don't really care about car spaces. I walk to work and I'll probably move next year anyway.",
            [3, 3, 3, 3],
            None,
        ),
        of(
            OWNER,
            "I used to rent in a building with no parking and it was fine. So I'd vote for it.",
            [4, 3, 3, 3],
            None,
        ),
        of(
            OWNER,
            "I'm sceptical. Our kids will need somewhere to live, but nobody will stop driving because a garage is missing.",
            [2, 3, 2, 3],
            None,
        ),
        of(
            RENTER,
            "I'm in two minds about the car spaces. Rents might come down, but I don't trust developers to pass it on.",
            [3, 3, 3, 3],
            None,
        ),
        of(
            OWNER,
            "It makes sense to me. My son is 15 and has no interest in a licence. Half the car spaces in our building are full of boxes.",
            [4, 3, 4, 3],
            None,
        ),
        of(
            RENTER,
            "I'm not in favour. I hope to have a car one day and then I'd be stuck circling for parking.",
            [2, 3, 2, 3],
            None,
        ),
        of(
            RENTER,
            "Strongly in favour! Less traffic, more trees, and apartments that cost what they should.",
            [5, 5, 5, 4],
            None,
        ),
        of(
            OWNER,
            "I'd say no. My mother rents in such a building and her carers can never park.",
            [2, 3, 2, 3],
            None,
        ),
        // Written after the rules were, and before anybody looked at what they make of these.
        of(
            OWNER,
            "I'm fully behind this. Cars have had it their own way for too long in our apartment buildings.",
            [2, 3, 4, 3],
            Some("support_level"),
        ),
        of(
            RENTER,
            "This would be a mistake. My street can't take another parked car.",
            [5, 3, 3, 3],
            Some("support_level"),
        ),
        of(
            OWNER,
            "I don't like the proposal. New flats without car spaces mean people fighting over the kerb, and the traffic gets worse.",
            [2, 3, 4, 3],
            Some("transport"),
        ),
        of(
            RENTER,
            "I welcome it. Cheaper apartments, finally: rents would drop.",
            [4, 1, 3, 3],
            Some("housing"),
        ),
        of(
            OWNER,
            "I'd vote against it. We rent, and street parking is all we have.",
            [1, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            RENTER,
            "Count me in. I bought my unit with a car space I never use.",
            [4, 3, 3, 3],
            Some("narrative"),
        ),
        of(RENTER, "I say no. I need my car for the early shift.", [2, 3, 3, 3], Some("narrative")),
        of(
            OWNER,
            "As someone without children I look at car spaces differently, and I'm against it.",
            [2, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            OWNER,
            "I'm 75 and I have always parked on the street. I support dropping the minimum.",
            [4, 3, 3, 3],
            Some("narrative"),
        ),
        of(
            OWNER,
            "No way. The neighbourhood would fall apart over parking spots.",
            [1, 3, 3, 5],
            Some("community"),
        ),
        of(
            OWNER,
            "I can live with it. Fewer spaces might make the building cheaper, and I doubt anyone on my street would notice.",
            [4, 3, 3, 3],
            None,
        ),
        of(
            RENTER,
            "I'm opposed, mostly because of my dad. He drives in from the country and needs a car space near my building.",
            [2, 3, 3, 3],
            None,
        ),
        of(
            OWNER,
            "I'd be happy to support it if the buses ran more often. As things are, I'm not sure what to think about car spaces.",
            [3, 3, 3, 3],
            None,
        ),
        of(
            RENTER,
            "All for it. Living without a car I've never understood why my rent should pay for a parking space.",
            [5, 4, 4, 3],
            None,
        ),
        of(
            OWNER,
            "My answer is no. Two cars, two kids and a mortgage: we can't do without parking in a building.",
            [1, 3, 2, 3],
            None,
        ),
        of(
            RENTER,
            "Hard to say. Car spaces cost money, and the trains are already full, so maybe leave it to each building.",
            [3, 3, 2, 3],
            None,
        ),
        of(
            OWNER,
            "I support scrapping the rule. The worry about traffic is overblown, people will adapt.",
            [4, 3, 4, 3],
            None,
        ),
        of(
            RENTER,
            "I don't support it, although I have no car myself. My housemates would park on the lawn.",
            [2, 3, 3, 3],
            None,
        ),
        of(
            OWNER,
            "Good idea. When we were renting we paid for a car space and kept bikes in it.",
            [4, 3, 3, 3],
            None,
        ),
        of(
            RENTER,
            "It is hard to be against it when you see what a garage costs in a new apartment.",
            [4, 3, 3, 3],
            None,
        ),
    ]
}

#[tokio::test]
async fn answers_that_people_wrote_are_judged_alike() {
    let desk = Desk::new(SEED, Conduct::default());
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    for Written { profile, narrative, numbers, wrong } in written() {
        let attribute = |(name, value): &(&str, &str)| Attribute {
            name: (*name).into(),
            value: (*value).into(),
        };
        let persona = Persona {
            index: PersonaIndex(0),
            id: "1".into(),
            weight: None,
            attributes: profile.iter().map(attribute).collect(),
        };
        let score = |number: u8| Score::try_from(number).unwrap();
        let impacts = desk.survey.grid.impacts.iter().zip(&numbers[1..]);
        let answer = Answer {
            narrative: narrative.to_owned(),
            support_level: score(numbers[0]),
            impacts: impacts.map(|(impact, n)| (impact.key.clone(), score(*n))).collect(),
            key_concerns: vec!["parking".into()],
            suggested_improvements: vec!["a trial".into()],
        };
        let verdict = desk.verdict(Form::Review, &persona, &answer).await;
        match (verdict, wrong) {
            (Verdict::Holds, None) => {}
            (Verdict::Holds, Some(field)) => missed.push(format!("{field}: {narrative}")),
            (Verdict::NeedsChanges { corrections, issues, .. }, Some(field)) => {
                let changed = answer.fields_changed(&answer.corrected(&corrections));
                if changed != [field] {
                    missed.push(format!("{field}, {changed:?} in its place: {issues:?}"));
                }
            }
            (Verdict::NeedsChanges { issues, .. }, None) => {
                alarms.push(format!("{narrative}: {issues:?}"))
            }
        }
    }
    // Rules read no irony and no hints; two of these are beyond them.
    println!(
        "written: {} missed, {} false alarms of {}",
        missed.len(),
        alarms.len(),
        written().len()
    );
    assert!(missed.is_empty() && alarms.len() <= 2, "missed {missed:#?}, alarms {alarms:#?}");
}
