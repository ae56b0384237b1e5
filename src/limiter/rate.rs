//! One of the two rates of a quota: what is in force, and what that is made of.

use super::{
    bucket::{Bucket, Pace},
    clock::Moment,
};
use crate::model::{LimitName, PerMinute, WindowSaid};
use std::time::Duration;

/// The share of a quota that is asked for while limits adapt: replies and clocks jitter, and a
/// sliding window of 600 that gets exactly 600 a minute says no now and then.
pub(super) const MARGIN: f64 = 0.99;

/// Where this share of what a rate allows is taken, it is what holds requests back.
pub(super) const USED_UP: f64 = 0.8;

/// A rate in force before and after; `None` is no limit.
pub(super) type FromTo = (Option<PerMinute>, Option<PerMinute>);

pub(super) struct Rate {
    pub(super) limit: LimitName,
    /// As it was set: a ceiling, or a guess.
    set: Option<PerMinute>,
    guessed: bool,
    /// The provider's word.
    said: Option<PerMinute>,
    /// What was found out where neither is known: by what the provider lets in.
    found: Option<PerMinute>,
    /// The factor at which all of it is in force: 1, but for a rate that was set or found while
    /// the other one was held down. Both follow one factor, and neither moves when the other is set.
    full_at: f64,
    in_force: Option<PerMinute>,
    bucket: Option<Bucket>,
    /// Cells taken since the last second passed.
    taken: u64,
}

impl Rate {
    pub(super) fn new(
        limit: LimitName,
        set: Option<PerMinute>,
        guessed: bool,
        now: Moment,
    ) -> Self {
        let bucket = set.map(|rate| Bucket::new(rate, now));
        Self {
            limit,
            set,
            guessed,
            said: None,
            found: None,
            full_at: 1.0,
            in_force: set,
            bucket,
            taken: 0,
        }
    }

    /// What would hold without adaptation.
    pub(super) fn base(&self, adapting: bool) -> Option<PerMinute> {
        match (self.set, self.said) {
            (set, _) if !adapting => set,
            (Some(set), Some(said)) if !self.guessed => Some(set.min(said)),
            (set, said) => said.or(self.found).or(set),
        }
    }

    /// Whether the size of the quota is known, from whomever.
    pub(super) const fn is_known(&self) -> bool {
        self.said.is_some() || self.set.is_some() && !self.guessed
    }

    /// Whether nobody has set or stated what holds while limits adapt: it was found out.
    pub(super) const fn is_found(&self) -> bool {
        self.said.is_none() && self.set.is_none() && self.found.is_some()
    }

    pub(super) const fn set(&self) -> Option<PerMinute> {
        self.set
    }

    pub(super) const fn said(&self) -> Option<PerMinute> {
        self.said
    }

    pub(super) const fn in_force(&self) -> Option<PerMinute> {
        self.in_force
    }

    /// Cells a second at a factor of 1, while limits adapt.
    pub(super) fn full(&self) -> Option<f64> {
        self.base(true).map(|base| f64::from(base.get()) * MARGIN / (60.0 * self.full_at))
    }

    /// The share of it that is in force at this factor.
    fn share(&self, factor: f64) -> f64 {
        let share = factor / self.full_at;
        // A known quota is a ceiling, however the other one is found out about.
        if self.is_known() { share.min(1.0) } else { share }
    }

    /// Somebody set it: all of that is in force at this factor.
    pub(super) const fn set_to(&mut self, to: Option<PerMinute>, factor: f64) {
        self.set = to;
        self.guessed = false;
        self.found = None;
        self.full_at = factor;
    }

    /// It was found out, for want of anything better: all of that is in force at this factor.
    pub(super) fn find(&mut self, per_minute: f64, factor: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to what a rate can be")]
        let found = PerMinute::clamped(per_minute.round() as i64);
        self.found = Some(found);
        self.full_at = factor;
    }

    /// The factor is another one from now on, and what is in force is the same: more was found
    /// than was guessed.
    pub(super) fn rebase(&mut self, from: f64, to: f64) {
        let share = self.share(from);
        self.full_at = to / share;
        if let Some(guess) = self.base(true).filter(|_| !self.is_known()) {
            self.find(f64::from(guess.get()) * share, to);
        }
    }

    /// Nothing that was learned of the other rate holds it down.
    pub(super) const fn start_over(&mut self) {
        self.full_at = 1.0;
    }

    /// The provider's word. True where it is news.
    pub(super) fn hear(&mut self, said: &WindowSaid) -> bool {
        // A limit of 0 would stop everything for ever; some servers send it for "no limit".
        let Some(limit) = said.limit.filter(|&limit| limit > 0) else { return false };
        let limit = Some(PerMinute::clamped(i64::from(limit)));
        std::mem::replace(&mut self.said, limit) != limit
    }

    /// Brings what is in force into line with what is known. The change, where there is one.
    pub(super) fn settle(&mut self, adapting: bool, factor: f64, now: Moment) -> Option<FromTo> {
        let base = self.base(adapting);
        let factor = if adapting { self.share(factor) } else { 1.0 };
        let share = if adapting { factor * MARGIN } else { 1.0 };
        match (base, &mut self.bucket) {
            (Some(base), Some(bucket)) => bucket.set_pace(Pace::share_of(base, share), now),
            (Some(base), bucket) => *bucket = Some(Bucket::new(Pace::share_of(base, share), now)),
            (None, bucket) => *bucket = None,
        }
        #[expect(clippy::cast_possible_truncation, reason = "clamped to what a rate can be")]
        let to = base.map(|base| {
            PerMinute::clamped((f64::from(base.get()) * factor).round().max(1.0) as i64)
        });
        let from = std::mem::replace(&mut self.in_force, to);
        (from != to).then_some((from, to))
    }

