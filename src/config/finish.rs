//! The last step: from layers to a configuration that is checked as a whole.

use super::{
    Config, ConfigError, Origin, RetryBounds, RunSettings, Setting,
    endpoint_layers::{SharedLayers, look_through},
    endpoints::{self, Ready},
    layers::Layers,
    place::Step,
    plans::plans,
    prices::embeddings_price,
    review::{themes_of_domain, topics_of_domain},
};
use crate::model::{
    CacheLimits, CacheSettings, Grid, PerMinute, PromptTemplates, Review, ReviewMode, Summarizing,
    SummaryMode, Survey, Topic,
};
use std::time::Duration;

impl Layers {
    /// The survey, without its limits and its endpoint.
    pub(super) fn survey(&self) -> Result<Survey, ConfigError> {
        let (question, _) = self
            .question
            .0
            .clone()
            .ok_or_else(|| ConfigError::NoQuestion(self.source.file.clone()))?;
        let own = self.templates.iter().map(|(name, (text, _))| (*name, text.clone()));
        Ok(Survey {
            name: self.name_or_stem().0,
            question,
            domain: self.domain.get().0.clone(),
            grid: Grid {
                support: self.support.get().0.clone(),
                impacts: self.impacts.get().0.0.clone(),
            },
            model: self.first_model(),
            temperature: self.temperature.get().0,
            max_output_tokens: self.max_output_tokens.get().0,
            prompts: PromptTemplates(own.collect()),
            review: Review {
                mode: self.review.get().0,
                follow_ups: self.follow_ups.get().0,
                topics: self.topics_or_domains().0,
            },
            pack: self.pack.get().0,
            summary: Summarizing {
                mode: self.summary_or_reviews().0,
                themes: self.themes_or_domains().0,
            },
        })
    }

    /// The topics that an answer must speak of: the survey's own, or those of its domain.
    fn topics_or_domains(&self) -> (Vec<Topic>, Origin) {
        self.topics.0.clone().unwrap_or_else(|| {
            let (domain, origin) = self.domain.get();
            (topics_of_domain(domain), origin.clone())
        })
    }

    /// The themes that are counted: the survey's own, or those of its domain.
    fn themes_or_domains(&self) -> (Vec<Topic>, Origin) {
        self.themes.0.clone().unwrap_or_else(|| {
            let (domain, origin) = self.domain.get();
            (themes_of_domain(domain), origin.clone())
        })
    }

    /// How the answers are summarized where the survey does not say so: who wants no call beside
    /// the answers, as without reviews, gets a summary that takes none.
    fn summary_or_reviews(&self) -> (SummaryMode, Origin) {
        self.summary.0.clone().unwrap_or_else(|| match self.review.get() {
            (ReviewMode::Off, origin) => (SummaryMode::Words, origin.clone()),
            _ => (SummaryMode::Model, Origin::Default),
        })
    }

    fn name_or_stem(&self) -> (String, Origin) {
        self.name.0.clone().unwrap_or_else(|| {
            let stem = self.source.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            (stem.unwrap_or_else(|| "survey".to_owned()), Origin::Default)
        })
    }

    /// The model of the first endpoint.
    fn first_model(&self) -> String {
        let own = self.endpoints.first().and_then(|endpoint| endpoint.model.0.as_ref());
        own.unwrap_or_else(|| self.shared.model.get()).0.clone()
    }

