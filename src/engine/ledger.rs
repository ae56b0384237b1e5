//! What the run costs: one ledger of what is spent and what is reserved, over every kind of call.
//!
//! A call reserves the most that it can cost before it is sent, and settles what it did cost
//! afterwards; nothing is sent whose reservation would go beyond the budget. So the budget holds
//! whatever the answers turn out to be. A call that was sent and never settled, since it was
//! broken off, may be billed all the same, and counts in full.
//!
//! It holds over a kill too. A call that is under way then leaves no trace of itself in the run
//! file, and it may be billed; so may one whose attempt was on its way there. Hence nothing is
//! reserved beyond an allowance that is on file, and whoever goes on with the run takes all of it
//! for spent. It is raised ahead of need, once in so many calls, so that a run hardly waits for
//! it. Where a run ends in order, the allowance comes down to what was spent.
//!
//! ```text
//! budget    |----------------------------------------------------------|
//! allowance |-- spent alone --|-- reserved alone --|-- ahead --|            on file: `spending`
//! batches   |-- spent in batches --|-- reserved in batches --|              on file: `batch`
//! ```
//!
//! A batch is on file before it is created, with the most that it can cost and with what came of
//! its lines. So it needs no allowance, and what is on file of it counts once.

use crate::model::Usd;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, futures::Notified};

/// The allowance is raised by what is reserved, by so many calls, and by this part of what is
/// spent; but by no more than this part of the budget, so that a kill does not use it up.
const CALLS_AHEAD: u64 = 16;
const SPENT_PART: u64 = 256;
const BUDGET_PART: u64 = 64;

/// Why nothing could be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// Calls under way hold what is missing, or some of it: what they do not spend comes back.
    ForNow,
    /// The budget has no room for this call any more.
    ForGood { spent: Usd, budget: Usd },
}

/// What the ledger begins with.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// Spent by calls that went out alone, and by those in batches.
    pub alone: Usd,
    pub in_batches: Usd,
    /// The most that batches can still cost that the provider has, by their numbers.
    pub under_way: HashMap<u32, Usd>,
    /// Whether somebody sees these batches through, so that what they do not spend comes back.
    pub followed: bool,
}

/// A ledger. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Shared>);

struct Shared {
    accounts: Mutex<Accounts>,
    settled: Notify,
    /// Brings an allowance into the run file; `None` where there is no run file.
    file: Option<PutOnFile>,
}

/// Brings an allowance into the run file, and tells the ledger when it is there. It is called with
/// the ledger locked.
type PutOnFile = Box<dyn Fn(Ledger, Allowance) + Send + Sync>;

/// What may be spent by the run file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// By calls that go out alone; `None` where nobody watches, for want of a budget.
    pub up_to: Option<Usd>,
    /// How often the ledger had been closed before.
    closed: u32,
}

struct Accounts {
    budget: Option<Usd>,
    alone: Account,
    in_batches: Account,
    /// Of what batches have reserved, what nobody has taken up yet.
    left_under_way: HashMap<u32, Usd>,
    followed: bool,
    /// The allowance that is on file, and the one on its way there.
    on_file: Usd,
    asked: Usd,
    closed: u32,
    /// Nothing was reserved since it was closed.
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    spent: Usd,
    reserved: Usd,
}

/// How the ledger stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Books {
    pub budget: Option<Usd>,
    pub spent: Usd,
    pub reserved: Usd,
}

/// Whose money it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Call,
    Batch,
}

/// Money set aside for one call, or for one batch. Dropped, all of it comes back, unless the call
/// was sent: then nobody knows what it has cost.
#[must_use = "a reservation that is dropped is given back"]
pub(super) struct Reservation {
    ledger: Arc<Shared>,
    of: Of,
    most: Usd,
    sent: bool,
}

impl Ledger {
    pub(super) fn new(budget: Option<Usd>, before: Before) -> Self {
        Self::with(budget, before, None)
    }

