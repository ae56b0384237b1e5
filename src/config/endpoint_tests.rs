//! Several endpoints in one survey: what comes out of them, and what bad ones are told.

use super::{
    tests::{Case, table},
    *,
};
use crate::model::{EndpointIndex, EndpointKind, Guessed, LimitName, PerMinute, Price, Usd};
use secrecy::ExposeSecret;
use std::path::Path;

/// The keys that the surveys of these tests name.
const KEYS: &[(&str, &str)] =
    &[("OPENAI_API_KEY", "sk-usual"), ("KEY_A", "sk-of-a"), ("KEY_B", "sk-of-b")];

const THREE: &str = "\
question: Q
model: gpt-4o-mini
limits: { slots: 7, requests_per_minute: 70 }
budget: 5.00
endpoints:
  - name: main
    key: { env: KEY_A }
    base_url: https://api.openai.com/v1
    price: { input: 0.15, cached_input: 0.075, output: 0.60 }
    limits: { slots: 20, requests_per_minute: 500, tokens_per_minute: 200000 }
    weight: 2
    headers: { OpenAI-Organization: org-1, Helicone-Auth: { env: KEY_B } }
    group: project-a
  - name: azure
    kind: azure
    base_url: https://res.openai.azure.com/openai/deployments/dep?api-version=2024-10-21
    key: { env: KEY_B }
    charges_cap: true
    group: project-a
  - name: gpu 1
    kind: vllm
    base_url: http://10.0.0.5:8000/v1/
    model: llama
";

fn load(survey: &'static str) -> Result<Config, String> {
    Case { survey, environment: KEYS, ..Case::default() }.load()
}

fn rates(config: &Config) -> Vec<(u32, Option<u32>, Option<u32>)> {
    let rate = |rate: Option<PerMinute>| rate.map(PerMinute::get);
    config
        .endpoints
        .iter()
        .map(|e| &e.limits)
        .map(|l| (l.slots.get(), rate(l.requests_per_minute), rate(l.tokens_per_minute)))
        .collect()
}

