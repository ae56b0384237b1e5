//! The layers of a configuration, put on top of each other one value at a time.

use super::{
    Config, ConfigError, EndpointSettings, Flags, Origin, RateFlag, RetryBounds, RunSettings,
    Setting,
    base_url::BaseUrl,
    dotenv::Variable,
    key,
    plans::{self, plans},
    scalar::{Checked, Line, Scalar, quoted},
    survey_file::{Impacts, SurveyFile},
};
use crate::model::{Grid, Limits, PerMinute, PromptTemplates, Slots, Survey};
use secrecy::SecretString;
use std::{path::Path, time::Duration};

/// A value that some layer has set, and which one was the last to do so.
#[derive(Debug)]
struct Layered<T>(Option<(T, Origin)>);

impl<T> Default for Layered<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Layered<T> {
    fn put(&mut self, value: Option<T>, origin: &Origin) {
        if let Some(value) = value {
            self.0 = Some((value, origin.clone()));
        }
    }

    /// For what `config/defaults.yaml` or the run file always sets.
    fn get(&self) -> &(T, Origin) {
        self.0.as_ref().expect("the lowest layer sets every value, and a test loads it")
    }
}

/// What has been put together so far.
#[derive(Debug, Default)]
pub(super) struct Layers {
    name: Layered<String>,
    question: Layered<String>,
    domain: Layered<String>,
    support: Layered<String>,
    impacts: Layered<Impacts>,
    model: Layered<String>,
    temperature: Layered<f64>,
    max_output_tokens: Layered<u32>,
    system: Layered<String>,
    user: Layered<String>,
    slots: Layered<Slots>,
    requests: Layered<Option<PerMinute>>,
    tokens: Layered<Option<PerMinute>>,
    base_url: Layered<BaseUrl>,
    key: Layered<SecretString>,
    plan: Layered<String>,
    attempts: Layered<u32>,
    retry_seconds: Layered<Duration>,
    timeout_seconds: Layered<Duration>,
}

