//! The layers as a whole, and what every kind of bad input is told.

use super::*;
use crate::model::PerMinute;
use secrecy::ExposeSecret;
use std::{collections::HashMap, fs, path::Path, time::Duration};

/// A folder with a survey and perhaps a `.env`, an environment and flags.
#[derive(Default)]
pub(super) struct Case {
    pub survey: &'static str,
    pub dotenv: &'static str,
    pub environment: &'static [(&'static str, &'static str)],
    pub flags: Flags,
    pub keys: Keys,
}

impl Case {
    /// Loads it in a folder of its own, whose path is taken out of the error.
    pub(super) fn load(&self) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let survey = dir.path().join("survey.yaml");
        fs::write(&survey, self.survey).unwrap();
        if !self.dotenv.is_empty() {
            fs::write(dir.path().join(".env"), self.dotenv).unwrap();
        }
        let environment: HashMap<_, _> = self.environment.iter().copied().collect();
        let shorten = |text: String| text.replace(&format!("{}/", dir.path().display()), "");
        load(&Sources {
            survey: &survey,
            dotenv_dir: dir.path(),
            environment: &|name| environment.get(name).map(|value| (*value).to_owned()),
            flags: &self.flags,
            keys: self.keys,
        })
        .map(|mut config| {
            for texts in [&mut config.warnings, &mut config.key_problems] {
                *texts = texts.drain(..).map(shorten).collect();
            }
            config
        })
        .map_err(|error| shorten(error.to_string()))
    }

    pub(super) fn error(&self) -> String {
        self.load().expect_err("this input is bad")
    }
}

/// One line a case: the input, and what it is told.
pub(super) fn table(cases: impl IntoIterator<Item = (String, String)>) -> String {
    cases.into_iter().map(|(input, told)| format!("{input}\n    => {told}\n")).collect()
}

#[test]
fn a_wrong_survey_is_told_file_line_key_and_remedy() {
    let surveys = [
        "",
        "# only a comment",
        "question: ''",
        "question: [a]",
        "question: 5",
        "- a\n- b",
        "hello",
        "question: Q\nmodel: a\nquestion: R",
        "question: Q\ntemprature: 1",
        "question: Q\ngrid: {suport: x}",
        "question: Q\nlimits:\n  zebra: 5",
        "question: Q\nslots: 5",
        "question: Q\nretry:\n  atempts: 5",
        "question: Q\nprompts: {sytem: a}",
        "question: Q\napi_key: sk-secret",
        "question: Q\nzebra: 5",
        "question: Q\n5: 6",
        "question: Q\ngrid: hello",
        "question: Q\ngrid:\n  impacts: Housing",
        "question: Q\ngrid:\n  impacts: [Public transport, Housing, public-transport]",
        "question: Q\ngrid:\n  impacts: [Housing, 5]",
        "question: Q\ngrid:\n  impacts: ['!!']",
        "question: Q\ngrid:\n  impacts: [Support level]",
        "question: Q\ngrid:\n  impacts: [Key concerns]",
        "question: Q\ngrid:\n  impacts: [Suggested improvements]",
        "question: Q\nmodel: ''",
        "question: Q\ntemperature: hot",
        "question: Q\ntemperature: 2.1",
        "question: Q\ntemperature: -1",
        "question: Q\ntemperature: .nan",
        "question: Q\nmax_output_tokens: 0",
        "question: Q\nlimits:\n  slots: 0",
        "question: Q\nlimits:\n  slots: -1",
        "question: Q\nlimits: {slots: 10001}",
        "question: Q\nlimits: {slots: 99999999999999999999}",
        "question: Q\nlimits: {slots: '5'}",
        "question: Q\nlimits: {slots: 5.5}",
        "question: Q\nlimits: {requests_per_minute: fast}",
        "question: Q\nlimits: {requests_per_minute: 0}",
        "question: Q\nlimits: {tokens_per_minute: 5000000000}",
        "question: Q\nlimits: 5",
        "question: Q\nplan: tier9",
        "question: Q\nbase_url: example.org",
        "question: Q\nretry: {attempts: 0}",
        "question: Q\ntimeout_seconds: 0",
        "question: Q\nprompts: {system: ' '}",
        "question: [a",
        "question: Q\ngrid:\n\tsupport: 5",
        "question: \"Q",
        "question: Cars: yes or no?",
        "--- {question: Q}\n--- {question: R}",
        "question: Q\nmodel: a\u{7}",
    ];
    let told = surveys.map(|survey| {
        let error = Case { survey, ..Case::default() }.error();
        (survey.escape_default().to_string().replace("\\n", "\n"), error)
    });
    insta::assert_snapshot!(table(told));
}

