//! What a run is configured with, and where each value came from.

use crate::model::{Limits, Survey};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, time::Duration};

/// Everything a run needs, validated once. Its `Debug` hides the key.
#[derive(Clone, Debug)]
pub struct Config {
    /// With the effective model in it.
    pub survey: Survey,
    pub endpoint: EndpointSettings,
    pub limits: Limits,
    pub retry: RetryBounds,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The name of the plan that was chosen, where one was.
    pub plan: Option<String>,
    /// Every setting with its origin, in the order in which a screen lists them.
    pub settings: Vec<Setting>,
    /// What is allowed but probably not meant; one sentence each.
    pub warnings: Vec<String>,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// Host and port, for people: `api.openai.com`, `127.0.0.1:8080`.
    pub name: String,
    /// Without a trailing slash.
    pub base_url: String,
    /// `None` only where the endpoint is private, so that it may do without.
    pub key: Option<SecretString>,
    pub model: String,
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
    /// The key of the survey file, such as `limits.slots`.
    pub name: &'static str,
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
    DotEnv {
        variable: &'static str,
        file: PathBuf,
        line: usize,
    },
    Environment {
        variable: &'static str,
    },
    /// With its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file) => file.display().fmt(f),
            Self::Plan(name) => write!(f, "plan {name}"),
            Self::DotEnv { variable, file, line } => {
                write!(f, "{variable} in {}:{line}", file.display())
            }
            Self::Environment { variable } => write!(f, "{variable} in the environment"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// What the run file keeps of a configuration so that a resumed run goes on under the same terms.
/// It has no room for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSettings {
    pub base_url: String,
    pub model: String,
    pub limits: Limits,
    pub retry: RetryBounds,
    pub timeout: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl Config {
    /// The part that the run file keeps.
    pub fn run_settings(&self) -> RunSettings {
        RunSettings {
            base_url: self.endpoint.base_url.clone(),
            model: self.endpoint.model.clone(),
            limits: self.limits,
            retry: self.retry,
            timeout: self.timeout,
            plan: self.plan.clone(),
        }
    }
}
