//! What the run costs: one ledger of what is spent and what is reserved, over every kind of call.
//!
//! A call reserves the most that it can cost before it is sent, and settles what it did cost
//! afterwards; nothing is sent whose reservation would go beyond the budget. So the budget holds
//! whatever the answers turn out to be.
//!
//! It holds over a kill too. A call that is under way then leaves no trace of itself in the run
//! file, and it may be billed; so may one whose attempt was on its way there. Hence nothing is
//! reserved beyond an allowance that is on file, and whoever goes on with the run takes all of it
//! for spent. It is raised ahead of need, about once in so many calls as are under way, so that
//! a run waits for it at its start alone and the file has a row more for dozens of attempts.

use crate::model::Usd;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{Notify, futures::Notified};

/// The allowance is raised by what is reserved, by so many calls, and by this part of what is
/// spent. After a kill, no more than that counts as spent beyond what calls under way may cost.
const CALLS_AHEAD: u64 = 16;
const SPENT_PART: u64 = 256;

/// Why nothing could be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// Calls under way hold what is missing, or some of it: what they do not spend comes back.
    ForNow,
    /// The budget has no room for this call any more.
    ForGood { spent: Usd, budget: Usd },
}

/// A ledger. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Shared>);

struct Shared {
    books: Mutex<Books>,
    settled: Notify,
    /// `None` where nobody watches what is spent.
    allowance: Option<Allowance>,
}

/// Brings an amount into the run file, and tells the ledger when it is there.
type Raise = Box<dyn Fn(Ledger, Usd) + Send + Sync>;

/// What may be spent by the run file.
struct Allowance {
    /// In picodollars, on disk.
    on_file: AtomicU64,
    /// The same, on its way there. It is raised with the books locked.
    asked: AtomicU64,
    raise: Raise,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Books {
    pub budget: Option<Usd>,
    pub spent: Usd,
    pub reserved: Usd,
}

/// Money set aside for one call. Dropped, all of it comes back.
#[must_use = "a reservation that is dropped is given back"]
pub(super) struct Reservation {
    ledger: Arc<Shared>,
    most: Usd,
}

impl Ledger {
    pub(super) fn new(budget: Option<Usd>, spent: Usd) -> Self {
        Self::with(budget, spent, None)
    }

    /// One that reserves nothing beyond what is on file. `raise` brings an amount there, and
    /// [`Self::is_on_file`] is to be called when it is.
    pub(super) fn on_file(
        budget: Usd,
        spent: Usd,
        raise: impl Fn(Self, Usd) + Send + Sync + 'static,
    ) -> Self {
        let picos = || AtomicU64::new(spent.picos());
        let raise = Box::new(raise);
        Self::with(Some(budget), spent, Some(Allowance { on_file: picos(), asked: picos(), raise }))
    }

    fn with(budget: Option<Usd>, spent: Usd, allowance: Option<Allowance>) -> Self {
        let books = Books { budget, spent, reserved: Usd::ZERO };
        Self(Arc::new(Shared { books: Mutex::new(books), settled: Notify::new(), allowance }))
    }

    /// The run file says that this much may be spent.
    pub(super) fn is_on_file(&self, up_to: Usd) {
        if let Some(allowance) = &self.0.allowance {
            allowance.on_file.fetch_max(up_to.picos(), Ordering::AcqRel);
            self.0.settled.notify_waiters();
        }
    }

    /// Sets money aside for a call that costs this much at most.
    ///
    /// # Errors
    /// Where the budget could be passed.
    pub(super) fn reserve(&self, most: Usd) -> Result<Reservation, Short> {
        let mut books = self.0.books();
        let wanted = books.spent.saturating_add(books.reserved).saturating_add(most);
        if let Some(budget) = books.budget
            && wanted > budget
        {
            // Even if all that is reserved came back, it might not be enough; but then the
            // reservations end, and the next try is told so.
            return Err(if books.reserved > Usd::ZERO {
                Short::ForNow
            } else {
                Short::ForGood { spent: books.spent, budget }
            });
        }
        if let Some(allowance) = &self.0.allowance
            && !allowance.covers(wanted, most, &books, self)
        {
            return Err(Short::ForNow);
        }
        books.reserved = books.reserved.saturating_add(most);
        drop(books);
        Ok(Reservation { ledger: Arc::clone(&self.0), most })
    }

