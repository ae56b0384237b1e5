//! Money: what calls cost, in whole numbers, so that a ledger of a million calls does not drift.

use super::{Tokens, Usage};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, iter::Sum, str::FromStr};

/// An amount of US dollars, in picodollars: one token of a price of `$0.15` per million tokens is
/// then a whole number. It holds 18 million dollars; a sum that goes beyond stays there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Usd(u64);

/// A text that is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    #[error("must not be negative")]
    Negative,
    #[error("must be an amount of US dollars, such as 5.00")]
    Malformed,
    #[error("has more than 12 decimals")]
    TooFine,
    #[error("is more than $18,000,000")]
    TooLarge,
}

/// Decimals of a picodollar.
const DECIMALS: usize = 12;

const PICOS: u64 = 10_u64.pow(DECIMALS as u32);

impl Usd {
    pub const ZERO: Self = Self(0);

    /// An amount from its picodollars, as a file keeps it.
    pub const fn from_picos(picos: u64) -> Self {
        Self(picos)
    }

    /// The amount in picodollars.
    pub const fn picos(self) -> u64 {
        self.0
    }

    /// The amount in dollars, for charts and for JSON. Never add these up.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / PICOS as f64
    }

    /// The sum; what is beyond the largest amount stays there.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, and nothing where `other` is more.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many of it.
    pub const fn times(self, many: u64) -> Self {
        Self(self.0.saturating_mul(many))
    }

    /// The amount to its last decimal, without a sign: `0.075`, `5.00`.
    pub fn exact(self) -> String {
        let text = format!("{}.{:0DECIMALS$}", self.0 / PICOS, self.0 % PICOS);
        let longest = text.len() - (DECIMALS - 2);
        let end = text.trim_end_matches('0').len().max(longest);
        text[..end].to_owned()
    }

    /// How many decimals a person wants to see: cents, and of less than ten cents two digits.
    const fn telling_decimals(self) -> usize {
        let mut decimals = 2;
        let mut least = PICOS / 10;
        while self.0 > 0 && self.0 < least && decimals < DECIMALS {
            decimals += 1;
            least /= 10;
        }
        decimals
    }
}

/// `$1.27`; of small amounts two digits (`$0.00042`), or as many decimals as the precision says.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or_else(|| self.telling_decimals()).min(DECIMALS);
        let unit = 10_u64.pow((DECIMALS - decimals) as u32);
        let units = self.0 / unit + u64::from(self.0 % unit >= unit.div_ceil(2));
        let whole = 10_u64.pow(decimals as u32);
        let text = match decimals {
            0 => format!("${units}"),
            _ => format!("${}.{:0decimals$}", units / whole, units % whole),
        };
        f.pad_integral(true, "", &text)
    }
}

impl FromStr for Usd {
    type Err = NotAnAmount;

    /// Takes `5`, `5.00` and `$5.00`.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let text = text.trim();
        if text.starts_with('-') || text.starts_with("$-") {
            return Err(NotAnAmount::Negative);
        }
        let text = text.strip_prefix('$').unwrap_or(text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(NotAnAmount::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS {
            return Err(NotAnAmount::TooFine);
        }
        format!("{whole}{fraction:0<DECIMALS$}")
            .parse()
            .map(Self)
            .map_err(|_| NotAnAmount::TooLarge)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

/// As text, because a JSON number would be read as a float.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.exact())
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What a model costs, per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub input: Usd,
    /// For the part of a prompt that came from the provider's cache.
    pub cached_input: Usd,
    pub output: Usd,
    /// What a call in a batch costs, in per cent of the same call alone.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub batch_percent: u8,
}

const fn all() -> u8 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_all(percent: &u8) -> bool {
    *percent == 100
}

impl Price {
    /// A server of one's own.
    pub const FREE: Self =
        Self { input: Usd::ZERO, cached_input: Usd::ZERO, output: Usd::ZERO, batch_percent: 100 };

    /// The price of a call in a batch.
    pub fn in_batch(self) -> Self {
        let part = |price: Usd| {
            let picos = (u128::from(price.0) * u128::from(self.batch_percent)).div_ceil(100);
            Usd(u64::try_from(picos).unwrap_or(u64::MAX))
        };
        Self {
            input: part(self.input),
            cached_input: part(self.cached_input),
            output: part(self.output),
            batch_percent: 100,
        }
    }

    /// What a call has cost.
    pub fn cost(&self, usage: &Usage) -> Usd {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        of_millions([
            (usage.prompt_tokens - cached, self.input),
            (cached, self.cached_input),
            (usage.completion_tokens, self.output),
        ])
    }

    /// The most that a call can cost: nothing of its prompt is cached, and its answer goes up to
    /// the cap.
    pub fn most(&self, prompt: Tokens, output_cap: Tokens) -> Usd {
        of_millions([(prompt.0, self.input.max(self.cached_input)), (output_cap.0, self.output)])
    }
}

/// `$0.15 in, $0.075 cached, $0.60 out`, to the last decimal.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::FREE {
            return f.write_str("free");
        }
        let [input, cached, output] = [self.input, self.cached_input, self.output].map(Usd::exact);
        write!(f, "${input} in, ${cached} cached, ${output} out")
    }
}

