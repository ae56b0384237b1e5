//! How many slots an endpoint takes: cut when it has too much, raised while it takes more.
//!
//! Two signs tell that a server has too much: it says so (503, 529, no reply in time), or, where
//! it never says anything, the time to its first byte grows. The numbers are those that held
//! 95 % and more of a simulated server's capacity without a queue in front of it.

use super::clock::Moment;
use crate::model::Slots;
use std::{collections::VecDeque, time::Duration};

/// What a cut leaves where the server said that it has too much, and the time between two.
const OVERLOAD_CUT: f64 = 0.8;
const OVERLOAD_EVERY: Duration = Duration::from_secs(15);

/// The same where the first byte is late.
const LATE_CUT: f64 = 0.85;
const LATE_EVERY: Duration = Duration::from_secs(8);

/// First bytes are looked at in windows of this length, with at least this many.
const WINDOW: Duration = Duration::from_secs(2);
const WINDOW_LEAST: usize = 5;

/// Late is later than this many times the fastest window, and than this.
const LATE_TIMES: f64 = 2.0;
const LATE_AT_LEAST: Duration = Duration::from_millis(500);

/// Growth up to the first cut.
const GROWTH: f64 = 1.25;
/// Growth after it, at least one slot.
const RECOVERY: f64 = 0.02;

/// No guess grows beyond this by itself.
const GUESS_MOST: u32 = 512;

/// First bytes that are kept for the median that screens show.
const KEPT: usize = 32;

/// What moves the slots of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotTerms {
    /// As they were set.
    pub(super) set: Slots,
    /// They are a first guess, and not a ceiling.
    pub(super) guessed: bool,
    /// The endpoint never says 429: slots are steered by the time to the first byte.
    pub(super) by_first_byte: bool,
}

/// Why slots changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Overloaded,
    FirstByteLate { median: Duration },
    TakesMore,
}

pub(super) struct Steering {
    terms: SlotTerms,
    adapting: bool,
    /// In slots; the part of one is for growth by small steps.
    limit: f64,
    last_cut: Option<Moment>,
    window: Vec<Duration>,
    window_since: Moment,
    /// The median of the fastest window so far.
    fastest: Option<Duration>,
    recent: VecDeque<Duration>,
}

impl Steering {
    pub(super) fn new(terms: SlotTerms) -> Self {
        Self {
            terms,
            adapting: false,
            limit: f64::from(terms.set.get()),
            last_cut: None,
            window: Vec::new(),
            window_since: Moment::default(),
            fastest: None,
            recent: VecDeque::with_capacity(KEPT),
        }
    }

    /// The slots in force.
    pub(super) fn slots(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 10,000")]
        let whole = self.limit as u32;
        if self.adapting { whole.max(1) } else { self.terms.set.get() }
    }

    /// As they were set.
    pub(super) const fn set(&self) -> Slots {
        self.terms.set
    }

    /// Somebody set the slots: a ceiling from now on.
    pub(super) fn set_to(&mut self, slots: Slots) {
        self.terms = SlotTerms { set: slots, guessed: false, ..self.terms };
        self.start_over();
    }

    pub(super) fn adapt(&mut self, on: bool) {
        self.adapting = on;
        self.start_over();
    }

    fn start_over(&mut self) {
        self.limit = f64::from(self.terms.set.get());
        self.last_cut = None;
    }

    /// The endpoint served; its first byte took so long.
    pub(super) fn served(&mut self, first_byte: Duration, now: Moment) -> Option<Moved> {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(first_byte);
        if !self.adapting || !self.terms.by_first_byte {
            return None;
        }
        if self.window.is_empty() {
            self.window_since = now;
        }
        self.window.push(first_byte);
        if now.since(self.window_since) < WINDOW || self.window.len() < WINDOW_LEAST {
            return None;
        }
        let median = median(&mut self.window);
        self.window.clear();
        let fastest = *self.fastest.get_or_insert(median);
        self.fastest = Some(fastest.min(median));
        let late = median > fastest.mul_f64(LATE_TIMES).max(LATE_AT_LEAST);
        (late && self.cut(LATE_CUT, LATE_EVERY, now)).then_some(Moved::FirstByteLate { median })
    }

    /// The endpoint said that it has too much, for a request sent at `sent_at`.
    pub(super) fn overloaded(&mut self, sent_at: Moment, now: Moment) -> Option<Moved> {
        let known = self.last_cut.is_some_and(|cut| sent_at <= cut);
        (self.adapting && !known && self.cut(OVERLOAD_CUT, OVERLOAD_EVERY, now))
            .then_some(Moved::Overloaded)
    }

