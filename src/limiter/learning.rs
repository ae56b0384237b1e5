//! What the line learns from what comes back, and as seconds pass.

use super::{
    clock::Moment,
    feedback::{Feedback, Outcome},
    line::Line,
    permit::Grant,
    quota::Changed,
    steering::Moved,
};
use crate::model::{
    EndpointIndex, Failure, FailureKind, LimitChange, LimitName, LimitSetBy, UnixMillis,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

impl Line {
    /// Takes in what came back for a grant. True where the dispatcher must look.
    #[must_use]
    pub(super) fn learn(&mut self, grant: &Grant, feedback: &Feedback<'_>, now: Moment) -> bool {
        let index = grant.endpoint;
        let Self { endpoints, quotas, .. } = self;
        // Where there is nowhere else to go, a pause helps nobody.
        let others = (0..=u16::MAX)
            .zip(endpoints.iter())
            .any(|(other, endpoint)| EndpointIndex(other) != index && !endpoint.health.is_out());
        let Some(place) = endpoints.get(index.as_usize()).map(|endpoint| endpoint.quota) else {
            return false;
        };
        let quota = &mut quotas[place];
        let mut changed = quota.hear(&feedback.said, grant.at, now);
        if let Outcome::Limited { failure } = feedback.outcome {
            let told = (failure.kind, failure.retry_after);
            let sent = (grant.at, grant.reserved);
            changed.extend(quota.limited(told, sent, fastrand::f64(), now));
        }
        match feedback.outcome {
            Outcome::Broken { .. } | Outcome::Overloaded { .. } => quota.breaks(true),
            Outcome::Served { .. } | Outcome::Limited { .. } => quota.breaks(false),
            Outcome::NothingLearned => {}
        }
        let endpoint = &mut endpoints[index.as_usize()];
        let before = endpoint.target();
        let was_well = endpoint.health.is_well();
        let mut moved = None;
        match feedback.outcome {
            Outcome::Served { first_byte } => {
                endpoint.served(now);
                moved = endpoint.steering.served(first_byte, now);
            }
            Outcome::Limited { .. } => endpoint.count_failure(),
            Outcome::Overloaded { failure } => {
                endpoint.count_failure();
                moved = endpoint.steering.overloaded(grant.at, now);
                endpoint.overloaded(failure, fastrand::f64(), now);
                if others {
                    endpoint.broke(failure, now);
                }
            }
            Outcome::Broken { failure } => {
                endpoint.count_failure();
                if others {
                    endpoint.broke(failure, now);
                }
            }
            Outcome::NothingLearned => endpoint.count_failure(),
        }
        let look = !changed.is_empty() || moved.is_some() || was_well != endpoint.health.is_well();
        self.keep_rates(place, changed);
        self.keep_slots(index, before, moved);
        look
    }

    /// Lets the seconds pass that have passed.
    pub(super) fn pass_seconds(&mut self, now: Moment) {
        if !self.adapting || now < self.next_second {
            return;
        }
        self.next_second = now.plus(SECOND);
        for quota in 0..self.quotas.len() {
            let changed = self.quotas[quota].second_passed(now);
            self.keep_rates(quota, changed);
        }
        for index in (0..=u16::MAX).map(EndpointIndex).take(self.endpoints.len()) {
            let endpoint = &mut self.endpoints[index.as_usize()];
            let wanted = std::mem::take(&mut endpoint.wanted);
            let before = endpoint.target();
            let moved = endpoint.steering.second_passed(wanted, now);
            self.keep_slots(index, before, moved);
        }
    }

    /// Switches adaptation on or off.
    pub(super) fn adapt(&mut self, on: bool, now: Moment) {
        if self.adapting == on {
            return;
        }
        self.adapting = on;
        self.next_second = now.plus(SECOND);
        for quota in 0..self.quotas.len() {
            let changed = self.quotas[quota].adapt(on, now);
            self.keep_rates(quota, changed);
        }
        for index in (0..=u16::MAX).map(EndpointIndex).take(self.endpoints.len()) {
            let endpoint = &mut self.endpoints[index.as_usize()];
            let before = endpoint.target();
            endpoint.steering.adapt(on);
            let to = endpoint.target();
            if to != before {
                let reason = "adaptation switched off".to_owned();
                let values = (Some(before), Some(to));
                self.keep(index, LimitName::Slots, values, LimitSetBy::Adaptation, reason);
            }
        }
    }

    /// Takes an endpoint out of service, and with it the others of its group where it is their
    /// quota that is used up; where it is their money, whatever their models. How many are left in
    /// service.
    pub(super) fn take_out(
        &mut self,
        index: EndpointIndex,
        failure: &Failure,
        whole_group: bool,
    ) -> usize {
        let Some(endpoint) = self.endpoints.get(index.as_usize()) else { return 0 };
        let (quota, group) = (endpoint.quota, endpoint.group().map(str::to_owned));
        let of_money = failure.kind == FailureKind::QuotaExhausted && group.is_some();
        for (other, endpoint) in (0..=u16::MAX).zip(&mut self.endpoints) {
            let shares =
                endpoint.quota == quota || of_money && endpoint.group() == group.as_deref();
            if EndpointIndex(other) == index || whole_group && shares {
                endpoint.health.take_out(failure.clone());
            }
        }
        self.endpoints.iter().filter(|endpoint| !endpoint.health.is_out()).count()
    }

    /// A person has mended what was wrong. How many endpoints come back.
    pub(super) fn put_back(&mut self) -> usize {
        let Self { endpoints, quotas, .. } = self;
        let back = endpoints.iter_mut().filter_map(|endpoint| {
            endpoint.put_back()?;
            // What it was told to wait for may be over too: whoever mended it knows better.
            quotas[endpoint.quota].end_pause();
            Some(())
        });
        back.count()
    }

    /// Rates are of a quota, and changed for the first endpoint that uses it.
    fn keep_rates(&mut self, quota: usize, changed: Vec<Changed>) {
        if changed.is_empty() {
            return;
        }
        let first = (0..=u16::MAX)
            .zip(&self.endpoints)
            .find(|(_, endpoint)| endpoint.quota == quota)
            .map_or(0, |(index, _)| index);
        for Changed { limit, from, to, set_by, reason } in changed {
            let values = (from.map(u32::from), to.map(u32::from));
            self.keep(EndpointIndex(first), limit, values, set_by, reason);
        }
    }

    fn keep_slots(&mut self, index: EndpointIndex, before: u32, moved: Option<Moved>) {
        let Some(moved) = moved else { return };
        let to = self.endpoints[index.as_usize()].target();
        let reason = match moved {
            Moved::Overloaded => "the server has more than it can take".to_owned(),
            Moved::FirstByteLate { median } => {
                format!("the first byte comes late: after {:.1} s", median.as_secs_f64())
            }
            Moved::TakesMore => "the server takes more".to_owned(),
        };
        let values = (Some(before), Some(to));
        self.keep(index, LimitName::Slots, values, LimitSetBy::Adaptation, reason);
    }

    fn keep(
        &mut self,
        endpoint: EndpointIndex,
        limit: LimitName,
        (from, to): (Option<u32>, Option<u32>),
        set_by: LimitSetBy,
        reason: String,
    ) {
        let at = UnixMillis::now();
        self.changes.push(LimitChange { at, endpoint, limit, from, to, set_by, reason });
    }
}
