//! The commands that begin with a survey file: `run`, `check`, `plan` and `critique`.

use super::{
    flags::{DisplayArgs, EndpointArgs, EngineArgs, LimitArgs},
    units::parse_time,
};
use clap::Args;
use std::{path::PathBuf, time::Duration};

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
