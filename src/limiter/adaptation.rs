//! How much of a quota may be asked for: a factor that 429s cut and quiet seconds raise again. A
//! pure function of what happened and when.
//!
//! - **Cut.** What the provider let in since the last 429 tells how much it has (see `intake`),
//!   and the factor goes there. Where that is not known, or is contradicted, it is cut in the
//!   dark: little at first, and more with each 429 that follows.
//! - **Raise.** After a few quiet seconds, up to the level that is thought to hold.
//! - **Look.** There it stays for a while, then rises further to see whether there is more, which
//!   ends with one 429 where there is not. The less there is to be gained and the more often a
//!   look was in vain, the longer until the next.
//!
//! `benches/utilisation.rs` holds it against every sort of provider; the constants are those that
//! did best there, and none of them is delicate.

use super::{
    clock::Moment,
    intake::{Intake, Unit},
};

/// What cuts in the dark leave. The first may be a matter of jitter alone.
const CUTS: [f64; 4] = [0.985, 0.92, 0.75, 0.65];

/// No cut in the dark goes below this.
const LEAST: f64 = 0.02;

/// A 429 within so many seconds of the last one is of one streak with it, but for that which ends
/// a look.
const STREAK: u32 = 10;

/// What was let in is contradicted where it is at least this share of what was too much.
const CONTRADICTED: f64 = 0.97;

/// A cut by what was let in leaves at least this. The first of a streak leaves more: where the
/// provider forfeits what is not used at once, it has more than it let in.
const LEAST_BY_INTAKE: f64 = 0.5;
const LEAST_AT_FIRST: f64 = 0.85;

/// Beyond so many times the level that held, the provider has more than it had, and what it let
/// in so far says nothing of it.
const OUTGROWN: f64 = 1.5;

/// After a cut, nothing is raised for so many seconds.
const HOLD: u32 = 5;

/// How much is raised a second, and for each request that was sent in it: where requests are
/// rare, those of a few seconds would not notice that it is too much.
const GROWTH: f64 = 0.08;
const GROWTH_BY_REQUEST: f64 = 0.05;

/// The time from a cut to a look is so many seconds and so many requests, times the patience,
/// within these bounds.
const LOOK_SECONDS: f64 = 4.0;
const LOOK_SECONDS_LEAST: f64 = 8.0;
const LOOK_SECONDS_MOST: f64 = 60.0;
const LOOK_REQUESTS: f64 = 10.0;
const LOOK_REQUESTS_MOST: f64 = 500.0;

/// How patience grows with a look that was in vain.
const IN_VAIN: f64 = 1.06;
const PATIENCE_MOST: f64 = 10.0;

/// After so many seconds at the top, the trouble is over.
const TOP: u32 = 60;

/// Where the quota is not known, how far the factor may rise above where the first 429 came. Once
/// there without another, it is a first guess again, and grows until the next.
const MOST_WHERE_UNKNOWN: f64 = 4.0;

/// How fast a guess grows a second until the provider has said no for the first time.
const DISCOVERY: f64 = 1.15;

/// What is known of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// The provider told it, or somebody set it: the factor stays within it.
    Known,
    /// A first guess, to be found out about.
    Guessed,
}

/// A 429.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denial {
    pub(super) sent_at: Moment,
    pub(super) unit: Unit,
    /// Units a second at a factor of 1.
    pub(super) full: f64,
}

/// A second that has passed without a pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub(super) requests: u64,
    /// Whether the limiter is what held requests back. A quota that nobody uses up says nothing
    /// about its size.
    pub(super) used_up: bool,
}

/// The factor, and what it rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adaptation {
    factor: f64,
    knowledge: Knowledge,
    trouble: Option<Trouble>,
    intake: Intake,
}

/// What has been going on since the last cut.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    cut_at: Moment,
    /// The cuts in the dark of the same streak.
    dark: usize,
    /// The level that is thought to hold.
    holds: f64,
    /// By how much longer than at first it takes to the next look.
    patience: f64,
    /// Since the cut.
    seconds: u32,
    requests: u64,
    seconds_at_top: u32,
}

