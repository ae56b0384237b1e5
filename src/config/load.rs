//! Puts the layers on top of each other: default < survey file < `.env` < environment < flags.

use super::{
    Config, ConfigError, EXAMPLE_SURVEY, Origin, RateFlag, RunSettings, dotenv, layers::Layers,
    place::Source, survey_file, text_file::read_text,
};
use crate::model::Survey;
use std::path::Path;

/// What the command line overrules. There is none for the key: arguments are there for everybody
/// to see (`ps`).
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub concurrency: Option<i64>,
    pub rpm: Option<RateFlag>,
    pub tpm: Option<RateFlag>,
    pub model: Option<String>,
    pub base_url: Option<String>,
    pub plan: Option<String>,
    /// In US dollars.
    pub budget: Option<String>,
    pub no_adapt: bool,
    pub no_cache: bool,
    pub batch: bool,
}

/// Whether there must be keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// Every key is fetched from where it is, or there is no configuration: for a run.
    #[default]
    Fetched,
    /// Where nothing is sent. Variables and files are looked at, no command is started, and what
    /// is wrong with a key is in [`Config::key_problems`].
    LookedAt,
}

/// Where the layers are read from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub survey: &'a Path,
    /// The folder whose `.env` counts; none there is fine.
    pub dotenv_dir: &'a Path,
    /// A variable of the environment by its name.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    pub flags: &'a Flags,
    pub keys: Keys,
}

/// The configuration of a new run.
///
/// # Errors
/// The first thing that is wrong, with its file and line, key and remedy.
pub fn load(sources: &Sources<'_>) -> Result<Config, ConfigError> {
    load_text(&read_text(sources.survey)?, sources)
}

/// The same for the text of a survey; `sources.survey` is only the name that messages use.
///
/// # Errors
/// As [`load`].
pub fn load_text(survey: &str, sources: &Sources<'_>) -> Result<Config, ConfigError> {
    let mut warnings = Vec::new();
    let mut layers = survey_layers(survey, sources.survey)?;
    let keys = layers.key_variables();
    layers.add_variables(dotenv::of_dotenv(sources.dotenv_dir, &keys, &mut warnings)?)?;
    layers.add_variables(dotenv::of_environment(sources.environment, &keys))?;
    layers.secrets.fetch_from((sources.environment)("HOME"), sources.keys);
    layers.add_flags(sources.flags)?;
    layers.finish(warnings)
}

/// The configuration of the demo: the bundled survey and the flags. Neither the environment nor
/// a `.env` has a say, so that it runs alike everywhere.
///
/// # Errors
/// Only what is wrong with the flags.
pub fn load_demo(flags: &Flags) -> Result<Config, ConfigError> {
    let name = Path::new("config/example/survey.yaml");
    let mut layers = survey_layers(EXAMPLE_SURVEY, name)?;
    layers.add_flags(flags)?;
    layers.finish(Vec::new())
}

/// A survey alone, without its settings, from the text of its file.
///
/// # Errors
/// As [`load`], but no key is asked for.
pub fn load_survey_str(text: &str, path_for_messages: &Path) -> Result<Survey, ConfigError> {
    survey_layers(text, path_for_messages)?.survey()
}

/// The configuration of a run that goes on: what its file kept, overruled by the flags. Of `.env`
/// and environment only the keys count, so that a run does not change its terms because it goes
/// on from elsewhere. `sources.survey` is the run file.
///
/// # Errors
/// As [`load`].
pub fn load_resumed(
    survey: Survey,
    kept: &RunSettings,
    sources: &Sources<'_>,
) -> Result<Config, ConfigError> {
    let mut warnings = Vec::new();
    let run_file = sources.survey.to_owned();
    let mut layers = Layers::new(Source { file: run_file.clone(), text: None });
    layers.add_kept(survey, kept, &Origin::File(run_file))?;
    let keys = layers.key_variables();
    let mut variables = dotenv::of_dotenv(sources.dotenv_dir, &keys, &mut warnings)?;
    variables.extend(dotenv::of_environment(sources.environment, &keys));
    variables.retain(|variable| variable.name == "OPENAI_API_KEY" || keys.contains(&variable.name));
    layers.add_variables(variables)?;
    layers.secrets.fetch_from((sources.environment)("HOME"), sources.keys);
    layers.add_flags(sources.flags)?;
    layers.finish(warnings)
}

/// The two lowest layers: the defaults, and a survey file on top.
fn survey_layers(text: &str, file: &Path) -> Result<Layers, ConfigError> {
    let mut layers = Layers::new(Source { file: file.to_owned(), text: Some(text.to_owned()) });
    let defaults = survey_file::parse(DEFAULTS, Path::new("config/defaults.yaml"))?;
    layers.add_file(defaults, &Origin::Default)?;
    layers.add_file(survey_file::parse(text, file)?, &Origin::File(file.to_owned()))?;
    Ok(layers)
}

const DEFAULTS: &str = include_str!("../../config/defaults.yaml");
