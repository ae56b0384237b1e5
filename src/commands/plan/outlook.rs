//! What a plan says, before it is put into words: the work, and a forecast for every set of limits.

use super::{
    batches::InBatches,
    layout::names,
    sample::Sample,
    work::{Parts, critics, parts},
};
use crate::{
    commands::one_call::check_budget,
    config::{Config, EndpointSettings, Plan, plans},
    error::Problem,
    forecast::{
        Cost, Forecast, LimitSum, OutputTokens, PRICED_PREFIX, Reach, Sharer, Terms, Together,
        Work, usual_latency,
    },
    model::{Guessed, Limits, ReviewMode, SharedQuota, Slots, Usd},
    prompt::Prompts,
    tokens::TokenCounter,
};
use std::{num::NonZeroU32, time::Duration};

/// All that a plan says.
pub(super) struct Outlook {
    pub survey: String,
    pub work: Work,
    /// The same by what it is for.
    pub parts: Parts,
    pub personas: u64,
    /// Calls that every persona has a part in at the least.
    pub calls_each: u64,
    /// So many personas are asked in one request.
    pub pack: u8,
    /// So often a persona may be asked for what its answer leaves out.
    pub follow_ups: u8,
    /// The most that an answer may take, in tokens.
    pub cap: u64,
    /// Whether critics look at the answers.
    pub reviewed: bool,
    /// Of how many personas the prompts were counted.
    pub counted: u32,
    /// The models that have another vocabulary than the one that counted.
    pub uncounted: Vec<String>,
    pub latency: Latency,
    /// Under the limits that are set; never empty.
    pub endpoints: Vec<EndpointRow>,
    /// The first one is for the limits that are set, all endpoints together; plans are for one key.
    pub rows: Vec<Row>,
    pub budget: Option<Budget>,
    /// `None` where no endpoint has a Batch API.
    pub in_batches: Option<InBatches>,
    /// Whether some limits are guesses that will follow the provider.
    pub follows: bool,
    /// What is probably not meant; one sentence each.
    pub warnings: Vec<String>,
    /// What was left out of the personas; one sentence each.
    pub notes: Vec<String>,
}

/// One endpoint and what it carries.
pub(super) struct EndpointRow {
    pub name: String,
    pub model: String,
    /// Whether the survey has a list of endpoints.
    pub is_listed: bool,
    pub sharer: Sharer,
    pub forecast: Forecast,
}

/// A budget, and how far it goes.
pub(super) struct Budget {
    pub amount: Usd,
    pub cost: Cost,
    pub reach: Reach,
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
    pub limits: LimitSum,
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
        let mut warnings = check_budget(&config, prompts, &sample.longest)?;
        let counter = TokenCounter::for_model(&config.survey.model);
        // In batches each persona is asked alone.
        let alone = parts(&config, prompts, &sample, &counter, 1)?;
        let (pack, parts) = match config.survey.pack {
            pack if pack > 1 && !config.batch => {
                (pack, parts(&config, prompts, &sample, &counter, pack)?)
            }
            _ => (1, alone),
        };
        let work = parts.all();
        let review = config.survey.review.mode;
        let calls_each = 1 + critics(review).len() as u64;
        let personas = u64::from(sample.of);
        let cap = u64::from(config.survey.max_output_tokens);
        let follow_ups = match review {
            ReviewMode::Off => 0,
            ReviewMode::Fused | ReviewMode::Separate => config.survey.review.follow_ups,
        };
        let latency = latency
            .map_or_else(|| Latency::Usual(usual_latency(work.output.middle())), Latency::Given);
        let sharers: Vec<_> =
            config.endpoints.iter().map(|endpoint| sharer(endpoint, latency.get())).collect();
        let Together { all, each } = Together::of(&work, &sharers);
        let mut rows =
            vec![Row { under: Under::Set, limits: LimitSum::of(&sharers), forecast: all }];
        let set = sharers.first().expect("a configuration has at least one endpoint").terms;
        for (name, plan) in plans() {
            rows.push(Row::new(Under::Plan(name), &work, recommended(plan, set)));
            rows.push(Row::new(Under::Ceiling(name), &work, at_ceiling(plan, &work, set)));
        }
        let mut uncounted: Vec<_> = config.endpoints.iter().map(|e| e.model.clone()).collect();
        uncounted.retain(|model| !counter.is_exact_for(model));
        uncounted.sort_unstable();
        uncounted.dedup();
        warnings.extend(doubts(&config.endpoints, &parts, cap));
        let in_batches = InBatches::of(&config, &alone);
        let is_listed = config.is_listed();
        let guessed = |e: &EndpointSettings| e.guessed != Guessed::default();
        let follows = config.adapt && config.endpoints.iter().any(guessed);
        warnings.splice(..0, config.warnings);
        let budget = config.budget.zip(all.cost).map(|(amount, cost)| Budget {
            amount,
            cost,
            reach: Reach::of(amount, &cost, personas),
        });
        let endpoints = config.endpoints.into_iter().zip(sharers.into_iter().zip(each));
        Ok(Self {
            survey: config.survey.name,
            work,
            parts,
            personas,
            calls_each,
            pack,
            follow_ups,
            cap,
            reviewed: review != ReviewMode::Off,
            counted: u32::try_from(sample.personas.len()).unwrap_or(u32::MAX),
            uncounted,
            latency,
            endpoints: endpoints
                .map(|(EndpointSettings { name, model, .. }, (sharer, forecast))| EndpointRow {
                    name,
                    model,
                    is_listed,
                    sharer,
                    forecast,
                })
                .collect(),
            rows,
            budget,
            in_batches,
            follows,
            warnings,
            notes: sample.notes,
        })
    }

    /// The first endpoint, whose model counts the tokens.
    pub(super) fn first(&self) -> &EndpointRow {
        self.endpoints.first().expect("a configuration has at least one endpoint")
    }

    /// Whether providers bill the shared beginning lower.
    pub(super) fn prefix_is_kept(&self) -> bool {
        self.work.shared_tokens >= PRICED_PREFIX
    }
}

