//! What the run costs: one ledger of what is spent and what is reserved, over every kind of call.
//!
//! A call reserves the most that it can cost before it is sent, and settles what it did cost
//! afterwards; nothing is sent whose reservation would go beyond the budget. So the budget holds
//! whatever the answers turn out to be.

use crate::model::Usd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, futures::Notified};

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
        let books = Books { budget, spent, reserved: Usd::ZERO };
        Self(Arc::new(Shared { books: Mutex::new(books), settled: Notify::new() }))
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
