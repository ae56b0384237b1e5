//! `voxpop check`: everything that can be said before anything is sent.

use super::{preparation::check_prompts, run::load};
use crate::{
    cli::CheckArgs,
    config::Keys,
    error::{Exit, Problem},
    model::{Persona, strip_controls_keep_lines},
    personas::{self, ReadError},
};
use std::{collections::HashSet, convert::Infallible, io::Write};

/// How many prompts are shown.
const SHOWN: usize = 3;

pub(super) fn check(args: &CheckArgs) -> Result<Exit, Problem> {
    let config = load(&args.survey, Keys::LookedAt)?;
    let prompts = check_prompts(&config.survey)?;
    let mut known = HashSet::new();
    let mut first: Vec<Persona> = Vec::with_capacity(SHOWN);
    let summary = personas::read::<Infallible>(&args.survey.personas, &mut |persona| {
        for attribute in &persona.attributes {
            if !known.contains(&attribute.name) {
                known.insert(attribute.name.clone());
            }
        }
        if first.len() < SHOWN {
            first.push(persona);
        }
        Ok(())
    })
    .map_err(|error| match error {
        ReadError::Input(input) => Problem::input(input),
        ReadError::Stopped(never) => match never {},
    })?;

    let unknown: Vec<_> = (prompts.attributes_used().iter())
        .filter(|&used| !known.contains(used))
        .map(|used| format!("warning: prompts.user asks for {used}, which no persona has\n"))
        .collect();

    let mut text = format!(
        "{}: a survey of {} impact dimensions\n{}: {} personas\n\n",
        args.survey.survey.display(),
        config.survey.grid.impacts.len(),
        args.survey.personas.display(),
        summary.count,
    );
    let name_width = config.settings.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let value_width = config.settings.iter().map(|s| s.value.chars().count()).max().unwrap_or(0);
    let value_width = value_width.min(48);
    for setting in &config.settings {
        text += &format!(
            "  {:name_width$}  {:value_width$}  {}\n",
            setting.name, setting.value, setting.origin
        );
    }
    for warning in &config.warnings {
        text += &format!("\nwarning: {warning}\n");
    }
    text.extend(unknown);
    for note in &summary.notes {
        text += &format!("\nnote: {note}\n");
    }
    text += &format!("\n--- what every persona is told first ---\n{}\n", prompts.system());
    for persona in &first {
        let prompt = prompts.user(persona).map_err(Problem::input)?;
        text += &format!("\n--- persona {} ---\n{prompt}\n", persona.id);
    }
    let well = config.key_problems.is_empty();
    text += if well { "\nall is well; nothing was sent\n" } else { "\nnothing was sent\n" };
    // A pipe that is closed early has seen what it wanted.
    let _ = std::io::stdout().write_all(strip_controls_keep_lines(&text).as_bytes());
    // The last word, below all that is well without a key.
    if well {
        Ok(Exit::AllAnswered)
    } else {
        Err(Problem::input(config.key_problems.join("\nerror: ")))
    }
}
