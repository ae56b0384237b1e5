//! The command line.

use crate::{
    config::{Flags, RateFlag},
    simulator::{self, Change, FaultKind},
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
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, VOXPOP_RUNS, NO_COLOR.

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
    /// Look at a run on the dashboard; send nothing
    Open(OpenArgs),
    /// Show a live run on the dashboard, from any terminal, as often as wanted
    Attach(AttachArgs),
    /// Steer a live run without a screen
    Tell(TellArgs),
    /// List the runs
    Ls(LsArgs),
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
    /// The colours: see config/themes.yaml
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Frames a second at most [default: 20, or 10 over SSH]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: Option<u32>,
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
    /// Slots: how many requests may be in flight at once
    #[arg(long, default_value_t = 12, value_name = "N", allow_negative_numbers = true)]
    pub concurrency: i64,
    /// Requests a minute, or `unlimited`
    #[arg(long, default_value = "240", value_name = "N", allow_negative_numbers = true)]
    pub rpm: RateFlag,
    /// Tokens a minute, or `unlimited`
    #[arg(long, default_value = "300000", value_name = "N", allow_negative_numbers = true)]
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
pub struct OpenArgs {
    /// The run's name, the beginning of it, its file, or `latest`
    pub run: String,
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
pub struct LsArgs {
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "More with --help: examples, every fault, and what can change meanwhile.")]
#[command(after_long_help = simulate_help())]
pub struct SimulateArgs {
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// What answers, faults and latencies are drawn from
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub seed: u64,

    /// Whose ways it has: openai, azure, vllm, ollama or llama.cpp
    #[arg(long, default_value_t, value_name = "KIND", help_heading = "Server")]
    pub kind: simulator::Kind,
    /// A made-up key to serve, once for each; keys of one group share limits and quota [default:
    /// every key is served]
    #[arg(long, value_name = "KEY[:GROUP]", help_heading = "Server")]
    pub key: Vec<simulator::Key>,
    /// Answer 400 to a response_format of json_schema
    #[arg(long, help_heading = "Server")]
    pub no_json_schema: bool,
    /// Answer 400 to a response_format of json_object
    #[arg(long, help_heading = "Server")]
    pub no_json_object: bool,
    /// Answer 400 to max_completion_tokens
    #[arg(long, help_heading = "Server")]
    pub no_max_completion_tokens: bool,
    /// Answer 400 to max_tokens
    #[arg(long, help_heading = "Server")]
    pub no_max_tokens: bool,

    /// Requests a minute before it answers 429 [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          help_heading = "Limits")]
    pub rpm: Option<u32>,
    /// Tokens a minute before it answers 429 [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          help_heading = "Limits")]
    pub tpm: Option<u32>,
    /// How the two are enforced: bucket[:BURST], window[:LENGTH], log[:LENGTH] or
    /// limit_req[:BURST[:nodelay]]
    #[arg(long, default_value_t, value_name = "SHAPE", help_heading = "Limits")]
    pub limit: simulator::LimitShape,
    /// Count a request's output cap against tokens a minute, however short its output is
    #[arg(long, help_heading = "Limits")]
    pub charge_cap: bool,
    /// Tokens until the money is gone and every request gets a 429 insufficient_quota
    #[arg(long, value_name = "TOKENS", help_heading = "Limits")]
    pub quota: Option<u64>,
    /// What the x-ratelimit headers say: honest, none, lying or nonsense [default: as the kind]
    #[arg(long, value_name = "SORT", help_heading = "Limits")]
    pub headers: Option<simulator::RateHeaders>,
    /// How a 429 says when to come back: both, ms, seconds, float, date or none; with a time, as
    /// in seconds=365d, always that [default: as the kind]
    #[arg(long, value_name = "FORM[=TIME]", help_heading = "Limits")]
    pub retry_after: Option<simulator::RetryAfter>,

    /// The median latency, such as 300ms or 2s
    #[arg(long, default_value = "300ms", value_name = "TIME", value_parser = parse_time,
          help_heading = "Speed")]
    pub latency: Duration,
    /// Take the latency as the time to the first token, and so long for each one after it
    #[arg(long, value_name = "N", help_heading = "Speed")]
    pub tokens_per_second: Option<f64>,
    /// Requests served at once; the next ones wait [default: as the kind]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          help_heading = "Speed")]
    pub slots: Option<u32>,
    /// Requests that may wait for a slot before it answers 503 [default: as the kind]
    #[arg(long, value_name = "N", help_heading = "Speed")]
    pub queue: Option<u32>,

    /// Faults, such as 429=2%,500=1%,malformed=1%
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "LIST",
        help_heading = "Trouble"
    )]
    pub fault: simulator::Faults,
    /// The share of requests for embeddings that end with a 500, such as 5%
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Trouble",
          value_parser = simulator::parse_share)]
    pub embeddings_failed: f64,
    /// A change at a time after the start, once for each, such as 30s:capacity=x0.5
    #[arg(long, value_name = "TIME:CHANGE", help_heading = "Trouble")]
    pub at: Vec<simulator::Scheduled>,

    /// How many seconds a batch takes after its validation
    #[arg(long, default_value_t = 10.0, value_name = "N", help_heading = "Batches",
          value_parser = parse_seconds)]
    pub batch_seconds: f64,
    /// The share of a batch's lines that expire, such as 5%
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Batches",
          value_parser = simulator::parse_share)]
    pub batch_expired: f64,
    /// The share of a batch's lines that end with a 500, such as 1%
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Batches",
          value_parser = simulator::parse_share)]
    pub batch_failed: f64,
    /// The share of lines whose results have a second copy, or one under an unknown name
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Batches",
          value_parser = simulator::parse_share)]
    pub batch_strange: f64,
    /// The share of requests about files and batches that get a 500, half of them once done
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Batches",
          value_parser = simulator::parse_share)]
    pub batch_unclear: f64,
    /// The most prompt tokens of one model in unfinished batches [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Batches")]
    pub batch_enqueued_tokens: Option<u64>,
}