#[test]
fn a_file_that_is_no_text_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: [(&str, &[u8]); 2] =
        [("latin1.yaml", b"# survey\nquestion: Caf\xe9?\n"), ("utf16.yaml", b"\xff\xfeq\0u\0")];
    for (name, bytes) in bytes {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let told = ["latin1.yaml", "utf16.yaml", "missing.yaml", ""].map(|name| {
        let error = read_text(&dir.path().join(name)).unwrap_err().to_string();
        (name.to_owned(), error.replace(&dir.path().display().to_string(), "DIR"))
    });
    insta::assert_snapshot!(table(told));
}

#[test]
fn a_wrong_variable_is_told_where_it_stands() {
    let variables: [&[(&str, &str)]; 9] = [
        &[("MAX_CONCURRENT_REQUESTS", "many")],
        &[("MAX_CONCURRENT_REQUESTS", "0")],
        &[("REQUESTS_PER_MINUTE", "-5")],
        &[("TOKENS_PER_MINUTE", "1e6")],
        &[("OPENAI_BASE_URL", "example.org")],
        &[],
        &[("OPENAI_API_KEY", "   ")],
        &[("OPENAI_API_KEY", "sk-one two")],
        &[("OPENAI_API_KEY", "\"sk-quoted\"")],
    ];
    let of_environment = variables.map(|environment| {
        let case = Case { survey: "question: Q", environment, ..Case::default() };
        (format!("{environment:?}"), case.error())
    });
    let dotenv = [
        "# ours\nREQUESTS_PER_MINUTE=fast",
        "export MAX_CONCURRENT_REQUESTS=-1",
        "A=\"two\nlines\"\nOPENAI_API_KEY=sk-a\u{1b}b",
        "OPENAI_API_KEY=sk-one two",
        "A=1\n# a comment\nOPENAI_API_KEY='sk-open\nB=2\n",
        "OPENAI_API_KEY=sk-d\u{e4}sh",
    ];
    let of_dotenv = dotenv.map(|dotenv| {
        let error = Case { survey: "question: Q", dotenv, ..Case::default() }.error();
        assert!(!error.contains("sk-"), "a key in an error: {error}");
        (format!("{dotenv:?}"), error)
    });
    insta::assert_snapshot!(table(of_environment.into_iter().chain(of_dotenv)));
}

#[test]
fn a_wrong_flag_is_named() {
    let flags = [
        Flags { concurrency: Some(0), ..Flags::default() },
        Flags { concurrency: Some(-4), ..Flags::default() },
        Flags { concurrency: Some(1_000_000), ..Flags::default() },
        Flags { rpm: Some(RateFlag::Number(0)), ..Flags::default() },
        Flags { tpm: Some(RateFlag::Number(i64::MAX)), ..Flags::default() },
        Flags { model: Some(" ".into()), ..Flags::default() },
        Flags { base_url: Some("http://".into()), ..Flags::default() },
        Flags { plan: Some("free tier".into()), ..Flags::default() },
    ];
    let told = flags.map(|flags| {
        let error = Case { survey: "question: Q", flags, ..Case::default() }.error();
        let (flag, problem) = error.split_once(' ').unwrap();
        (flag.to_owned(), problem.to_owned())
    });
    insta::assert_snapshot!(table(told));
}

pub(super) const KEY: &[(&str, &str)] = &[("OPENAI_API_KEY", "sk-environment")];

