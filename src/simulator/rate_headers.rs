//! What the `x-ratelimit-*` headers say of the limits: the truth, nothing, or something else.

use super::{
    limits::{Gauge, Gauges},
    time::GoDuration,
    words::{UnknownWord, choose},
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::str::FromStr;

/// How the headers stand to the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateHeaders {
    #[default]
    Honest,
    Absent,
    /// As though the limits were twice as high, with as much used of them.
    Lying,
    /// Figures that mean nothing, as some servers have been seen to send.
    Nonsense,
}

/// The headers of one limit: the limit, what remains, and when it is whole again.
type GaugeNames = [HeaderName; 3];

const REQUESTS: GaugeNames = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: GaugeNames = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// What no client may trip over: less than nothing, nothing, words, seconds without a unit, and
/// more than any number holds.
const NONSENSE: [&str; 6] = ["-1", "0", "unlimited", "soon", "60", "99999999999999999999"];

impl RateHeaders {
    /// Puts the headers in. `number` is that of the reply, by which the nonsense changes.
    pub(super) fn tell(self, headers: &mut HeaderMap, gauges: Gauges, number: u64) {
        let both = [(REQUESTS, gauges.requests), (TOKENS, gauges.tokens)];
        match self {
            Self::Absent => {}
            Self::Nonsense => {
                let names = both.into_iter().flat_map(|(names, _)| names);
                for (name, nth) in names.zip(number..) {
                    let word = NONSENSE[(nth % NONSENSE.len() as u64) as usize];
                    headers.insert(name, HeaderValue::from_static(word));
                }
            }
            Self::Honest | Self::Lying => {
                for (names, gauge) in both {
                    let Some(gauge) = gauge else { continue };
                    put(headers, names, if self == Self::Lying { doubled(gauge) } else { gauge });
                }
            }
        }
    }
}

fn put(headers: &mut HeaderMap, [limit, remaining, reset]: GaugeNames, gauge: Gauge) {
    headers.insert(limit, HeaderValue::from(gauge.limit));
    headers.insert(remaining, HeaderValue::from(gauge.remaining));
    let full_in = GoDuration(gauge.full_in).to_string();
    let full_in = HeaderValue::from_maybe_shared(axum::body::Bytes::from(full_in))
        .expect("letters, digits and dots are allowed in a header");
    headers.insert(reset, full_in);
}

/// The same use of a limit twice as high, which would be forgiven in half the time.
fn doubled(gauge: Gauge) -> Gauge {
    Gauge {
        limit: gauge.limit.saturating_mul(2),
        remaining: gauge.remaining.saturating_add(gauge.limit),
        full_in: gauge.full_in / 2,
    }
}

impl FromStr for RateHeaders {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let names = [
            ("honest", Self::Honest),
            ("none", Self::Absent),
            ("lying", Self::Lying),
            ("nonsense", Self::Nonsense),
        ];
        choose("sort of headers", text, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn told(style: RateHeaders, number: u64) -> Vec<String> {
        let gauge = Gauge { limit: 600, remaining: 200, full_in: Duration::from_secs(40) };
        let mut headers = HeaderMap::new();
        style.tell(&mut headers, Gauges { requests: Some(gauge), tokens: None }, number);
        headers
            .iter()
            .map(|(name, value)| {
                format!("{}={}", &name.as_str()["x-ratelimit-".len()..], value.to_str().unwrap())
            })
            .collect()
    }

    #[test]
    fn the_truth_a_lie_nothing_and_nonsense() {
        assert_eq!(
            told(RateHeaders::Honest, 0),
            ["limit-requests=600", "remaining-requests=200", "reset-requests=40s"]
        );
        assert_eq!(
            told(RateHeaders::Lying, 0),
            ["limit-requests=1200", "remaining-requests=800", "reset-requests=20s"]
        );
        assert_eq!(told(RateHeaders::Absent, 0), Vec::<String>::new());
        let nonsense = told(RateHeaders::Nonsense, 0);
        assert_eq!(nonsense.len(), 6);
        for said in ["=-1", "=0", "=unlimited"] {
            let in_time = (0..6).any(|n| told(RateHeaders::Nonsense, n)[0].ends_with(said));
            assert!(in_time, "{said} {nonsense:?}");
        }
    }
}
