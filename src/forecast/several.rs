//! What several endpoints do of some work together.
//!
//! A call goes where it can start first, so in a run that waits for limits each endpoint carries
//! as much as its limits let through. Endpoints that share a quota share its rates: each gets its part
//! by weight, and what one of them has no slots for goes to the others.

use super::{
    Binds, Cost, Forecast, Terms, Work,
    timing::{Rate, Timing, slowest_rate},
};
use crate::model::{SharedQuota, Tokens};
use std::{collections::HashSet, num::NonZeroU32, time::Duration};

/// One of the endpoints that share some work.
#[derive(Clone, Debug, PartialEq)]
pub struct Sharer {
    /// Its rates are those of the whole quota, where it shares one.
    pub terms: Terms,
    pub weight: NonZeroU32,
    pub quota: Option<SharedQuota>,
}

/// What each endpoint carries, and all of them together.
#[derive(Clone, Debug, PartialEq)]
pub struct Together {
    /// Of all the work. What binds is what binds the endpoint that carries most of it.
    pub all: Forecast,
    /// In the order of the endpoints; their requests add up.
    pub each: Vec<Forecast>,
}

/// The limits of several endpoints, added up. `None` is "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSum {
    pub slots: u64,
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
}

/// No answer takes less, so that an endpoint without a rate has a finite speed.
const SHORTEST: Duration = Duration::from_millis(1);

impl Together {
    /// The forecast of work that is not yet shared out, and of its parts.
    pub fn of(work: &Work, endpoints: &[Sharer]) -> Self {
        let granted = granted(work, endpoints);
        let speeds: Vec<f64> = endpoints
            .iter()
            .zip(&granted)
            .map(|(endpoint, rate)| room(endpoint).min(per_second(*rate)))
            .collect();
        let each: Vec<_> = split(work.requests, &speeds)
            .into_iter()
            .zip(endpoints.iter().zip(granted))
            .map(|(requests, (endpoint, rate))| part(work, requests, &endpoint.terms, rate))
            .collect();
        Self { all: sum(work, &each), each }
    }
}

impl LimitSum {
    /// The sum of all; the rates of a shared quota count once.
    pub fn of(endpoints: &[Sharer]) -> Self {
        let mut sum = Self { slots: 0, requests_per_minute: Some(0), tokens_per_minute: Some(0) };
        let mut counted = HashSet::new();
        for endpoint in endpoints {
            let limits = &endpoint.terms.limits;
            sum.slots += u64::from(limits.slots.get());
            if endpoint.quota.as_ref().is_none_or(|quota| counted.insert(quota)) {
                let add =
                    |sum: Option<u64>, rate: Option<_>| Some(sum? + u64::from(u32::from(rate?)));
                sum.requests_per_minute = add(sum.requests_per_minute, limits.requests_per_minute);
                sum.tokens_per_minute = add(sum.tokens_per_minute, limits.tokens_per_minute);
            }
        }
        sum
    }
}

/// The requests a second that its slots have room for.
fn room(endpoint: &Sharer) -> f64 {
    let terms = &endpoint.terms;
    f64::from(terms.limits.slots.get()) / terms.latency.max(SHORTEST).as_secs_f64()
}

fn per_second(rate: Option<Rate>) -> f64 {
    rate.map_or(f64::INFINITY, |rate| rate.per_second)
}

/// The rate that each endpoint may use: its own, or its part of a shared one.
fn granted(work: &Work, endpoints: &[Sharer]) -> Vec<Option<Rate>> {
    let mut rates: Vec<_> =
        endpoints.iter().map(|endpoint| slowest_rate(work, &endpoint.terms)).collect();
    let quotas: HashSet<&SharedQuota> =
        endpoints.iter().filter_map(|endpoint| endpoint.quota.as_ref()).collect();
    for quota in quotas {
        let members: Vec<_> = endpoints
            .iter()
            .enumerate()
            .filter(|(_, endpoint)| endpoint.quota.as_ref() == Some(quota))
            .map(|(index, endpoint)| {
                let weight = f64::from(endpoint.weight.get());
                (index, weight, room(endpoint) / per_second(rates[index]))
            })
            .collect();
        for (index, part) in parts(members) {
            if let Some(rate) = &mut rates[index] {
                rate.per_second *= part;
            }
        }
    }
    rates
}

/// Shares one quota out by weight among members that can use so much of it each. A member that
/// cannot use its part keeps it by name: slots are what binds it.
fn parts(mut open: Vec<(usize, f64, f64)>) -> Vec<(usize, f64)> {
    let mut parts = Vec::new();
    let mut left = 1.0;
    while !open.is_empty() {
        let weights: f64 = open.iter().map(|(_, weight, _)| weight).sum();
        let part = |weight: f64| left * weight / weights;
        let (full, able): (Vec<_>, Vec<_>) =
            open.iter().copied().partition(|(_, weight, usable)| *usable < part(*weight));
        let settled = if full.is_empty() { &able } else { &full };
        parts.extend(settled.iter().map(|(index, weight, _)| (*index, part(*weight))));
        if full.is_empty() {
            break;
        }
        left -= full.iter().map(|(_, _, usable)| usable).sum::<f64>();
        open = able;
    }
    parts
}

/// Splits a number in proportion. The parts add up to it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts far below 2^52, and never negative"
)]
fn split(number: u64, by: &[f64]) -> Vec<u64> {
    let sum: f64 = by.iter().sum();
    let exact: Vec<f64> = by.iter().map(|part| number as f64 * part / sum).collect();
    let mut parts: Vec<u64> = exact.iter().map(|part| *part as u64).collect();
    let mut by_rest: Vec<usize> = (0..by.len()).collect();
    by_rest.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let left = number.saturating_sub(parts.iter().sum());
    for index in by_rest.into_iter().cycle().take(left as usize) {
        parts[index] += 1;
    }
    parts
}

/// What one endpoint carries of the work.
fn part(work: &Work, requests: u64, terms: &Terms, rate: Option<Rate>) -> Forecast {
    let prompts = u128::from(work.prompt_tokens.0) * u128::from(requests);
    let prompts = prompts / u128::from(work.requests.max(1));
    let own = Work {
        requests,
        prompt_tokens: Tokens(u64::try_from(prompts).unwrap_or(u64::MAX)),
        ..*work
    };
    let mut timing = Timing::at(requests, terms, rate);
    // With more slots it would carry more than it does.
    timing.slots_wanted = rate.map(|rate| rate.slots_wanted(terms.latency, work.requests));
    Forecast::at(&own, terms, &timing)
}

/// All parts as one forecast.
fn sum(work: &Work, each: &[Forecast]) -> Forecast {
    let carrying = || each.iter().filter(|part| part.requests > 0);
    let cost = carrying().try_fold(Cost::default(), |sum, part| Some(sum.and(part.cost?)));
    let largest = carrying().rev().max_by_key(|part| part.requests);
    Forecast {
        requests: work.requests,
        prompt_tokens: work.prompt_tokens,
        output: work.output.times(work.requests),
        cost,
        time: each.iter().map(|part| part.time).max().unwrap_or_default(),
        binds: largest.map_or(Binds::Latency, |part| part.binds),
        slots_wanted: each.iter().map(|part| part.slots_wanted).sum(),
    }
}
