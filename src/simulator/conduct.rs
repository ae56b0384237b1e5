//! How personas and critics behave: how often an answer is bad, and what critics are like.
//!
//! These are no faults of the server: every reply arrives, and what is wrong stands in its words.

use super::chance::Chance;
use std::{fmt, str::FromStr};

/// A share of all cases: `2%` or `0.02`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// So many of a hundred.
    ///
    /// # Panics
    /// Beyond a hundred.
    pub const fn percent(percent: u8) -> Self {
        assert!(percent <= 100, "a share is at most everything");
        Self(percent as f64 / 100.0)
    }
}

/// No share between nothing and everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no share between 0 % and 100 %; write it as in 2% or 0.02")]
pub struct ShareError(String);

impl FromStr for Share {
    type Err = ShareError;

    /// A bare number above 1 is refused: "2" could mean either.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let text = text.trim();
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse().ok().map(|percent: f64| percent / 100.0),
            None => text.parse().ok(),
        };
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| ShareError(text.to_owned()))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The product of decimals leaves a tail, as in 7.000000000000001.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

/// How personas and critics behave. By default everybody does what was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conduct {
    /// First answers that contradict the profile or themselves.
    pub contradictions: Share,
    /// First answers that leave out a topic which their domain requires.
    pub topics_missed: Share,
    /// First answers that miss the question.
    pub off_topic: Share,
    /// Follow-ups in which the persona returns its narrative alone.
    pub numbers_dropped: Share,
    /// Verdicts in no shape.
    pub critic_nonsense: Share,
    /// Verdicts that also correct fields which do not exist.
    pub critic_invents: Share,
    /// Critics find fault with every answer.
    pub critic_disagrees: bool,
}

/// What is wrong with a first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    Contradiction,
    TopicMissed,
    OffTopic,
}

impl Conduct {
    /// What goes wrong in the first answer that `chance` stands for.
    pub(super) fn slip(&self, chance: Chance) -> Option<Slip> {
        let mut left = chance.unit();
        let rates = [
            (self.contradictions, Slip::Contradiction),
            (self.topics_missed, Slip::TopicMissed),
            (self.off_topic, Slip::OffTopic),
        ];
        rates.into_iter().find_map(|(rate, slip)| {
            left -= rate.0;
            (left < 0.0).then_some(slip)
        })
    }

    /// More slips than answers, in percent.
    pub(super) fn too_many_slips(&self) -> Option<Share> {
        let sum = self.contradictions.0 + self.topics_missed.0 + self.off_topic.0;
        (sum > 1.0 + 1e-9).then_some(Share(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_reads_as_percent_or_as_a_part_of_one() {
        for (text, written) in [("2%", "2%"), ("0.5", "50%"), (" 7 %", "7%"), ("100%", "100%")] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), written);
        }
        for text in ["2", "-1%", "101%", "often", "", "nan"] {
            let error = text.parse::<Share>().unwrap_err().to_string();
            assert!(error.contains("write it as in 2% or 0.02"), "{error}");
        }
    }

    #[test]
    fn each_slip_comes_as_often_as_it_was_told() {
        let conduct = Conduct {
            contradictions: Share::percent(10),
            topics_missed: Share::percent(20),
            off_topic: Share::percent(5),
            ..Conduct::default()
        };
        let slips = (0..10_000).filter_map(|n| conduct.slip(Chance::new(1).with_number(n)));
        let slips: Vec<_> = slips.collect();
        let of = |wanted| slips.iter().filter(|slip| **slip == wanted).count();
        let near = |count: usize, wanted: usize| count.abs_diff(wanted) < 150;
        assert!(near(of(Slip::Contradiction), 1000) && near(of(Slip::TopicMissed), 2000));
        assert!(near(of(Slip::OffTopic), 500), "{}", of(Slip::OffTopic));
        assert_eq!(Conduct::default().slip(Chance::new(1)), None);
    }
}
