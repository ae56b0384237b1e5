//! `voxpop plan`: what a run will take, before anything is sent.
//!
//! ```text
//! survey, personas -> sample -> TokenCounter -> Work -> Forecast a set of limits -> words or JSON
//!                                                      '-> Together, by endpoint
//! ```

mod advice;
mod assumptions;
mod batches;
mod json;
mod layout;
mod outlook;
mod sample;
mod words;
mod work;

use super::{preparation::check_prompts, run::load};
use crate::{
    cli::PlanArgs,
    config::Keys,
    error::{Exit, Problem},
    model::strip_controls_keep_lines,
};
use outlook::Outlook;
use sample::Sample;
use std::io::Write;

pub(super) fn plan(args: &PlanArgs) -> Result<Exit, Problem> {
    // Nothing is sent, so whoever has no key yet can plan too.
    let config = load(&args.survey, Keys::LookedAt)?;
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
