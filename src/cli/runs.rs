//! The commands that name a run which is there already, and the one that lists them.

use super::flags::{DisplayArgs, EngineArgs, LimitArgs};
use crate::model::Speed;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
pub struct LsArgs {
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