impl Row {
    /// One key alone.
    fn new(under: Under, work: &Work, terms: Terms) -> Self {
        let sharer = Sharer { terms, weight: NonZeroU32::MIN, quota: None };
        Self { under, limits: LimitSum::of(&[sharer]), forecast: Forecast::of(work, &terms) }
    }
}

fn sharer(endpoint: &EndpointSettings, latency: Duration) -> Sharer {
    Sharer {
        terms: Terms {
            limits: endpoint.limits,
            latency,
            price: endpoint.price,
            charges_cap: endpoint.charges_cap,
        },
        weight: endpoint.weight,
        quota: SharedQuota::of(endpoint.group.as_deref(), &endpoint.model),
    }
}

/// What `--plan` would bring.
const fn recommended(plan: &Plan, set: Terms) -> Terms {
    let limits = Limits {
        slots: plan.slots,
        requests_per_minute: Some(plan.requests_per_minute),
        ..set.limits
    };
    Terms { limits, ..set }
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
fn doubts(endpoints: &[EndpointSettings], parts: &Parts, cap: u64) -> Vec<String> {
    let mut doubts = Vec::new();
    let usual = OutputTokens::usual(u32::MAX);
    if cap < usual.high {
        doubts.push(format!(
            "max_output_tokens {cap} will cut answers off: they usually take {} to {} tokens",
            usual.low, usual.high
        ));
    }
    let (whose, largest) = parts.largest();
    let request = largest.prompt_each() + largest.output.cap;
    let too_large = endpoints
        .iter()
        .filter_map(|e| Some((e, e.limits.tokens_per_minute?)))
        .filter(|(_, limit)| request > u64::from(limit.get()));
    let (refusing, limits): (Vec<_>, Vec<_>) = too_large.unzip();
    if let Some(limit) = limits.iter().min() {
        let at = if endpoints.len() > 1 {
            format!(" at {}", names(refusing.iter().map(|endpoint| endpoint.name.clone())))
        } else {
            String::new()
        };
        doubts.push(format!(
            "one request{whose} may take {request} tokens (prompt {}, answer {} at most), and \
             {limit} a minute are allowed{at}: a provider refuses it for good",
            largest.prompt_each(),
            largest.output.cap
        ));
    }
    let mut thinking: Vec<_> =
        endpoints.iter().map(|e| e.model.clone()).filter(|model| reasons(model)).collect();
    thinking.sort_unstable();
    thinking.dedup();
    if !thinking.is_empty() {
        let verb = if thinking.len() == 1 {
            "thinks before it answers"
        } else {
            "think before they answer"
        };
        doubts.push(format!(
            "{} {verb}, within max_output_tokens and at the price of output: expect several times \
             the output tokens of this plan",
            names(thinking)
        ));
    }
    doubts
}

/// Whether the model is one of OpenAI's that spend output on reasoning.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    ["o1", "o3", "o4", "gpt-5", "gpt-oss"].iter().any(|family| name.starts_with(family))
}