#[test]
fn an_endpoint_says_itself_what_differs_from_the_top() {
    let config = load(THREE).unwrap();
    let [main, azure, gpu] = &config.endpoints[..] else { panic!("{:?}", config.endpoints) };
    assert_eq!([&main.name, &azure.name, &gpu.name], ["main", "azure", "gpu 1"]);
    assert_eq!(
        [main.kind, azure.kind, gpu.kind],
        [EndpointKind::OpenAi, EndpointKind::Azure, EndpointKind::Vllm]
    );
    assert_eq!(azure.base_url, "https://res.openai.azure.com/openai/deployments/dep");
    assert_eq!(azure.query.as_deref(), Some("api-version=2024-10-21"));
    assert_eq!((gpu.base_url.as_str(), gpu.query.as_deref()), ("http://10.0.0.5:8000/v1", None));
    assert_eq!([&main.model, &azure.model, &gpu.model], ["gpt-4o-mini", "gpt-4o-mini", "llama"]);
    let key = |endpoint: &EndpointSettings| {
        endpoint.key.as_ref().map(|key| key.expose_secret().to_owned())
    };
    assert_eq!(
        [key(main), key(azure), key(gpu)],
        [Some("sk-of-a".to_owned()), Some("sk-of-b".to_owned()), None]
    );
    // The group's rates are those of the member that spells them out; slots are each one's own.
    assert_eq!(
        rates(&config),
        [(20, Some(500), Some(200_000)), (7, Some(500), Some(200_000)), (7, Some(70), None)]
    );
    let headers: Vec<_> =
        main.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(headers, [("OpenAI-Organization", "org-1"), ("Helicone-Auth", "sk-of-b")]);
    assert_eq!((main.weight.get(), azure.weight.get()), (2, 1));
    assert!(azure.charges_cap && !main.charges_cap);
    assert_eq!(
        azure.price.map(|price| price.to_string()).unwrap(),
        main.price.unwrap().to_string()
    );
    assert_eq!(gpu.price, Some(Price::FREE));
    assert_eq!(config.budget, Some("5".parse().unwrap()));
    assert!(config.adapt);
    assert_eq!(config.warnings, [""; 0]);

    let shown: Vec<_> = config
        .settings
        .iter()
        .map(|s| {
            let origin = s.origin.to_string();
            format!("{} | {} | {}", s.name, s.value, origin.rsplit('/').next().unwrap_or_default())
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_wrong_endpoint_is_told_file_line_key_and_remedy() {
    let lists = [
        "endpoints: []",
        "endpoints: main",
        "endpoints:\n  main: { model: m }",
        "endpoints:\n  - main",
        "endpoints:\n  - model: m",
        "endpoints:\n  - { name: '', model: m }",
        "endpoints:\n  - { name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx }",
        "endpoints:\n  - { name: a, key: { env: KEY_A } }\n  - { name: b }\n  - { name: A }",
        "endpoints:\n  - name: a\n    kind: olama",
        "endpoints:\n  - name: a\n    kind: 5",
        "endpoints:\n  - name: a\n    wieght: 2",
        "endpoints:\n  - name: a\n    api_key: sk-secret",
        "endpoints:\n  - name: a\n    rpm: 5",
        "endpoints:\n  - name: a\n    limits: { slot: 5 }",
        "endpoints:\n  - name: a\n    weight: 0",
        "endpoints:\n  - name: a\n    charges_cap: yes",
        "endpoints:\n  - name: a\n    base_url: example.org",
        "endpoints:\n  - name: a\n    base_url: https://example.org/v1?key=sk-secret",
        "endpoints:\n  - name: a\n    kind: vllm\n    base_url: http://gpu:8000/v1?api-version=1",
        "endpoints:\n  - name: a\n    kind: azure\n    base_url: https://r.openai.azure.com/openai/deployments/d",
        "endpoints:\n  - name: a\n    kind: gemini",
        "kind: azure",
        "budget_usd: 5",
    ];
    let keys = [
        "sk-secret",
        "12345678",
        "[sk-secret]",
        "true",
        "{}",
        "{ value: sk-secret }",
        "{ env: KEY_A, file: b }",
        "{ env: sk-secret }",
        "{ env: 5 }",
        "{ command: 'echo sk-secret-0123456789' }",
        "{ command: '' }",
    ]
    .map(|key| format!("endpoints:\n  - name: a\n    key: {key}"));
    let prices = [
        "0.15",
        "{ input: 1 }",
        "{ input: -1, output: 2 }",
        "{ input: cheap, output: 2 }",
        "{ input: 1, output: 99999 }",
        "{ inputs: 1 }",
    ]
    .map(|price| format!("endpoints:\n  - name: a\n    price: {price}"));
    let headers = [
        "X-A",
        "{ X A: b }",
        "{ '': b }",
        "{ X-A: \"b\\nX-B: c\" }",
        "{ X-A: \"b\\x07\" }",
        "{ X-A: naïve }",
        "{ X-A: 5 }",
        "{ X-A: '' }",
        "{ X-A: [b] }",
        "{ X-A: b, x-a: c }",
        "{ authorization: Bearer sk-secret }",
        "{ Api-Key: sk-secret }",
        "{ Content-Type: text/html }",
        "{ Helicone-Auth: sk-secret }",
        "{ X-Note: sk-secret-0123456789 }",
        "{ X-A: { env: sk-secret } }",
    ]
    .map(|headers| format!("endpoints:\n  - name: a\n    headers: {headers}"));
    let groups = [
        "requests_per_minute: 500 } }\n  - { name: b, group: g, limits: { requests_per_minute: 600",
        "tokens_per_minute: unlimited } }\n  - { name: b, group: g, limits: { tokens_per_minute: 600",
    ]
    .map(|limits| {
        format!("endpoints:\n  - {{ name: a, group: g, limits: {{ {limits} }} }}\n  - {{ name: c }}")
    });
    let money = ["0", "-5", "five", "0.0000000000001", "2000000", "[5]"]
        .map(|budget| format!("budget: {budget}"));
    let all = lists.into_iter().map(str::to_owned);
    let all = all.chain(keys).chain(prices).chain(headers).chain(groups).chain(money);
    let told = all.map(|survey| {
        let text: &'static str = format!("question: Q\n{survey}\n").leak();
        let error = Case { survey: text, environment: KEYS, ..Case::default() }.error();
        assert!(!error.contains("sk-secret"), "a secret in an error: {error}");
        (survey, error)
    });
    insta::assert_snapshot!(table(told));
}

#[test]
fn flags_lie_on_what_each_endpoint_says() {
    let load = |flags| Case { survey: THREE, environment: KEYS, flags, ..Case::default() }.load();
    let flags = Flags {
        concurrency: Some(3),
        rpm: Some(RateFlag::Number(33)),
        tpm: Some(RateFlag::Unlimited),
        model: Some("gpt-4o".into()),
        budget: Some("0.5".into()),
        no_adapt: true,
        ..Flags::default()
    };
    let config = load(flags).unwrap();
    assert_eq!(rates(&config), [(3, Some(33), None); 3]);
    assert!(config.endpoints.iter().all(|endpoint| endpoint.model == "gpt-4o"));
    assert_eq!((config.budget, config.adapt), (Some("0.50".parse().unwrap()), false));
    assert_eq!(config.survey.model, "gpt-4o");

    let plan = Flags { plan: Some("payg".into()), ..Flags::default() };
    let config = load(plan).unwrap();
    assert_eq!(rates(&config)[0], (10, Some(100), Some(200_000)));

    let flags = [
        Flags { base_url: Some("http://127.0.0.1:1".into()), ..Flags::default() },
        Flags { budget: Some("-1".into()), ..Flags::default() },
        Flags { budget: Some("lots".into()), ..Flags::default() },
    ];
    let told = flags.map(|flags| {
        let error = load(flags).unwrap_err();
        let (flag, problem) = error.split_once(' ').unwrap();
        (flag.to_owned(), problem.to_owned())
    });
    insta::assert_snapshot!(table(told));

    let survey = "question: Q\nendpoints: [{ name: a, base_url: http://gpu:8000/v1 }]";
    let flags = Flags { base_url: Some("http://127.0.0.1:1/v1".into()), ..Flags::default() };
    let config = Case { survey, flags, ..Case::default() }.load().unwrap();
    assert_eq!(config.endpoints[0].base_url, "http://127.0.0.1:1/v1");
}

#[test]
fn variables_lie_below_what_an_endpoint_says() {
    let environment = &[
        ("OPENAI_API_KEY", "sk-usual"),
        ("MAX_CONCURRENT_REQUESTS", "9"),
        ("OPENAI_MODEL", "gpt-4o"),
    ];
    let survey = "question: Q\nendpoints: [{ name: a, model: gpt-4.1 }, { name: b, model: gpt-5, limits: { slots: 2 } }]";
    let config = Case { survey, environment, ..Case::default() }.load().unwrap();
    assert_eq!(rates(&config), [(9, Some(50), None), (2, Some(50), None)]);
    assert_eq!(
        config.warnings,
        ["OPENAI_MODEL in the environment changes nothing: every endpoint has its own"]
    );
    // What a flag overrules is not worth a word.
    let flags = Flags { model: Some("gpt-5".into()), ..Flags::default() };
    let config = Case { survey: "question: Q", environment, flags, ..Case::default() };
    assert_eq!(config.load().unwrap().warnings, [""; 0]);
}

#[test]
fn a_budget_wants_a_price_for_every_endpoint() {
    let load = |survey, budget: Option<&str>| {
        let flags = Flags { budget: budget.map(Into::into), ..Flags::default() };
        Case { survey, environment: KEYS, flags, ..Case::default() }.load()
    };
    let told = [
        ("question: Q\nmodel: secret-model\nbudget: 5", None),
        ("question: Q\nmodel: secret-model", Some("5")),
        (
            "question: Q\nbudget: 5\nendpoints:\n  - name: a\n  - name: b\n    model: secret-model",
            None,
        ),
        ("question: Q\nendpoints:\n  - name: a\n    model: secret-model", Some("5")),
    ]
    .map(|(survey, budget)| (survey.to_owned(), load(survey, budget).unwrap_err()));
    insta::assert_snapshot!(table(told));

    let priced = "question: Q\nbudget: 5\nendpoints:\n  - { name: a, model: secret-model, price: { input: 1, output: 2 } }\n";
    let price = load(priced, None).unwrap().endpoints[0].price.unwrap();
    assert_eq!(price.to_string(), "$1.00 in, $1.00 cached, $2.00 out");
    let unknown = "question: Q\nmodel: secret-model";
    assert_eq!(load(unknown, None).unwrap().endpoints[0].price, None);
    let listed = "question: Q\nmodel: gpt-4.1-mini-2025-04-14";
    let price = load(listed, Some("5")).unwrap().endpoints[0].price.unwrap();
    assert_eq!(price.to_string(), "$0.40 in, $0.10 cached, $1.60 out");
    let own = "question: Q\nbase_url: http://gpu:8000/v1\nmodel: llama\nbudget: 5";
    let config = load(own, None).unwrap();
    assert_eq!((config.endpoints[0].price, config.warnings.len()), (Some(Price::FREE), 0));
}

#[test]
fn a_cache_that_batches_do_not_ask_is_a_warning_where_it_was_asked_for() {
    let warnings = |survey: &'static str| load(survey).unwrap().warnings;
    let asked = warnings("question: Q\nbatch: true\ncache: { similar: 0.9 }");
    assert!(asked.len() == 1 && asked[0].contains("nothing for calls in batches"), "{asked:?}");
    assert_eq!(warnings("question: Q\nbatch: true"), [""; 0]);
    assert_eq!(warnings("question: Q\ncache: { similar: 0.9 }"), [""; 0]);
}

#[test]
fn endpoints_that_are_probably_not_meant_are_a_warning() {
    let surveys = [
        // Two keys, and three.
        "[{ name: a, key: { env: KEY_A } }, { name: b, key: { env: KEY_B } }]",
        "[{ name: a, key: { env: KEY_A } }, { name: b, key: { env: KEY_B } }, { name: c }]",
        // One key twice.
        "[{ name: a }, { name: b }]",
        // All is said: a group, another model, another host, no key at all.
        "[{ name: a, group: g }, { name: b, group: g }]",
        "[{ name: a }, { name: b, model: gpt-4o }]",
        "[{ name: a }, { name: b, base_url: https://example.org/v1, key: { env: KEY_A } }]",
        "[{ name: a, base_url: http://gpu/v1 }, { name: b, base_url: http://gpu/v1 }]",
        // A free model of which the price is known.
        "[{ name: a, base_url: http://gpu/v1 }]\nbudget: 5",
    ];
    let told = surveys.map(|endpoints| {
        let survey: &'static str = format!("question: Q\nendpoints: {endpoints}").leak();
        (endpoints.to_owned(), load(survey).unwrap().warnings.join("\n"))
    });
    insta::assert_snapshot!(table(told));
}

#[test]
fn a_run_file_keeps_every_endpoint_and_no_key() {
    let first = load(THREE).unwrap();
    let kept = serde_json::to_string_pretty(&first.run_settings()).unwrap();
    assert!(!format!("{kept} {first:?}").contains("sk-"), "a key in {kept}");
    insta::assert_snapshot!(kept);

    let mut kept: RunSettings = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept, first.run_settings());
    // A rate that was tuned at one member of a group is that of both.
    kept.set_limit(EndpointIndex(1), LimitName::RequestsPerMinute, Some(44));
    kept.set_limit(EndpointIndex(1), LimitName::Slots, Some(4));
    kept.set_limit(EndpointIndex(9), LimitName::Slots, Some(1));
    let sources = Sources {
        survey: Path::new("run.voxpop"),
        dotenv_dir: Path::new("/nonexistent"),
        environment: &|name| (name != "HOME").then(|| "sk-new".to_owned()),
        flags: &Flags { no_adapt: true, ..Flags::default() },
        keys: Keys::Fetched,
    };
    let again = load_resumed(first.survey.clone(), &kept, &sources).unwrap();
    assert_eq!(again.survey, first.survey);
    assert_eq!(
        rates(&again),
        [(20, Some(44), Some(200_000)), (4, Some(44), Some(200_000)), (7, Some(70), None)]
    );
    assert_eq!((again.budget, again.adapt), (first.budget, false));
    for (again, first) in again.endpoints.iter().zip(&first.endpoints) {
        assert_eq!(
            (&again.name, again.kind, &again.base_url, &again.query, &again.model, again.weight),
            (&first.name, first.kind, &first.base_url, &first.query, &first.model, first.weight)
        );
        assert_eq!(
            (&again.key_source, again.price, &again.group, again.charges_cap),
            (&first.key_source, first.price, &first.group, first.charges_cap)
        );
        let key = first.key.as_ref().map(|_| "sk-new");
        assert_eq!(again.key.as_ref().map(|key| key.expose_secret()), key);
    }
    assert_eq!(again.endpoints[0].headers[0].1.expose_secret(), "org-1");

    let no_key = Sources { environment: &|_| None, ..sources };
    assert_eq!(
        load_resumed(first.survey, &kept, &no_key).unwrap_err().to_string(),
        "run.voxpop: endpoints[0].key: the variable KEY_A is not set; set it in the environment, or \
         in a file .env in the folder where you start voxpop"
    );
}

#[test]
fn a_run_file_from_before_endpoints_is_read() {
    let written = r#"{"base_url":"http://127.0.0.1:8080/v1","model":"m","limits":{"slots":7,
        "requests_per_minute":70,"tokens_per_minute":null},"retry":{"attempts":6,
        "total":{"secs":600,"nanos":0}},"timeout":{"secs":120,"nanos":0},"plan":"tier2"}"#;
    let kept: RunSettings = serde_json::from_str(written).unwrap();
    assert_eq!((kept.endpoints.len(), kept.adapt, kept.budget), (1, true, None));
    let survey = load_survey_str("question: Q", Path::new("s.yaml")).unwrap();
    let flags = Flags { base_url: Some("http://127.0.0.1:9/v1".into()), ..Flags::default() };
    let sources = Sources {
        survey: Path::new("run.voxpop"),
        dotenv_dir: Path::new("/nonexistent"),
        environment: &|name| (name == "OPENAI_API_KEY").then(|| "sk-new".to_owned()),
        flags: &flags,
        keys: Keys::Fetched,
    };
    let config = load_resumed(survey, &kept, &sources).unwrap();
    let [only] = &config.endpoints[..] else { panic!("{:?}", config.endpoints) };
    // It is called after the host that it has moved to.
    assert_eq!(
        (only.name.as_str(), only.base_url.as_str()),
        ("127.0.0.1:9", "http://127.0.0.1:9/v1")
    );
    assert_eq!((only.model.as_str(), only.key.is_some()), ("m", true));
    assert_eq!(rates(&config), [(7, Some(70), None)]);
    // Somebody may have spelled them out: who could tell?
    assert_eq!(only.guessed, Guessed::default());

    let none = written.replace("base_url", "nothing");
    let error = serde_json::from_str::<RunSettings>(&none).unwrap_err().to_string();
    assert!(error.starts_with("they name no endpoint"), "{error}");
}

#[test]
fn money_in_a_survey_is_taken_to_the_letter() {
    for (budget, usd) in
        [("5", "5"), ("5.00", "5"), ("0.1", "0.1"), ("$1.27", "1.27"), ("1e-3", "0.001")]
    {
        let survey: &'static str = format!("question: Q\nbudget: {budget}").leak();
        assert_eq!(load(survey).unwrap().budget, Some(usd.parse::<Usd>().unwrap()), "{budget}");
    }
}

proptest::proptest! {
    /// Any list is one of endpoints or an error with a place, never a panic.
    #[test]
    fn no_list_of_endpoints_is_too_strange(
        lines in proptest::collection::vec(
            "(  - |    |      )(name|kind|base_url|key|price|limits|headers|group|env|input)?[:,\\[\\]{}&*!|>'\" ]{0,3}[a-z0-9.]{0,4}",
            0..8,
        ),
    ) {
        let text = format!("question: Q\nendpoints:\n{}", lines.join("\n"));
        if let Err(error) = load_survey_str(&text, Path::new("s.yaml")) {
            proptest::prop_assert!(error.to_string().starts_with("s.yaml:"), "{error}");
        }
    }
}