    /// The whole configuration, checked as a whole. Keys are fetched here.
    pub(super) fn finish(mut self, mut warnings: Vec<String>) -> Result<Config, ConfigError> {
        let survey = self.survey()?;
        let budget = self.budget.0.as_ref();
        let endpoints = look_through(&self.endpoints, &self.shared);
        // Before any command is asked for a key.
        for endpoint in &endpoints {
            endpoints::check_budget(endpoint, &self.source, budget, &mut warnings)?;
        }
        let ready = endpoints
            .into_iter()
            .map(|endpoint| {
                endpoints::make_ready(endpoint, &self.source, &mut self.secrets, &mut warnings)
            })
            .collect::<Result<Vec<_>, _>>()?;
        endpoints::same_quota(&ready, &mut warnings);
        self.check_embeddings(&ready)?;
        warnings.append(&mut self.secrets.warnings);
        let key_problems = std::mem::take(&mut self.secrets.problems);
        warnings.extend(self.above_ceiling(&ready));
        warnings.extend(self.unheard(&ready));
        warnings.extend((survey.pack > 1).then(|| {
            format!(
                "pack: {} puts several personas into one call, where they see one another and \
                 drift together: their answers are marked, and fewer of them are independent; \
                 leave pack out where that matters",
                survey.pack
            )
        }));
        let settings = self.settings(&ready);
        let retry =
            RetryBounds { attempts: self.attempts.get().0, total: self.retry_seconds.get().0 };
        let timeout = self.timeout_seconds.get().0;
        let cache = self.cache();
        let plan = self.plan.0.map(|(name, _)| name);
        let budget = self.budget.0.map(|(budget, _)| budget);
        let adapt = self.adapt.get().0;
        let (batch, batch_origin) = self.batch.get().clone();
        if batch && !ready.iter().any(|ready| ready.settings.kind.has_batches()) {
            let kinds: Vec<_> = ready.iter().map(|ready| ready.settings.kind.as_str()).collect();
            let problem = format!(
                "asks for the Batch API, and no endpoint has one ({} has none): take it out, or \
                 add an endpoint of kind openai or azure",
                kinds.join(", ")
            );
            return Err(self.source.error_of("batch", &batch_origin, problem));
        }
        if batch && cache.on && cache.similar.is_some() {
            warnings.push(
                "`cache: {similar}` does nothing for calls in batches: they neither ask the cache \
                 nor fill it, and every answer is judged by itself"
                    .to_owned(),
            );
        }
        let kept = RunSettings {
            endpoints: ready.iter().map(Ready::kept).collect(),
            retry,
            timeout,
            plan: plan.clone(),
            budget,
            adapt,
            cache: cache.clone(),
            batch,
        };
        Ok(Config {
            survey,
            endpoints: ready.into_iter().map(|ready| ready.settings).collect(),
            retry,
            timeout,
            plan,
            budget,
            adapt,
            cache,
            batch,
            settings,
            warnings,
            key_problems,
            kept,
            source: self.source,
        })
    }

    fn cache(&self) -> CacheSettings {
        CacheSettings {
            on: self.cache_on.get().0,
            limits: CacheLimits {
                megabytes: self.cache_megabytes.get().0,
                days: self.cache_days.get().0,
            },
            similar: self.similar.0.as_ref().map(|(similar, _)| *similar),
            embeddings: self.embeddings.0.as_ref().map(|(model, _)| model.clone()),
        }
    }

    /// A budget is only as good as the prices that it is counted with.
    fn check_embeddings(&self, endpoints: &[Ready]) -> Result<(), ConfigError> {
        let (Some((model, origin)), Some(_), Some(first)) =
            (&self.embeddings.0, &self.budget.0, endpoints.first())
        else {
            return Ok(());
        };
        if embeddings_price(model, first.settings.price).is_some() {
            return Ok(());
        }
        let problem = format!(
            "the price of {model} is not known, and a budget cannot be kept without it: take \
             embeddings or the budget out, or name a model that `config/prices.yaml` lists, such as \
             text-embedding-3-small"
        );
        Err(match origin {
            Origin::File(_) => {
                self.source.error(&[Step::Key("cache"), Step::Key("embeddings")], problem)
            }
            _ => ConfigError::Value { origin: origin.clone(), problem },
        })
    }

    /// A rate that the plan would not allow, where an endpoint goes by it.
    fn above_ceiling(&self, endpoints: &[Ready]) -> Option<String> {
        let (plan, _) = self.plan.0.as_ref()?;
        let ceiling = plans().get(plan)?.ceiling;
        let shared = self.shared.limits.requests.origin();
        let goes_by_plan =
            |endpoint: &&Ready| !endpoint.is_listed() || shared == Some(&endpoint.requests().1);
        let (rate, origin) = endpoints.iter().find(goes_by_plan)?.requests();
        rate.is_none_or(|rate| rate > ceiling).then(|| {
            format!(
                "{} requests/min ({origin}) is above the ceiling of plan {plan}, {ceiling} \
                 requests/min: expect 429s, or ask for {ceiling} or less",
                show_rate(*rate)
            )
        })
    }

