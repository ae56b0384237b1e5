//! The flags of `voxpop demo`.

use super::{flags::DisplayArgs, units::parse_time};
use crate::{config::RateFlag, simulator};
use clap::Args;
use std::time::Duration;

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
