//! How far a budget goes.

use super::Cost;
use crate::model::{Price, Tokens, Usd};

/// The most that one call can cost: all of its prompt at the full price, and an answer that goes
/// up to the cap. A budget below it pays for nobody.
pub fn one_call_at_most(price: &Price, prompt: Tokens, output_cap: u32) -> Usd {
    price.most(prompt, Tokens(output_cap.into()))
}

/// How far a budget goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub enough: Enough,
    /// How many interviews it pays for, with answers of each length; `None` where they cost
    /// nothing.
    pub interviews: Option<Interviews>,
}

/// What a budget is enough for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// Whatever the answers are like, retries left out.
    AtCap,
    /// Answers as they usually are.
    Usually,
    /// Short answers only.
    IfShort,
    No,
}

/// A number of interviews for each end of a range of costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interviews {
    /// With short answers.
    pub most: u64,
    /// With long ones.
    pub usual: u64,
    /// With every answer as long as its cap.
    pub at_cap: u64,
}

impl Enough {
    /// As it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtCap => "at_cap",
            Self::Usually => "usually",
            Self::IfShort => "if_short",
            Self::No => "no",
        }
    }
}

impl Reach {
    /// How far it goes where so many interviews have that cost.
    pub fn of(budget: Usd, cost: &Cost, interviews: u64) -> Self {
        let enough = if budget >= cost.cap {
            Enough::AtCap
        } else if budget >= cost.high {
            Enough::Usually
        } else if budget >= cost.low {
            Enough::IfShort
        } else {
            Enough::No
        };
        let paid = |cost: Usd| {
            let of_all = u128::from(budget.picos()) * u128::from(interviews);
            let paid = of_all.checked_div(u128::from(cost.picos()))?;
            Some(u64::try_from(paid).unwrap_or(u64::MAX))
        };
        let interviews = match (paid(cost.low), paid(cost.high), paid(cost.cap)) {
            (Some(most), Some(usual), Some(at_cap)) => Some(Interviews { most, usual, at_cap }),
            _ => None,
        };
        Self { enough, interviews }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn a_budget_goes_as_far_as_the_answers_are_long() {
        let cost = Cost { low: usd("2"), high: usd("4"), cap: usd("8") };
        for (budget, enough, most, usual, at_cap) in [
            ("8", Enough::AtCap, 400, 200, 100),
            ("7.99", Enough::Usually, 399, 199, 99),
            ("4", Enough::Usually, 200, 100, 50),
            ("3", Enough::IfShort, 150, 75, 37),
            ("1", Enough::No, 50, 25, 12),
            ("0.000001", Enough::No, 0, 0, 0),
            ("18000000", Enough::AtCap, 900_000_000, 450_000_000, 225_000_000),
        ] {
            let interviews = Some(Interviews { most, usual, at_cap });
            assert_eq!(
                Reach::of(usd(budget), &cost, 100),
                Reach { enough, interviews },
                "{budget}"
            );
        }
        let free = Reach::of(usd("1"), &Cost::default(), 100);
        assert_eq!(free, Reach { enough: Enough::AtCap, interviews: None });
    }

    #[test]
    fn one_call_costs_its_prompt_and_its_cap() {
        let price = Price {
            input: usd("0.15"),
            cached_input: usd("0.075"),
            output: usd("0.60"),
            ..Price::FREE
        };
        assert_eq!(one_call_at_most(&price, Tokens(1_000), 600), usd("0.00051"));
        assert_eq!(one_call_at_most(&Price::FREE, Tokens(1_000), 600), Usd::ZERO);
    }
}