    /// Variables that change nothing, because every endpoint says itself what they would.
    fn unheard(&self, endpoints: &[Ready]) -> Vec<String> {
        let SharedLayers { model, base_url, limits } = &self.shared;
        let set = [
            model.origin(),
            base_url.origin(),
            limits.slots.origin(),
            limits.requests.origin(),
            limits.tokens.origin(),
        ];
        let counts = |origin: &Origin| endpoints.iter().any(|e| e.origins().contains(&origin));
        let of_variable =
            |origin: &&Origin| matches!(origin, Origin::DotEnv { .. } | Origin::Environment { .. });
        set.into_iter()
            .flatten()
            .filter(of_variable)
            .filter(|origin| !counts(origin))
            .map(|origin| format!("{origin} changes nothing: every endpoint has its own"))
            .collect()
    }

    fn settings(&self, endpoints: &[Ready]) -> Vec<Setting> {
        let mut settings = Vec::new();
        let mut show = |name: &str, (value, origin): (String, Origin)| {
            settings.push(Setting { name: name.to_owned(), value, origin });
        };
        let (impacts, origin) = self.impacts.get();
        let labels: Vec<_> = impacts.0.iter().map(|dimension| dimension.label.as_str()).collect();
        let (topics, topics_origin) = self.topics_or_domains();
        let topics: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let (themes, themes_origin) = self.themes_or_domains();
        let themes: Vec<_> = themes.iter().map(|theme| theme.name.as_str()).collect();
        let none = |what: &str| (what.to_owned(), Origin::Default);

        show("name", self.name_or_stem());
        show("domain", text(self.domain.get()));
        show("grid.support", text(self.support.get()));
        show("grid.impacts", (format!("[{}]", labels.join(", ")), origin.clone()));
        show("review", text(self.review.get()));
        show("follow_ups", text(self.follow_ups.get()));
        show("topics", (format!("[{}]", topics.join(", ")), topics_origin));
        show("pack", text(self.pack.get()));
        show("summary", text(&self.summary_or_reviews()));
        show("themes", (format!("[{}]", themes.join(", ")), themes_origin));
        if self.templates.is_empty() {
            show("prompts", none("built-in"));
        }
        for (name, (_, origin)) in &self.templates {
            show(name.key(), ("the survey's own".to_owned(), origin.clone()));
        }
        show("temperature", text(self.temperature.get()));
        show("max_output_tokens", text(self.max_output_tokens.get()));
        show("plan", self.plan.0.clone().unwrap_or_else(|| none("none")));
        for endpoint in endpoints {
            endpoint.shown().into_iter().for_each(|(key, shown)| show(&key, shown));
        }
        show("retry.attempts", text(self.attempts.get()));
        show("retry.seconds", seconds(self.retry_seconds.get()));
        show("timeout_seconds", seconds(self.timeout_seconds.get()));
        show("budget", self.budget.0.as_ref().map_or_else(|| none("none"), text));
        show("adapt", text(self.adapt.get()));
        show("cache.on", text(self.cache_on.get()));
        show("cache.size_mb", text(self.cache_megabytes.get()));
        show("cache.days", text(self.cache_days.get()));
        show("cache.similar", self.similar.0.as_ref().map_or_else(|| none("off"), text));
        show("cache.embeddings", self.embeddings.0.as_ref().map_or_else(|| none("off"), text));
        show("batch", text(self.batch.get()));
        settings
    }
}

/// A value with its origin, as a screen shows both.
pub(super) fn text<T: ToString>((value, origin): &(T, Origin)) -> (String, Origin) {
    (value.to_string(), origin.clone())
}

pub(super) fn rate((rate, origin): &(Option<PerMinute>, Origin)) -> (String, Origin) {
    (show_rate(*rate), origin.clone())
}

fn seconds((time, origin): &(Duration, Origin)) -> (String, Origin) {
    (time.as_secs().to_string(), origin.clone())
}

fn show_rate(rate: Option<PerMinute>) -> String {
    rate.map_or_else(|| "unlimited".to_owned(), |rate| rate.to_string())
}
