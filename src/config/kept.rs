//! What the run file keeps of a configuration, so that a resumed run goes on under the same terms.

use super::{HeaderSource, KeySource, RetryBounds};
use crate::model::{
    CacheSettings, EndpointIndex, EndpointKind, Guessed, LimitName, Limits, Price, SharedQuota, Usd,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::{num::NonZeroU32, time::Duration};

/// The settings of a run. They have no room for a key, only for where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct RunSettings {
    /// Never empty.
    pub endpoints: Vec<KeptEndpoint>,
    pub retry: RetryBounds,
    pub timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
    pub adapt: bool,
    pub cache: CacheSettings,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
}

/// One endpoint of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEndpoint {
    /// `None` for the one endpoint of a survey without a list: it is called after its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `None` where the survey did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EndpointKind>,
    /// With the query, where it has one.
    pub base_url: String,
    #[serde(default)]
    pub key: KeySource,
    pub model: String,
    /// `None` where the survey did not say: the price table may have learned since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    pub limits: Limits,
    /// Runs from before limits could follow the provider have none of these.
    #[serde(default, skip_serializing_if = "is_spelled_out")]
    pub guessed: Guessed,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: NonZeroU32,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, HeaderSource>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub charges_cap: bool,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(weight: &NonZeroU32) -> bool {
    weight.get() == 1
}

fn is_spelled_out(guessed: &Guessed) -> bool {
    *guessed == Guessed::default()
}

/// What stands in run files: runs from before there were several endpoints have the three keys of
/// one instead of a list.
#[derive(Deserialize)]
struct Written {
    endpoints: Option<Vec<KeptEndpoint>>,
    base_url: Option<String>,
    model: Option<String>,
    limits: Option<Limits>,
    retry: RetryBounds,
    timeout: Duration,
    plan: Option<String>,
    budget: Option<Usd>,
    #[serde(default = "yes")]
    adapt: bool,
    #[serde(default)]
    cache: CacheSettings,
    #[serde(default)]
    batch: bool,
}

const fn yes() -> bool {
    true
}

/// A run file that somebody has changed.
#[derive(Debug, thiserror::Error)]
#[error("they name no endpoint")]
struct NoEndpoint;

impl TryFrom<Written> for RunSettings {
    type Error = NoEndpoint;

    fn try_from(written: Written) -> Result<Self, NoEndpoint> {
        let endpoints = match (written.endpoints, written.base_url, written.model, written.limits) {
            (Some(endpoints), ..) if !endpoints.is_empty() => endpoints,
            (None, Some(base_url), Some(model), Some(limits)) => {
                vec![KeptEndpoint::of_one(base_url, model, limits)]
            }
            _ => return Err(NoEndpoint),
        };
        Ok(Self {
            endpoints,
            retry: written.retry,
            timeout: written.timeout,
            plan: written.plan,
            budget: written.budget,
            adapt: written.adapt,
            cache: written.cache,
            batch: written.batch,
        })
    }
}

impl KeptEndpoint {
    /// The endpoint of a survey that says no more.
    fn of_one(base_url: String, model: String, limits: Limits) -> Self {
        Self {
            name: None,
            kind: None,
            base_url,
            key: KeySource::Usual,
            model,
            price: None,
            limits,
            guessed: Guessed::default(),
            weight: one(),
            headers: IndexMap::new(),
            group: None,
            charges_cap: false,
        }
    }

    fn shared_quota(&self) -> Option<SharedQuota> {
        SharedQuota::of(self.group.as_deref(), &self.model)
    }
}

impl RunSettings {
    /// Sets a limit as it was tuned in the run, which is no guess any more. A group has one quota
    /// for each model, so a rate is that of all who share it.
    pub fn set_limit(&mut self, endpoint: EndpointIndex, limit: LimitName, to: Option<u32>) {
        let Some(tuned) = self.endpoints.get(endpoint.as_usize()) else { return };
        let shared = tuned.shared_quota().filter(|_| limit != LimitName::Slots);
        for (index, other) in self.endpoints.iter_mut().enumerate() {
            let shares = shared.is_some() && other.shared_quota() == shared;
            if shares || index == endpoint.as_usize() {
                other.limits.set(limit, to);
                *guess_of(&mut other.guessed, limit) = false;
            }
        }
    }
}

const fn guess_of(guessed: &mut Guessed, limit: LimitName) -> &mut bool {
    match limit {
        LimitName::Slots => &mut guessed.slots,
        LimitName::RequestsPerMinute => &mut guessed.requests_per_minute,
        LimitName::TokensPerMinute => &mut guessed.tokens_per_minute,
    }
}
