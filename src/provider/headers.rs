//! What a reply's headers say about waiting.

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