/// What `voxpop simulate --help` says below the flags. Its lists are those that are read.
fn simulate_help() -> String {
    let list = |rows: &mut dyn Iterator<Item = (&'static str, &'static str)>| {
        rows.map(|(name, meaning)| format!("  {name:<20} {meaning}\n")).collect::<String>()
    };
    let faults = FaultKind::all().map(|kind| (kind.as_str(), kind.meaning()));
    format!(
        "\
Examples:
  A provider that is slow and fails now and then, and a run against it:
    voxpop simulate --latency 2s --fault 429=2%,500=1%,malformed=1% &
    voxpop run survey.yaml --personas people.csv --base-url http://127.0.0.1:8080/v1
  A quota that is enforced by the second, halves after 30 s and comes back after 90 s:
    voxpop simulate --rpm 600 --tpm 200000 --limit window:1s \\
      --at 30s:capacity=x0.5 --at 90s:capacity=x1
  A server of your own behind nginx, which tells nothing about its limits:
    voxpop simulate --kind vllm --slots 16 --tokens-per-second 60 \\
      --rpm 600 --limit limit_req:5:nodelay
  The money runs out, and is topped up while the run waits:
    voxpop simulate --quota 100000
    curl -d quota=+500000 http://127.0.0.1:8080/simulator/do
  A provider that dies and comes back, with keys of which two share one quota:
    voxpop simulate --rpm 300 --key sk-a:team --key sk-b:team --key sk-c --at 1m:down --at 2m:up
  Batches of a minute, of whose lines some expire and some fail:
    voxpop simulate --batch-seconds 60 --batch-expired 5% --batch-failed 1% \\
      --batch-enqueued-tokens 2000000

Kinds:
  openai     Authorization: Bearer, /v1, and every header
  azure      api-key, /openai/v1 and /openai/deployments/NAME/chat/completions?api-version=...
  vllm       256 slots and no headers about limits
  ollama     1 slot, a queue of 512 and then 503; ignores keys and max_completion_tokens
  llama.cpp  4 slots and no headers about limits

Batches (openai and azure): /v1/files and /v1/batches, 50,000 lines or 200 MB each, of one model.
A line is answered as a request is, faults included, but what would break a connection; no limit
of the list above holds for it. Those that expire or fail are in the error file, and a batch of
which lines expire ends as expired. Files are kept in a temporary folder until the end.
Embeddings: /v1/embeddings gives vectors of 256 numbers, near where texts share words.

Limit shapes; a short TIME checks the minute's limit by the second, as some providers do:
  bucket:TIME          fills evenly; a rest of TIME fills it
  window:TIME          counts from nought in each window of TIME
  log:TIME             counts what was let in during the last TIME
  limit_req:N          nginx, which delays up to N requests and refuses the next; requests only
  limit_req:N:nodelay  the same without the delay

Faults, each with its rate (2% or 0.02); the codes of OpenAI's errors are names too:
{}
Changes, with --at TIME: before them, or sent while it runs:
{}
  curl -d capacity=x0.5 http://127.0.0.1:8080/simulator/do    one a line; answers with what holds
  curl http://127.0.0.1:8080/simulator/stats                  counts by kind and key, and changes

The same seed gives the same answers, faults and latencies to the same requests.",
        list(&mut faults.into_iter()),
        list(&mut Change::FORMS.into_iter()),
    )
}

/// Seconds, up to a day.
fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "give a number of seconds from 0 to 86400".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
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
