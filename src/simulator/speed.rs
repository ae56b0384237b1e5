//! How long a reply takes.

use super::chance::Chance;
use std::time::Duration;

/// The output, in tokens, that takes the median latency: about what an answer with a grid of
/// three dimensions has.
const TYPICAL_OUTPUT: f64 = 170.0;

/// The part of the latency that does not grow with the output.
const FIXED_SHARE: f64 = 0.35;

/// The deviation of the latency's logarithm.
const SIGMA: f64 = 0.35;

/// How fast a provider is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// The median of the whole time, or to the first token where these have a speed.
    pub latency: Duration,
    pub tokens_per_second: Option<f64>,
}

impl Speed {
    /// Whether every reply comes at once.
    pub fn is_instant(&self) -> bool {
        self.latency.is_zero() && self.tokens_per_second.is_none()
    }

    /// Lognormal about the median, growing with the output.
    pub fn of(&self, output_tokens: f64, attempt: Chance) -> Duration {
        if self.is_instant() {
            return Duration::ZERO;
        }
        let median = match self.tokens_per_second {
            Some(speed) => self.latency.as_secs_f64() + output_tokens / speed,
            None => {
                let size = FIXED_SHARE + (1.0 - FIXED_SHARE) * output_tokens / TYPICAL_OUTPUT;
                self.latency.as_secs_f64() * size
            }
        };
        let luck = (SIGMA * attempt.with(b"latency").normal()).exp();
        Duration::try_from_secs_f64(median * luck).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_speed_the_latency_is_the_time_to_the_first_token() {
        let latency = Duration::from_millis(200);
        let speed = Speed { latency, tokens_per_second: Some(50.0) };
        let median = |tokens| {
            let of = |n| speed.of(tokens, Chance::new(1).with_number(n)).as_secs_f64();
            let mut all: Vec<f64> = (0..1001).map(of).collect();
            all.sort_by(f64::total_cmp);
            all[500]
        };
        assert!((0.19..0.21).contains(&median(0.0)), "{}", median(0.0));
        assert!((4.0..4.4).contains(&median(200.0)), "{}", median(200.0));
        let slow = Speed { latency, tokens_per_second: Some(1e-300) };
        assert_eq!(slow.of(1e300, Chance::new(1)), Duration::MAX);
    }
}