    /// One that reserves nothing beyond what is on file. `put` brings an allowance there, and
    /// [`Self::is_on_file`] is to be called when it is.
    pub(super) fn on_file(
        budget: Option<Usd>,
        before: Before,
        put: impl Fn(Self, Allowance) + Send + Sync + 'static,
    ) -> Self {
        Self::with(budget, before, Some(Box::new(put)))
    }

    fn with(budget: Option<Usd>, before: Before, file: Option<PutOnFile>) -> Self {
        let Before { alone, in_batches, under_way, followed } = before;
        let accounts = Accounts {
            budget,
            alone: Account { spent: alone, reserved: Usd::ZERO },
            in_batches: Account { spent: in_batches, reserved: under_way.values().copied().sum() },
            left_under_way: under_way,
            followed,
            on_file: alone,
            asked: alone,
            closed: 0,
            is_closed: false,
        };
        Self(Arc::new(Shared { accounts: Mutex::new(accounts), settled: Notify::new(), file }))
    }

    /// The run file has this allowance.
    pub(super) fn is_on_file(&self, allowance: Allowance) {
        let mut accounts = self.0.accounts();
        // One of before the ledger was closed holds no longer.
        if let Some(up_to) = allowance.up_to.filter(|_| allowance.closed == accounts.closed) {
            accounts.on_file = accounts.on_file.max(up_to);
        }
        drop(accounts);
        self.0.settled.notify_waiters();
    }

    /// Sets money aside for a call that costs this much at most.
    ///
    /// # Errors
    /// Where the budget could be passed.
    pub(super) fn reserve(&self, most: Usd) -> Result<Reservation, Short> {
        let mut accounts = self.0.accounts();
        accounts.has_room(most)?;
        if let Some(put) = &self.0.file
            && !accounts.is_allowed(most, |allowance| put(self.clone(), allowance))
        {
            return Err(Short::ForNow);
        }
        accounts.alone.reserve(most);
        drop(accounts);
        Ok(self.reservation(Of::Call, most))
    }

    /// Sets money aside for a batch that costs this much at most.
    ///
    /// # Errors
    /// Where the budget could be passed.
    pub(super) fn reserve_for_batch(&self, most: Usd) -> Result<Reservation, Short> {
        let mut accounts = self.0.accounts();
        accounts.has_room(most)?;
        accounts.in_batches.reserve(most);
        drop(accounts);
        Ok(self.reservation(Of::Batch, most))
    }

    /// What is set aside for a batch that is under way already, whatever the budget says.
    pub(super) fn take_up(&self, batch: u32, most: Usd) -> Reservation {
        let mut accounts = self.0.accounts();
        let most = match accounts.left_under_way.remove(&batch) {
            Some(reserved) => reserved,
            None => {
                accounts.in_batches.reserve(most);
                most
            }
        };
        drop(accounts);
        self.reservation(Of::Batch, most)
    }

    fn reservation(&self, of: Of, most: Usd) -> Reservation {
        Reservation { ledger: Arc::clone(&self.0), of, most, sent: false }
    }

    /// What could be set aside now; `None` without a budget.
    pub(super) fn room(&self) -> Option<Usd> {
        let Books { budget, spent, reserved } = self.books();
        budget.map(|budget| budget.saturating_sub(spent).saturating_sub(reserved))
    }

    /// Resolves when a call has been settled. It must be made before the try whose failure it
    /// waits out.
    pub(super) fn settled(&self) -> Notified<'_> {
        self.0.settled.notified()
    }

    pub(super) fn books(&self) -> Books {
        self.0.accounts().books()
    }

    /// Nothing more goes out for now: what was spent is all that may be spent by the run file. Of
    /// a call that was broken off, all of it.
    pub(super) fn close(&self) {
        let Some(put) = &self.0.file else { return };
        let mut accounts = self.0.accounts();
        let Account { spent, reserved } = accounts.alone;
        let up_to = spent.saturating_add(reserved);
        accounts.closed = accounts.closed.wrapping_add(1);
        accounts.is_closed = true;
        (accounts.asked, accounts.on_file) = (up_to, up_to);
        put(self.clone(), Allowance { up_to: Some(up_to), closed: accounts.closed });
    }
}

