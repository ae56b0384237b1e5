//! That money is set aside before it is spent, comes back where it was not, and is on file in time.

use super::*;
use proptest::prelude::*;

fn usd(picos: u64) -> Usd {
    Usd::from_picos(picos)
}

/// Of an earlier part of the run, without batches.
fn before(alone: u64) -> Before {
    Before { alone: usd(alone), ..Before::default() }
}

/// A ledger with a file, and what it has put there, the last one last.
fn with_file(budget: Option<Usd>, before: Before) -> (Ledger, Arc<Mutex<Vec<Allowance>>>) {
    let put = Arc::<Mutex<Vec<_>>>::default();
    let kept = Arc::clone(&put);
    let ledger = Ledger::on_file(budget, before, move |_, more| kept.lock().unwrap().push(more));
    (ledger, put)
}

#[test]
fn what_is_reserved_and_not_spent_comes_back() {
    let ledger = Ledger::new(Some(usd(100)), before(10));
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
    let ledger = Ledger::new(Some(usd(100)), before(0));
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
    let (ledger, asked) = with_file(Some(usd(16_000)), before(100));
    let up_to = |at: &Allowance| at.up_to.unwrap();
    let all = || asked.lock().unwrap().iter().map(up_to).collect::<Vec<_>>();
    let last = || *all().last().unwrap();
    let tell = || ledger.is_on_file(*asked.lock().unwrap().last().unwrap());
    assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow), "nothing is on file yet");
    assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow));
    assert_eq!(all(), [usd(270)], "asked for once");
    tell();
    let mut held = Vec::new();
    while let Ok(reservation) = ledger.reserve(usd(10)) {
        held.push(reservation);
        let Books { spent, reserved, .. } = ledger.books();
        assert!(spent.saturating_add(reserved) <= usd(270));
    }
    assert!(held.len() >= 16 && last() > usd(270), "more is asked for before it is needed");
    // The budget is never asked beyond, and what it has no room for is short for good.
    while last() < usd(16_000) {
        tell();
        held.extend(ledger.reserve(usd(10)).ok());
        let Books { spent, reserved, .. } = ledger.books();
        let ahead = last().saturating_sub(spent).saturating_sub(reserved);
        assert!(ahead <= usd(16_000 / 64 + 10), "a kill costs a part of the budget: {ahead:?}");
    }
    tell();
    held.extend(std::iter::from_fn(|| ledger.reserve(usd(10)).ok()));
    assert_eq!(held.len(), 1_590);
    held.into_iter().for_each(Reservation::settle_in_full);
    assert!(matches!(ledger.reserve(usd(1)).err(), Some(Short::ForGood { .. })));
    assert_eq!(last(), usd(16_000));
}

#[test]
fn a_call_that_was_sent_and_broken_off_counts_in_full() {
    let ledger = Ledger::new(Some(usd(100)), before(0));
    let mut sent = ledger.reserve(usd(30)).ok().unwrap();
    sent.sent();
    drop(sent);
    drop(ledger.reserve(usd(30)).ok().unwrap());
    let mut failed = ledger.reserve(usd(30)).ok().unwrap();
    failed.sent();
    failed.give_back();
    let mut answered = ledger.reserve(usd(30)).ok().unwrap();
    answered.sent();
    answered.settle(usd(7));
    let Books { spent, reserved, .. } = ledger.books();
    assert_eq!((spent, reserved), (usd(37), usd(0)));
}

#[test]
fn a_closed_ledger_has_on_file_what_was_spent_and_opens_again() {
    let (ledger, put) = with_file(Some(usd(1_000)), before(0));
    let last = || *put.lock().unwrap().last().unwrap();
    assert!(ledger.reserve(usd(10)).is_err());
    let first = last();
    ledger.is_on_file(first);
    let mut broken_off = ledger.reserve(usd(10)).ok().unwrap();
    broken_off.sent();
    ledger.close();
    assert_eq!(last().up_to, Some(usd(10)), "its task may not have heard of it yet");
    assert_eq!((ledger.books().spent, ledger.books().reserved), (usd(10), usd(0)));
    drop(broken_off);
    ledger.close();
    assert_eq!(last().up_to, Some(usd(10)));
    // What was on its way when it was closed allows nothing any more.
    ledger.is_on_file(first);
    assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow));
    assert!(last().up_to >= Some(usd(20)));
    ledger.is_on_file(last());
    assert!(ledger.reserve(usd(10)).is_ok());
}

