//! Where keys are taken from, what is told where there is none, and what nobody asks for.

use super::{
    tests::{Case, KEY, table},
    *,
};
use secrecy::ExposeSecret;
use std::{fs, path::Path};

const BAD_KEYS: &[(&str, &str)] =
    &[("EMPTY", "  "), ("QUOTED", "\"sk-quoted\""), ("BROKEN", "sk-a\nb")];

#[test]
fn a_key_that_cannot_be_had_is_told_with_its_place() {
    let keys = [
        "{ env: UNSET }",
        "{ env: EMPTY }",
        "{ env: QUOTED }",
        "{ env: BROKEN }",
        "{ env: abcdefabcdefabcdefabcdefabcdef12 }",
        "{ file: missing.key }",
        "{ command: 'echo hid\\den; echo no such entry >&2; exit 1' }",
        "{ command: 'true' }",
        "{ command: 'echo \"a key\"' }",
    ]
    .map(|key| format!("key: {key}"));
    let others = [
        "base_url: http://gpu/v1\n    headers: { X-A-Key: { env: UNSET } }",
        "base_url: http://gpu/v1\n    headers: { X-A-Key: { env: BROKEN } }",
        "base_url: https://api.openai.com/v1",
        "price: { input: 1, output: 1 }",
    ]
    .map(str::to_owned);
    let told = keys.into_iter().chain(others).map(|key| {
        let survey: &'static str =
            format!("question: Q\nendpoints:\n  - name: a\n    model: m\n    {key}\n").leak();
        let error = Case { survey, environment: BAD_KEYS, ..Case::default() }.error();
        assert!(!error.contains("hidden") && !error.contains("sk-"), "a secret in {error}");
        (key, error)
    });
    insta::assert_snapshot!(table(told));
}

/// Loads a survey whose key is in a file of that mode.
#[cfg(unix)]
fn with_key_file(key: &str, mode: u32, place: &str) -> Result<Config, String> {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.key");
    fs::write(&file, key).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    let survey = format!("question: Q\nendpoints: [{{ name: a, key: {{ file: {place} }} }}]");
    fs::write(dir.path().join("survey.yaml"), &survey).unwrap();
    let home = dir.path().display().to_string();
    let shorten = |text: String| text.replace(&format!("{home}/"), "");
    load::load(&Sources {
        survey: &dir.path().join("survey.yaml"),
        dotenv_dir: Path::new("/nonexistent"),
        environment: &|name| (name == "HOME").then(|| home.clone()),
        flags: &Flags::default(),
        keys: Keys::Fetched,
    })
    .map(|mut config| {
        config.warnings = config.warnings.into_iter().map(shorten).collect();
        config
    })
    .map_err(|error| shorten(error.to_string()))
}

#[cfg(unix)]
#[test]
fn a_key_is_taken_from_a_file_beside_the_survey_or_at_home() {
    for place in ["a.key", "./a.key", "~/a.key"] {
        let config = with_key_file(" sk-of-file \n", 0o600, place).unwrap();
        let key = config.endpoints[0].key.as_ref().map(|key| key.expose_secret());
        assert_eq!((key, config.warnings.len()), (Some("sk-of-file"), 0), "{place}");
    }
    let config = with_key_file("sk-of-file", 0o644, "a.key").unwrap();
    assert_eq!(config.warnings, ["others can read the key in a.key (mode 644); chmod 600 a.key"]);
    let kept = config.run_settings();
    assert!(matches!(&kept.endpoints[0].key, KeySource::File(file) if file.is_absolute()));
    assert_eq!(
        with_key_file(" \n", 0o600, "a.key").unwrap_err(),
        "survey.yaml:2:29: endpoints[0].key: the file a.key is empty; put the key into it"
    );
}

