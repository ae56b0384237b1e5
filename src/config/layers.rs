//! The layers of a configuration, put on top of each other one value at a time.

use super::{
    ConfigError, Flags, Origin, RateFlag, RunSettings,
    base_url::BaseUrl,
    dotenv::Variable,
    endpoint_keys::Endpoints,
    endpoint_layers::{EndpointLayers, SharedLayers},
    layered::{Layered, LimitLayers},
    place::Source,
    plans::{self, Plan},
    prices::Budget,
    scalar::{Checked, Line, Scalar, quoted},
    secrets::Secrets,
    survey_file::{Impacts, PlanName, SurveyFile},
};
use crate::model::{PerMinute, ReviewMode, Slots, SummaryMode, Survey, TemplateName, Topic, Usd};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// What has been put together so far.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) source: Source,
    pub(super) name: Layered<String>,
    pub(super) question: Layered<String>,
    pub(super) domain: Layered<String>,
    pub(super) support: Layered<String>,
    pub(super) impacts: Layered<Impacts>,
    pub(super) temperature: Layered<f64>,
    pub(super) max_output_tokens: Layered<u32>,
    pub(super) templates: BTreeMap<TemplateName, (String, Origin)>,
    pub(super) review: Layered<ReviewMode>,
    pub(super) follow_ups: Layered<u8>,
    pub(super) topics: Layered<Vec<Topic>>,
    pub(super) pack: Layered<u8>,
    pub(super) summary: Layered<SummaryMode>,
    pub(super) themes: Layered<Vec<Topic>>,
    pub(super) shared: SharedLayers,
    /// Never empty.
    pub(super) endpoints: Vec<EndpointLayers>,
    pub(super) secrets: Secrets,
    pub(super) plan: Layered<String>,
    pub(super) attempts: Layered<u32>,
    pub(super) retry_seconds: Layered<Duration>,
    pub(super) timeout_seconds: Layered<Duration>,
    pub(super) budget: Layered<Usd>,
    pub(super) adapt: Layered<bool>,
    pub(super) cache_on: Layered<bool>,
    pub(super) cache_megabytes: Layered<u32>,
    pub(super) cache_days: Layered<u32>,
    pub(super) similar: Layered<f32>,
    pub(super) embeddings: Layered<String>,
    pub(super) batch: Layered<bool>,
}

impl Layers {
    /// Nothing yet but the one endpoint that says nothing itself.
    pub(super) fn new(source: Source) -> Self {
        Self { source, endpoints: vec![EndpointLayers::default()], ..Self::default() }
    }

    /// The defaults or a survey file. A plan that the file names is the lowest of its values: the
    /// limits next to it say more.
    pub(super) fn add_file(
        &mut self,
        file: SurveyFile,
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        self.name.put(file.name.map(|line| line.0), origin);
        self.question.put(file.question.map(|text| text.0), origin);
        self.domain.put(file.domain.map(|line| line.0), origin);
        self.support.put(file.grid.support.map(|line| line.0), origin);
        self.impacts.put(file.grid.impacts, origin);
        self.shared.model.put(file.model.map(|line| line.0), origin);
        self.temperature.put(file.temperature.map(|number| number.0), origin);
        self.max_output_tokens.put(file.max_output_tokens.map(|number| number.get()), origin);
        let own = file.prompts.into_templates();
        self.templates.extend(own.map(|(name, text)| (name, (text, origin.clone()))));
        self.review.put(file.review.map(|word| word.0), origin);
        let follow_ups = file.follow_ups.and_then(|number| u8::try_from(number.get()).ok());
        self.follow_ups.put(follow_ups, origin);
        self.topics.put(file.topics.map(|topics| topics.0), origin);
        self.pack.put(file.pack.and_then(|number| u8::try_from(number.get()).ok()), origin);
        self.summary.put(file.summary.map(|word| word.0), origin);
        self.themes.put(file.themes.map(|themes| themes.0), origin);
        if let Some(PlanName(name)) = file.plan {
            let plan = self.choose_plan(&name, origin)?;
            self.shared.limits.put_plan(plan, &Origin::Plan(name));
        }
        self.shared.limits.put_keys(&file.limits, origin);
        self.shared.base_url.put(file.base_url, origin);
        self.attempts.put(file.retry.attempts.map(|n| n.get()), origin);
        self.retry_seconds.put(file.retry.seconds.map(|n| seconds(n.get())), origin);
        self.timeout_seconds.put(file.timeout_seconds.map(|n| seconds(n.get())), origin);
        self.budget.put(file.budget.map(|budget| budget.0), origin);
        self.adapt.put(file.adapt.map(|switch| switch.0), origin);
        self.cache_on.put(file.cache.on, origin);
        self.cache_megabytes.put(file.cache.size_mb, origin);
        self.cache_days.put(file.cache.days, origin);
        self.similar.put(file.cache.similar, origin);
        self.embeddings.put(file.cache.embeddings, origin);
        self.batch.put(file.batch.map(|switch| switch.0), origin);
        if let Some(Endpoints(endpoints)) = file.endpoints {
            let folder = self.source.file.parent().unwrap_or(Path::new("")).to_owned();
            let layers = |keys| EndpointLayers::from_keys(keys, origin, &folder);
            self.endpoints = endpoints.into_iter().map(layers).collect();
        }
        Ok(())
    }

