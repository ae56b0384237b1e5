//! What models cost: the table of `config/prices.yaml`, and money as a survey spells it.

use super::scalar::{Checked, Scalar, deserialize_checked};
use crate::model::{NotAnAmount, Price, Usd};
use indexmap::IndexMap;
use serde::Deserialize;
use std::sync::OnceLock;

/// The largest budget that is taken: beyond it somebody has miscounted the zeros.
const MOST_BUDGET: u64 = 1_000_000;

/// The dearest price that is taken, per million tokens.
const MOST_PRICE: u64 = 10_000;

/// A price as it stands in a file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{input: 0.15, cached_input: 0.075, output: 0.60}")]
pub(super) struct PriceKeys {
    input: PerMillion,
    cached_input: Option<PerMillion>,
    output: PerMillion,
    batch: Option<Part>,
}

impl From<PriceKeys> for Price {
    fn from(keys: PriceKeys) -> Self {
        let cached = keys.cached_input.unwrap_or(keys.input);
        Self {
            input: keys.input.0,
            cached_input: cached.0,
            output: keys.output.0,
            batch_percent: keys.batch.map_or(100, |part| part.0),
        }
    }
}

deserialize_checked!([] PerMillion, [] Part, [] Budget);

/// Dollars per million tokens, zero included.
#[derive(Clone, Copy, Debug)]
struct PerMillion(Usd);

impl Checked for PerMillion {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let most = dollars(MOST_PRICE);
        amount(&value).ok().filter(|price| *price <= most).map(Self).ok_or_else(|| {
            format!(
                "must be US dollars per million tokens, from 0 to {MOST_PRICE}, such as 0.15, not \
                 {value}"
            )
        })
    }
}

/// What a call in a batch costs, as a part of the same call alone; in per cent.
#[derive(Clone, Copy, Debug)]
struct Part(u8);

impl Checked for Part {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let part: Option<f64> = match &value {
            Scalar::Whole(number) => number.to_string().parse().ok(),
            Scalar::Fraction(number) => Some(*number),
            _ => None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to 100"
        )]
        let percent = part.filter(|p| (0.0..=1.0).contains(p)).map(|p| (p * 100.0).round() as u8);
        percent.map(Self).ok_or_else(|| {
            format!("must be what a call in a batch costs of one alone, such as 0.5, not {value}")
        })
    }
}

/// The most that a run may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget(pub Usd);

impl Checked for Budget {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let most = dollars(MOST_BUDGET);
        let within = |budget: &Usd| (Usd::from_picos(1)..=most).contains(budget);
        amount(&value).ok().filter(within).map(Self).ok_or_else(|| {
            format!(
                "must be US dollars, more than 0 and at most {MOST_BUDGET}, such as 5.00, not \
                 {value}; leave it out to spend without a cap"
            )
        })
    }
}

fn dollars(whole: u64) -> Usd {
    Usd::from_picos(1_000_000_000_000).times(whole)
}

/// A number of a YAML file by its decimals: a float's shortest text is what stands in the file.
fn amount(value: &Scalar<'_>) -> Result<Usd, NotAnAmount> {
    match value {
        Scalar::Whole(number) => number.to_string().parse(),
        Scalar::Fraction(number) => number.to_string().parse(),
        Scalar::Text(text) => text.parse(),
        _ => Err(NotAnAmount::Malformed),
    }
}

/// Every price by its model, in the order of `config/prices.yaml`.
pub fn prices() -> &'static IndexMap<String, Price> {
    static PRICES: OnceLock<IndexMap<String, Price>> = OnceLock::new();
    PRICES.get_or_init(|| {
        let table: IndexMap<String, PriceKeys> =
            serde_yaml::from_str(include_str!("../../config/prices.yaml"))
                .expect("config/prices.yaml is part of the program, and a test reads it");
        table.into_iter().map(|(model, keys)| (model, keys.into())).collect()
    })
}

