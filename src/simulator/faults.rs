//! What goes wrong on purpose, and how often: `429=2%,500=1%,malformed=1%`.

use super::{chance::Chance, fault_kind::FaultKind, words::UnknownWord};
use std::{fmt, str::FromStr};

/// The share of attempts that each kind of fault hits. The rest is answered well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// By [`FaultKind::ordinal`], each 0 to 1, together at most 1.
    shares: [f64; FaultKind::COUNT],
}

impl Default for Faults {
    /// None.
    fn default() -> Self {
        Self { shares: [0.0; FaultKind::COUNT] }
    }
}

impl Faults {
    /// The share of attempts that this kind hits, 0 to 1.
    pub const fn share(&self, kind: FaultKind) -> f64 {
        self.shares[kind.ordinal()]
    }

    /// Whether nothing ever goes wrong.
    pub fn is_empty(&self) -> bool {
        self.shares.iter().all(|&share| share == 0.0)
    }

    /// What happens to the attempt that `chance` stands for.
    pub(super) fn strike(&self, chance: Chance) -> Option<FaultKind> {
        let mut left = chance.unit();
        FaultKind::all().find(|&kind| {
            left -= self.share(kind);
            left < 0.0
        })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = FaultKind::all()
            .filter(|&kind| self.share(kind) > 0.0)
            .map(|kind| format!("{}={}%", kind.as_str(), rounded(self.share(kind) * 100.0)))
            .collect();
        f.write_str(&parts.join(","))
    }
}

/// Takes off the tail that a product of decimals leaves, as in 7.000000000000001.
fn rounded(percent: f64) -> f64 {
    (percent * 1e6).round() / 1e6
}

/// A list of faults that does not read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultsError {
    /// No such fault.
    #[error(transparent)]
    Unknown(#[from] UnknownWord),
    /// No rate, or one that is not a share.
    #[error("\"{part}\" gives no rate between 0 % and 100 %; write it as in \"429=2%\"")]
    Rate { part: String },
    /// The same fault twice.
    #[error("\"{part}\" sets {name} a second time; leave one of the two out")]
    Twice { part: String, name: &'static str },
    /// More than everything fails.
    #[error("the faults add up to {percent} %; make them 100 % or less")]
    TooMany { percent: f64 },
}

impl FromStr for Faults {
    type Err = FaultsError;

    /// Reads `kind=rate` parts between commas; a rate is `2%` or `0.02`. Nothing at all, or
    /// `none`, is no faults.
    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(faults);
        }
        let mut set = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, rate) = part.split_once(['=', ':']).unwrap_or((part, ""));
            let name = name.trim().to_lowercase();
            let Some(kind) = FaultKind::named(&name) else {
                let known: Vec<&str> = FaultKind::all().map(FaultKind::as_str).collect();
                return Err(UnknownWord::new("fault", &name, &known).into());
            };
            let Some(share) = share(rate.trim()) else {
                return Err(FaultsError::Rate { part: part.to_owned() });
            };
            if set.contains(&kind) {
                return Err(FaultsError::Twice { part: part.to_owned(), name: kind.as_str() });
            }
            set.push(kind);
            faults.shares[kind.ordinal()] = share;
        }
        let sum: f64 = faults.shares.iter().sum();
        if sum > 1.0 + 1e-9 {
            return Err(FaultsError::TooMany { percent: rounded(sum * 100.0) });
        }
        Ok(faults)
    }
}

/// `2%` or `0.02` as 0.02. A bare number above 1 is refused: "2" could mean either.
pub(super) fn share(rate: &str) -> Option<f64> {
    let share = match rate.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f64>().ok()? / 100.0,
        None => rate.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_faults_reads_back_as_it_was_written() {
        for (text, written) in [
            ("429=2%,500=1%,malformed=1%", "429=2%,500=1%,malformed=1%"),
            (" slow = 0.07 , timeout: 3.5 % ", "hang=3.5%,slow=7%"),
            ("503=100%", "503=100%"),
            ("project_spend_limit_exceeded=1%,html=2%", "project_spend_limit=1%,html=2%"),
            ("none", ""),
            ("", ""),
        ] {
            let faults: Faults = text.parse().unwrap();
            assert_eq!(faults.to_string(), written);
            assert_eq!(faults.is_empty(), written.is_empty());
        }
    }

    #[test]
    fn a_bad_part_is_named_with_its_remedy() {
        for (text, message) in [
            ("500", r#""500" gives no rate between 0 % and 100 %; write it as in "429=2%""#),
            ("500=2", r#""500=2" gives no rate between 0 % and 100 %; write it as in "429=2%""#),
            (
                "500=-1%",
                r#""500=-1%" gives no rate between 0 % and 100 %; write it as in "429=2%""#,
            ),
            (
                "500=nan",
                r#""500=nan" gives no rate between 0 % and 100 %; write it as in "429=2%""#,
            ),
            (
                "hang=1%,timeout=2%",
                r#""timeout=2%" sets hang a second time; leave one of the two out"#,
            ),
            ("429=60%,500=50%", "the faults add up to 110 %; make them 100 % or less"),
        ] {
            assert_eq!(text.parse::<Faults>().unwrap_err().to_string(), message);
        }
        for (text, begins) in [
            (
                "429=2%,malfromed=1%",
                r#"unknown fault "malfromed", did you mean "malformed"?; known are 429, "#,
            ),
            ("teapot=1%", r#"unknown fault "teapot"; known are 429, slow_down, "#),
        ] {
            let message = text.parse::<Faults>().unwrap_err().to_string();
            assert!(message.starts_with(begins), "{message}");
        }
    }

    #[test]
    fn each_fault_strikes_as_often_as_it_was_told() {
        let faults: Faults = "429=20%,hang=5%,slow=75%".parse().unwrap();
        let mut hits = [0; FaultKind::COUNT];
        for attempt in 0..10_000 {
            let kind = faults.strike(Chance::new(3).with_number(attempt));
            hits[kind.expect("the shares add up to everything").ordinal()] += 1;
        }
        for kind in FaultKind::all() {
            let share = f64::from(hits[kind.ordinal()]) / 10_000.0;
            assert!((share - faults.share(kind)).abs() < 0.015, "{kind:?} {share}");
        }
        assert_eq!(Faults::default().strike(Chance::new(3)), None);
    }
}