    /// What a run file kept.
    pub(super) fn add_kept(
        &mut self,
        survey: Survey,
        kept: &RunSettings,
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        self.name.put(Some(survey.name), origin);
        self.question.put(Some(survey.question), origin);
        self.domain.put(Some(survey.domain), origin);
        self.support.put(Some(survey.grid.support), origin);
        self.impacts.put(Some(Impacts(survey.grid.impacts)), origin);
        self.temperature.put(Some(survey.temperature), origin);
        self.max_output_tokens.put(Some(survey.max_output_tokens), origin);
        let own = survey.prompts.0.into_iter();
        self.templates.extend(own.map(|(name, text)| (name, (text, origin.clone()))));
        self.review.put(Some(survey.review.mode), origin);
        self.follow_ups.put(Some(survey.review.follow_ups), origin);
        self.topics.put(Some(survey.review.topics), origin);
        self.pack.put(Some(survey.pack), origin);
        self.summary.put(Some(survey.summary.mode), origin);
        self.themes.put(Some(survey.summary.themes), origin);
        let endpoints = kept.endpoints.iter().map(|kept| EndpointLayers::from_kept(kept, origin));
        self.endpoints = at(origin, endpoints.collect())?;
        self.plan.put(kept.plan.clone(), origin);
        self.attempts.put(Some(kept.retry.attempts), origin);
        self.retry_seconds.put(Some(kept.retry.total), origin);
        self.timeout_seconds.put(Some(kept.timeout), origin);
        self.budget.put(kept.budget, origin);
        self.adapt.put(Some(kept.adapt), origin);
        self.cache_on.put(Some(kept.cache.on), origin);
        self.cache_megabytes.put(Some(kept.cache.limits.megabytes), origin);
        self.cache_days.put(Some(kept.cache.limits.days), origin);
        self.similar.put(kept.cache.similar, origin);
        self.embeddings.put(kept.cache.embeddings.clone(), origin);
        self.batch.put(Some(kept.batch), origin);
        Ok(())
    }

    /// The variables that keys and headers come from, besides the usual one.
    pub(super) fn key_variables(&self) -> Vec<String> {
        let mut variables: Vec<_> =
            self.endpoints.iter().flat_map(EndpointLayers::variables).map(str::to_owned).collect();
        variables.sort_unstable();
        variables.dedup();
        variables
    }

    /// The variables of a `.env` or of the environment. What an endpoint says itself lies above
    /// them: a variable speaks to all, as the keys at the top of the survey do.
    pub(super) fn add_variables(&mut self, variables: Vec<Variable>) -> Result<(), ConfigError> {
        for variable in variables {
            let Variable { name, value, origin } = &variable;
            let limits = &mut self.shared.limits;
            match name.as_str() {
                _ if value.is_empty() => {}
                "MAX_CONCURRENT_REQUESTS" => {
                    let slots = value
                        .parse()
                        .map_err(|_| {
                            format!("must be a whole number, such as 5, not {}", quoted(value))
                        })
                        .and_then(check_slots);
                    limits.slots.put(Some(at(origin, slots)?), origin);
                }
                "REQUESTS_PER_MINUTE" => {
                    limits.requests.put(Some(at(origin, parse_rate(value))?), origin);
                }
                "TOKENS_PER_MINUTE" => {
                    limits.tokens.put(Some(at(origin, parse_rate(value))?), origin);
                }
                "OPENAI_BASE_URL" => {
                    let url = at(origin, BaseUrl::parse(value))?;
                    self.shared.base_url.put(Some(url), origin);
                }
                "OPENAI_MODEL" => {
                    self.shared.model.put(Some(at(origin, line(value))?), origin);
                }
                // A variable that holds a key.
                _ => {}
            }
            self.secrets.add(variable);
        }
        Ok(())
    }