#[test]
fn a_survey_needs_a_question_and_nothing_else() {
    let config =
        Case { survey: "question: Q?", environment: KEY, ..Case::default() }.load().unwrap();
    let survey = &config.survey;
    assert_eq!((survey.name.as_str(), survey.domain.as_str()), ("survey", "unknown"));
    assert_eq!(survey.grid.support, "Support for the proposal");
    assert!(survey.grid.impacts.is_empty() && survey.prompts.is_empty());
    assert_eq!(
        (survey.model.as_str(), survey.temperature, survey.max_output_tokens),
        ("gpt-4o-mini", 0.7, 600)
    );
    assert_eq!(config.endpoints[0].limits.slots.get(), 5);
    assert_eq!(config.endpoints[0].limits.requests_per_minute.map(PerMinute::get), Some(50));
    assert_eq!(config.endpoints[0].limits.tokens_per_minute, None);
    assert_eq!(config.retry, RetryBounds { attempts: 6, total: Duration::from_secs(600) });
    assert_eq!(config.timeout, Duration::from_secs(120));
    assert_eq!(config.endpoints[0].base_url, "https://api.openai.com/v1");
    assert_eq!(config.endpoints[0].name, "api.openai.com");
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn each_layer_lies_on_the_one_before() {
    let survey = "question: Q\nlimits: {slots: 2, requests_per_minute: 20}\nmodel: of-file";
    let dotenv = "REQUESTS_PER_MINUTE=30\nMAX_CONCURRENT_REQUESTS=3\nOPENAI_API_KEY=sk-dotenv";
    let environment = &[("REQUESTS_PER_MINUTE", "40")];
    let flags = || Flags { model: Some("of-flag".into()), ..Flags::default() };
    let limits = |case: Case| {
        let config = case.load().unwrap();
        (
            config.endpoints[0].limits.slots.get(),
            config.endpoints[0].limits.requests_per_minute.map(PerMinute::get),
            config.endpoints[0].model.clone(),
        )
    };
    let local = "question: Q\nbase_url: http://localhost\n";
    assert_eq!(
        limits(Case { survey: local, ..Case::default() }),
        (5, Some(50), "gpt-4o-mini".into())
    );
    assert_eq!(
        limits(Case { survey, environment: KEY, ..Case::default() }),
        (2, Some(20), "of-file".into())
    );
    assert_eq!(limits(Case { survey, dotenv, ..Case::default() }), (3, Some(30), "of-file".into()));
    assert_eq!(
        limits(Case { survey, dotenv, environment, ..Case::default() }),
        (3, Some(40), "of-file".into())
    );
    let all =
        Case { survey, dotenv, environment, flags: flags(), ..Case::default() }.load().unwrap();
    assert_eq!(all.survey.model, "of-flag");
    assert_eq!(all.endpoints[0].model, "of-flag");

    let lines: Vec<_> = all
        .settings
        .iter()
        .map(|s| {
            let origin = s.origin.to_string();
            let file = origin.rsplit('/').next().unwrap_or_default();
            let of = origin.split(" in ").next().filter(|of| *of != origin).unwrap_or_default();
            let value = s.value.split(" in ").next().unwrap_or_default();
            format!("{} | {value} | {of} {file}", s.name)
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_plan_lies_just_below_the_limits_spelled_out_next_to_it() {
    let limits = |survey, environment, flags| {
        let case = Case { survey, environment, flags, ..Case::default() };
        let config = case.load().unwrap();
        (
            config.endpoints[0].limits.slots.get(),
            config.endpoints[0].limits.requests_per_minute.map(PerMinute::get),
            config.plan,
        )
    };
    let plan = |plan: &str| Flags { plan: Some(plan.into()), ..Flags::default() };
    let survey = "question: Q\nbase_url: http://localhost\nlimits: {slots: 7}";
    let named = "question: Q\nbase_url: http://localhost\nlimits: {slots: 7}\nplan: tier2";
    let environment: &[_] = &[("MAX_CONCURRENT_REQUESTS", "8")];
    assert_eq!(limits(survey, &[], plan("free")), (1, Some(3), Some("free".into())));
    assert_eq!(limits(survey, environment, plan("payg")), (10, Some(100), Some("payg".into())));
    let flags = Flags { concurrency: Some(9), ..plan("payg") };
    assert_eq!(limits(survey, environment, flags), (9, Some(100), Some("payg".into())));
    assert_eq!(limits(named, &[], Flags::default()), (7, Some(150), Some("tier2".into())));
    assert_eq!(limits(named, environment, Flags::default()), (8, Some(150), Some("tier2".into())));
    assert_eq!(limits(named, environment, plan("free")), (1, Some(3), Some("free".into())));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let warnings = |survey, dotenv, flags| {
        Case { survey, dotenv, flags, environment: KEY, ..Case::default() }
            .load()
            .unwrap()
            .warnings
            .join("\n")
    };
    let rate = |rpm| Flags { plan: Some("tier1".into()), rpm: Some(rpm), ..Flags::default() };
    let told = [
        ("a rate above the plan's", warnings("question: Q", "", rate(RateFlag::Number(3_501)))),
        ("no rate under a plan", warnings("question: Q", "", rate(RateFlag::Unlimited))),
        ("the plan's own rate", warnings("question: Q", "", rate(RateFlag::Number(3_500)))),
        (
            "plain http",
            warnings("question: Q\nbase_url: http://example.org/v1", "", Flags::default()),
        ),
        (
            "plain http at home",
            warnings("question: Q\nbase_url: http://10.0.0.1", "", Flags::default()),
        ),
        (
            "a near miss",
            warnings("question: Q", "REQUEST_PER_MINUTE=5\nMAX_TOKENS=4", Flags::default()),
        ),
        ("a line of others", warnings("question: Q", "OTHER=a b c", Flags::default())),
    ];
    insta::assert_snapshot!(table(told.map(|(what, told)| (what.to_owned(), told))));
}

#[test]
fn a_dotenv_is_read_as_shells_read_it() {
    let dotenv = "\u{feff}# a comment\n\nREQUESTS_PER_MINUTE=1\nexport REQUESTS_PER_MINUTE='2' # last\nOPENAI_API_KEY=\"sk-dotenv\"\nOPENAI_MODEL=\n";
    let config = Case { survey: "question: Q", dotenv, ..Case::default() }.load().unwrap();
    assert_eq!(config.endpoints[0].limits.requests_per_minute.map(PerMinute::get), Some(2));
    assert_eq!(config.endpoints[0].key.as_ref().map(|key| key.expose_secret()), Some("sk-dotenv"));
    assert_eq!(config.endpoints[0].model, "gpt-4o-mini");
    let origin = config.settings.iter().find(|s| s.name == "limits.requests_per_minute").unwrap();
    assert!(matches!(
        &origin.origin,
        Origin::DotEnv { variable, line: 4, .. } if variable == "REQUESTS_PER_MINUTE"
    ));
}

#[test]
fn the_key_is_shown_nowhere_and_kept_nowhere() {
    let config =
        Case { survey: "question: Q", environment: KEY, ..Case::default() }.load().unwrap();
    let kept = serde_json::to_string(&config.run_settings()).unwrap();
    assert!(!format!("{config:?} {kept}").contains("sk-environment"));
    let shown = config.settings.iter().find(|setting| setting.name == "api_key").unwrap();
    assert_eq!(shown.value, "set, from OPENAI_API_KEY in the environment");
}

#[test]
fn a_resumed_run_keeps_its_terms_but_for_the_key_and_the_flags() {
    let survey = "question: Q\ngrid: {impacts: [Housing]}\nlimits: {slots: 7}\nplan: tier2\ntimeout_seconds: 9\nprompts: {user: hello}";
    let first = Case { survey, environment: KEY, ..Case::default() }.load().unwrap();
    let kept = serde_json::to_string(&first.run_settings()).unwrap();
    let kept: RunSettings = serde_json::from_str(&kept).unwrap();
    let flags = Flags { rpm: Some(RateFlag::Number(99)), ..Flags::default() };
    let sources = Sources {
        survey: Path::new("run.voxpop"),
        dotenv_dir: Path::new("/nonexistent"),
        environment: &|name| Some(if name == "OPENAI_API_KEY" { "sk-new" } else { "1" }.to_owned()),
        flags: &flags,
        keys: Keys::Fetched,
    };
    let again = load_resumed(first.survey.clone(), &kept, &sources).unwrap();
    assert_eq!(again.survey, first.survey);
    assert_eq!(
        again.endpoints[0].key.as_ref().map(|key| key.expose_secret().to_owned()),
        Some("sk-new".into())
    );
    assert_eq!(again.endpoints[0].limits.requests_per_minute.map(PerMinute::get), Some(99));
    assert_eq!(
        (again.endpoints[0].limits.slots, again.timeout, again.plan),
        (first.endpoints[0].limits.slots, first.timeout, first.plan)
    );

    let no_key = Sources { environment: &|_| None, ..sources };
    assert!(matches!(load_resumed(first.survey, &kept, &no_key), Err(ConfigError::NoKey { .. })));
}

#[test]
fn the_demo_asks_nobody_for_anything() {
    let flags = Flags { base_url: Some("http://127.0.0.1:9".into()), ..Flags::default() };
    let config = load_demo(&flags).unwrap();
    assert_eq!(config.survey.name, "parking-minimums");
    let keys: Vec<_> = config.survey.grid.impacts.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(keys, ["housing", "transport", "community"]);
    assert!(config.endpoints[0].key.is_none());
    let survey = load_survey_str(EXAMPLE_SURVEY, Path::new("survey.yaml")).unwrap();
    assert_eq!(survey, config.survey);
}

proptest::proptest! {
    /// Any text is a survey or an error with a place, never a panic.
    #[test]
    fn no_survey_is_too_strange(
        lines in proptest::collection::vec(
            "( {0,2}|\t)(question|grid|impacts|limits|slots|model|plan|prompts|- )?[:,\\[\\]{}&*!|>'\" ]{0,3}[a-z0-9.]{0,4}",
            0..6,
        ),
    ) {
        if let Err(error) = load_survey_str(&lines.join("\n"), Path::new("s.yaml")) {
            proptest::prop_assert!(error.to_string().starts_with("s.yaml:"), "{error}");
        }
    }
}
