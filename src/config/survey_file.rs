//! A survey file: its keys, and what a wrong one is told.

use super::{
    ConfigError,
    base_url::BaseUrl,
    cache::CacheKeys,
    endpoint_keys::{self, Endpoints},
    place::Source,
    plans,
    prices::Budget,
    review::{ReviewWord, SummaryWord, Topics},
    scalar::{
        Checked, Line, Paragraphs, Rate, Scalar, Switch, Temperature, Whole, deserialize_checked,
        nearest, quoted,
    },
};
use crate::model::{Dimension, Slots, TemplateName};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The keys of a survey file; `None` where the file leaves one out. `config/defaults.yaml` has the
/// same shape.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "lines such as `question: Should the council ...?`")]
pub(super) struct SurveyFile {
    pub name: Option<Line>,
    pub question: Option<Paragraphs>,
    pub domain: Option<Line>,
    #[serde(default)]
    pub grid: GridKeys,
    pub model: Option<Line>,
    pub temperature: Option<Temperature>,
    pub max_output_tokens: Option<Whole<1, 1_000_000>>,
    #[serde(default)]
    pub prompts: PromptKeys,
    #[serde(default)]
    pub limits: LimitKeys,
    pub base_url: Option<BaseUrl>,
    pub plan: Option<PlanName>,
    #[serde(default)]
    pub retry: RetryKeys,
    pub timeout_seconds: Option<Whole<1, 3_600>>,
    pub endpoints: Option<Endpoints>,
    pub budget: Option<Budget>,
    pub adapt: Option<Switch>,
    pub batch: Option<Switch>,
    pub review: Option<ReviewWord>,
    pub follow_ups: Option<Whole<0, 5>>,
    pub topics: Option<Topics>,
    #[serde(default)]
    pub cache: CacheKeys,
    pub pack: Option<Whole<1, 20>>,
    pub summary: Option<SummaryWord>,
    pub themes: Option<Topics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{support: a text, impacts: [a, list]}")]
pub(super) struct GridKeys {
    pub support: Option<Line>,
    pub impacts: Option<Impacts>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{system: a template, user: a template}")]
pub(super) struct PromptKeys {
    system: Option<Template>,
    user: Option<Template>,
    follow_up: Option<Template>,
    mend: Option<Template>,
    consistency: Option<Template>,
    relevance: Option<Template>,
    review: Option<Template>,
    judged: Option<Template>,
    critique: Option<Template>,
    critiqued: Option<Template>,
    chat: Option<Template>,
    said: Option<Template>,
    packed: Option<Template>,
    people: Option<Template>,
    packed_review: Option<Template>,
    packed_judged: Option<Template>,
    digest: Option<Template>,
    digest_answers: Option<Template>,
    summary: Option<Template>,
    summary_digests: Option<Template>,
}

impl PromptKeys {
    /// Each template that the file has.
    pub(super) fn into_templates(self) -> impl Iterator<Item = (TemplateName, String)> {
        [
            (TemplateName::System, self.system),
            (TemplateName::User, self.user),
            (TemplateName::FollowUp, self.follow_up),
            (TemplateName::Mend, self.mend),
            (TemplateName::Consistency, self.consistency),
            (TemplateName::Relevance, self.relevance),
            (TemplateName::Review, self.review),
            (TemplateName::Judged, self.judged),
            (TemplateName::Critique, self.critique),
            (TemplateName::Critiqued, self.critiqued),
            (TemplateName::Chat, self.chat),
            (TemplateName::Said, self.said),
            (TemplateName::Packed, self.packed),
            (TemplateName::People, self.people),
            (TemplateName::PackedReview, self.packed_review),
            (TemplateName::PackedJudged, self.packed_judged),
            (TemplateName::Digest, self.digest),
            (TemplateName::DigestAnswers, self.digest_answers),
            (TemplateName::Summary, self.summary),
            (TemplateName::SummaryDigests, self.summary_digests),
        ]
        .into_iter()
        .filter_map(|(name, template)| Some((name, template?.0)))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "{slots: 5, requests_per_minute: 50, tokens_per_minute: unlimited}"
)]
pub(super) struct LimitKeys {
    pub slots: Option<Whole<1, { Slots::MAX }>>,
    pub requests_per_minute: Option<Rate>,
    pub tokens_per_minute: Option<Rate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{attempts: 6, seconds: 600}")]
pub(super) struct RetryKeys {
    pub attempts: Option<Whole<1, 100>>,
    pub seconds: Option<Whole<1, 86_400>>,
}

deserialize_checked!([] PlanName, [] Template);

/// The name of a plan that exists.
#[derive(Debug)]
pub(super) struct PlanName(pub String);

impl Checked for PlanName {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let Line(name) = Line::check(value)?;
        plans::find(&name).map(|_| Self(name))
    }
}

/// A prompt template, kept to the letter: white space may matter to who wrote it.
#[derive(Debug)]
pub(super) struct Template(pub String);

impl Checked for Template {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Text(text) if !text.trim().is_empty() => Ok(Self(text.to_owned())),
            Scalar::Text(_) => {
                Err("must not be empty; leave the key out for the built-in prompt".into())
            }
            other => Err(format!("must be a template, not {other}")),
        }
    }
}