    /// When the next cell is there.
    pub(super) fn ready_at(&self) -> Moment {
        self.bucket.as_ref().map_or(Moment::default(), Bucket::ready_at)
    }

    /// Takes cells, where there is one.
    #[must_use]
    pub(super) fn take(&mut self, cells: u64, now: Moment) -> bool {
        let taken = self.bucket.as_mut().is_none_or(|bucket| bucket.take(cells, now));
        if taken {
            self.taken = self.taken.saturating_add(cells);
        }
        taken
    }

    /// Gives back cells that were taken just now.
    pub(super) fn untake(&mut self, cells: u64, now: Moment) {
        self.taken = self.taken.saturating_sub(cells);
        if let Some(bucket) = &mut self.bucket {
            bucket.refund(cells, now);
        }
    }

    /// Corrects what was taken at `at` to what was used. True where less was.
    pub(super) fn correct(&mut self, at: Moment, taken: u64, used: u64, now: Moment) -> bool {
        let Some(bucket) = self.bucket.as_mut().filter(|bucket| bucket.counted(at)) else {
            return false;
        };
        bucket.refund(taken.saturating_sub(used), now);
        bucket.charge(used.saturating_sub(taken));
        used < taken
    }

    /// Cells taken since this was asked last.
    pub(super) const fn taken(&mut self) -> u64 {
        std::mem::replace(&mut self.taken, 0)
    }

    /// Whether so many cells are all but a fifth of what it allows in `span`.
    pub(super) fn is_used_up_by(&self, cells: u64, span: Duration) -> bool {
        let time = self.bucket.as_ref().map(|bucket| bucket.time_of(cells));
        time.is_some_and(|time| time >= span.mul_f64(USED_UP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(set: Option<i64>, guessed: bool) -> Rate {
        let set = set.map(PerMinute::clamped);
        Rate::new(LimitName::RequestsPerMinute, set, guessed, Moment::default())
    }

    fn said(limit: u32) -> WindowSaid {
        WindowSaid { limit: Some(limit), ..WindowSaid::default() }
    }

    fn in_force(rate: &mut Rate, adapting: bool, factor: f64) -> Option<u32> {
        rate.settle(adapting, factor, Moment::default());
        rate.in_force().map(PerMinute::get)
    }

    #[test]
    fn what_was_set_is_a_ceiling_and_what_was_guessed_gives_way() {
        let mut set = rate(Some(600), false);
        assert!(set.hear(&said(900)) && !set.hear(&said(900)));
        assert_eq!(in_force(&mut set, true, 3.0), Some(600));
        assert!(set.hear(&said(300)));
        assert_eq!(in_force(&mut set, true, 0.5), Some(150));
        assert_eq!(in_force(&mut set, false, 0.5), Some(600), "no adaptation, no headers");

        let mut guessed = rate(Some(600), true);
        assert_eq!(in_force(&mut guessed, true, 3.0), Some(1_800));
        guessed.rebase(3.0, 1.0);
        assert_eq!(in_force(&mut guessed, true, 1.0), Some(1_800));
        assert_eq!(in_force(&mut guessed, false, 1.0), Some(600), "what was found was never set");
        assert!(guessed.hear(&said(900)) && !guessed.hear(&said(0)));
        assert_eq!(in_force(&mut guessed, true, 3.0), Some(900));
    }

    #[test]
    fn what_was_found_out_was_not_set_and_gives_way_to_everybody() {
        let mut unlimited = rate(None, false);
        assert_eq!(in_force(&mut unlimited, true, 1.0), None);
        unlimited.find(600.0, 1.0);
        assert!(unlimited.is_found() && !unlimited.is_known());
        assert_eq!((in_force(&mut unlimited, true, 4.0), unlimited.set()), (Some(2_400), None));
        assert_eq!(in_force(&mut unlimited, false, 4.0), None);
        unlimited.hear(&said(900));
        assert!(!unlimited.is_found() && unlimited.is_known());
        assert_eq!(in_force(&mut unlimited, true, 4.0), Some(900));
        unlimited.set_to(Some(PerMinute::clamped(300)), 1.0);
        assert_eq!(in_force(&mut unlimited, true, 4.0), Some(300));
    }

    #[test]
    fn a_rate_that_is_set_while_the_other_is_held_down_is_in_force_at_once() {
        let mut set = rate(Some(600), false);
        assert_eq!(in_force(&mut set, true, 0.5), Some(300));
        set.set_to(Some(PerMinute::clamped(400)), 0.5);
        for (factor, expected) in [(0.5, 400), (0.25, 200), (0.75, 400), (1.0, 400)] {
            assert_eq!(in_force(&mut set, true, factor), Some(expected));
        }
        set.rebase(0.25, 1.0);
        assert_eq!(in_force(&mut set, true, 1.0), Some(200));
        assert_eq!(in_force(&mut set, true, 4.0), Some(400));
        set.start_over();
        assert_eq!(in_force(&mut set, true, 0.5), Some(200));
    }

    #[test]
    fn a_rate_is_used_up_by_most_of_what_it_allows() {
        let second = Duration::from_secs(1);
        let used_up = |set, cells| rate(set, false).is_used_up_by(cells, second);
        assert!(used_up(Some(600), 8) && !used_up(Some(600), 7));
        assert!(used_up(Some(30), 1) && !used_up(Some(30), 0));
        assert!(!used_up(None, 1_000), "no limit holds nobody back");
    }
}