    /// The command line, which lies above what endpoints say themselves. The plan is the lowest of
    /// its values: `--concurrency` and `--rpm` say more.
    pub(super) fn add_flags(&mut self, flags: &Flags) -> Result<(), ConfigError> {
        if let Some(name) = &flags.plan {
            let plan = self.choose_plan(name, &Origin::Flag("--plan"))?;
            let origin = Origin::Plan(name.clone());
            self.each_limits().for_each(|limits| limits.put_plan(plan, &origin));
        }
        if let Some(slots) = flags.concurrency {
            let origin = Origin::Flag("--concurrency");
            let slots = at(&origin, check_slots(slots))?;
            self.each_limits().for_each(|limits| limits.slots.put(Some(slots), &origin));
        }
        if let Some(rate) = flags.rpm {
            let origin = Origin::Flag("--rpm");
            let rate = at(&origin, rate.check())?;
            self.each_limits().for_each(|limits| limits.requests.put(Some(rate), &origin));
        }
        if let Some(rate) = flags.tpm {
            let origin = Origin::Flag("--tpm");
            let rate = at(&origin, rate.check())?;
            self.each_limits().for_each(|limits| limits.tokens.put(Some(rate), &origin));
        }
        if let Some(model) = &flags.model {
            let origin = Origin::Flag("--model");
            let model = at(&origin, line(model))?;
            let own = self.endpoints.iter_mut().map(|endpoint| &mut endpoint.model);
            std::iter::once(&mut self.shared.model)
                .chain(own)
                .for_each(|layers| layers.put(Some(model.clone()), &origin));
        }
        if let Some(url) = &flags.base_url {
            let origin = Origin::Flag("--base-url");
            let url = at(&origin, BaseUrl::parse(url))?;
            let only = at(&origin, self.only_endpoint())?;
            only.base_url.put(Some(url.clone()), &origin);
            self.shared.base_url.put(Some(url), &origin);
        }
        if let Some(budget) = &flags.budget {
            let origin = Origin::Flag("--budget");
            let budget = at(&origin, Budget::check(Scalar::Text(budget)))?;
            self.budget.put(Some(budget.0), &origin);
        }
        if flags.no_adapt {
            self.adapt.put(Some(false), &Origin::Flag("--no-adapt"));
        }
        if flags.no_cache {
            self.cache_on.put(Some(false), &Origin::Flag("--no-cache"));
        }
        if flags.batch {
            self.batch.put(Some(true), &Origin::Flag("--batch"));
        }
        Ok(())
    }

    /// The limits at the top and those of each endpoint.
    fn each_limits(&mut self) -> impl Iterator<Item = &mut LimitLayers> {
        let own = self.endpoints.iter_mut().map(|endpoint| &mut endpoint.limits);
        std::iter::once(&mut self.shared.limits).chain(own)
    }

    /// The endpoint that a URL is for: one URL cannot be that of several.
    fn only_endpoint(&mut self) -> Result<&mut EndpointLayers, String> {
        let names: Vec<_> = self.endpoints.iter().filter_map(|e| e.name.clone()).collect();
        match &mut self.endpoints[..] {
            [only] => Ok(only),
            all => Err(format!(
                "is the URL of one endpoint, and here are {}: {}; write `base_url:` at the endpoint \
                 that it is for",
                all.len(),
                names.join(", ")
            )),
        }
    }

    fn choose_plan(&mut self, name: &str, origin: &Origin) -> Result<&'static Plan, ConfigError> {
        let plan = at(origin, plans::find(name))?;
        self.plan.put(Some(name.to_owned()), origin);
        Ok(plan)
    }
}

/// Names the place of a value that cannot be used.
fn at<T>(origin: &Origin, checked: Result<T, String>) -> Result<T, ConfigError> {
    checked.map_err(|problem| ConfigError::Value { origin: origin.clone(), problem })
}

fn check_slots(value: i64) -> Result<Slots, String> {
    Slots::try_from(value)
        .map_err(|_| format!("must be a whole number from 1 to {}, not {value}", Slots::MAX))
}

fn parse_rate(text: &str) -> Result<Option<PerMinute>, String> {
    text.parse::<RateFlag>().map_err(|problem| problem.to_string())?.check()
}

fn line(text: &str) -> Result<String, String> {
    Line::check(Scalar::Text(text)).map(|line| line.0)
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
