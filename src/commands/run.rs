//! `voxpop run`: put a survey to personas.

use super::{
    engine::{self, Prepared},
    one_call::{Longest, check_budget},
    preparation::{NewRunFile, check_prompts, start_log},
    runs_folder::RunsFolder,
};
use crate::{
    cli::{RunArgs, SurveyArgs},
    config::{self, Config, Flags, Keys},
    error::{Exit, Problem},
    personas::{self, ReadError},
};
use std::path::Path;

pub(super) fn run(args: &RunArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    engine::carry_on(&args.display, &args.engine, || prepare(args, runs))
}

/// From the input files to a run that is ready to start.
pub(super) fn prepare(args: &RunArgs, runs: &RunsFolder) -> Result<Prepared, Problem> {
    let config = load(&args.survey, Keys::Fetched)?;
    let prompts = check_prompts(&config.survey)?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    let (log_guard, log) = start_log(runs)?;
    let personas = &args.survey.personas;
    let from = personas.display().to_string();
    let mut file = NewRunFile::create(runs, args.name.as_deref(), &config, &from)?;
    let mut longest = Longest::default();
    let read = personas::read(personas, &mut |persona| {
        longest.offer(&persona);
        file.add(&persona)
    })
    .map_err(|error| match error {
        ReadError::Stopped(store) => Problem::could_not_run(store),
        ReadError::Input(input) => Problem::input(input),
    })?;
    for warning in check_budget(&config, &prompts, &longest)? {
        eprintln!("warning: {warning}");
    }
    for note in &read.notes {
        eprintln!("note: {note}");
    }
    Ok(Prepared::Run(Box::new(file.prepared(config, log)?), log_guard))
}

/// The settings, from every layer.
pub(super) fn load(args: &SurveyArgs, keys: Keys) -> Result<Config, Problem> {
    config::load(&config::Sources {
        survey: &args.survey,
        dotenv_dir: Path::new("."),
        environment: &|name| std::env::var(name).ok(),
        flags: &Flags { batch: args.batch, ..args.limits.flags(&args.endpoint) },
        keys,
    })
    .map_err(Problem::input)
}
