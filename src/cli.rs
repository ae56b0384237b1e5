//! The command line: the commands, what each takes, and how a value is written.
//!
//! `survey` has the commands that begin with a survey file, `runs` those that name a run, and
//! `demo`, `simulate` and `cache` one each. `flags` are those that several commands share, and
//! `units` the values that have one.

mod cache;
mod demo;
mod flags;
mod runs;
mod simulate;
mod survey;
mod units;

pub use cache::{CacheArgs, CacheCommand};
pub use demo::DemoArgs;
pub use flags::{Color, DisplayArgs, EndpointArgs, EngineArgs, LimitArgs};
pub use runs::{
    AgainArgs, AttachArgs, ChatArgs, ExportArgs, ExportFormat, LsArgs, OpenArgs, SummarizeArgs,
    TellArgs,
};
pub use simulate::SimulateArgs;
pub use survey::{CheckArgs, CritiqueArgs, PlanArgs, RunArgs, SurveyArgs};

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Put one survey to many AI personas, and watch it happen.
#[derive(Debug, Parser)]
#[command(name = "voxpop", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Begin with `voxpop demo`: it needs no key and no file.

Settings, the later ones win: built-in < survey file < .env < environment < --plan < flags.
Environment: OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL, MAX_CONCURRENT_REQUESTS,
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, VOXPOP_RUNS, VOXPOP_CACHE, NO_COLOR.

Exit codes: 0 all answered or declined, 1 could not run, 2 usage or input, 3 finished with failures,
4 stopped because the provider will not serve, 130 interrupted.")]
pub struct Cli {
    /// The folder of the run files [default: voxpop/runs in the user's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "VOXPOP_RUNS")]
    pub runs: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bundled survey against a provider simulated on this machine
    Demo(DemoArgs),
    /// Put a survey to personas
    Run(RunArgs),
    /// Have a critic look at the survey's question; change nothing unasked
    Critique(CritiqueArgs),
    /// Talk with a persona about its answer
    Chat(ChatArgs),
    /// Check a survey and personas, show every setting and three prompts; send nothing
    Check(CheckArgs),
    /// Forecast tokens, cost and time of a run, for every plan; send nothing
    Plan(PlanArgs),
    /// Go on with a run that was stopped or killed, asking nobody twice
    Resume(AgainArgs),
    /// Ask the failed personas of a run again
    Retry(AgainArgs),
    /// Write a run's records, one a persona, in the order of the input
    Export(ExportArgs),
    /// Summarize the answers of a run anew: main themes, conflicts, surprises, drivers and themes
    Summarize(SummarizeArgs),
    /// Look at a run on the dashboard; send nothing but what you say to a persona
    Open(OpenArgs),
    /// Show a live run on the dashboard, from any terminal, as often as wanted
    Attach(AttachArgs),
    /// Steer a live run without a screen
    Tell(TellArgs),
    /// List the runs
    Ls(LsArgs),
    /// Show what the cache of replies holds, or empty it
    Cache(CacheArgs),
    /// The process that a run has to itself
    #[command(hide = true)]
    Engine {
        #[command(subcommand)]
        command: EngineCommand,
    },
    /// Serve the simulated provider alone, and print its URL
    Simulate(SimulateArgs),
    /// Print the completion script of a shell
    Completions { shell: clap_complete::Shell },
}

/// The commands that have an engine.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    Run(RunArgs),
    Resume(AgainArgs),
    Retry(AgainArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