#[test]
fn without_a_budget_the_file_says_whether_what_was_spent_is_known() {
    let (ledger, put) = with_file(None, before(5));
    ledger.reserve(usd(10)).ok().unwrap().settle(usd(3));
    assert!(put.lock().unwrap().is_empty());
    ledger.close();
    ledger.reserve(usd(10)).ok().unwrap().settle(usd(3));
    ledger.reserve(usd(10)).ok().unwrap().settle(usd(3));
    ledger.close();
    let said: Vec<_> = put.lock().unwrap().iter().map(|at| at.up_to).collect();
    assert_eq!(said, [Some(usd(8)), None, Some(usd(14))]);
}

#[test]
fn a_batch_needs_no_allowance_and_raises_none() {
    let (ledger, put) = with_file(Some(usd(1_000)), before(0));
    let mut batch = ledger.reserve_for_batch(usd(900)).ok().unwrap();
    assert!(put.lock().unwrap().is_empty());
    assert_eq!(ledger.reserve(usd(200)).err(), Some(Short::ForNow), "the budget is one");
    assert_eq!(ledger.room(), Some(usd(100)));
    batch.lower_to(usd(90));
    assert_eq!(ledger.room(), Some(usd(910)), "what its lines have cost is known");
    batch.settle(usd(90));
    assert!(ledger.reserve(usd(10)).is_err());
    ledger.close();
    let last = *put.lock().unwrap().last().unwrap();
    assert_eq!((last.up_to, ledger.books().spent), (Some(usd(0)), usd(90)));
}

#[test]
fn what_batches_hold_is_held_from_the_first_moment() {
    let under_way = HashMap::from([(3, usd(60))]);
    let before = |followed| Before {
        in_batches: usd(10),
        under_way: under_way.clone(),
        followed,
        ..Before::default()
    };
    let ledger = Ledger::new(Some(usd(100)), before(true));
    assert_eq!(ledger.reserve(usd(40)).err(), Some(Short::ForNow), "it comes back");
    let batch = ledger.take_up(3, usd(60));
    assert_eq!(ledger.books().reserved, usd(60), "it is held once");
    batch.settle(usd(20));
    assert!(ledger.reserve(usd(40)).is_ok());
    // Taken up a second time, it holds what it held.
    drop(ledger.take_up(3, usd(60)));
    assert_eq!(ledger.books().reserved, usd(0));

    let ledger = Ledger::new(Some(usd(100)), before(false));
    let all = Short::ForGood { spent: usd(10), budget: usd(100) };
    assert_eq!(ledger.reserve(usd(40)).err(), Some(all), "nobody is there who would free it");
    let held = ledger.reserve(usd(20)).ok().unwrap();
    assert_eq!(ledger.reserve(usd(40)).err(), Some(Short::ForNow));
    drop(held);
}

#[tokio::test]
async fn who_waits_for_the_file_is_woken_when_it_says_so() {
    let (ledger, put) = with_file(Some(usd(1_000)), before(0));
    let mut settled = std::pin::pin!(ledger.settled());
    settled.as_mut().enable();
    assert_eq!(ledger.reserve(usd(10)).err(), Some(Short::ForNow));
    ledger.is_on_file(put.lock().unwrap()[0]);
    settled.await;
    assert!(ledger.reserve(usd(10)).is_ok());
}

proptest! {
    #[test]
    fn a_budget_is_never_passed(calls in proptest::collection::vec((0_u64..50, 0_u64..50, any::<bool>()), 0..200)) {
        let budget = usd(500);
        let ledger = Ledger::new(Some(budget), before(0));
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
