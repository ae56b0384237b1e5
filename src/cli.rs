//! The command line.

mod simulate;

pub use simulate::SimulateArgs;

use crate::{
    config::{Flags, RateFlag},
    model::Speed,
    simulator,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

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

/// Limits and endpoint, over what the survey file and the environment say.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits and endpoint")]
pub struct LimitArgs {
    /// Slots: how many requests may be in flight at once
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub concurrency: Option<i64>,
    /// Requests a minute, or `unlimited`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub rpm: Option<RateFlag>,
    /// Tokens a minute, or `unlimited`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub tpm: Option<RateFlag>,
    /// The most that the run may cost, in US dollars
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub budget: Option<String>,
    /// Keep the limits as they are set, whatever the provider shows of itself
    #[arg(long)]
    pub no_adapt: bool,
    /// Ask anew what was asked before: neither take a reply from the cache nor keep one
    #[arg(long)]
    pub no_cache: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits and endpoint")]
pub struct EndpointArgs {
    /// The model to ask
    #[arg(long)]
    pub model: Option<String>,
    /// The endpoint, such as http://127.0.0.1:11434/v1
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Limits that suit a provider's plan: free, payg, tier1 or tier2
    #[arg(long)]
    pub plan: Option<String>,
}

/// Where the run goes on.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Process")]
pub struct EngineArgs {
    /// Start the run without a dashboard, print its name, and return
    #[arg(long)]
    pub detach: bool,
    /// Keep the run in this process, so that it ends with the dashboard (as it does where CI is
    /// set, and without a dashboard)
    #[arg(long, conflicts_with = "detach")]
    pub foreground: bool,
    /// How long SIGTERM to the run's process waits for what is in flight
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub grace: Duration,
}

/// What the run looks like while it goes on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Display")]
pub struct DisplayArgs {
    /// Lines of words instead of the dashboard (by itself where there is no terminal)
    #[arg(long)]
    pub plain: bool,
    /// One JSON object a line instead of the dashboard
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// The colours: see config/colours.yaml
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Frames a second at most [default: 20, or 10 over SSH]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: Option<u32>,
    /// Bytes a second that the line to the terminal carries, such as 1k, where it is thin and
    /// voxpop cannot see it: in tmux over ssh, for one
    #[arg(long, value_name = "BYTES", env = "VOXPOP_LINE_RATE", value_parser = parse_line_rate)]
    pub line_rate: Option<u32>,
    /// Leave the dashboard when the run has ended
    #[arg(long)]
    pub exit: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
pub struct SurveyArgs {
    /// The survey file (YAML)
    pub survey: PathBuf,
    /// The personas: CSV, JSON, JSONL or YAML
    #[arg(long, value_name = "FILE")]
    pub personas: PathBuf,
    /// Send the calls in batches (the provider's Batch API): cheaper, and up to 24 h a stage
    #[arg(long)]
    pub batch: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

impl LimitArgs {
    /// The flags as a layer of the settings.
    pub fn flags(&self, endpoint: &EndpointArgs) -> Flags {
        Flags {
            concurrency: self.concurrency,
            rpm: self.rpm,
            tpm: self.tpm,
            model: endpoint.model.clone(),
            base_url: endpoint.base_url.clone(),
            plan: endpoint.plan.clone(),
            budget: self.budget.clone(),
            no_adapt: self.no_adapt,
            no_cache: self.no_cache,
            batch: false,
        }
    }
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub survey: SurveyArgs,
    /// The run's name [default: the survey's name and four letters]
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub display: DisplayArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub survey: SurveyArgs,
}

#[derive(Debug, Args)]
pub struct CritiqueArgs {
    /// The survey file (YAML)
    pub survey: PathBuf,
    /// Keep the proposals in a new survey file: the survey as it is, with another question, domain
    /// and grid
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Let --write replace a file that is there
    #[arg(long, requires = "write")]
    pub force: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Lines in, answers out; /quit or Ctrl-D ends the talk. Where the input is no \
    terminal, each line of it is a question."
)]
pub struct ChatArgs {
    /// The run's name, the beginning of it, its file, or `latest`
    pub run: String,
    /// The persona's number, as screens show it, or else its id
    pub persona: String,
    /// Take a number as an id as well
    #[arg(long)]
    pub by_id: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The endpoint, where it has moved
    #[arg(long, value_name = "URL", help_heading = "Limits and endpoint")]
    pub base_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// How long a request takes, such as 800ms or 2s [default: from the length of the answer]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub latency: Option<Duration>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub survey: SurveyArgs,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many personas; beyond the bundled 200 they come round again
    #[arg(long, default_value_t = 200, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub personas: u32,
    /// What the simulator's answers and faults are drawn from
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub seed: u64,
    /// The simulator's median latency, such as 300ms or 2s
    #[arg(long, default_value = "1500ms", value_name = "TIME", value_parser = parse_time)]
    pub latency: Duration,
    /// Faults, such as 429=2%,500=1%,malformed=1%
    #[arg(long, default_value = "429=1%,500=1%,malformed=1%,refusal=1%", value_name = "LIST")]
    pub fault: simulator::Faults,
    /// First answers that contradict their profile or themselves: 4% or 0.04
    #[arg(long, default_value = "4%", value_name = "SHARE")]
    pub contradictions: simulator::Share,
    /// First answers that leave out a topic which the survey's domain requires
    #[arg(long, default_value = "6%", value_name = "SHARE")]
    pub topics_missed: simulator::Share,
    /// First answers that miss the question
    #[arg(long, default_value = "1%", value_name = "SHARE")]
    pub off_topic: simulator::Share,
    /// Slots: how many requests may be in flight at once
    #[arg(long, default_value_t = 16, value_name = "N", allow_negative_numbers = true)]
    pub concurrency: i64,
    /// Requests a minute, or `unlimited`
    #[arg(long, default_value = "480", value_name = "N", allow_negative_numbers = true)]
    pub rpm: RateFlag,
    /// Tokens a minute, or `unlimited`
    #[arg(long, default_value = "600000", value_name = "N", allow_negative_numbers = true)]
    pub tpm: RateFlag,
    #[command(flatten)]
    pub display: DisplayArgs,
}

#[derive(Debug, Args)]
pub struct AgainArgs {
    /// The run's name, the beginning of it, its file, or `latest`
    pub run: String,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The endpoint, where it has moved
    #[arg(long, value_name = "URL", help_heading = "Limits and endpoint")]
    pub base_url: Option<String>,
    #[command(flatten)]
    pub display: DisplayArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run's name, the beginning of it, its file, or `latest`
    pub run: String,
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line
    #[default]
    Jsonl,
    /// One JSON array
    Json,
    /// A table for spreadsheets
    Csv,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without --words or --model it is made as the survey says under `summary`, \
    and by the model where that is off."
)]
pub struct SummarizeArgs {
    /// The run's name, the beginning of it, its file, or `latest`
    pub run: String,
    /// By words alone: without a call, a key or a network
    #[arg(long)]
    pub words: bool,
    /// By calls to the model, a call for each group of 50 answers and one for all
    #[arg(long, conflicts_with = "words")]
    pub model: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The endpoint, where it has moved
    #[arg(long, value_name = "URL", help_heading = "Limits and endpoint")]
    pub base_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The run's name, the beginning of it, its file, or `latest`
    pub run: String,
    /// Play what is on record of it, at 0.1x to 10000x the run's own speed [default: 10x]
    #[arg(long, value_name = "SPEED", num_args = 0..=1, default_missing_value = "10x")]
    pub replay: Option<Speed>,
    /// The endpoint for talks with personas, where it has moved
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    #[command(flatten)]
    pub display: DisplayArgs,
}

#[derive(Debug, Args)]
pub struct AttachArgs {
    /// The run's name, the beginning of it, its file, or `latest`: the latest that is live
    #[arg(default_value = "latest")]
    pub run: String,
    /// Only look: every key that would change the run is refused
    #[arg(long)]
    pub read_only: bool,
    #[command(flatten)]
    pub display: DisplayArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Several orders are carried out one after the other: `voxpop tell latest \
    slots=20 rpm=400 resume`.")]
pub struct TellArgs {
    /// The run's name, the beginning of it, its file, or `latest`: the latest that is live
    pub run: String,
    /// slots=N, rpm=N, tpm=N (or `unlimited`), adapt=on, adapt=off, batch, batch=off, pause, resume,
    /// retry-failed, stop, stop-now, cancel (the batches, and stop)
    #[arg(required = true, value_name = "ORDER")]
    pub orders: Vec<String>,
    /// One JSON object an order
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: Option<CacheCommand>,
    /// One JSON object
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum CacheCommand {
    /// Empty it
    Clear,
}

#[derive(Debug, Args)]
pub struct LsArgs {
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// A time with its unit: `300ms`, `2s`, `1.5s`, `1m`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err("give a number and a unit: 300ms, 2s or 1m".to_owned()),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * seconds).ok())
        .filter(|time| *time <= Duration::from_secs(3600))
        .ok_or_else(|| "give a time from 0ms to 60m, such as 300ms or 2s".to_owned())
}

/// Bytes a second: `1000`, `1k`, `2.5k`.
fn parse_line_rate(text: &str) -> Result<u32, String> {
    let (number, unit) = text.strip_suffix(['k', 'K']).map_or((text, 1.0), |n| (n, 1_000.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded")]
    (number.parse::<f64>().ok().map(|number| number * unit))
        .filter(|rate| (100.0..=1e9).contains(rate))
        .map(|rate| rate as u32)
        .ok_or_else(|| "give bytes a second, at least 100, such as 1000 or 2.5k".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_line_rate_is_bytes_or_thousands_of_them() {
        for (text, rate) in [("1000", 1_000), ("1k", 1_000), ("2.5K", 2_500), ("100", 100)] {
            assert_eq!(parse_line_rate(text), Ok(rate), "{text}");
        }
        for bad in ["", "k", "99", "-1k", "1m", "1 k", "nan", "inf", "1e99"] {
            assert!(parse_line_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("0ms"), Ok(Duration::ZERO));
        for bad in ["", "300", "-1s", "s", "2h", "1e9s", "99m"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