    /// Sets money aside for what is under way already, whatever the budget says.
    pub(super) fn reserve_anyway(&self, most: Usd) -> Reservation {
        let mut books = self.0.books();
        books.reserved = books.reserved.saturating_add(most);
        drop(books);
        Reservation { ledger: Arc::clone(&self.0), most }
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
        *self.0.books()
    }
}

impl Allowance {
    /// Whether so much may be spent by now. Asks for more in time: a call costs `most` at most.
    fn covers(&self, wanted: Usd, most: Usd, books: &Books, ledger: &Ledger) -> bool {
        let step = (most.times(CALLS_AHEAD).saturating_add(books.reserved).picos())
            .saturating_add(books.spent.picos() / SPENT_PART);
        let budget = books.budget.map_or(u64::MAX, Usd::picos);
        let asked = self.asked.load(Ordering::Acquire);
        if wanted.picos().saturating_add(step / 2) > asked && asked < budget {
            let up_to = wanted.picos().saturating_add(step).min(budget);
            self.asked.store(up_to, Ordering::Release);
            (self.raise)(ledger.clone(), Usd::from_picos(up_to));
        }
        wanted.picos() <= self.on_file.load(Ordering::Acquire)
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The call has cost this.
    pub(super) fn settle(self, cost: Usd) {
        let mut books = self.ledger.books();
        books.spent = books.spent.saturating_add(cost);
    }

    /// Nobody said what the call has cost, and it may have been all.
    pub(super) fn settle_in_full(self) {
        let most = self.most;
        self.settle(most);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        books.reserved = books.reserved.saturating_sub(self.most);
        let limited = books.budget.is_some();
        drop(books);
        if limited {
            self.ledger.settled.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(picos: u64) -> Usd {
        Usd::from_picos(picos)
    }

    #[test]
    fn what_is_reserved_and_not_spent_comes_back() {
        let ledger = Ledger::new(Some(usd(100)), usd(10));
        let first = ledger.reserve(usd(60)).ok().unwrap();
        let second = ledger.reserve(usd(30)).ok().unwrap();
        assert_eq!(ledger.reserve(usd(1)).err(), Some(Short::ForNow));
        first.settle(usd(20));
        drop(second);
        let books = ledger.books();
        assert_eq!((books.spent, books.reserved), (usd(30), usd(0)));
        let all = Short::ForGood { spent: usd(30), budget: usd(100) };
        assert_eq!(ledger.reserve(usd(71)).err(), Some(all));
        ledger.reserve(usd(70)).ok().unwrap().settle_in_full();
        assert_eq!(ledger.books().spent, usd(100));
    }

    #[tokio::test]
    async fn who_waits_for_money_is_woken_when_some_comes_back() {
        let ledger = Ledger::new(Some(usd(100)), usd(0));
        let held = ledger.reserve(usd(100)).ok().unwrap();
        let mut settled = std::pin::pin!(ledger.settled());
        settled.as_mut().enable();
        assert_eq!(ledger.reserve(usd(1)).err(), Some(Short::ForNow));
        held.settle(usd(40));
        settled.await;
        assert!(ledger.reserve(usd(60)).is_ok());
    }

    #[test]
    fn nothing_is_reserved_beyond_what_is_on_file() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let raise = {
            let asked = Arc::clone(&asked);
            move |_, up_to| asked.lock().unwrap().push(up_to)
        };
        let ledger = Ledger::on_file(usd(1_000), usd(100), raise);
        let last = || *asked.lock().unwrap().last().unwrap();
        assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow), "nothing is on file yet");
        assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow));
        assert_eq!(*asked.lock().unwrap(), [usd(270)], "asked for once");
        ledger.is_on_file(last());
        let mut held = Vec::new();
        while let Ok(reservation) = ledger.reserve(usd(10)) {
            held.push(reservation);
            let Books { spent, reserved, .. } = ledger.books();
            assert!(spent.saturating_add(reserved) <= usd(270));
        }
        assert!(held.len() >= 16 && last() > usd(270), "more is asked for before it is needed");
        // The budget is never asked beyond, and what it has no room for is short for good.
        while last() < usd(1_000) {
            ledger.is_on_file(last());
            held.extend(ledger.reserve(usd(10)).ok());
        }
        ledger.is_on_file(usd(1_000));
        held.extend(std::iter::from_fn(|| ledger.reserve(usd(10)).ok()));
        assert_eq!(held.len(), 90);
        held.into_iter().for_each(Reservation::settle_in_full);
        assert!(matches!(ledger.reserve(usd(1)).err(), Some(Short::ForGood { .. })));
        assert_eq!(last(), usd(1_000));
    }

    #[tokio::test]
    async fn who_waits_for_the_file_is_woken_when_it_says_so() {
        let ledger = Ledger::on_file(usd(1_000), usd(0), |_, _| {});
        let mut settled = std::pin::pin!(ledger.settled());
        settled.as_mut().enable();
        assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow));
        ledger.is_on_file(usd(10));
        settled.await;
        assert!(ledger.reserve(usd(10)).is_ok());
    }

    proptest! {
        #[test]
        fn a_budget_is_never_passed(calls in proptest::collection::vec((0_u64..50, 0_u64..50, any::<bool>()), 0..200)) {
            let budget = usd(500);
            let ledger = Ledger::new(Some(budget), Usd::ZERO);
            let mut open = Vec::new();
            for (most, cost, settle) in calls {
                if let Ok(reservation) = ledger.reserve(usd(most)) {
                    open.push((reservation, usd(cost.min(most))));
                }
                if settle && let Some((reservation, cost)) = open.pop() {
                    reservation.settle(cost);
                }
                let books = ledger.books();
                prop_assert!(books.spent.saturating_add(books.reserved) <= budget);
            }
        }
    }
}
