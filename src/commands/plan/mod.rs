//! `voxpop plan`: what a run will take, before anything is sent.
//!
//! ```text
//! survey, personas -> sample -> TokenCounter -> Work -> Forecast a set of limits -> words or JSON
//! ```

mod json;
mod outlook;
mod sample;
mod words;

use super::preparation::check_prompts;
use crate::{
    cli::{PlanArgs, SurveyArgs},
    config::{self, Config},
    error::{Exit, Problem},
    model::strip_controls_keep_lines,
};
use outlook::Outlook;
use sample::Sample;
use std::{io::Write, path::Path};

pub(super) fn plan(args: &PlanArgs) -> Result<Exit, Problem> {
    let config = load(&args.survey)?;
    let prompts = check_prompts(&config.survey)?;
    let sample = Sample::read(&args.survey.personas)?;
    let outlook = Outlook::new(config, &prompts, sample, args.latency)?;
    let text = if args.json {
        format!("{}\n", json::object(&outlook))
    } else {
        strip_controls_keep_lines(&words::page(&outlook))
    };
    // A pipe that is closed early has seen what it wanted.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::AllAnswered)
}

/// The settings, from every layer. Nothing is sent, so whoever has no key yet can plan too.
fn load(args: &SurveyArgs) -> Result<Config, Problem> {
    const KEY: &str = "OPENAI_API_KEY";
    let environment = |name: &str| {
        let set = std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        set.or_else(|| (name == KEY).then(|| "not-needed".to_owned()))
    };
    config::load(&config::Sources {
        survey: &args.survey,
        dotenv_dir: Path::new("."),
        environment: &environment,
        flags: &args.limits.flags(&args.endpoint),
    })
    .map_err(Problem::input)
}
