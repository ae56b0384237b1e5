//! What the work costs.

use super::Work;
use crate::model::Tokens;

/// From so many shared tokens on, providers keep what prompts begin with and bill it lower.
pub const PRICED_PREFIX: Tokens = Tokens(1_024);

/// Prices in USD for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PricePerMillion {
    pub input: f64,
    /// Of input that the provider has kept from an earlier request.
    pub cached_input: Option<f64>,
    pub output: f64,
}

/// A range of money, in USD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Short answers, and a shared prefix that is kept where it can be.
    pub low: f64,
    /// Long answers, and nothing kept.
    pub high: f64,
    /// Every answer as long as its cap: more it cannot be, retries left out.
    pub cap: f64,
}

impl Cost {
    #[expect(clippy::cast_precision_loss, reason = "money is rounded when it is shown")]
    pub(super) fn of(work: &Work, price: &PricePerMillion) -> Self {
        const MILLION: f64 = 1e6;
        let prompt = work.prompt_tokens.0 as f64 / MILLION * price.input;
        let kept = match price.cached_input {
            Some(cached) if work.shared_tokens >= PRICED_PREFIX => {
                let again = work.requests.saturating_sub(1) as f64;
                again * work.shared_tokens.0 as f64 / MILLION * (price.input - cached).max(0.0)
            }
            _ => 0.0,
        };
        let output = |tokens: u64| work.requests as f64 * tokens as f64 / MILLION * price.output;
        Self {
            low: (prompt - kept).max(0.0) + output(work.output.low),
            high: prompt + output(work.output.high),
            cap: prompt + output(work.output.cap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::OutputTokens;

    #[test]
    fn the_range_goes_from_short_answers_to_the_cap() {
        let price = |cached_input| PricePerMillion { input: 2.0, cached_input, output: 8.0 };
        for (what, shared, price, low, high, cap) in [
            // 1,000 requests of 1,500 tokens: 3 USD; answers: 1.2, 2.8 and 4.8 USD.
            ("nothing is kept", 1_000, price(Some(0.5)), 4.2, 5.8, 7.8),
            ("no price for what is kept", 1_200, price(None), 4.2, 5.8, 7.8),
            // 999 times 1,200 tokens at 0.5 instead of 2.
            ("the prefix is kept", 1_200, price(Some(0.5)), 4.2 - 1.7982, 5.8, 7.8),
            ("kept costs more", 1_200, price(Some(3.0)), 4.2, 5.8, 7.8),
        ] {
            let work = Work {
                requests: 1_000,
                prompt_tokens: Tokens(1_500_000),
                shared_tokens: Tokens(shared),
                output: OutputTokens::usual(600),
            };
            let cost = Cost::of(&work, &price);
            for (found, expected) in [(cost.low, low), (cost.high, high), (cost.cap, cap)] {
                assert!((found - expected).abs() < 1e-9, "{what}: {cost:?}");
            }
        }
    }
}
