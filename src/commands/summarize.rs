//! `voxpop summarize`: make the summary of a run's answers anew.

use super::{
    preparation::{again, start_log},
    runs_folder::{RunsFolder, store_problem},
};
use crate::{
    cli::{EndpointArgs, SummarizeArgs},
    engine,
    error::{Exit, Problem},
    headless, launch,
    model::{Analysis, SummaryMode, strip_controls},
    store::{OpenRun, RunInfo, RunReader},
};
use std::io::{self, Write};

pub(super) fn summarize(args: &SummarizeArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let path = runs.resolve(&args.run)?;
    // The lock comes first: what is read after it, nobody else changes.
    let mut open = OpenRun::open(&path).map_err(store_problem)?;
    let reader = RunReader::open(&path).map_err(store_problem)?;
    let info = reader.run().map_err(store_problem)?;
    if reader.counts().map_err(store_problem)?.answered() == 0 {
        return Err(Problem::could_not_run(format!(
            "{} has no answers yet: there is nothing to summarize",
            info.name
        )));
    }
    let mut info = info;
    let survey = &mut info.survey;
    survey.summary.mode = match survey.summary.mode {
        _ if args.words => SummaryMode::Words,
        SummaryMode::Words if !args.model => SummaryMode::Words,
        _ => SummaryMode::Model,
    };
    if survey.summary.themes.is_empty() {
        // Made before there were themes.
        survey.summary.themes = crate::config::themes_of_domain(&survey.domain);
    }
    if survey.summary.mode == SummaryMode::Words {
        drop(reader);
        open.forget_analysis().map_err(store_problem)?;
        let analysis = engine::summarize_by_words(open, survey).map_err(store_problem)?;
        return show(analysis.as_deref(), args.json);
    }
    by_model(args, runs, info, open, reader)?;
    let reader = RunReader::open(&path).map_err(store_problem)?;
    let analysis = reader.analysis().map_err(store_problem)?;
    if analysis.is_none() {
        let again = "the summary was broken off; `voxpop summarize` begins it anew";
        return Err(Problem::could_not_run(again));
    }
    show(analysis.as_ref(), args.json)
}

/// Nothing of the old summary goes before it is certain that a new one can be asked for.
fn by_model(
    args: &SummarizeArgs,
    runs: &RunsFolder,
    info: RunInfo,
    mut open: OpenRun,
    reader: RunReader,
) -> Result<(), Problem> {
    let name = info.name.clone();
    let endpoint = EndpointArgs { base_url: args.base_url.clone(), ..EndpointArgs::default() };
    let config = launch::kept_config(info, &reader, &args.limits.flags(&endpoint))?;
    for warning in &config.warnings {
        eprintln!("warning: {}", strip_controls(&warning.to_string()));
    }
    drop(reader);
    let (_log_guard, log) = start_log(runs)?;
    open.forget_analysis().map_err(store_problem)?;
    // Who wants a summary anew does not want the kept one.
    let again = again(runs, &name, config, open, log);
    let run = launch::PreparedRun { only_analysis: true, cache: None, ..again };
    launch::summarize(run).map(|_| ())
}

fn show(analysis: Option<&Analysis>, json: bool) -> Result<Exit, Problem> {
    let Some(analysis) = analysis else {
        return Err(Problem::could_not_run("nobody has answered: there is nothing to summarize"));
    };
    let mut out = io::stdout().lock();
    // A reader that has gone away has seen what it wanted.
    let _ = if json {
        writeln!(out, "{}", headless::analysis_object(analysis))
    } else {
        headless::analysis_lines(analysis).iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    Ok(Exit::AllAnswered)
}
