//! Values that are written with a unit.

use std::time::Duration;

/// A time with its unit: `300ms`, `2s`, `1.5s`, `1m`.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err("give a number and a unit: 300ms, 2s or 1m".to_owned()),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * seconds).ok())
        .filter(|time| *time <= Duration::from_secs(3600))
        .ok_or_else(|| "give a time from 0ms to 60m, such as 300ms or 2s".to_owned())
}

/// Bytes a second: `1000`, `1k`, `2.5k`.
pub(super) fn parse_line_rate(text: &str) -> Result<u32, String> {
    let (number, unit) = text.strip_suffix(['k', 'K']).map_or((text, 1.0), |n| (n, 1_000.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded")]
    (number.parse::<f64>().ok().map(|number| number * unit))
        .filter(|rate| (100.0..=1e9).contains(rate))
        .map(|rate| rate as u32)
        .ok_or_else(|| "give bytes a second, at least 100, such as 1000 or 2.5k".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_rate_is_bytes_or_thousands_of_them() {
        for (text, rate) in [("1000", 1_000), ("1k", 1_000), ("2.5K", 2_500), ("100", 100)] {
            assert_eq!(parse_line_rate(text), Ok(rate), "{text}");
        }
        for bad in ["", "k", "99", "-1k", "1m", "1 k", "nan", "inf", "1e99"] {
            assert!(parse_line_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("0ms"), Ok(Duration::ZERO));
        for bad in ["", "300", "-1s", "s", "2h", "1e9s", "99m"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
