//! What holds the run back, as the screen tells it: steadily, and with the key to press.

use super::{action::Action, keymap::Keymap};
use crate::{
    advice::{Advice, Binds, Remedy, Situation},
    model::UnixMillis,
};

/// How long something else has to bind before the screen says so, in milliseconds.
const SETTLED_MS: i64 = 1_500;

/// How long a sentence stands before its numbers are taken anew, in milliseconds: they change ten
/// times a second, and nobody reads as fast.
const SENTENCE_MS: i64 = 1_000;

/// What binds, for people: two limits that are both nearly used up take turns many times a
/// second, so a change is told only once it has lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    shown: Binds,
    /// What binds instead, and since when.
    other: Option<(Binds, UnixMillis)>,
    advice: Advice,
    /// When the sentence was made.
    said_at: UnixMillis,
}

impl Default for Verdict {
    fn default() -> Self {
        Self {
            shown: Binds::Idle,
            other: None,
            advice: Advice::default(),
            said_at: UnixMillis::default(),
        }
    }
}

impl Verdict {
    /// What is shown.
    pub const fn shown(&self) -> Binds {
        self.shown
    }

    /// Takes in what binds now. A run that stands still is given no advice.
    pub fn observe(&mut self, situation: Option<Situation<'_>>, now: UnixMillis) {
        let before = self.shown;
        self.settle(situation.map_or(Binds::Idle, |situation| situation.binds()), now);
        if before != self.shown || now.0 - self.said_at.0 >= SENTENCE_MS {
            self.advice = situation.map_or_else(Advice::default, |s| s.advice(self.shown));
            self.said_at = now;
        }
    }

    fn settle(&mut self, binds: Binds, now: UnixMillis) {
        let idle = self.shown == Binds::Idle || binds == Binds::Idle;
        if idle || same_kind(binds, self.shown) {
            self.shown = binds;
            self.other = None;
            return;
        }
        match self.other {
            Some((other, since)) if same_kind(other, binds) => {
                if now.0 - since.0 >= SETTLED_MS {
                    self.shown = binds;
                    self.other = None;
                }
            }
            _ => self.other = Some((binds, now)),
        }
    }

    /// The sentence, and the key that does what would help. Empty where there is nothing to say.
    pub fn words(&self, keys: &Keymap) -> String {
        let mut words = super::format::sentence(&self.advice.text);
        if let Some(remedy) = self.advice.remedy {
            let (action, does) = match remedy {
                Remedy::MoreSlots => (Action::MoreSlots, "adds some"),
                Remedy::FewerSlots => (Action::FewerSlots, "takes some away"),
                Remedy::MoreRequests => (Action::MoreRequests, "raises it here"),
                Remedy::MoreTokens => (Action::MoreTokens, "raises it here"),
                Remedy::Adapt => (Action::ToggleAdaptation, "lets them adapt"),
            };
            words.push_str(&format!("; {} {does}", keys.name(action)));
        }
        words
    }
}

fn same_kind(a: Binds, b: Binds) -> bool {
    a == b || matches!((a, b), (Binds::ToldToWait(_), Binds::ToldToWait(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{InterviewStatus as S, LimitName, StatusCounts},
        protocol::Snapshot,
        ui::fixture::{self, NOW},
    };

    const SLOTS: Binds = Binds::Limit(LimitName::Slots);
    const TOKENS: Binds = Binds::Limit(LimitName::TokensPerMinute);

    /// The run of the fixture, with all of its slots held or not.
    fn run(full: bool) -> Snapshot {
        let mut snapshot = fixture::snapshot(3);
        snapshot.statuses.0 = vec![S::InFlight, S::WaitingForTokens, S::Queued];
        if full {
            snapshot.meters.endpoints[0].slots.held = 50;
        }
        snapshot
    }

    fn observe(verdict: &mut Verdict, run: &Snapshot, millis: i64) {
        let now = UnixMillis(NOW.0 + millis);
        let counts = StatusCounts::of(&run.statuses.0);
        let situation = Situation { phase: &run.phase, counts: &counts, meters: &run.meters, now };
        verdict.observe(Some(situation), now);
    }

    #[test]
    fn two_limits_that_take_turns_do_not_make_the_screen_flicker() {
        let (slots, tokens) = (run(true), run(false));
        let mut verdict = Verdict::default();
        observe(&mut verdict, &slots, 0);
        assert_eq!(verdict.shown(), SLOTS, "the first is told at once");
        for tenth in 1..100 {
            observe(&mut verdict, if tenth % 3 == 0 { &slots } else { &tokens }, tenth * 100);
            assert_eq!(verdict.shown(), SLOTS);
        }
        for tenth in 100..116 {
            observe(&mut verdict, &tokens, tenth * 100);
        }
        assert_eq!(verdict.shown(), TOKENS);
        verdict.observe(None, UnixMillis(NOW.0 + 11_700));
        assert_eq!(verdict.shown(), Binds::Idle);
        assert_eq!(verdict.words(&Keymap::built_in().unwrap()), "");
    }

    #[test]
    fn the_sentence_names_the_key_and_its_numbers_change_once_a_second() {
        let keys = Keymap::built_in().unwrap();
        let mut verdict = Verdict::default();
        let mut tokens = run(false);
        observe(&mut verdict, &tokens, 0);
        let before = verdict.words(&keys);
        assert_eq!(
            before,
            "Tokens/min binds at 97 %: more slots will not help; a prompt half as long (now 611 \
             tokens) would give about 1.2x; } raises it here"
        );
        tokens.meters.endpoints[0].tokens.now = 199_000.0;
        observe(&mut verdict, &tokens, 900);
        assert_eq!(verdict.words(&keys), before);
        observe(&mut verdict, &tokens, 1_000);
        assert!(verdict.words(&keys).contains("binds at 100 %"), "{}", verdict.words(&keys));
    }
}
