//! Times as people write them and as Go writes them.

use std::{fmt, time::Duration};

/// The longest time that makes sense here: a Retry-After of a year does.
const LONGEST: Duration = Duration::from_secs(1000 * 86_400);

/// Reads a number with its unit: `300ms`, `2s`, `1.5m`, `1h`, `365d`.
pub fn parse_time(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok().filter(|time| *time <= LONGEST)
}

/// The next whole millisecond, which is the finest that headers and timers know.
pub fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(time.as_nanos().div_ceil(1_000_000) as u64)
}

/// A duration as the `reset` headers write it, which is Go's way: `20ms`, `1.5s`, `6m0s`.
pub struct GoDuration(pub Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        let seconds = (millis % 60_000) as f64 / 1e3;
        match (hours, minutes) {
            (0, 0) if millis == 0 => f.write_str("0s"),
            (0, 0) if millis < 1_000 => write!(f, "{millis}ms"),
            (0, 0) => write!(f, "{seconds}s"),
            (0, _) => write!(f, "{minutes}m{seconds}s"),
            _ => write!(f, "{hours}h{minutes}m{seconds}s"),
        }
    }
}

/// A duration as [`parse_time`] reads it, in its largest whole unit.
pub struct Written(pub Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let whole = units.iter().find(|(length, _)| millis > 0 && millis.is_multiple_of(*length));
        match whole {
            Some((length, unit)) => write!(f, "{}{unit}", millis / length),
            None => write!(f, "{millis}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_are_written_as_they_are_read() {
        for (text, millis) in [
            ("300ms", 300),
            ("2s", 2_000),
            ("90s", 90_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("365d", 31_536_000_000),
            ("0ms", 0),
        ] {
            let time = parse_time(text).unwrap();
            assert_eq!(time, Duration::from_millis(millis));
            assert_eq!(Written(time).to_string(), text);
        }
        assert_eq!(parse_time("1.5s"), Some(Duration::from_millis(1_500)));
        for bad in ["", "5", "s", "-1s", "nans", "1e9d", "2 s", "2S", "é"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (millis, written) in [
            (0, "0s"),
            (20, "20ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (90_951, "1m30.951s"),
            (360_000, "6m0s"),
            (3_723_000, "1h2m3s"),
        ] {
            assert_eq!(GoDuration(Duration::from_millis(millis)).to_string(), written);
        }
    }
}
