//! What a run is configured with, and where each value came from.

use super::{ConfigError, KeySource, RunSettings, place::Source};
use crate::model::{
    CacheSettings, EndpointKind, Guessed, Limits, Price, Survey, Usd, strip_controls,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32, path::PathBuf, time::Duration};

/// Everything a run needs, validated once. Its `Debug` hides the keys.
#[derive(Clone, Debug)]
pub struct Config {
    /// With the effective model of the first endpoint in it.
    pub survey: Survey,
    /// Never empty. Without a list in the survey it is one, made of the keys at the top.
    pub endpoints: Vec<EndpointSettings>,
    pub retry: RetryBounds,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The name of the plan that was chosen, where one was.
    pub plan: Option<String>,
    /// The most that the run may cost. Where it is set, every endpoint has a price.
    pub budget: Option<Usd>,
    /// Whether limits follow what the provider shows of itself.
    pub adapt: bool,
    pub cache: CacheSettings,
    /// Whether the calls go out in batches.
    pub batch: bool,
    /// Every setting with its origin, in the order in which a screen lists them.
    pub settings: Vec<Setting>,
    /// What is allowed but probably not meant; one sentence each.
    pub warnings: Vec<String>,
    /// What is wrong with keys, where it was enough to look: a run would not start.
    pub key_problems: Vec<String>,
    pub(super) kept: RunSettings,
    pub(super) source: Source,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// For people: the survey's name for it, else host and port (`api.openai.com`).
    pub name: String,
    pub kind: EndpointKind,
    /// Without a query and without a slash at the end.
    pub base_url: String,
    /// What goes behind the `?`: Azure's `api-version=...`.
    pub query: Option<String>,
    /// `None` only where the endpoint may do without, or where nobody asked for it.
    pub key: Option<SecretString>,
    pub key_source: KeySource,
    pub model: String,
    /// `None` where it is neither in the survey nor in `config/prices.yaml`.
    pub price: Option<Price>,
    /// Requests and tokens a minute are those of all in its group that ask for its model.
    pub limits: Limits,
    /// Which of the limits nobody has spelled out.
    pub guessed: Guessed,
    /// Its share beside that of others that could start a call as soon.
    pub weight: NonZeroU32,
    /// Sent with every request; some hold secrets.
    pub headers: Vec<(String, SecretString)>,
    /// The endpoints of a group share one quota for each model.
    pub group: Option<String>,
    /// Whether the provider charges the output cap at admission, not what is used.
    pub charges_cap: bool,
}

/// How long a call is retried: whichever bound is reached first ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryBounds {
    /// Attempts in all, the first included.
    pub attempts: u32,
    pub total: Duration,
}

/// One setting as `voxpop check` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key of the survey file, such as `limits.slots`, or `endpoints.main.limits.slots`.
    pub name: String,
    /// Of the API key only whether it is set, never its text.
    pub value: String,
    pub origin: Origin,
}

/// Where a value came from. Its text names a place that a user can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// The survey file, or the run file where a run is resumed.
    File(PathBuf),
    Plan(String),
    /// A limit that the run file keeps as a first guess.
    Guess(PathBuf),
    /// A price of `config/prices.yaml`, under the name it has there.
    PriceTable(&'static str),
    /// The address is one's own.
    OwnServer,
    /// The base URL tells.
    BaseUrl,
    DotEnv {
        variable: String,
        file: PathBuf,
        line: usize,
    },
    Environment {
        variable: String,
    },
    KeyFile(PathBuf),
    KeyCommand(String),
    /// With its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file) => file.display().fmt(f),
            Self::Plan(name) => write!(f, "plan {name}"),
            Self::Guess(file) => write!(f, "{}, a first guess", file.display()),
            Self::PriceTable(model) => write!(f, "price table, {model}"),
            Self::OwnServer => f.write_str("a server of one's own"),
            Self::BaseUrl => f.write_str("its base_url"),
            Self::DotEnv { variable, file, line } => {
                write!(f, "{variable} in {}:{line}", file.display())
            }
            Self::Environment { variable } => write!(f, "{variable} in the environment"),
            Self::KeyFile(file) => write!(f, "the file {}", file.display()),
            Self::KeyCommand(command) => write!(f, "the command `{}`", strip_controls(command)),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl Origin {
    /// Whether a limit from there is a first guess: nobody has spelled it out.
    pub(super) const fn is_guess(&self) -> bool {
        matches!(self, Self::Default | Self::Plan(_) | Self::Guess(_))
    }
}

impl Config {
    /// The part that the run file keeps.
    pub fn run_settings(&self) -> RunSettings {
        self.kept.clone()
    }

    /// What is wrong with the budget, with the place where it stands.
    pub fn budget_error(&self, problem: String) -> ConfigError {
        let budget = self.settings.iter().find(|setting| setting.name == "budget");
        let origin = budget.map_or(Origin::Default, |setting| setting.origin.clone());
        self.source.error_of("budget", &origin, problem)
    }

    /// Whose Batch API takes a run's calls: the first endpoint that has one.
    pub fn batch_endpoint(&self) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| endpoint.kind.has_batches())
    }

    /// Whether the survey has a list of endpoints.
    pub fn is_listed(&self) -> bool {
        self.kept.endpoints.iter().any(|endpoint| endpoint.name.is_some())
    }
}
