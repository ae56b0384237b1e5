//! `voxpop check`: everything that can be said before anything is sent.

use super::{
    one_call::{Longest, OneCall, check_budget},
    preparation::check_prompts,
    run::load,
};
use crate::{
    cli::CheckArgs,
    config::{Config, Keys},
    error::{Exit, Problem},
    model::{Persona, Usd, strip_controls_keep_lines},
    personas::{self, ReadError},
    prompt::Form,
    ui::{
        format::thousands,
        text::{pad, width},
    },
};
use std::{collections::HashSet, convert::Infallible, io::Write};

/// How many prompts are shown.
const SHOWN: usize = 3;

pub(super) fn check(args: &CheckArgs) -> Result<Exit, Problem> {
    let config = load(&args.survey, Keys::LookedAt)?;
    let prompts = check_prompts(&config.survey)?;
    let mut known = HashSet::new();
    let mut first: Vec<Persona> = Vec::with_capacity(SHOWN);
    let mut longest = Longest::default();
    let summary = personas::read::<Infallible>(&args.survey.personas, &mut |persona| {
        for attribute in &persona.attributes {
            if !known.contains(&attribute.name) {
                known.insert(attribute.name.clone());
            }
        }
        longest.offer(&persona);
        if first.len() < SHOWN {
            first.push(persona);
        }
        Ok(())
    })
    .map_err(|error| match error {
        ReadError::Input(input) => Problem::input(input),
        ReadError::Stopped(never) => match never {},
    })?;

    let too_dear = check_budget(&config, &prompts, &longest)?;
    let call = OneCall::counted(&config, &prompts, &longest).map_err(Problem::input)?;

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
    text += &words_of_call(&config, &call);
    for warning in config.warnings.iter().chain(&too_dear) {
        text += &format!("\nwarning: {warning}\n");
    }
    text.extend(unknown);
    for note in &summary.notes {
        text += &format!("\nnote: {note}\n");
    }
    text +=
        &format!("\n--- what every persona is told first ---\n{}\n", prompts.system(Form::Answer));
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

/// How large a call is, and what it costs at each endpoint.
fn words_of_call(config: &Config, call: &OneCall) -> String {
    let model = &config.survey.model;
    let counted = if call.is_exact_for(model) {
        format!("counted with the vocabulary of {model}")
    } else {
        "estimated with the vocabulary of gpt-4o".to_owned()
    };
    let mut text = format!(
        "\nprompt: {} tokens, the same for all, and with the longest persona {}; {counted}\n\
         one call, with an answer of {} tokens, costs at most\n",
        thousands(call.shared.0),
        thousands(call.prompt.0),
        thousands(call.output_cap.into()),
    );
    let name_width = config.endpoints.iter().map(|e| width(&e.name)).max().unwrap_or(0);
    for endpoint in &config.endpoints {
        let cost = match call.costs_at(endpoint) {
            Some(Usd::ZERO) => "nothing".to_owned(),
            Some(cost) => cost.to_string(),
            None => "unknown: its price is not known".to_owned(),
        };
        let in_batch = call.costs_in_batch_at(endpoint);
        let in_batch = in_batch.map_or_else(String::new, |cost| format!(", in a batch {cost}"));
        text += &format!("  {}  {cost}{in_batch}\n", pad(&endpoint.name, name_width, ""));
    }
    if let Some(endpoint) = config.batch_endpoint().filter(|_| config.batch) {
        text += &format!(
            "\nthe calls go out in batches, through the Batch API of {}: each stage may take up to \
             24 h\n",
            config.endpoints[endpoint].name
        );
    }
    text
}
