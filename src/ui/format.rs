//! Numbers, durations and times as the screen writes them; what every front end has in common is
//! in [`crate::advice`].

pub use crate::advice::{Unit, plural, seconds, short_clock, thousands};

use crate::model::UnixMillis;
use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;

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

/// `12:03:10`
pub fn time_of_day(at: UnixMillis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| "--:--:--".to_owned(),
        |t| t.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}

/// `2026-11-24 12:03:10`
pub fn date_and_time(at: UnixMillis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| "---------- --:--:--".to_owned(),
        |t| t.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// Words as a sentence begins.
pub fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn the_time_of_day_is_that_of_the_zone() {
        assert_eq!(time_of_day(UnixMillis(43_390_000), &TimeZone::UTC), "12:03:10");
        assert_eq!(time_of_day(UnixMillis(i64::MAX), &TimeZone::UTC), "--:--:--");
    }
}
