//! In which form a 429 says how long to wait.

use super::{
    time::{Written, parse_time},
    words::{UnknownWord, choose},
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};
use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// How the wait is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryAfter {
    pub form: RetryForm,
    /// This long is asked for, whatever the limits say.
    pub instead: Option<Duration>,
}

/// The headers in which a wait can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryForm {
    /// `retry-after-ms`, and `retry-after` in whole seconds.
    #[default]
    Both,
    /// `retry-after-ms` alone.
    Millis,
    /// `retry-after: 2`.
    Seconds,
    /// `retry-after: 1.25`.
    Float,
    /// `retry-after: Wed, 21 Oct 2026 07:28:00 GMT`.
    Date,
    None,
}

const NAMES: [(&str, RetryForm); 6] = [
    ("both", RetryForm::Both),
    ("ms", RetryForm::Millis),
    ("seconds", RetryForm::Seconds),
    ("float", RetryForm::Float),
    ("date", RetryForm::Date),
    ("none", RetryForm::None),
];

impl RetryAfter {
    /// Puts the headers in. What is rounded is rounded up, for less must not be asked for.
    pub(super) fn say(self, headers: &mut HeaderMap, wait: Duration, now: SystemTime) {
        let wait = self.instead.unwrap_or(wait);
        let seconds = wait.as_millis().div_ceil(1000) as u64;
        let mut put = |name: HeaderName, value: String| {
            let value = HeaderValue::from_maybe_shared(axum::body::Bytes::from(value))
                .expect("a number or a date is allowed in a header");
            headers.insert(name, value);
        };
        match self.form {
            RetryForm::None => {}
            RetryForm::Millis => put(RETRY_AFTER_MS, wait.as_millis().to_string()),
            RetryForm::Seconds => put(RETRY_AFTER, seconds.to_string()),
            RetryForm::Float => put(RETRY_AFTER, format!("{:.3}", wait.as_secs_f64())),
            RetryForm::Date => {
                // A date knows no parts of a second either.
                let until = now + wait + Duration::from_millis(999);
                put(RETRY_AFTER, httpdate::fmt_http_date(until));
            }
            RetryForm::Both => {
                put(RETRY_AFTER, seconds.to_string());
                put(RETRY_AFTER_MS, wait.as_millis().to_string());
            }
        }
    }
}

/// A form that does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryAfterError {
    #[error(transparent)]
    Unknown(#[from] UnknownWord),
    #[error("\"{0}\" has no time after \"=\"; write it as in seconds=365d")]
    Time(String),
}

impl FromStr for RetryAfter {
    type Err = RetryAfterError;

    /// Reads `seconds`, or `seconds=365d` for a time that is asked for whatever the limits say.
    fn from_str(text: &str) -> Result<Self, RetryAfterError> {
        let (form, instead) =
            text.split_once('=').map_or((text, None), |(form, time)| (form, Some(time)));
        let form = choose("form of Retry-After", form, &NAMES)?;
        let instead = instead
            .map(|time| parse_time(time).ok_or_else(|| RetryAfterError::Time(text.to_owned())))
            .transpose()?;
        Ok(Self { form, instead })
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, form)| *form == self.form).map_or("", |(name, _)| name);
        f.write_str(name)?;
        self.instead.map_or(Ok(()), |time| write!(f, "={}", Written(time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_asks_for_no_less_than_the_wait() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
        let said = |text: &str| {
            let mut headers = HeaderMap::new();
            let form: RetryAfter = text.parse().unwrap();
            assert_eq!(form.to_string(), text);
            form.say(&mut headers, Duration::from_millis(1_250), now);
            let words = headers.iter().map(|(k, v)| format!("{k}: {}", v.to_str().unwrap()));
            words.collect::<Vec<_>>().join("; ")
        };
        assert_eq!(said("both"), "retry-after: 2; retry-after-ms: 1250");
        assert_eq!(said("ms"), "retry-after-ms: 1250");
        assert_eq!(said("seconds"), "retry-after: 2");
        assert_eq!(said("float"), "retry-after: 1.250");
        assert_eq!(said("date"), "retry-after: Mon, 23 Nov 2026 12:00:02 GMT");
        assert_eq!(said("none"), "");
        assert_eq!(said("seconds=365d"), "retry-after: 31536000");
        let error = "second".parse::<RetryAfter>().unwrap_err().to_string();
        assert!(error.contains("did you mean \"seconds\"?"), "{error}");
        assert!("date=never".parse::<RetryAfter>().is_err());
    }
}