impl Trouble {
    /// Whether it is time to look for more than what holds; `most` is all that there may be.
    fn looks(&self, most: f64) -> bool {
        let little_to_gain = (most / (most - self.holds).max(f64::EPSILON)).max(1.0);
        let patience = little_to_gain * self.patience;
        let seconds = (LOOK_SECONDS * patience).clamp(LOOK_SECONDS_LEAST, LOOK_SECONDS_MOST);
        let requests = (LOOK_REQUESTS * patience).min(LOOK_REQUESTS_MOST);
        f64::from(self.seconds) >= seconds && self.requests as f64 >= requests
    }
}

impl Adaptation {
    pub(super) fn new(knowledge: Knowledge) -> Self {
        Self { factor: 1.0, knowledge, trouble: None, intake: Intake::default() }
    }

    pub(super) const fn factor(&self) -> f64 {
        self.factor
    }

    /// Whether nobody knows the quota and the provider has not said no yet.
    pub(super) fn is_discovering(&self) -> bool {
        self.knowledge == Knowledge::Guessed && self.trouble.is_none()
    }

    /// More or less is known of the quota, and what was learned of it holds all the same.
    pub(super) const fn know(&mut self, knowledge: Knowledge) {
        self.knowledge = knowledge;
    }

    /// Takes what discovery found as the new measure: the factor is 1 again. Returns what it was.
    pub(super) fn rebase(&mut self) -> f64 {
        let before = std::mem::replace(&mut self.factor, 1.0);
        if let Some(trouble) = &mut self.trouble {
            trouble.holds /= before;
        }
        before
    }

    /// What is let in, to be counted.
    pub(super) const fn intake(&mut self) -> &mut Intake {
        &mut self.intake
    }

    /// A 429. One for a request from before the last cut tells nothing new. True where the factor
    /// fell.
    pub(super) fn limited(&mut self, denial: Denial, now: Moment) -> bool {
        let before = self.factor;
        let last = self.trouble;
        if last.is_some_and(|last| denial.sent_at <= last.cut_at) {
            return false;
        }
        let (held, patience) = last.map_or((before, 1.0), |last| (last.holds, last.patience));
        let looked = before > held;
        let outgrown = before > held * OUTGROWN;
        let again = !looked && last.is_some_and(|last| last.seconds < STREAK);
        if !again {
            self.intake.begin(now);
        }
        let dark = match last {
            Some(last) if again => last.dark,
            // How far a guess has gone beyond the quota is anybody's guess.
            None if self.is_discovering() => CUTS.len() - 1,
            _ => 0,
        };

        let least = before * if again { LEAST_BY_INTAKE } else { LEAST_AT_FIRST };
        let let_in = self.intake.per_second(denial.unit, now).map(|units| units / denial.full);
        let (holds, dark) = match let_in {
            Some(let_in) if let_in < before * CONTRADICTED && !outgrown => {
                self.factor = let_in.max(least);
                (self.factor, 0)
            }
            _ => {
                let cut = CUTS[dark.min(CUTS.len() - 1)];
                self.factor = (before * cut).max(LEAST).min(before);
                (before * CUTS[0], dark + 1)
            }
        };
        let patience = match (looked, again) {
            (true, _) if !outgrown => (patience * IN_VAIN).min(PATIENCE_MOST),
            (false, false) => 1.0,
            _ => patience,
        };
        self.trouble = Some(Trouble {
            cut_at: now,
            dark,
            holds,
            patience,
            seconds: 0,
            requests: 0,
            seconds_at_top: 0,
        });
        self.factor < before
    }

