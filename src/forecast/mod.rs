//! What a run will take, before anything is sent: requests, tokens, money and time, and what will
//! hold it back. Arithmetic only; it asks no clock and no provider.
//!
//! ```text
//! Work   what is to be done: requests, tokens     --.
//!                                                    +--> Forecast --> Cost --> Reach of a budget
//! Terms  what is allowed: limits, latency, price  --'
//!        of several endpoints                     -----> Together, and what each carries
//! ```

mod budget;
mod cost;
mod several;
#[cfg(test)]
mod several_tests;
mod timing;

pub use budget::{Enough, Interviews, Reach, one_call_at_most};
pub use cost::{Cost, PRICED_PREFIX};
pub use several::{LimitSum, Sharer, Together};
pub use timing::{Binds, usual_latency};
use timing::{Timing, slowest_rate};

use crate::model::{Limits, Price, Tokens};
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
    /// Both, as so many requests of their average.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let requests = self.requests + other.requests;
        let sum = |of: fn(&Self) -> u64| {
            [&self, &other].map(|work| work.requests.saturating_mul(of(work))).iter().sum::<u64>()
        };
        let average = |of| sum(of) / requests.max(1);
        Self {
            requests,
            prompt_tokens: Tokens(self.prompt_tokens.0.saturating_add(other.prompt_tokens.0)),
            shared_tokens: Tokens(average(|work| work.shared_tokens.0)),
            output: OutputTokens {
                low: average(|work| work.output.low),
                high: average(|work| work.output.high),
                // What is at the most so much must not become less.
                cap: sum(|work| work.output.cap).div_ceil(requests.max(1)),
            },
        }
    }

    /// The prompt of the average request, in tokens.
    pub fn prompt_each(&self) -> u64 {
        self.prompt_tokens.0 / self.requests.max(1)
    }

    /// What the average request takes of a token limit: prompt and output, or the cap where the
    /// provider charges that.
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    pub fn tokens_each(&self, charges_cap: bool) -> f64 {
        let output = if charges_cap { self.output.cap as f64 } else { self.output.middle() };
        self.prompt_tokens.0 as f64 / self.requests.max(1) as f64 + output
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

    /// Those of so many answers.
    pub(crate) fn times(self, answers: u64) -> Self {
        let [low, high, cap] =
            [self.low, self.high, self.cap].map(|tokens| tokens.saturating_mul(answers));
        Self { low, high, cap }
    }

    /// Half-way between `low` and `high`.
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    pub fn middle(&self) -> f64 {
        (self.low + self.high) as f64 / 2.0
    }
}

/// What is allowed at one endpoint, and what it costs there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub limits: Limits,
    /// Of one request, from sending to the whole answer.
    pub latency: Duration,
    pub price: Option<Price>,
    /// Whether the output cap counts against tokens/min, not what is used.
    pub charges_cap: bool,
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
        let rate = slowest_rate(work, terms);
        Self::at(work, terms, &Timing::at(work.requests, terms, rate))
    }

    fn at(work: &Work, terms: &Terms, timing: &Timing) -> Self {
        Self {
            requests: work.requests,
            prompt_tokens: work.prompt_tokens,
            output: work.output.times(work.requests),
            cost: terms.price.as_ref().map(|price| Cost::of(work, price)),
            time: timing.time,
            binds: timing.binds,
            slots_wanted: timing.slots_wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sorts_of_work_are_one_of_their_average() {
        let work = |requests, prompt, shared, [low, high, cap]: [u64; 3]| Work {
            requests,
            prompt_tokens: Tokens(prompt),
            shared_tokens: Tokens(shared),
            output: OutputTokens { low, high, cap },
        };
        let answers = work(90, 90_000, 700, [150, 350, 600]);
        let summary = work(10, 100_000, 400, [1_000, 2_000, 6_001]);
        assert_eq!(answers.and(summary), work(100, 190_000, 670, [235, 515, 1_141]));
    }

    #[test]
    fn answers_are_no_longer_than_their_cap() {
        for (cap, low, high) in [(600, 150, 350), (200, 150, 200), (100, 100, 100)] {
            let output = OutputTokens::usual(cap);
            assert_eq!((output.low, output.high, output.cap), (low, high, u64::from(cap)));
        }
        assert!((OutputTokens::usual(600).middle() - 250.0).abs() < f64::EPSILON);
    }
}
