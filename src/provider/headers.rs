//! What a reply's headers say about waiting, and about the quota.

use crate::model::{QuotaSaid, WindowSaid};
use reqwest::header::HeaderMap;
use std::time::{Duration, SystemTime};

/// The longest wait that is taken at its word: a day. A server that asks for more is held to it.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The floor under the next attempt: `retry-after-ms` first, then `retry-after` as seconds
/// (whole or not) or as an HTTP date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |number: f64| {
        (number.is_finite() && number >= 0.0)
            .then(|| Duration::from_secs_f64(number.min(LONGEST_WAIT.as_secs_f64())))
    };
    if let Some(wait) = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok()) {
        return seconds(wait / 1000.0);
    }
    let value = text("retry-after")?;
    if let Ok(number) = value.parse::<f64>() {
        return seconds(number);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

/// `x-should-retry`, which wins over the status.
pub(super) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The `x-ratelimit-*` headers. Anything may be missing, and some servers send `-1` or words: where
/// one number of a window makes no sense, nothing was said of that window. A run once stood still
/// for good on a limit of 60 tokens whose rest was no number.
pub(super) fn quota_said(headers: &HeaderMap) -> QuotaSaid {
    const NAMES: [[&str; 3]; 2] = [
        [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ],
        ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ];
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let [requests, tokens] = NAMES.map(|[limit, remaining, reset]| {
        let limit = text(limit).map(str::parse::<u32>).transpose();
        let remaining = text(remaining).map(str::parse::<u64>).transpose();
        let (Ok(limit), Ok(remaining)) = (limit, remaining) else {
            return WindowSaid::default();
        };
        match (limit, remaining) {
            // More is left than there is.
            (Some(limit), Some(remaining)) if remaining > u64::from(limit) => WindowSaid::default(),
            _ => WindowSaid { limit, remaining, reset: text(reset).and_then(go_duration) },
        }
    });
    QuotaSaid { requests, tokens }
}

/// A duration as Go writes it (`20ms`, `1.5s`, `1h2m3s`), or bare seconds.
fn go_duration(text: &str) -> Option<Duration> {
    let finite = |seconds: f64| {
        (seconds.is_finite() && seconds >= 0.0)
            .then(|| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())))
    };
    if let Ok(seconds) = text.parse::<f64>() {
        return finite(seconds);
    }
    if text.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let number: f64 = number.parse().ok()?;
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = after;
    }
    finite(seconds)
}

/// `x-request-id`, at most 200 characters of it.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    Some(id.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn what_is_said_of_a_quota_is_read_and_nonsense_is_not() {
        let said = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            quota_said(&headers)
        };
        let honest = said(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-reset-tokens", "1h2m3.5s"),
        ]);
        assert_eq!(honest.requests.limit, Some(500));
        assert_eq!(honest.requests.remaining, Some(499));
        assert_eq!(honest.requests.reset, Some(Duration::from_millis(120)));
        assert_eq!(honest.tokens.limit, Some(200_000));
        assert_eq!(honest.tokens.reset, Some(Duration::from_millis(3_723_500)));
        let bare = said(&[("x-ratelimit-reset-requests", "7")]);
        assert_eq!(bare.requests.reset, Some(Duration::from_secs(7)));
        for nonsense in ["-1", "soon", "", "12x", "1e400", "NaN", "ms", "s5"] {
            let names = ["x-ratelimit-limit-requests", "x-ratelimit-reset-requests"];
            assert_eq!(said(&names.map(|name| (name, nonsense))), QuotaSaid::default());
        }
        for (limit, remaining) in [("60", "99999999999999999999"), ("-1", "0"), ("60", "61")] {
            let window = [
                ("x-ratelimit-limit-tokens", limit),
                ("x-ratelimit-remaining-tokens", remaining),
                ("x-ratelimit-reset-tokens", "1s"),
            ];
            assert_eq!(said(&window), QuotaSaid::default(), "{limit} {remaining}");
        }
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let ms = Duration::from_millis;
        for (pairs, expected) in [
            (&[("retry-after", "2")][..], Some(ms(2000))),
            (&[("retry-after", "1.5")], Some(ms(1500))),
            (&[("retry-after-ms", "250"), ("retry-after", "1")], Some(ms(250))),
            (&[("retry-after", "Mon, 23 Nov 2026 12:00:30 GMT")], Some(ms(30_000))),
            (&[("retry-after", "Mon, 23 Nov 2026 11:00:00 GMT")], Some(ms(0))),
            (&[("retry-after", "31536000")], Some(LONGEST_WAIT)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            assert_eq!(wait(pairs), expected, "{pairs:?}");
        }
    }
}
