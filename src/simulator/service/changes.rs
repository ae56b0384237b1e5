//! The changes that are made while a provider runs, and the memory of them.

use super::Service;
use crate::simulator::{
    accounts::Rates,
    change::{Change, ChangeError},
};
use std::{sync::PoisonError, time::Duration};
use tokio::time::Instant;

/// How many changes are remembered.
const CHANGES_KEPT: usize = 1000;

/// A change that was made, and when, counted from the start.
#[derive(Clone, Debug)]
pub struct Made {
    pub at: Duration,
    pub change: Change,
    pub by: By,
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Schedule,
    Command,
}

impl Service {
    /// Makes a change, from now on.
    ///
    /// # Errors
    /// Where this provider cannot make it.
    pub fn change(&self, change: Change, by: By, now: Instant) -> Result<(), ChangeError> {
        self.options.can_change(&change)?;
        let set_rates = |set: &dyn Fn(&mut Rates)| {
            let mut accounts = self.accounts();
            let mut rates = accounts.rates();
            set(&mut rates);
            accounts.set_rates(rates, now);
        };
        match &change {
            Change::Faults(faults) => self.live_mut().faults = **faults,
            Change::Latency(latency) => self.live_mut().speed.latency = *latency,
            Change::Capacity(factor) => set_rates(&|rates| rates.capacity = *factor),
            Change::RequestsPerMinute(rate) => {
                set_rates(&|rates| rates.requests_per_minute = *rate)
            }
            Change::TokensPerMinute(rate) => set_rates(&|rates| rates.tokens_per_minute = *rate),
            Change::Slots(slots) => self.slots.set_limit(*slots),
            Change::Quota(quota) => self.accounts().change_quota(*quota),
            Change::Refuse(key) => self.accounts().refuse(key, true),
            Change::Accept(key) => self.accounts().refuse(key, false),
            Change::Down => self.outage.set(true),
            Change::Up => self.outage.set(false),
        }
        let at = now.saturating_duration_since(self.started_at);
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == CHANGES_KEPT {
            changes.remove(0);
        }
        changes.push(Made { at, change, by });
        Ok(())
    }

    /// The last changes that were made, the oldest first.
    pub fn changes(&self) -> Vec<Made> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