impl Accounts {
    fn books(&self) -> Books {
        let Account { mut spent, mut reserved } = self.alone;
        if self.is_closed {
            // Of calls that were broken off, whose tasks have not heard of it yet.
            (spent, reserved) = (spent.saturating_add(reserved), Usd::ZERO);
        }
        Books {
            budget: self.budget,
            spent: spent.saturating_add(self.in_batches.spent),
            reserved: reserved.saturating_add(self.in_batches.reserved),
        }
    }

    /// Whether the budget has room for so much more.
    fn has_room(&self, most: Usd) -> Result<(), Short> {
        let Books { budget, spent, reserved } = self.books();
        let Some(budget) = budget else { return Ok(()) };
        if spent.saturating_add(reserved).saturating_add(most) <= budget {
            return Ok(());
        }
        let stays =
            if self.followed { Usd::ZERO } else { self.left_under_way.values().copied().sum() };
        // Even if all that is reserved came back, it might not be enough; but then the
        // reservations end, and the next try is told so.
        Err(if reserved > stays { Short::ForNow } else { Short::ForGood { spent, budget } })
    }

    /// Whether a call that costs so much at most may be sent by what is on file. Asks for more in
    /// time.
    fn is_allowed(&mut self, most: Usd, put: impl Fn(Allowance)) -> bool {
        let was_closed = std::mem::take(&mut self.is_closed);
        let Some(budget) = self.budget else {
            if was_closed {
                put(Allowance { up_to: None, closed: self.closed });
            }
            return true;
        };
        let Account { spent, reserved } = self.alone;
        let wanted = spent.saturating_add(reserved).saturating_add(most);
        let step = (most.times(CALLS_AHEAD).saturating_add(reserved))
            .saturating_add(Usd::from_picos(spent.picos() / SPENT_PART))
            .min(most.max(Usd::from_picos(budget.picos() / BUDGET_PART)));
        let half = Usd::from_picos(step.picos() / 2);
        if wanted.saturating_add(half) > self.asked && self.asked < budget {
            self.asked = wanted.saturating_add(step).min(budget);
            put(Allowance { up_to: Some(self.asked), closed: self.closed });
        }
        wanted <= self.on_file
    }

    const fn of(&mut self, of: Of) -> &mut Account {
        match of {
            Of::Call => &mut self.alone,
            Of::Batch => &mut self.in_batches,
        }
    }
}

impl Account {
    fn reserve(&mut self, most: Usd) {
        self.reserved = self.reserved.saturating_add(most);
    }
}

impl Shared {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The call goes out: from now on it may be billed, whatever becomes of it here.
    pub(super) const fn sent(&mut self) {
        self.sent = true;
    }

    /// It will cost this at most.
    pub(super) fn lower_to(&mut self, most: Usd) {
        let less = self.most.saturating_sub(most);
        let mut accounts = self.ledger.accounts();
        let account = accounts.of(self.of);
        account.reserved = account.reserved.saturating_sub(less);
        drop(accounts);
        self.most = self.most.saturating_sub(less);
    }

    /// The call has cost this.
    pub(super) fn settle(mut self, cost: Usd) {
        let mut accounts = self.ledger.accounts();
        let account = accounts.of(self.of);
        account.spent = account.spent.saturating_add(cost);
        account.reserved = account.reserved.saturating_sub(self.most);
        drop(accounts);
        (self.most, self.sent) = (Usd::ZERO, false);
    }

    /// The call has cost nothing.
    pub(super) fn give_back(self) {
        self.settle(Usd::ZERO);
    }

    /// Nobody said what the call has cost, and it may have been all.
    pub(super) fn settle_in_full(self) {
        let most = self.most;
        self.settle(most);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Self { of, most, sent, .. } = *self;
        let mut accounts = self.ledger.accounts();
        let account = accounts.of(of);
        account.reserved = account.reserved.saturating_sub(most);
        if sent {
            account.spent = account.spent.saturating_add(most);
        }
        let limited = accounts.budget.is_some();
        drop(accounts);
        if limited {
            self.ledger.settled.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
