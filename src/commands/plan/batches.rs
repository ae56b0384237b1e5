//! What the same run would take through the Batch API.

use super::{
    layout::{money, range},
    outlook::Outlook,
    work::Parts,
};
use crate::{config::Config, forecast::Cost, model::Usd};

/// The run as batches.
pub(super) struct InBatches {
    pub endpoint: String,
    /// `None` where the endpoint has no price.
    pub cost: Option<Cost>,
    /// What a call in a batch costs of one alone.
    pub percent: u8,
    /// Whether the run is to be one.
    pub on: bool,
}

impl InBatches {
    /// `None` where no endpoint has a Batch API.
    /// A summary is asked for one by one all the same.
    pub(super) fn of(config: &Config, parts: &Parts) -> Option<Self> {
        let endpoint = &config.endpoints[config.batch_endpoint()?];
        let price = endpoint.price;
        Some(Self {
            endpoint: endpoint.name.clone(),
            cost: price.map(|price| {
                let summary = parts.summary.map(|work| Cost::of(&work, &price));
                let interviews = Cost::of(&parts.interviews(), &price.in_batch());
                summary.map_or(interviews, |summary| interviews.and(summary))
            }),
            percent: price.map_or(100, |price| price.batch_percent),
            on: config.batch,
        })
    }
}

/// The sentence about it; `None` where it would change nothing and nobody asks for it.
pub(super) fn in_batches(outlook: &Outlook) -> Option<String> {
    let InBatches { endpoint, cost, percent, on } = outlook.in_batches.as_ref()?;
    let saves = *percent < 100 && cost.is_some_and(|cost| cost.cap > Usd::ZERO);
    if !on && !saves {
        return None;
    }
    let cost = match cost {
        Some(Cost { low, high, cap }) if saves => format!(
            "it costs {}, at most {}, which is {percent} % of the price{}",
            range(money(*low), money(*high)),
            money(*cap),
            if outlook.parts.summary.is_some() { " for all but the summary" } else { "" }
        ),
        Some(cost) if cost.cap == Usd::ZERO => "it costs nothing".to_owned(),
        Some(_) => "it costs the same".to_owned(),
        None => "its price is not known".to_owned(),
    };
    let how = if *on { "" } else { " (--batch)" };
    Some(format!(
        "through the Batch API of {endpoint}{how} {cost}; no limit above holds then, and each stage \
         may take up to 24 h."
    ))
}
