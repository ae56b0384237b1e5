//! `voxpop critique`: what a critic says of the survey's question, beside the question as it is.
//! Nothing is changed unasked: `--write` keeps the proposals in a file of its own.

mod edit;
mod show;

use crate::{
    cli::CritiqueArgs,
    config::{self, Config, Keys, read_text},
    engine::{self, CritiqueError, Critiqued},
    error::{Exit, Problem},
    model::{Critique, Domain, Survey, strip_controls_keep_lines},
};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
};

pub(super) fn critique(args: &CritiqueArgs) -> Result<Exit, Problem> {
    let text = read_text(&args.survey).map_err(Problem::input)?;
    let config = load(args)?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    // Before anything is paid for.
    if let Some(file) = args.write.as_deref().filter(|file| file.exists() && !args.force) {
        return Err(Problem::input(there_already(file)));
    }
    let survey = config.survey.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::could_not_run)?;
    let critiqued = runtime.block_on(engine::critique(config)).map_err(problem)?;
    let proposed = proposal(&survey, &critiqued.critique);
    let out = if args.json {
        format!("{}\n", json(&survey, &critiqued))
    } else {
        show::words(&survey, &proposed, &critiqued, show::width(), args.write.is_some())
    };
    // A pipe that is closed early has seen what it wanted.
    let _ = io::stdout().write_all(strip_controls_keep_lines(&out).as_bytes());
    if let Some(file) = &args.write {
        let edited =
            edit::edited(&text, &args.survey, &proposed).map_err(Problem::could_not_run)?;
        write(file, &edited, args.force)?;
        if !args.json {
            eprintln!("wrote {}", file.display());
        }
    }
    Ok(Exit::AllAnswered)
}

fn load(args: &CritiqueArgs) -> Result<Config, Problem> {
    config::load(&config::Sources {
        survey: &args.survey,
        dotenv_dir: Path::new("."),
        environment: &|name| std::env::var(name).ok(),
        flags: &args.limits.flags(&args.endpoint),
        keys: Keys::Fetched,
    })
    .map_err(Problem::input)
}

/// The survey as the critic would have it. What it has no proposal for stays.
fn proposal(survey: &Survey, critique: &Critique) -> Survey {
    let mut proposed = survey.clone();
    proposed.question.clone_from(&critique.rewrite);
    if critique.domain != Domain::Unknown {
        proposed.domain = critique.domain.as_str().to_owned();
    }
    if let Some(support) = &critique.support {
        proposed.grid.support.clone_from(support);
    }
    if !critique.impacts.is_empty() {
        proposed.grid.impacts.clone_from(&critique.impacts);
    }
    proposed
}

fn json(survey: &Survey, critiqued: &Critiqued) -> serde_json::Value {
    let Critiqued { critique, usage, attempts, cost } = critiqued;
    serde_json::json!({
        "original": {
            "question": survey.question,
            "domain": survey.domain,
            "support": survey.grid.support,
            "impacts": survey.grid.impacts,
        },
        "critique": critique,
        "attempts": attempts,
        "tokens": { "prompt": usage.prompt_tokens, "completion": usage.completion_tokens },
        "cost_usd": cost.to_string().trim_start_matches('$'),
    })
}

fn there_already(file: &Path) -> String {
    format!("{} is there already: choose another name, or replace it with --force", file.display())
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), Problem> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Problem::input(there_already(file)),
        _ => Problem::could_not_run(format!("{} cannot be written: {error}", file.display())),
    })
}

fn problem(error: CritiqueError) -> Problem {
    match error {
        CritiqueError::Prompt(_) | CritiqueError::OverBudget { .. } => Problem::input(error),
        CritiqueError::NotServed(_) => Problem::provider_refuses(error),
        other => Problem::could_not_run(other),
    }
}