impl Layers {
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
        self.model.put(file.model.map(|line| line.0), origin);
        self.temperature.put(file.temperature.map(|number| number.0), origin);
        self.max_output_tokens.put(file.max_output_tokens.map(|number| number.get()), origin);
        self.system.put(file.prompts.system.map(|template| template.0), origin);
        self.user.put(file.prompts.user.map(|template| template.0), origin);
        if let Some(plan) = file.plan {
            self.add_plan(&plan.0, origin)?;
        }
        self.slots.put(file.limits.slots.map(|n| Slots::clamped(n.get().into())), origin);
        self.requests.put(file.limits.requests_per_minute.map(|rate| rate.0), origin);
        self.tokens.put(file.limits.tokens_per_minute.map(|rate| rate.0), origin);
        self.base_url.put(file.base_url, origin);
        self.attempts.put(file.retry.attempts.map(|n| n.get()), origin);
        self.retry_seconds.put(file.retry.seconds.map(|n| seconds(n.get())), origin);
        self.timeout_seconds.put(file.timeout_seconds.map(|n| seconds(n.get())), origin);
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
        self.system.put(survey.prompts.system, origin);
        self.user.put(survey.prompts.user, origin);
        self.model.put(Some(kept.model.clone()), origin);
        self.slots.put(Some(kept.limits.slots), origin);
        self.requests.put(Some(kept.limits.requests_per_minute), origin);
        self.tokens.put(Some(kept.limits.tokens_per_minute), origin);
        self.base_url.put(Some(at(origin, BaseUrl::parse(&kept.base_url))?), origin);
        self.plan.put(kept.plan.clone(), origin);
        self.attempts.put(Some(kept.retry.attempts), origin);
        self.retry_seconds.put(Some(kept.retry.total), origin);
        self.timeout_seconds.put(Some(kept.timeout), origin);
        Ok(())
    }

    /// The variables of a `.env` or of the environment.
    pub(super) fn add_variables(&mut self, variables: Vec<Variable>) -> Result<(), ConfigError> {
        for Variable { name, value, origin } in variables {
            match name {
                "MAX_CONCURRENT_REQUESTS" => {
                    let slots = value
                        .parse()
                        .map_err(|_| {
                            format!("must be a whole number, such as 5, not {}", quoted(&value))
                        })
                        .and_then(check_slots);
                    self.slots.put(Some(at(&origin, slots)?), &origin);
                }
                "REQUESTS_PER_MINUTE" => {
                    self.requests.put(Some(at(&origin, parse_rate(&value))?), &origin);
                }
                "TOKENS_PER_MINUTE" => {
                    self.tokens.put(Some(at(&origin, parse_rate(&value))?), &origin);
                }
                "OPENAI_API_KEY" => self.key.put(Some(at(&origin, key::check(value))?), &origin),
                "OPENAI_BASE_URL" => {
                    self.base_url.put(Some(at(&origin, BaseUrl::parse(&value))?), &origin);
                }
                "OPENAI_MODEL" => self.model.put(Some(at(&origin, line(&value))?), &origin),
                _ => unreachable!("VARIABLES has no other name"),
            }
        }
        Ok(())
    }

    /// The command line. The plan is the lowest of its values: `--concurrency` and `--rpm` say
    /// more.
    pub(super) fn add_flags(&mut self, flags: &Flags) -> Result<(), ConfigError> {
        if let Some(plan) = &flags.plan {
            self.add_plan(plan, &Origin::Flag("--plan"))?;
        }
        if let Some(slots) = flags.concurrency {
            let origin = Origin::Flag("--concurrency");
            self.slots.put(Some(at(&origin, check_slots(slots))?), &origin);
        }
        if let Some(rate) = flags.rpm {
            let origin = Origin::Flag("--rpm");
            self.requests.put(Some(at(&origin, rate.check())?), &origin);
        }
        if let Some(rate) = flags.tpm {
            let origin = Origin::Flag("--tpm");
            self.tokens.put(Some(at(&origin, rate.check())?), &origin);
        }
        if let Some(model) = &flags.model {
            let origin = Origin::Flag("--model");
            self.model.put(Some(at(&origin, line(model))?), &origin);
        }
        if let Some(url) = &flags.base_url {
            let origin = Origin::Flag("--base-url");
            self.base_url.put(Some(at(&origin, BaseUrl::parse(url))?), &origin);
        }
        Ok(())
    }

    fn add_plan(&mut self, name: &str, origin: &Origin) -> Result<(), ConfigError> {
        let plan = at(origin, plans::find(name))?;
        let of_plan = Origin::Plan(name.to_owned());
        self.plan.put(Some(name.to_owned()), origin);
        self.slots.put(Some(plan.slots), &of_plan);
        self.requests.put(Some(Some(plan.requests_per_minute)), &of_plan);
        Ok(())
    }

    /// The survey, without its limits and its endpoint.
    pub(super) fn survey(&self, file: &Path) -> Result<Survey, ConfigError> {
        let (question, _) =
            self.question.0.clone().ok_or_else(|| ConfigError::NoQuestion(file.to_owned()))?;
        let own = |template: &Layered<String>| template.0.as_ref().map(|(text, _)| text.clone());
        Ok(Survey {
            name: self.name_or_stem(file).0,
            question,
            domain: self.domain.get().0.clone(),
            grid: Grid {
                support: self.support.get().0.clone(),
                impacts: self.impacts.get().0.0.clone(),
            },
            model: self.model.get().0.clone(),
            temperature: self.temperature.get().0,
            max_output_tokens: self.max_output_tokens.get().0,
            prompts: PromptTemplates { system: own(&self.system), user: own(&self.user) },
        })
    }

    fn name_or_stem(&self, file: &Path) -> (String, Origin) {
        self.name.0.clone().unwrap_or_else(|| {
            let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            (stem.unwrap_or_else(|| "survey".to_owned()), Origin::Default)
        })
    }

    /// The whole configuration, checked as a whole.
    pub(super) fn finish(
        self,
        file: &Path,
        mut warnings: Vec<String>,
    ) -> Result<Config, ConfigError> {
        let survey = self.survey(file)?;
        let base_url = &self.base_url.get().0;
        let key = self.key.0.as_ref().map(|(key, _)| key.clone());
        match &key {
            None if !base_url.is_private() => {
                return Err(ConfigError::NoKey { endpoint: base_url.to_string() });
            }
            Some(_) if base_url.is_plain_http() && !base_url.is_private() => warnings.push(format!(
                "the API key travels unencrypted to {base_url}; use https:// if the server has it"
            )),
            _ => {}
        }
        warnings.extend(self.above_ceiling());
        let settings = self.settings(file);
        Ok(Config {
            endpoint: EndpointSettings {
                name: base_url.name(),
                base_url: base_url.to_string(),
                key,
                model: survey.model.clone(),
            },
            survey,
            limits: Limits {
                slots: self.slots.get().0,
                requests_per_minute: self.requests.get().0,
                tokens_per_minute: self.tokens.get().0,
            },
            retry: RetryBounds {
                attempts: self.attempts.get().0,
                total: self.retry_seconds.get().0,
            },
            timeout: self.timeout_seconds.get().0,
            plan: self.plan.0.map(|(name, _)| name),
            settings,
            warnings,
        })
    }

    fn above_ceiling(&self) -> Option<String> {
        let (plan, _) = self.plan.0.as_ref()?;
        let ceiling = plans().get(plan)?.ceiling;
        let (rate, origin) = self.requests.get();
        rate.is_none_or(|rate| rate > ceiling).then(|| {
            format!(
                "{} requests/min ({origin}) is above the ceiling of plan {plan}, {ceiling} \
                 requests/min: expect 429s, or ask for {ceiling} or less",
                show_rate(*rate)
            )
        })
    }

    fn settings(&self, file: &Path) -> Vec<Setting> {
        let mut settings = Vec::new();
        let mut show = |name, (value, origin): (String, Origin)| {
            settings.push(Setting { name, value, origin });
        };
        fn text<T: ToString>((value, origin): &(T, Origin)) -> (String, Origin) {
            (value.to_string(), origin.clone())
        }
        fn optional<T>(
            value: &Layered<T>,
            set: impl Fn(&(T, Origin)) -> String,
            unset: &str,
        ) -> (String, Origin) {
            value.0.as_ref().map_or_else(
                || (unset.to_owned(), Origin::Default),
                |both| (set(both), both.1.clone()),
            )
        }
        let rate =
            |(value, origin): &(Option<PerMinute>, Origin)| (show_rate(*value), origin.clone());
        let time =
            |(value, origin): &(Duration, Origin)| (value.as_secs().to_string(), origin.clone());
        let (impacts, origin) = self.impacts.get();
        let labels: Vec<_> = impacts.0.iter().map(|dimension| dimension.label.as_str()).collect();

        show("name", self.name_or_stem(file));
        show("domain", text(self.domain.get()));
        show("grid.support", text(self.support.get()));
        show("grid.impacts", (format!("[{}]", labels.join(", ")), origin.clone()));
        show("prompts.system", optional(&self.system, |_| "the survey's own".into(), "built-in"));
        show("prompts.user", optional(&self.user, |_| "the survey's own".into(), "built-in"));
        show("model", text(self.model.get()));
        show("temperature", text(self.temperature.get()));
        show("max_output_tokens", text(self.max_output_tokens.get()));
        show("base_url", text(self.base_url.get()));
        let set = |(_, origin): &(SecretString, Origin)| format!("set, from {origin}");
        show("api_key", optional(&self.key, set, "not set, and not needed here"));
        show("plan", optional(&self.plan, |(name, _)| name.clone(), "none"));
        show("limits.slots", text(self.slots.get()));
        show("limits.requests_per_minute", rate(self.requests.get()));
        show("limits.tokens_per_minute", rate(self.tokens.get()));
        show("retry.attempts", text(self.attempts.get()));
        show("retry.seconds", time(self.retry_seconds.get()));
        show("timeout_seconds", time(self.timeout_seconds.get()));
        settings
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

fn show_rate(rate: Option<PerMinute>) -> String {
    rate.map_or_else(|| "unlimited".to_owned(), |rate| rate.to_string())
}
