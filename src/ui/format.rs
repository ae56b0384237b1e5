//! Numbers, durations and times as the screen writes them.

use crate::model::UnixMillis;
use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;

/// `1,204`
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most five characters, whatever the size: `498`, `9,950`, `193k`, `1.25M`.
pub fn compact(value: f64) -> String {
    let value = value.max(0.0).round();
    match value {
        v if v < 10_000.0 => thousands(to_u64(v)),
        v if v < 999_500.0 => format!("{:.0}k", v / 1e3),
        v if v < 9_995_000.0 => format!("{:.2}M", v / 1e6),
        v if v < 99_950_000.0 => format!("{:.1}M", v / 1e6),
        v if v < 999_500_000.0 => format!("{:.0}M", v / 1e6),
        v => format!("{:.1}G", (v / 1e9).min(999.0)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a `as` saturates")]
const fn to_u64(value: f64) -> u64 {
    value as u64
}

/// Whole per cent, rounded down, so that 100 means all.
pub fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

/// The same with a decimal while it is small: a run of a million moves on the screen too.
pub fn fine_percent(part: u64, whole: u64) -> String {
    match part.saturating_mul(1_000).checked_div(whole).unwrap_or(0) {
        tenths if tenths < 100 => format!("{}.{}", tenths / 10, tenths % 10),
        tenths => (tenths / 10).to_string(),
    }
}

/// `00:12:41`
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `00:31`, or `2:00:31` from an hour on.
pub fn short_clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 3600 {
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    } else {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// Two or three digits and a unit: `210 ms`, `4.1 s`, `75 s`.
pub fn seconds(duration: Duration) -> String {
    let unit = Unit::for_up_to(duration);
    format!("{} {}", unit.number(duration), unit.name())
}

/// What short times are told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    /// The unit for times up to this one.
    pub const fn for_up_to(longest: Duration) -> Self {
        if longest.as_micros() < 999_500 { Self::Milliseconds } else { Self::Seconds }
    }

    /// Its sign.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    /// A time in this unit, with two or three digits.
    pub fn number(self, duration: Duration) -> String {
        let value = match self {
            Self::Milliseconds => duration.as_secs_f64() * 1e3,
            Self::Seconds => duration.as_secs_f64(),
        };
        if (0.05..9.95).contains(&value) { format!("{value:.1}") } else { format!("{value:.0}") }
    }
}

/// `12:03:10`
pub fn time_of_day(at: UnixMillis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| "--:--:--".to_owned(),
        |t| t.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}

/// `1 slot`, `2 slots`
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(value), text);
        }
    }

    #[test]
    fn compact_numbers_never_take_more_than_five_characters() {
        for (value, text) in [
            (0.0, "0"),
            (498.4, "498"),
            (9_999.4, "9,999"),
            (9_999.6, "10k"),
            (193_400.0, "193k"),
            (999_400.0, "999k"),
            (999_600.0, "1.00M"),
            (12_345_678.0, "12.3M"),
            (123_456_789.0, "123M"),
            (-3.0, "0"),
        ] {
            assert_eq!(compact(value), text);
        }
        let mut value = 1.0;
        while value < 1e12 {
            assert!(compact(value).len() <= 6, "{value}");
            value *= 1.07;
        }
    }

    #[test]
    fn a_hundred_per_cent_means_all() {
        assert_eq!(percent(4_999, 5_000), 99);
        assert_eq!(percent(5_000, 5_000), 100);
        assert_eq!(percent(0, 0), 0);
        for (part, text) in [(0, "0.0"), (7_047, "0.7"), (99_999, "9.9"), (999_999, "99")] {
            assert_eq!(fine_percent(part, 1_000_000), text);
        }
    }

    #[test]
    fn durations_keep_their_width() {
        assert_eq!(clock(Duration::from_secs(761)), "00:12:41");
        assert_eq!(short_clock(Duration::from_secs(31)), "00:31");
        assert_eq!(short_clock(Duration::from_secs(7231)), "2:00:31");
        for (millis, text) in
            [(0, "0 ms"), (3, "3.0 ms"), (210, "210 ms"), (4_100, "4.1 s"), (9_960, "10 s")]
        {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn the_time_of_day_is_that_of_the_zone() {
        assert_eq!(time_of_day(UnixMillis(43_390_000), &TimeZone::UTC), "12:03:10");
        assert_eq!(time_of_day(UnixMillis(i64::MAX), &TimeZone::UTC), "--:--:--");
    }
}
