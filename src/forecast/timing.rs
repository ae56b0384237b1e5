//! How fast the work goes, and what it is that holds it back.

use super::{Terms, Work};
use crate::model::LimitName;
use std::time::Duration;

/// What a run waits for most of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binds {
    Limit(LimitName),
    /// Everything is sent at once, and the answers take the time they take.
    Latency,
}

impl Binds {
    /// As people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.label(),
            Self::Latency => "latency",
        }
    }

    /// As it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.as_str(),
            Self::Latency => "latency",
        }
    }
}

/// Until the first token of an answer.
const FIRST_TOKEN: Duration = Duration::from_millis(500);

/// How fast the others follow.
const TOKENS_PER_SECOND: f64 = 60.0;

/// The latency of an answer of so many tokens where nobody has measured one: half a second to the
/// first token, then 60 a second, which hosted models of the smaller kind are near to.
pub fn usual_latency(output_tokens: f64) -> Duration {
    FIRST_TOKEN + seconds(output_tokens / TOKENS_PER_SECOND)
}

pub(super) struct Timing {
    pub time: Duration,
    pub binds: Binds,
    pub slots_wanted: Option<u64>,
}

/// Requests a second, and the limit that lets no more through.
#[derive(Clone, Copy)]
pub(super) struct Rate {
    pub per_second: f64,
    pub limit: LimitName,
}

impl Rate {
    /// How many of the requests are under way at a time (Little's law).
    pub(super) fn slots_wanted(self, latency: Duration, requests: u64) -> u64 {
        let wanted = (self.per_second * latency.as_secs_f64()).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
        let wanted = wanted as u64;
        wanted.min(requests).max(1)
    }
}

impl Timing {
    /// So many requests at one endpoint that lets them through at that rate.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(super) fn at(count: u64, terms: &Terms, rate: Option<Rate>) -> Self {
        let requests = count as f64;
        let slots = f64::from(terms.limits.slots.get());
        let latency = terms.latency.as_secs_f64();
        // From the first request to the last one, as far as the rates go.
        let sending = rate.map_or(0.0, |rate| (requests - 1.0).max(0.0) / rate.per_second);
        let slots_wanted = rate.map(|rate| rate.slots_wanted(terms.latency, count));
        // With as many slots as requests nothing ever waits for one.
        let round_trips = if requests > slots { requests / slots * latency } else { 0.0 };
        let (time, binds) = match rate {
            Some(Rate { limit, .. }) if sending + latency >= round_trips => {
                let binds = if sending < latency { Binds::Latency } else { Binds::Limit(limit) };
                (sending + latency, binds)
            }
            _ if round_trips > 0.0 => (round_trips, Binds::Limit(LimitName::Slots)),
            _ => (latency, Binds::Latency),
        };
        let time = if count == 0 { Duration::ZERO } else { seconds(time) };
        Self { time, binds, slots_wanted }
    }
}

/// The rate that lets the fewest requests through.
pub(super) fn slowest_rate(work: &Work, terms: &Terms) -> Option<Rate> {
    let limits = &terms.limits;
    let requests = limits.requests_per_minute.map(|limit| Rate {
        per_second: f64::from(limit.get()) / 60.0,
        limit: LimitName::RequestsPerMinute,
    });
    let each = work.tokens_each(terms.charges_cap).max(1.0);
    let tokens = limits.tokens_per_minute.map(|limit| Rate {
        per_second: f64::from(limit.get()) / 60.0 / each,
        limit: LimitName::TokensPerMinute,
    });
    match (requests, tokens) {
        (Some(requests), Some(tokens)) => {
            Some(if tokens.per_second < requests.per_second { tokens } else { requests })
        }
        (requests, tokens) => requests.or(tokens),
    }
}

