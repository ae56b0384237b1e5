//! The flags of `voxpop simulate`, and its long help.

use super::units::parse_time;
use crate::simulator::{self, Change, FaultKind};
use clap::Args;
use std::time::Duration;

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

    /// Whose ways it has: openai, azure, vllm, ollama, llama.cpp, gemini or anthropic
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

    /// First answers that contradict their profile or themselves: 10% or 0.1
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Reviews")]
    pub contradictions: simulator::Share,
    /// First answers that leave out a topic which their domain requires
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Reviews")]
    pub topics_missed: simulator::Share,
    /// First answers that miss the question
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Reviews")]
    pub off_topic: simulator::Share,
    /// Follow-ups that come back without their numbers
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Reviews")]
    pub numbers_dropped: simulator::Share,
    /// Verdicts in no shape
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Reviews")]
    pub critic_nonsense: simulator::Share,
    /// Verdicts that also correct fields which do not exist
    #[arg(long, default_value = "0%", value_name = "SHARE", help_heading = "Reviews")]
    pub critic_invents: simulator::Share,
    /// Have every critic find fault with every answer
    #[arg(long, help_heading = "Reviews")]
    pub critic_disagrees: bool,
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
  Answers that critics have something to do with, and critics that fail now and then:
    voxpop simulate --contradictions 10% --topics-missed 10% --off-topic 2% --critic-nonsense 2%
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
  gemini     Google's layer: /v1beta/openai, errors of its own, no headers about limits
  anthropic  Anthropic's layer: ignores response_format, errors of its own

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

Reviews, by rate; one first answer has at most one of the first three:
  contradictions       a support level or a score against the narrative, or a narrative that claims
                       what the profile rules out: a home that is owned, a car, children
  topics missed        nothing on one of the topics of the survey's domain, in words or lists
  off topic            a narrative about something else
  Critics judge by rules, over the profile and the answer that they are sent: words for a stance
  against the support level, complaints and hopes against the score of their dimension, claims
  against the profile, words of the question. They correct the narrative by the profile and the
  numbers by the narrative.

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
