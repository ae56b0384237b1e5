//! What a plan says, before it is put into words: the work, and a forecast for every set of limits.

use super::sample::Sample;
use crate::{
    config::{Config, Plan, plans},
    error::Problem,
    forecast::{
        Forecast, OutputTokens, PRICED_PREFIX, PricePerMillion, Terms, Work, usual_latency,
    },
    model::{Limits, Slots, Tokens},
    prompt::{self, Prompts},
    tokens::TokenCounter,
};
use std::time::Duration;

/// All that a plan says.
pub(super) struct Outlook {
    pub survey: String,
    pub model: String,
    pub endpoint: String,
    pub work: Work,
    /// Of how many personas the prompts were counted.
    pub counted: u32,
    /// Whether the model's own vocabulary counted them.
    pub exact: bool,
    pub latency: Latency,
    /// In every row: plans have none of their own.
    pub tokens_per_minute: Option<u32>,
    /// The first one is for the limits that are set.
    pub rows: Vec<Row>,
    /// What is probably not meant; one sentence each.
    pub warnings: Vec<String>,
    /// What was left out of the personas; one sentence each.
    pub notes: Vec<String>,
}

/// How long one request takes, and who says so.
#[derive(Clone, Copy)]
pub(super) enum Latency {
    Given(Duration),
    /// From the length of the answer.
    Usual(Duration),
}

impl Latency {
    pub(super) const fn get(self) -> Duration {
        match self {
            Self::Given(time) | Self::Usual(time) => time,
        }
    }
}

/// A forecast, and what for.
pub(super) struct Row {
    pub under: Under,
    pub limits: Limits,
    pub forecast: Forecast,
}

/// Whose limits they are.
#[derive(Clone, Copy)]
pub(super) enum Under {
    Set,
    /// The pair that the plan starts with.
    Plan(&'static str),
    /// The most requests/min that the plan allows, with as many slots as that wants.
    Ceiling(&'static str),
}

impl Outlook {
    /// Counts and calculates.
    pub(super) fn new(
        config: Config,
        prompts: &Prompts,
        sample: Sample,
        latency: Option<Duration>,
    ) -> Result<Self, Problem> {
        let first = config.endpoints.first().expect("a configuration has at least one endpoint");
        let (model, endpoint, set) = (first.model.clone(), first.name.clone(), first.limits);
        let counter = TokenCounter::for_model(&model);
        let work = work(&config, prompts, &sample, &counter)?;
        let latency = latency
            .map_or_else(|| Latency::Usual(usual_latency(work.output.middle())), Latency::Given);
        let terms = |limits| Terms { limits, latency: latency.get(), price: price(&config) };
        let mut rows = vec![Row::new(Under::Set, &work, terms(set))];
        for (name, plan) in plans() {
            rows.push(Row::new(Under::Plan(name), &work, terms(recommended(plan, set))));
            rows.push(Row::new(Under::Ceiling(name), &work, at_ceiling(plan, &work, terms(set))));
        }
        let mut warnings = config.warnings;
        warnings.extend(doubts(&model, &work, &set));
        Ok(Self {
            survey: config.survey.name,
            model,
            endpoint,
            work,
            counted: u32::try_from(sample.personas.len()).unwrap_or(u32::MAX),
            exact: counter.is_exact(),
            latency,
            tokens_per_minute: set.tokens_per_minute.map(u32::from),
            rows,
            warnings,
            notes: sample.notes,
        })
    }

    /// Whether providers bill the shared beginning lower.
    pub(super) fn prefix_is_kept(&self) -> bool {
        self.work.shared_tokens >= PRICED_PREFIX
    }
}

impl Row {
    fn new(under: Under, work: &Work, terms: Terms) -> Self {
        Self { under, limits: terms.limits, forecast: Forecast::of(work, &terms) }
    }
}

/// One request a persona; the prompts of the sample stand for all.
fn work(
    config: &Config,
    prompts: &Prompts,
    sample: &Sample,
    counter: &TokenCounter,
) -> Result<Work, Problem> {
    let shared = counter.shared(prompts.system(), &prompt::answer_schema(&config.survey));
    let mut own = 0;
    for persona in &sample.personas {
        own += counter.message(&prompts.user(persona).map_err(Problem::input)?).0;
    }
    let requests = u64::from(sample.of);
    let own = u128::from(own) * u128::from(requests) / (sample.personas.len().max(1) as u128);
    let own = u64::try_from(own).unwrap_or(u64::MAX);
    Ok(Work {
        requests,
        prompt_tokens: Tokens((requests * shared.0).saturating_add(own)),
        shared_tokens: shared,
        output: OutputTokens::usual(config.survey.max_output_tokens),
    })
}

/// The price of the model. No setting has one yet.
const fn price(_config: &Config) -> Option<PricePerMillion> {
    None
}

/// What `--plan` would bring.
fn recommended(plan: &Plan, set: Limits) -> Limits {
    Limits { slots: plan.slots, requests_per_minute: Some(plan.requests_per_minute), ..set }
}

fn at_ceiling(plan: &Plan, work: &Work, terms: Terms) -> Terms {
    let with = |slots| Terms {
        limits: Limits { slots, requests_per_minute: Some(plan.ceiling), ..terms.limits },
        ..terms
    };
    let most = Slots::clamped(Slots::MAX.into());
    let wanted = Forecast::of(work, &with(most)).slots_wanted.unwrap_or(1);
    with(Slots::clamped(i64::try_from(wanted).unwrap_or(i64::MAX)))
}

/// What will not go as planned.
fn doubts(model: &str, work: &Work, limits: &Limits) -> Vec<String> {
    let mut doubts = Vec::new();
    let usual = OutputTokens::usual(u32::MAX);
    let cap = work.output.cap;
    if cap < usual.high {
        doubts.push(format!(
            "max_output_tokens {cap} will cut answers off: they usually take {} to {} tokens",
            usual.low, usual.high
        ));
    }
    let prompt = work.prompt_each();
    if let Some(limit) = limits.tokens_per_minute
        && prompt + cap > u64::from(limit.get())
    {
        doubts.push(format!(
            "one request may take {} tokens (prompt {prompt}, answer {cap} at most), and {limit} a \
             minute are allowed: a provider refuses it for good",
            prompt + cap
        ));
    }
    if reasons(model) {
        doubts.push(format!(
            "{model} thinks before it answers, within max_output_tokens and at the price of \
             output: expect several times the output tokens of this plan"
        ));
    }
    doubts
}

/// Whether the model is one of OpenAI's that spend output on reasoning.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    ["o1", "o3", "o4", "gpt-5", "gpt-oss"].iter().any(|family| name.starts_with(family))
}