fn seconds(time: f64) -> Duration {
    Duration::try_from_secs_f64(time).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        forecast::{Forecast, OutputTokens},
        model::{Limits, PerMinute, Slots, Tokens},
    };

    /// `requests` of 1,000 tokens each: 750 of the prompt and 250 of the answer.
    fn work(requests: u64) -> Work {
        Work {
            requests,
            prompt_tokens: Tokens(requests * 750),
            shared_tokens: Tokens(700),
            output: OutputTokens::usual(600),
        }
    }

    fn terms(slots: u32, requests: Option<u32>, tokens: Option<u32>, latency: f64) -> Terms {
        let rate = |limit: u32| PerMinute::clamped(limit.into());
        Terms {
            limits: Limits {
                slots: Slots::clamped(slots.into()),
                requests_per_minute: requests.map(rate),
                tokens_per_minute: tokens.map(rate),
            },
            latency: Duration::from_secs_f64(latency),
            price: None,
            charges_cap: false,
        }
    }

    #[test]
    fn time_and_what_binds() {
        use Binds::{Latency, Limit};
        use LimitName::{RequestsPerMinute, Slots, TokensPerMinute};
        for (what, requests, terms, seconds, binds, wanted) in [
            // 600 a minute is 10 a second, and 20 of them are under way at a time.
            (
                "requests/min",
                6_001,
                terms(50, Some(600), Some(1_000_000), 2.0),
                602.0,
                Limit(RequestsPerMinute),
                Some(20),
            ),
            (
                "tokens/min",
                6_001,
                terms(50, Some(600), Some(300_000), 2.0),
                1_202.0,
                Limit(TokensPerMinute),
                Some(10),
            ),
            ("slots", 6_000, terms(10, Some(600), None, 2.0), 1_200.0, Limit(Slots), Some(20)),
            ("no rate", 6_000, terms(10, None, None, 2.0), 1_200.0, Limit(Slots), None),
            (
                "as many slots as it wants",
                6_001,
                terms(20, Some(600), None, 2.0),
                602.0,
                Limit(RequestsPerMinute),
                Some(20),
            ),
            ("all at once", 50, terms(100, None, None, 4.0), 4.0, Latency, None),
            ("all but at once", 11, terms(100, Some(600), None, 4.0), 5.0, Latency, Some(11)),
            ("one", 1, terms(5, Some(3), None, 4.0), 4.0, Latency, Some(1)),
            (
                "a free plan",
                4,
                terms(1, Some(3), None, 4.0),
                64.0,
                Limit(RequestsPerMinute),
                Some(1),
            ),
            (
                "a token limit below one request",
                3,
                terms(5, None, Some(500), 1.0),
                241.0,
                Limit(TokensPerMinute),
                Some(1),
            ),
            (
                "no latency",
                601,
                terms(1, Some(600), None, 0.0),
                60.0,
                Limit(RequestsPerMinute),
                Some(1),
            ),
            ("nobody", 0, terms(5, Some(3), None, 4.0), 0.0, Latency, Some(1)),
        ] {
            let forecast = Forecast::of(&work(requests), &terms);
            assert!((forecast.time.as_secs_f64() - seconds).abs() < 0.01, "{what}: {forecast:?}");
            assert_eq!((forecast.binds, forecast.slots_wanted), (binds, wanted), "{what}");
        }
    }

    /// Little's law is no opinion: with the slots that it asks for, more of them change nothing,
    /// and with half of them slots bind.
    #[test]
    fn the_slots_wanted_are_enough_and_no_more() {
        for rate in [60, 600, 6_000, 60_000] {
            for latency in [0.3, 2.0, 7.7] {
                let at = |slots| {
                    Forecast::of(
                        &work(100_000),
                        &terms(slots, Some(rate), Some(20_000_000), latency),
                    )
                };
                let wanted = u32::try_from(at(1).slots_wanted.unwrap()).unwrap();
                assert_eq!(at(wanted).time, at(10_000).time, "{rate} {latency}");
                assert_ne!(at(wanted).binds, Binds::Limit(LimitName::Slots));
                if wanted > 1 {
                    assert_eq!(at(wanted / 2).binds, Binds::Limit(LimitName::Slots));
                }
            }
        }
    }

    #[test]
    fn the_usual_latency_goes_with_the_length_of_the_answer() {
        assert_eq!(usual_latency(0.0), Duration::from_millis(500));
        assert_eq!(usual_latency(240.0), Duration::from_millis(4_500));
    }
}