/// The impact dimensions, with keys that differ from each other and from the answer's own.
#[derive(Debug)]
pub(super) struct Impacts(pub Vec<Dimension>);

impl<'de> Deserialize<'de> for Impacts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ImpactsVisitor;

        impl<'de> Visitor<'de> for ImpactsVisitor {
            type Value = Impacts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list such as [Housing, Transport]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Impacts, A::Error> {
                let mut dimensions: Vec<Dimension> = Vec::new();
                while let Some(Line(label)) = list.next_element()? {
                    let dimension = Dimension::from(label);
                    check_dimension(&dimension, &dimensions).map_err(A::Error::custom)?;
                    dimensions.push(dimension);
                }
                Ok(Impacts(dimensions))
            }
        }

        from.deserialize_seq(ImpactsVisitor)
    }
}

fn check_dimension(new: &Dimension, before: &[Dimension]) -> Result<(), String> {
    let label = quoted(&new.label);
    if new.key.is_empty() {
        return Err(format!("{label} has no letter or digit to make a key of; rename it"));
    }
    if Dimension::RESERVED.contains(&new.key.as_str()) {
        return Err(format!(
            "{label} becomes the key {}, which every answer has; rename it",
            new.key
        ));
    }
    match before.iter().find(|other| other.key == new.key) {
        Some(other) => Err(format!(
            "{} and {label} both become the key {}; rename one or take it out",
            quoted(&other.label),
            new.key
        )),
        None => Ok(()),
    }
}

/// Parses a survey file. `file` is for messages only.
pub(super) fn parse(text: &str, file: &Path) -> Result<SurveyFile, ConfigError> {
    check_controls(text, file)?;
    // An empty file, or one of comments only, is a survey without a question.
    let survey = serde_yaml::from_str::<Option<SurveyFile>>(text)
        .map(Option::unwrap_or_default)
        .map_err(|error| explain(&error, text, file))?;
    if let Some(Endpoints(endpoints)) = &survey.endpoints {
        let source = Source { file: file.to_owned(), text: Some(text.to_owned()) };
        let model = survey.model.as_ref().map(|line| line.0.as_str());
        endpoint_keys::check(endpoints, model, &source)?;
    }
    Ok(survey)
}

/// The YAML library refuses control characters too, but does not say on which line.
fn check_controls(text: &str, file: &Path) -> Result<(), ConfigError> {
    let hostile = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    for (index, line) in text.lines().enumerate() {
        if let Some((column, c)) = line.chars().enumerate().find(|&(_, c)| hostile(c)) {
            return Err(ConfigError::Survey {
                file: file.to_owned(),
                line: index + 1,
                column: column + 1,
                problem: format!("control character U+{:04X}; take it out", u32::from(c)),
            });
        }
    }
    Ok(())
}

