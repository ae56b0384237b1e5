//! What a run will take, before anything is sent: requests, tokens, money and time, and what will
//! hold it back. Arithmetic only; it asks no clock and no provider.
//!
//! ```text
//! Work   what is to be done: requests, tokens     --.
//!                                                    +--> Forecast
//! Terms  what is allowed: limits, latency, price  --'
//! ```

mod cost;
mod pace;

pub use cost::{Cost, PRICED_PREFIX, PricePerMillion};
pub use pace::{Binds, usual_latency};

use crate::model::{Limits, Tokens};
use std::time::Duration;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub requests: u64,
    /// Of all requests together.
    pub prompt_tokens: Tokens,
    /// What the prompt of each request begins with, the same in all of them.
    pub shared_tokens: Tokens,
    /// Of one answer.
    pub output: OutputTokens,
}

impl Work {
    /// The prompt of the average request, in tokens.
    pub fn prompt_each(&self) -> u64 {
        self.prompt_tokens.0 / self.requests.max(1)
    }

    /// Prompt and output of the average request: what it takes of a token limit.
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    pub fn tokens_each(&self) -> f64 {
        self.prompt_tokens.0 as f64 / self.requests.max(1) as f64 + self.output.middle()
    }
}

/// How long answers are: most of them between `low` and `high`, none above `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputTokens {
    pub low: u64,
    pub high: u64,
    pub cap: u64,
}

impl OutputTokens {
    /// What a narrative of 5 to 10 sentences and the grid usually take, under that cap.
    pub fn usual(cap: u32) -> Self {
        let cap = u64::from(cap);
        Self { low: cap.min(150), high: cap.min(350), cap }
    }

    /// Half-way between `low` and `high`.
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    pub fn middle(&self) -> f64 {
        (self.low + self.high) as f64 / 2.0
    }
}

/// What is allowed, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub limits: Limits,
    /// Of one request, from sending to the whole answer.
    pub latency: Duration,
    pub price: Option<PricePerMillion>,
}

/// What some work takes under some terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    pub requests: u64,
    pub prompt_tokens: Tokens,
    /// Of all answers together.
    pub output: OutputTokens,
    /// `None` where no price is known.
    pub cost: Option<Cost>,
    /// From the first request to the last answer.
    pub time: Duration,
    pub binds: Binds,
    /// How many slots it takes to use the rates in full: rate x latency (Little's law). `None`
    /// where no rate is limited, so that every slot more makes the run faster.
    pub slots_wanted: Option<u64>,
}

impl Forecast {
    /// The forecast for answers of middle length and a provider that keeps to its latency. No
    /// request is made twice in it.
    pub fn of(work: &Work, terms: &Terms) -> Self {
        let pace = pace::Pace::of(work, terms);
        let all = |tokens: u64| work.requests.saturating_mul(tokens);
        Self {
            requests: work.requests,
            prompt_tokens: work.prompt_tokens,
            output: OutputTokens {
                low: all(work.output.low),
                high: all(work.output.high),
                cap: all(work.output.cap),
            },
            cost: terms.price.as_ref().map(|price| Cost::of(work, price)),
            time: pace.time,
            binds: pace.binds,
            slots_wanted: pace.slots_wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_no_longer_than_their_cap() {
        for (cap, low, high) in [(600, 150, 350), (200, 150, 200), (100, 100, 100)] {
            let output = OutputTokens::usual(cap);
            assert_eq!((output.low, output.high, output.cap), (low, high, u64::from(cap)));
        }
        assert!((OutputTokens::usual(600).middle() - 250.0).abs() < f64::EPSILON);
    }
}
