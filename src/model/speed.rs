//! How fast a run is replayed.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// The time of the run that passes in a replay, as a multiple of the time of who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Speed {
    tenths: u32,
}

/// A speed that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a speed is a multiple from 0.1x to 10000x, such as 20x")]
pub struct NotASpeed;

impl Speed {
    /// A tenth of the run's own speed.
    pub const SLOWEST: Self = Self { tenths: 1 };
    /// A night in four seconds.
    pub const FASTEST: Self = Self { tenths: 100_000 };

    /// As a factor.
    pub fn factor(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }

    /// How much of the run passes meanwhile.
    pub fn of(self, watched: Duration) -> Duration {
        watched * self.tenths / 10
    }

    /// How long one watches meanwhile.
    pub fn watching(self, run: Duration) -> Duration {
        run.saturating_mul(10) / self.tenths.max(1)
    }

    /// The next one up of 1, 2, 5, 10, 20, 50, …
    #[must_use]
    pub fn faster(self) -> Self {
        steps().find(|step| *step > self).unwrap_or(Self::FASTEST)
    }

    /// The next one down.
    #[must_use]
    pub fn slower(self) -> Self {
        steps().take_while(|step| *step < self).last().unwrap_or(Self::SLOWEST)
    }
}

fn steps() -> impl Iterator<Item = Speed> {
    (0..6)
        .flat_map(|power| [1, 2, 5].map(|digit| Speed { tenths: digit * 10_u32.pow(power) }))
        .filter(|speed| *speed <= Speed::FASTEST)
}

impl FromStr for Speed {
    type Err = NotASpeed;

    fn from_str(text: &str) -> Result<Self, NotASpeed> {
        let number = text.strip_suffix(['x', 'X']).unwrap_or(text);
        let tenths = number.parse::<f64>().map_err(|_| NotASpeed)? * 10.0;
        let most = f64::from(Self::FASTEST.tenths);
        if !(0.99..=most).contains(&tenths) {
            return Err(NotASpeed);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within")]
        let tenths = tenths.round() as u32;
        Ok(Self { tenths })
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tenths / 10, self.tenths % 10) {
            (whole, 0) => write!(f, "{whole}x"),
            (whole, tenth) => write!(f, "{whole}.{tenth}x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_read_and_written_the_same() {
        for text in ["0.1x", "1x", "2.5x", "20x", "10000x"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
        assert_eq!("20".parse::<Speed>().unwrap().to_string(), "20x");
        for bad in ["", "x", "0x", "0.01x", "-1x", "10001x", "nan", "inf", "fast", "20 x"] {
            assert_eq!(bad.parse::<Speed>(), Err(NotASpeed), "{bad}");
        }
    }

    #[test]
    fn it_is_changed_along_round_numbers_and_within_its_bounds() {
        for (speed, faster, slower) in [
            ("1x", "2x", "0.5x"),
            ("20x", "50x", "10x"),
            ("30x", "50x", "20x"),
            ("0.1x", "0.2x", "0.1x"),
            ("10000x", "10000x", "5000x"),
        ] {
            let speed: Speed = speed.parse().unwrap();
            assert_eq!(speed.faster().to_string(), faster);
            assert_eq!(speed.slower().to_string(), slower);
        }
    }

    #[test]
    fn the_two_times_are_each_others_multiple() {
        let speed: Speed = "20x".parse().unwrap();
        assert_eq!(speed.of(Duration::from_millis(100)), Duration::from_secs(2));
        assert_eq!(speed.watching(Duration::from_secs(2)), Duration::from_millis(100));
    }
}
