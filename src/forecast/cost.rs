//! What the work costs.

use super::Work;
use crate::model::{Price, Tokens, Usage, Usd};

/// From so many shared tokens on, providers keep what prompts begin with and bill it lower.
pub const PRICED_PREFIX: Tokens = Tokens(1_024);

/// A range of money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Short answers, and a shared prefix that is kept where it can be.
    pub low: Usd,
    /// Long answers, and nothing kept.
    pub high: Usd,
    /// Every answer as long as its cap: more it cannot be, retries left out.
    pub cap: Usd,
}

impl Cost {
    /// What some work costs at a price.
    pub fn of(work: &Work, price: &Price) -> Self {
        let kept = if work.shared_tokens >= PRICED_PREFIX && price.cached_input < price.input {
            work.requests.saturating_sub(1).saturating_mul(work.shared_tokens.0)
        } else {
            0
        };
        let cost = |cached_tokens, output: u64| {
            price.cost(&Usage {
                prompt_tokens: work.prompt_tokens.0,
                completion_tokens: work.requests.saturating_mul(output),
                cached_tokens,
            })
        };
        Self {
            low: cost(kept, work.output.low),
            high: cost(0, work.output.high),
            cap: cost(0, work.output.cap),
        }
    }

    /// The cost of both.
    pub const fn and(self, other: Self) -> Self {
        Self {
            low: self.low.saturating_add(other.low),
            high: self.high.saturating_add(other.high),
            cap: self.cap.saturating_add(other.cap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::OutputTokens;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn the_range_goes_from_short_answers_to_the_cap() {
        let price = |cached| Price {
            input: usd("2"),
            cached_input: usd(cached),
            output: usd("8"),
            ..Price::FREE
        };
        for (what, shared, price, low) in [
            // 1,000 requests of 1,500 tokens: 3 USD; answers: 1.2, 2.8 and 4.8 USD.
            ("nothing is kept", 1_000, price("0.5"), "4.2"),
            ("no price for what is kept", 1_200, price("2"), "4.2"),
            // 999 times 1,200 tokens at 0.5 instead of 2.
            ("the prefix is kept", 1_200, price("0.5"), "2.4018"),
            ("kept costs more", 1_200, price("3"), "4.2"),
        ] {
            let work = Work {
                requests: 1_000,
                prompt_tokens: Tokens(1_500_000),
                shared_tokens: Tokens(shared),
                output: OutputTokens::usual(600),
            };
            let expected = Cost { low: usd(low), high: usd("5.8"), cap: usd("7.8") };
            assert_eq!(Cost::of(&work, &price), expected, "{what}");
        }
    }
}