#[test]
fn a_key_is_taken_from_a_command_and_from_a_dotenv() {
    let survey = "question: Q\nendpoints: [{ name: a, key: { command: 'echo sk-of-command' } }]";
    let config = Case { survey, ..Case::default() }.load().unwrap();
    let key =
        |config: &Config| config.endpoints[0].key.as_ref().unwrap().expose_secret().to_owned();
    assert_eq!(key(&config), "sk-of-command");

    let survey = "question: Q\nendpoints: [{ name: a, key: { env: OF_A } }]";
    let dotenv = "OF_A=sk-of-dotenv\nOTHER=5";
    let config = Case { survey, dotenv, ..Case::default() }.load().unwrap();
    assert_eq!((key(&config).as_str(), config.warnings.len()), ("sk-of-dotenv", 0));
    // The environment lies on the `.env`, but for a blank variable.
    let environment = &[("OF_A", "sk-of-environment")];
    let config = Case { survey, dotenv, environment, ..Case::default() }.load().unwrap();
    assert_eq!(key(&config), "sk-of-environment");
    let config = Case { survey, dotenv, environment: &[("OF_A", " ")], ..Case::default() };
    assert_eq!(key(&config.load().unwrap()), "sk-of-dotenv");
}

#[test]
fn the_usual_key_goes_to_the_usual_url_only() {
    let keys = |survey| {
        let config = Case { survey, environment: KEY, ..Case::default() }.load().unwrap();
        config.endpoints.iter().map(|endpoint| endpoint.key.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(
        keys("question: Q\nendpoints: [{ name: a }, { name: b, base_url: http://gpu:8000/v1 }]"),
        [true, false]
    );
}

/// What a check and a plan do: variables and files are looked at, no command is started, and the
/// rest of the configuration is whole.
#[test]
fn where_nothing_is_sent_no_key_is_needed_and_no_command_started() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("started");
    let survey = format!(
        "question: Q
endpoints:
  - {{ name: a, key: {{ env: UNSET }} }}
  - {{ name: b, model: m, key: {{ command: 'echo sk-b | tee {}' }} }}
  - name: c
    model: n
    headers: {{ X-C-Key: {{ env: QUOTED }}, X-D-Key: {{ env: UNSET }} }}
  - {{ name: d, model: o, key: {{ env: QUOTED }} }}
",
        trace.display()
    );
    let case = Case {
        survey: survey.leak(),
        environment: BAD_KEYS,
        keys: Keys::LookedAt,
        ..Case::default()
    };
    let config = case.load().unwrap();
    assert!(!trace.exists());
    assert!(config.endpoints.iter().all(|endpoint| endpoint.key.is_none()));
    let shown = config.settings.iter().filter(|setting| setting.name.ends_with(".key"));
    // Of the command only how it begins, as the rest is another one each time.
    let shown = shown.map(|s| format!("{} | {:.23}", s.value, s.origin.to_string()));
    let shown: Vec<_> = shown.collect();
    let problems = config.key_problems.join("\n");
    assert!(!problems.contains("sk-"), "{problems}");
    insta::assert_snapshot!(format!("{}\n\n{problems}", shown.join("\n")));

    let usual = Case { survey: "question: Q", keys: Keys::LookedAt, ..Case::default() };
    let [problem] = &usual.load().unwrap().key_problems[..] else { panic!("no key is needed?") };
    assert!(problem.starts_with("no API key for https://api.openai.com/v1"), "{problem}");
    let with = Case { environment: KEY, ..usual }.load().unwrap();
    assert_eq!((with.endpoints[0].key.is_some(), with.key_problems.len()), (true, 0));
}

/// Keys that nobody has fetched may be those of one project all the same.
#[test]
fn the_quota_of_keys_that_are_not_there_is_a_warning_too() {
    let warnings = |keys: &str| {
        let survey: &'static str = format!("question: Q\nendpoints: {keys}").leak();
        let case = Case { survey, keys: Keys::LookedAt, ..Case::default() };
        case.load().unwrap().warnings.join("\n")
    };
    for (keys, words) in [
        (
            "[{ name: a, key: { env: A } }, { name: b, key: { command: pass b } }]",
            "with different keys; two keys of one project add nothing",
        ),
        (
            "[{ name: a, key: { command: pass b } }, { name: b, key: { command: pass b } }]",
            "with one key, so they have one quota",
        ),
        ("[{ name: a }, { name: b }]", "with one key, so they have one quota"),
    ] {
        let warnings = warnings(keys);
        assert!(warnings.contains(words), "{warnings}");
    }
}
