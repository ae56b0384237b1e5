//! The flags that several commands share: limits and endpoint, the run's process, the display.

use super::units::{parse_line_rate, parse_time};
use crate::config::{Flags, RateFlag};
use clap::{Args, ValueEnum};
use std::time::Duration;

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
