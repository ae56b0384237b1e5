//! Numbers and times as every front end writes them.

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

/// `1 slot`, `2 slots`
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// The next whole number, `most` at the most: what is reckoned from measurements may be anything.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a `as` saturates")]
pub fn count_up_to(value: f64, most: u64) -> u64 {
    (value.ceil() as u64).min(most)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(value), text);
        }
        assert_eq!(
            (plural(1, "slot", "slots"), plural(2, "slot", "slots")),
            ("1 slot".into(), "2 slots".into())
        );
    }

    #[test]
    fn what_is_reckoned_is_a_number_whatever_was_measured() {
        for (value, count) in
            [(33.2, 34), (-1.0, 0), (f64::NAN, 0), (f64::INFINITY, 10_000), (1e12, 10_000)]
        {
            assert_eq!(count_up_to(value, 10_000), count, "{value}");
        }
    }

    #[test]
    fn short_times_have_two_or_three_digits() {
        assert_eq!(short_clock(Duration::from_secs(31)), "00:31");
        assert_eq!(short_clock(Duration::from_secs(7231)), "2:00:31");
        for (millis, text) in
            [(0, "0 ms"), (3, "3.0 ms"), (210, "210 ms"), (4_100, "4.1 s"), (9_960, "10 s")]
        {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