    /// A second has passed; `wanted` says that every slot was taken and calls waited for one while
    /// the rates would have let them go.
    pub(super) fn second_passed(&mut self, wanted: bool, now: Moment) -> Option<Moved> {
        let before = self.slots();
        let most = f64::from(match (self.terms.guessed, self.terms.set.get()) {
            (true, set) => set.max(GUESS_MOST),
            (false, set) => set,
        });
        if !self.adapting || !wanted || self.limit >= most {
            return None;
        }
        self.limit = match self.last_cut {
            None => (self.limit * GROWTH).max(self.limit + 1.0),
            Some(at) if now.since(at) < LATE_EVERY => return None,
            Some(_) => self.limit + (self.limit * RECOVERY).max(1.0),
        }
        .min(most);
        (self.slots() > before).then_some(Moved::TakesMore)
    }

    /// The median time to the first byte of the last replies.
    pub(super) fn first_byte(&self) -> Option<Duration> {
        let mut recent: Vec<_> = self.recent.iter().copied().collect();
        (!recent.is_empty()).then(|| median(&mut recent))
    }

    fn cut(&mut self, to: f64, every: Duration, now: Moment) -> bool {
        if self.last_cut.is_some_and(|cut| now.since(cut) < every) {
            return false;
        }
        self.last_cut = Some(now);
        let before = self.slots();
        self.limit = (self.limit * to).max(1.0);
        self.slots() < before
    }
}

/// The middle one; `times` must not be empty.
fn median(times: &mut [Duration]) -> Duration {
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Moment {
        Moment::default().plus(Duration::from_secs_f64(seconds))
    }

    fn steering(set: i64, guessed: bool, by_first_byte: bool) -> Steering {
        let terms = SlotTerms { set: Slots::clamped(set), guessed, by_first_byte };
        let mut steering = Steering::new(terms);
        steering.adapt(true);
        steering
    }

    #[test]
    fn an_overload_cuts_once_for_all_that_was_in_flight() {
        let mut steering = steering(50, false, false);
        assert_eq!(steering.overloaded(at(1.0), at(2.0)), Some(Moved::Overloaded));
        assert_eq!(steering.overloaded(at(1.5), at(30.0)), None, "sent before the cut");
        assert_eq!(steering.overloaded(at(3.0), at(4.0)), None, "too soon after it");
        assert_eq!(steering.slots(), 40);
        assert_eq!(steering.overloaded(at(16.0), at(18.0)), Some(Moved::Overloaded));
        assert_eq!(steering.slots(), 32);
    }

    #[test]
    fn slots_come_back_one_by_one_and_never_beyond_what_was_set() {
        let mut steering = steering(20, false, false);
        steering.overloaded(at(1.0), at(2.0));
        assert_eq!(steering.slots(), 16);
        for second in 3..60 {
            steering.second_passed(true, at(f64::from(second)));
        }
        assert_eq!(steering.slots(), 20);
    }

    #[test]
    fn a_guess_grows_while_calls_want_more_and_stops_when_they_do_not() {
        let mut steering = steering(5, true, false);
        for second in 0..12 {
            steering.second_passed(second < 6, at(f64::from(second)));
        }
        assert_eq!(steering.slots(), 19, "5, 6, 7, 9, 12, 15, 19");
    }

    #[test]
    fn few_slots_grow_too() {
        let mut steering = steering(2, true, false);
        assert_eq!(steering.second_passed(true, at(1.0)), Some(Moved::TakesMore));
        assert_eq!(steering.slots(), 3);
    }

    #[test]
    fn a_first_byte_that_comes_late_cuts() {
        let mut steering = steering(40, false, true);
        let mut serve = |millis, from: f64| {
            (0..24).find_map(|n| {
                steering.served(Duration::from_millis(millis), at(from + f64::from(n) * 0.25))
            })
        };
        assert_eq!(serve(300, 0.0), None);
        assert_eq!(serve(500, 10.0), None, "later, but not late");
        let median = Duration::from_millis(900);
        assert_eq!(serve(900, 20.0), Some(Moved::FirstByteLate { median }));
        assert_eq!(serve(900, 22.5), None, "not again so soon");
        assert_eq!(serve(900, 40.0), Some(Moved::FirstByteLate { median }));
        assert_eq!(steering.slots(), 28);
        assert_eq!(steering.first_byte(), Some(median));
    }

    #[test]
    fn switched_off_it_holds_what_was_set() {
        let mut steering = steering(40, true, true);
        steering.overloaded(at(1.0), at(2.0));
        steering.adapt(false);
        assert_eq!(steering.slots(), 40);
        assert_eq!(steering.overloaded(at(20.0), at(21.0)), None);
        assert_eq!(steering.second_passed(true, at(30.0)), None);
    }
}