    /// A second has passed. True where the factor rose.
    pub(super) fn second_passed(&mut self, Second { requests, used_up }: Second) -> bool {
        if !used_up {
            self.intake.forget();
        }
        let Some(trouble) = &mut self.trouble else {
            let grows = used_up && self.knowledge == Knowledge::Guessed;
            if grows {
                self.factor *= DISCOVERY;
            }
            return grows;
        };
        trouble.seconds = trouble.seconds.saturating_add(1);
        trouble.requests = trouble.requests.saturating_add(requests);
        let most = match self.knowledge {
            Knowledge::Known => 1.0,
            Knowledge::Guessed => MOST_WHERE_UNKNOWN,
        };
        if self.factor >= most {
            trouble.seconds_at_top += 1;
            if self.knowledge == Knowledge::Guessed || trouble.seconds_at_top >= TOP {
                self.trouble = None;
                self.intake.forget();
            }
            return false;
        }
        let up_to = if trouble.looks(most) { most } else { trouble.holds.min(most) };
        if !used_up || trouble.seconds < HOLD || self.factor >= up_to {
            return false;
        }
        let growth = (requests as f64 * GROWTH_BY_REQUEST).min(GROWTH);
        self.factor = (self.factor * (1.0 + growth)).min(up_to);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tokens;
    use std::time::Duration;

    /// An adaptation, and the time. Full is 10 requests a second.
    struct Timed {
        adaptation: Adaptation,
        seconds: f64,
    }

    impl Timed {
        fn new(knowledge: Knowledge) -> Self {
            Self { adaptation: Adaptation::new(knowledge), seconds: 0.0 }
        }

        fn now(&self) -> Moment {
            Moment::default().plus(Duration::from_secs_f64(self.seconds))
        }

        fn factor(&self) -> f64 {
            self.adaptation.factor()
        }

        /// A 429 for a request that was sent so many seconds ago, a moment after the last event.
        fn limited(&mut self, ago: f64) -> f64 {
            self.seconds += 0.05;
            let sent_at = Moment::default().plus(Duration::from_secs_f64(self.seconds - ago));
            let denial = Denial { sent_at, unit: Unit::Requests, full: 10.0 };
            self.adaptation.limited(denial, self.now());
            self.factor()
        }

        /// Lets seconds pass, in each of which so many requests are let in.
        fn pass(&mut self, seconds: u32, requests: u64) -> f64 {
            for _ in 0..seconds {
                for _ in 0..requests {
                    self.adaptation.intake().count(Tokens(1));
                }
                self.seconds += 1.0;
                self.adaptation.second_passed(Second { requests, used_up: true });
            }
            self.factor()
        }

        /// Lets seconds pass until the factor is above this, and says how many.
        fn pass_until_above(&mut self, factor: f64, requests: u64) -> u32 {
            for seconds in 0..1_000 {
                if self.factor() > factor {
                    return seconds;
                }
                self.pass(1, requests);
            }
            panic!("it stays at {}", self.factor());
        }
    }

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-3, "{value}, not {expected}");
    }

    #[test]
    fn cuts_in_the_dark_deepen_within_a_streak() {
        let mut timed = Timed::new(Knowledge::Known);
        near(timed.limited(0.04), 0.985);
        near(timed.limited(0.06), 0.985); // It was on its way before the cut.
        near(timed.limited(0.04), 0.985 * 0.92);
        near(timed.limited(0.04), 0.985 * 0.92 * 0.75);
        near(timed.limited(0.04), 0.985 * 0.92 * 0.75 * 0.65);
        let cut = timed.limited(0.04);
        near(cut, 0.985 * 0.92 * 0.75 * 0.65 * 0.65);
        near(timed.pass(4, 1), cut);
        for _ in 0..100 {
            timed.limited(0.04);
        }
        near(timed.factor(), LEAST);

        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        timed.pass(9, 1);
        near(timed.limited(0.04), 0.985 * 0.92);
        timed.pass(10, 1);
        near(timed.limited(0.04), 0.985 * 0.985 * 0.985); // Not of the streak any more.
    }

    #[test]
    fn it_goes_to_what_was_let_in_between_two_429s() {
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        timed.pass(10, 6);
        // 60 % of it; but one 429 alone does not take more than 15 %.
        near(timed.limited(0.04), 0.985 * 0.85);
        let second = timed.limited(0.04);
        assert!((0.59..0.6).contains(&second), "{second}");
        let third = timed.limited(0.04);
        near(third, second * 0.985); // It is contradicted: in the dark again.
    }

    #[test]
    fn tokens_are_told_by_tokens() {
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        for _ in 0..10 {
            let at = timed.now();
            timed.pass(1, 6);
            timed.adaptation.intake().correct(at, 0, (Tokens(0), Tokens(5_400)));
        }
        timed.seconds += 0.05;
        let sent_at = timed.now();
        let denial = Denial { sent_at, unit: Unit::Tokens, full: 6_000.0 };
        timed.adaptation.limited(denial, timed.now());
        assert!((0.88..0.9).contains(&timed.factor()), "{}", timed.factor());
    }

    #[test]
    fn it_rises_to_what_holds_stays_there_and_looks() {
        let mut timed = Timed::new(Knowledge::Known);
        for _ in 0..4 {
            timed.limited(0.04);
        }
        let cut = timed.factor();
        near(timed.pass(4, 5), cut);
        let holds = 0.985 * 0.92 * 0.75 * 0.985;
        assert!(timed.pass_until_above(holds - 1e-6, 5) <= 6);
        near(timed.factor(), holds);
        let until_a_look = timed.pass_until_above(holds, 5);
        assert!((1..15).contains(&until_a_look), "{until_a_look}");
        assert!(timed.pass_until_above(0.999, 5) <= 8);
        near(timed.pass(1, 5), 1.0);
    }

    #[test]
    fn a_look_in_vain_returns_to_what_holds_and_the_next_comes_later() {
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        timed.pass(20, 5);
        timed.limited(0.04);
        timed.limited(0.04);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let holds = timed.factor();
            assert!((0.48..0.53).contains(&holds), "{holds}");
            waits.push(timed.pass_until_above(holds, 5));
            timed.pass(1, 5);
            timed.limited(0.04);
        }
        assert!(waits[9] > waits[1] && waits[9] < 2 * waits[1], "{waits:?}");
    }

    #[test]
    fn the_less_there_is_to_gain_the_rarer_it_looks() {
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        let wait = timed.pass_until_above(0.986, 100);
        assert!((55..=60).contains(&wait), "{wait}");
    }

    #[test]
    fn what_was_let_in_before_says_nothing_of_a_quota_that_has_grown() {
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        timed.pass(30, 3);
        timed.limited(0.04);
        timed.limited(0.04);
        timed.pass_until_above(0.9, 8);
        let grown = timed.factor();
        near(timed.limited(0.04), grown * 0.985);
    }

    #[test]
    fn it_rises_only_where_all_was_used_up_and_forgets_what_was_let_in_where_not() {
        let slack = Second { requests: 5, used_up: false };
        let mut timed = Timed::new(Knowledge::Guessed);
        assert!(!timed.adaptation.second_passed(slack));
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        timed.pass(15, 5);
        let before = timed.factor();
        for _ in 0..100 {
            assert!(!timed.adaptation.second_passed(slack));
        }
        near(timed.factor(), before);
        near(timed.limited(0.04), before * 0.985);
    }

    #[test]
    fn where_requests_are_rare_it_rises_by_each_of_them() {
        let mut timed = Timed::new(Knowledge::Known);
        for _ in 0..4 {
            timed.limited(0.04);
        }
        let mut before = timed.factor();
        timed.pass(4, 1);
        for _ in 0..3 {
            near(timed.pass(1, 1) / before, 1.05);
            before = timed.factor();
        }
        near(timed.pass(1, 0), before);
    }

    #[test]
    fn a_minute_at_the_top_ends_the_trouble() {
        let mut timed = Timed::new(Knowledge::Known);
        timed.limited(0.04);
        timed.pass_until_above(0.999, 100);
        timed.pass(59, 10);
        assert!(timed.adaptation.trouble.is_some());
        near(timed.pass(1, 10), 1.0);
        assert!(timed.adaptation.trouble.is_none());
    }

    #[test]
    fn a_guess_grows_until_the_first_no_and_is_searched_from_there() {
        let mut timed = Timed::new(Knowledge::Guessed);
        timed.pass(20, 5);
        assert!(timed.factor() > 16.0 && timed.adaptation.is_discovering());
        assert!(timed.adaptation.rebase() > 16.0);
        near(timed.limited(0.04), 0.65);
        assert!(!timed.adaptation.is_discovering());
        timed.pass_until_above(3.999, 20);
        near(timed.pass(1, 20), MOST_WHERE_UNKNOWN);
        assert!(timed.adaptation.is_discovering(), "it may be more than that");
        assert!(timed.pass(20, 20) > 10.0 * MOST_WHERE_UNKNOWN);
    }
}