/// The list price of a model, with the name under which it stands in the table.
pub fn list_price(model: &str) -> Option<(&'static str, Price)> {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let (name, price) =
        prices().get_key_value(model).or_else(|| prices().get_key_value(without_date(model)?))?;
    Some((name, *price))
}

/// What the vectors of a model cost that is asked at an endpoint whose chats cost this: nothing
/// where those are free; `None` where nobody knows.
pub fn embeddings_price(model: &str, chats: Option<Price>) -> Option<Price> {
    match chats {
        Some(Price::FREE) => Some(Price::FREE),
        _ => list_price(model).map(|(_, price)| price),
    }
}

/// The name without what tells its edition: `-2024-07-18`, `-20251001`, `-001`, `-latest`. Other
/// suffixes make another model with another price.
fn without_date(model: &str) -> Option<&str> {
    let edition = |tail: &str| {
        tail == "latest" || matches!(tail.len(), 3 | 8) && tail.bytes().all(|b| b.is_ascii_digit())
    };
    let (base, tail) = model.rsplit_once('-')?;
    if edition(tail) {
        return Some(base);
    }
    let base = model.get(..model.len().checked_sub("-2024-07-18".len())?)?;
    let date = model.strip_prefix(base)?.strip_prefix('-')?;
    let digits = |part: &str, many| part.len() == many && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = date.split('-');
    let mut next = |many| parts.next().is_some_and(|part| digits(part, many));
    (next(4) && next(2) && next(2)).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_name_finds_its_model_and_a_strange_one_finds_none() {
        for (model, found) in [
            ("gpt-4o-mini", Some("gpt-4o-mini")),
            ("gpt-4o-mini-2024-07-18", Some("gpt-4o-mini")),
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("gpt-4o-2024-05-13", Some("gpt-4o-2024-05-13")),
            ("gpt-4.1-nano-2025-04-14", Some("gpt-4.1-nano")),
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("claude-sonnet-4-20250514", Some("claude-sonnet-4")),
            ("claude-sonnet-4-5", Some("claude-sonnet-4-5")),
            ("models/gemini-2.5-flash", Some("gemini-2.5-flash")),
            ("gemini-2.5-flash-001", Some("gemini-2.5-flash")),
            ("gpt-4o-mini-audio-preview", None),
            ("gpt-3.5-turbo-0613", None),
            ("ft:gpt-4o-mini-2024-07-18:org::id", None),
            ("gpt-4o-mini-", None),
            ("llama3.2", None),
            ("größe-2024-07-18", None),
            ("-2024-07-18", None),
            ("", None),
        ] {
            assert_eq!(list_price(model).map(|(name, _)| name), found, "{model}");
        }
    }

    #[test]
    fn every_list_price_can_be_right() {
        for (model, price) in prices() {
            assert!(price.cached_input <= price.input, "{model}: the cache is dearer");
            // Vectors have no output.
            let has_output = !model.contains("embedding");
            let dearer = price.input < price.output;
            assert_eq!(dearer, has_output, "{model}: an answer is cheaper than a question");
        }
        let (_, price) = list_price("gpt-4o-mini").unwrap();
        assert_eq!(price.to_string(), "$0.15 in, $0.075 cached, $0.60 out");
        assert_eq!(
            (price.batch_percent, price.in_batch().output.to_string()),
            (50, "$0.30".into())
        );
        let (_, elsewhere) = list_price("claude-haiku-4-5").unwrap();
        assert_eq!(elsewhere.in_batch(), elsewhere, "what a table does not say costs all of it");
        for wrong in ["1.5", "-1", "half"] {
            let text = format!("{{ input: 1, output: 2, batch: {wrong} }}");
            let error = serde_yaml::from_str::<PriceKeys>(&text).unwrap_err().to_string();
            assert!(error.contains("such as 0.5"), "{error}");
        }
        let (_, old) = list_price("gpt-3.5-turbo").unwrap();
        assert_eq!(old.cached_input, old.input);
    }
}