/// Turns the YAML library's error into ours.
fn explain(error: &serde_yaml::Error, text: &str, file: &Path) -> ConfigError {
    let file = file.to_owned();
    let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
    let message = error.to_string();
    let problem = message.replacen(&format!(" at line {line} column {column}"), "", 1);

    // Serde's fixed wording: "[path: ]unknown field `x`, expected one of `a`, `b`".
    if let Some((_, words)) = problem.split_once("unknown field `") {
        let mut words = words.split('`');
        let key = words.next().unwrap_or_default().to_owned();
        let known: Vec<_> = words.skip(1).step_by(2).collect();
        let hint = hint(&key, &known);
        return ConfigError::UnknownKey { file, line, column, key, hint };
    }
    if let Some((path, words)) = problem.split_once("missing field `") {
        let key = words.split('`').next().unwrap_or_default();
        let problem = format!("{path}{key} is missing; add a line such as `{key}: ...`");
        return ConfigError::Survey { file, line, column, problem };
    }
    if let Some((_, words)) = problem.split_once("duplicate field `") {
        let key = words.split('`').next().unwrap_or_default();
        return twice(key, text, file);
    }
    let mut problem =
        problem.replace("invalid type: ", "").replace(", expected ", " where voxpop expects ");
    if text.lines().nth(line - 1).is_some_and(|l| l.trim_start_matches(' ').starts_with('\t')) {
        problem.push_str("; indent with spaces, not tabs");
    } else if problem.starts_with("mapping values are not allowed") {
        problem.push_str("; put a text that holds a colon in quotes");
    }
    ConfigError::Survey { file, line, column, problem }
}

/// The library names the mapping, not the line of the second key.
fn twice(key: &str, text: &str, file: PathBuf) -> ConfigError {
    let is_key =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|l| l.starts_with(':'));
    let line = text.lines().collect::<Vec<_>>().iter().rposition(|line| is_key(line)).unwrap_or(0);
    let indent = text.lines().nth(line).map_or(0, |text| text.len() - text.trim_start().len());
    let problem = format!("{key:?} stands here twice; take one out");
    ConfigError::Survey { file, line: line + 1, column: indent + 1, problem }
}

/// Keys that people know from elsewhere, and what stands for them here.
type Elsewhere = &'static [(&'static [&'static str], &'static str)];

const ELSEWHERE: Elsewhere = &[
    (&["slots", "concurrency", "max_concurrent_requests"], "write `limits: {slots: ...}`"),
    (&["rpm", "requests_per_minute"], "write `limits: {requests_per_minute: ...}`"),
    (&["tpm", "tokens_per_minute"], "write `limits: {tokens_per_minute: ...}`"),
    (&["max_tokens", "max_completion_tokens"], "write `max_output_tokens: ...`"),
    (&["impacts", "dimensions"], "write `grid: {impacts: [...]}`"),
    (&["support"], "write `grid: {support: ...}`"),
    (&["timeout"], "write `timeout_seconds: ...`"),
    (
        &["api_key", "key", "openai_api_key"],
        "keys do not belong in a survey: set OPENAI_API_KEY in the environment or in a .env file",
    ),
    (
        &["kind", "price", "weight", "headers", "group", "charges_cap"],
        "it stands at an endpoint: write `endpoints: [{name: main, ...}]`",
    ),
    (&["cost", "max_cost", "cap"], "write `budget: ...`, in US dollars"),
];

/// The same at an endpoint.
const AT_AN_ENDPOINT: Elsewhere = &[
    (&["api_key", "openai_api_key", "token"], "write `key: { env: OPENAI_API_KEY }`"),
    (&["url", "endpoint", "api_base"], "write `base_url: ...`"),
    (&["slots", "concurrency"], "write `limits: {slots: ...}`"),
    (&["rpm", "requests_per_minute"], "write `limits: {requests_per_minute: ...}`"),
    (&["tpm", "tokens_per_minute"], "write `limits: {tokens_per_minute: ...}`"),
    (&["type", "provider"], "write `kind: ...`"),
    (&["deployment"], "write `model: ...`: at Azure, the name of the deployment"),
    (&["api_version"], "write it at the end of base_url: `?api-version=2024-10-21`"),
];

fn hint(key: &str, known: &[&str]) -> String {
    let lower = key.to_lowercase().replace('-', "_");
    let elsewhere = if known.contains(&"weight") { AT_AN_ENDPOINT } else { ELSEWHERE };
    if let Some((_, hint)) = elsewhere.iter().find(|(keys, _)| keys.contains(&lower.as_str())) {
        return (*hint).to_owned();
    }
    match nearest(key, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known here are {}", known.join(", ")),
    }
}
