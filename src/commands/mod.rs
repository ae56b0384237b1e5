//! What each subcommand does: one file a subcommand.

mod attach;
mod cache;
mod chat;
mod check;
mod critique;
mod demo;
mod engine;
mod export;
mod ls;
mod one_call;
mod open;
mod plan;
mod preparation;
mod resume;
mod run;
mod runs_folder;
mod simulate;
mod summarize;
mod tell;

use crate::{
    cli::{Cli, Command},
    error::{Exit, Problem},
};
use clap::CommandFactory;
use runs_folder::RunsFolder;

/// Carries out what the command line asks for.
///
/// # Errors
/// With one sentence for the user, which says what to do.
pub fn carry_out(cli: Cli) -> Result<Exit, Problem> {
    let runs = || RunsFolder::find(cli.runs.clone());
    match cli.command {
        Command::Demo(args) => demo::demo(&args, &runs()?),
        Command::Run(args) => run::run(&args, &runs()?),
        Command::Critique(args) => critique::critique(&args),
        Command::Chat(args) => chat::chat(&args, &runs()?),
        Command::Check(args) => check::check(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Resume(args) => resume::resume(&args, &runs()?),
        Command::Retry(args) => resume::retry(&args, &runs()?),
        Command::Export(args) => export::export(&args, &runs()?),
        Command::Summarize(args) => summarize::summarize(&args, &runs()?),
        Command::Open(args) => open::open(&args, &runs()?),
        Command::Attach(args) => attach::attach(&args, &runs()?),
        Command::Tell(args) => tell::tell(&args, &runs()?),
        Command::Engine { command } => engine::engine(command, &runs()?),
        Command::Ls(args) => ls::ls(&args, &runs()?),
        Command::Cache(args) => cache::cache(&args),
        Command::Simulate(args) => simulate::simulate(args),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "voxpop", &mut std::io::stdout());
            Ok(Exit::AllAnswered)
        }
    }
}
