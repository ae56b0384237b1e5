//! Who holds which limit: the meters say what is in force, the history of changes by whom.

use super::Mirror;
use crate::{
    advice,
    model::{EndpointIndex, LimitChange, LimitName, LimitSetBy, PerMinute, Service},
    protocol::EndpointMeters,
};
use std::collections::HashMap;

/// The change that made every limit what it is, and the last value that was set by hand while this process
/// carried the run.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    last: HashMap<(EndpointIndex, LimitName), LimitChange>,
    by_hand: HashMap<(EndpointIndex, LimitName), Option<u32>>,
}

impl Holders {
    /// Takes down a change.
    pub(super) fn note(&mut self, change: &LimitChange) {
        let key = (change.endpoint, change.limit);
        if change.set_by == LimitSetBy::User {
            self.by_hand.insert(key, change.to);
        }
        // A limit that recovers is still held down for what lowered it.
        let recovers =
            change.to.is_none() || change.from.is_some_and(|from| change.to > Some(from));
        match self.last.get(&key) {
            Some(last) if recovers && last.set_by == change.set_by => {}
            _ => {
                self.last.insert(key, change.clone());
            }
        }
    }

    /// A limit set by hand is from then on the one that was configured.
    pub(super) fn correct(&self, index: EndpointIndex, meters: &mut EndpointMeters) {
        if let Some(Some(slots)) = self.by_hand.get(&(index, LimitName::Slots)) {
            let target = meters.slots.target;
            meters.slots.configured = Some(*slots).filter(|&slots| slots != target);
        }
        for (limit, rate) in [
            (LimitName::RequestsPerMinute, &mut meters.requests),
            (LimitName::TokensPerMinute, &mut meters.tokens),
        ] {
            if let Some(set) = self.by_hand.get(&(index, limit)) {
                let set = set.map(|set| PerMinute::clamped(i64::from(set)));
                rate.configured = set.filter(|_| set != rate.limit);
                rate.found &= set.is_none();
            }
        }
    }
}

impl Mirror {
    /// What keeps a limit from being the one that was set, of one endpoint or of all of them:
    /// `held by adaptation: 429 requests`. `None` where it is as it was set, or nobody knows.
    pub fn held_by(&self, only: Option<EndpointIndex>, limit: LimitName) -> Option<String> {
        let mut holders: Vec<String> = Vec::new();
        let shown = self.endpoints().filter(|(index, _)| only.is_none_or(|only| only == *index));
        for (index, endpoint) in shown {
            let holder = match &endpoint.service {
                Service::InService => self.holder(index, endpoint, limit, only.is_some()),
                Service::CoolingDown { .. } | Service::OutOfService { .. } => {
                    Some(format!("{} serves nobody", endpoint.name))
                }
            };
            holders.extend(holder.filter(|holder| !holders.contains(holder)));
        }
        (!holders.is_empty()).then(|| holders.join(", "))
    }

    fn holder(
        &self,
        index: EndpointIndex,
        endpoint: &EndpointMeters,
        limit: LimitName,
        alone: bool,
    ) -> Option<String> {
        let differs = match limit {
            LimitName::Slots => endpoint.slots.configured.is_some(),
            LimitName::RequestsPerMinute => endpoint.requests.is_not_as_set(),
            LimitName::TokensPerMinute => endpoint.tokens.is_not_as_set(),
        };
        let last = self.holders.last.get(&(index, limit));
        let alone = alone || self.meters.endpoints.len() == 1;
        let held_by = |author| format!("held by {}", advice::author(author));
        match last.filter(|change| change.set_by != LimitSetBy::User) {
            _ if !differs => None,
            Some(change) if alone && !change.reason.is_empty() => {
                Some(format!("{}: {}", held_by(change.set_by), change.reason))
            }
            Some(change) => Some(held_by(change.set_by)),
            None if endpoint.adaptation < 0.999 => Some(held_by(LimitSetBy::Adaptation)),
            None => None,
        }
    }

    /// The endpoints with their places.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointIndex, &EndpointMeters)> {
        (0..=u16::MAX).map(EndpointIndex).zip(&self.meters.endpoints)
    }

    /// An endpoint's name, as far as the engine has told it.
    pub fn endpoint_name(&self, index: EndpointIndex) -> String {
        let endpoint = self.meters.endpoints.get(index.as_usize());
        endpoint.map_or_else(|| format!("endpoint {}", index.0), |endpoint| endpoint.name.clone())
    }
}