/// The sum of so many tokens at so much a million. A part of a picodollar counts as a whole one:
/// what is rounded must not slip through a budget.
fn of_millions<const N: usize>(parts: [(u64, Usd); N]) -> Usd {
    let sum = parts.into_iter().fold(0_u128, |sum, (tokens, price)| {
        sum.saturating_add(u128::from(tokens) * u128::from(price.0))
    });
    Usd(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_is_shown_as_people_write_it() {
        for (amount, shown, exact) in [
            ("0", "$0.00", "0.00"),
            ("5", "$5.00", "5.00"),
            ("$1.27", "$1.27", "1.27"),
            (".5", "$0.50", "0.50"),
            ("0.075", "$0.075", "0.075"),
            ("1.875", "$1.88", "1.875"),
            ("0.0342", "$0.034", "0.0342"),
            ("0.000123", "$0.00012", "0.000123"),
            ("0.000000000001", "$0.000000000001", "0.000000000001"),
            ("123456.7", "$123456.70", "123456.70"),
            ("18000000", "$18000000.00", "18000000.00"),
        ] {
            let amount = usd(amount);
            assert_eq!((amount.to_string().as_str(), amount.exact().as_str()), (shown, exact));
            assert_eq!(usd(exact), amount);
        }
        assert_eq!(
            format!("{:.0} {:.1} {:.4}", usd("2.5"), usd("0.25"), usd("1")),
            "$3 $0.3 $1.0000"
        );
        assert_eq!(format!("[{:>8}]", usd("1.27")), "[   $1.27]");
        assert_eq!(Usd::from_picos(u64::MAX).to_string(), "$18446744.07");
    }

    #[test]
    fn what_is_no_amount_is_told_why() {
        for (text, why) in [
            ("-1", NotAnAmount::Negative),
            ("$-1", NotAnAmount::Negative),
            ("", NotAnAmount::Malformed),
            (".", NotAnAmount::Malformed),
            ("$", NotAnAmount::Malformed),
            ("5,00", NotAnAmount::Malformed),
            ("five", NotAnAmount::Malformed),
            ("1e3", NotAnAmount::Malformed),
            ("NaN", NotAnAmount::Malformed),
            ("+1", NotAnAmount::Malformed),
            ("0.0000000000001", NotAnAmount::TooFine),
            ("18446745", NotAnAmount::TooLarge),
            ("99999999999999999999999", NotAnAmount::TooLarge),
        ] {
            assert_eq!(text.parse::<Usd>(), Err(why), "{text}");
        }
    }

    #[test]
    fn a_call_costs_to_the_last_token() {
        let price = Price {
            input: usd("0.15"),
            cached_input: usd("0.075"),
            output: usd("0.60"),
            ..Price::FREE
        };
        let usage = Usage { prompt_tokens: 1_500, completion_tokens: 300, cached_tokens: 1_024 };
        // 476 x 0.15 + 1024 x 0.075 + 300 x 0.60 = 328.2 dollars a million.
        assert_eq!(price.cost(&usage), usd("0.0003282"));
        assert_eq!(price.most(Tokens(1_500), Tokens(600)), usd("0.000585"));
        assert_eq!(Price::FREE.cost(&usage), Usd::ZERO);
        let million: Usd = std::iter::repeat_n(price.cost(&usage), 1_000_000).sum();
        assert_eq!(million, usd("328.20"));
        assert_eq!(price.to_string(), "$0.15 in, $0.075 cached, $0.60 out");
    }

    #[test]
    fn numbers_out_of_this_world_neither_wrap_nor_round_to_nothing() {
        let price = Price { input: Usd::from_picos(1), ..Price::FREE };
        assert_eq!(price.most(Tokens(1), Tokens(0)), Usd::from_picos(1));
        let dear = Price { input: Usd::from_picos(u64::MAX), ..Price::FREE };
        assert_eq!(dear.most(Tokens(u64::MAX), Tokens(0)), Usd::from_picos(u64::MAX));
        let odd = Usage { prompt_tokens: 10, completion_tokens: 0, cached_tokens: u64::MAX };
        assert_eq!(dear.cost(&odd), Usd::ZERO);
        assert_eq!(usd("1").saturating_sub(usd("2")), Usd::ZERO);
    }

    #[test]
    fn money_on_file_is_exact() {
        let price = Price {
            input: usd("0.15"),
            cached_input: usd("0.075"),
            output: usd("0.60"),
            ..Price::FREE
        };
        let text = serde_json::to_string(&price).unwrap();
        assert_eq!(text, r#"{"input":"0.15","cached_input":"0.075","output":"0.60"}"#);
        assert_eq!(serde_json::from_str::<Price>(&text).unwrap(), price);
        assert!(serde_json::from_str::<Usd>("\"-1\"").is_err());
    }
}
