//! What can change while the provider runs: by schedule or on command, in the same words.

use super::{
    faults::{Faults, FaultsError},
    time::{Written, parse_time},
    words::{UnknownWord, choose},
};
use std::{fmt, str::FromStr, time::Duration};

/// The largest factor of capacity; more is a slip of the finger.
const LARGEST_FACTOR: f64 = 1000.0;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// From now on these faults, and no others.
    Faults(Box<Faults>),
    /// Both rates become this many times those that were set.
    Capacity(f64),
    RequestsPerMinute(Option<u32>),
    TokensPerMinute(Option<u32>),
    Latency(Duration),
    Slots(Option<u32>),
    Quota(Quota),
    /// The key is answered with a 401.
    Refuse(String),
    /// The key is served again.
    Accept(String),
    /// Every connection is reset, those in use too.
    Down,
    Up,
}

/// A change of the tokens that are left before the money is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// `None` is no end.
    Set(Option<u64>),
    Add(u64),
}

/// The words, in the order of the help.
const NAMES: [(&str, Word); 11] = [
    ("fault", Word::Fault),
    ("capacity", Word::Capacity),
    ("rpm", Word::Rpm),
    ("tpm", Word::Tpm),
    ("latency", Word::Latency),
    ("slots", Word::Slots),
    ("quota", Word::Quota),
    ("refuse", Word::Refuse),
    ("accept", Word::Accept),
    ("down", Word::Down),
    ("up", Word::Up),
];

#[derive(Clone, Copy)]
enum Word {
    Fault,
    Capacity,
    Rpm,
    Tpm,
    Latency,
    Slots,
    Quota,
    Refuse,
    Accept,
    Down,
    Up,
}

impl Change {
    /// Every change with what it does, for the help.
    pub const FORMS: [(&'static str, &'static str); 11] = [
        ("fault=LIST", "from now on these faults and no others; fault=none for none"),
        ("capacity=xF", "both rates times F, of what was set: x0.5 halves, x1 restores"),
        ("rpm=N", "requests a minute; rpm=none for no limit"),
        ("tpm=N", "tokens a minute; tpm=none for no limit"),
        ("latency=TIME", "the median latency"),
        ("slots=N", "requests served at once; slots=none for no limit"),
        ("quota=+N", "tops every quota up by N tokens; quota=N sets it, quota=none ends it"),
        ("refuse=KEY", "answers the key with a 401"),
        ("accept=KEY", "serves the key again"),
        ("down", "resets every connection, those in use too"),
        ("up", "serves again"),
    ];
}

/// A change that does not read, or that this provider cannot make.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Unknown(#[from] UnknownWord),
    #[error(transparent)]
    Faults(#[from] FaultsError),
    #[error("\"{text}\" does not read; write it as in {example}")]
    Value { text: String, example: &'static str },
    #[error("\"{0}\" begins with no time; write it as in 30s:capacity=x0.5")]
    Time(String),
    #[error("there is no key \"{0}\"; name one of those given with --key")]
    NoSuchKey(String),
    #[error("limit_req counts requests only; choose another limit shape for tokens a minute")]
    NoTokens,
}

impl FromStr for Change {
    type Err = ChangeError;

    /// Reads a word, and behind `=` or a space what it sets.
    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let text = text.trim();
        let split = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
        let (name, value) = text.split_at(split);
        let value = value.strip_prefix('=').unwrap_or(value).trim();
        let bad = |example| ChangeError::Value { text: text.to_owned(), example };
        Ok(match choose("change", name, &NAMES)? {
            Word::Fault if value.is_empty() => return Err(bad("fault=429=2%,500=1%")),
            Word::Fault => Self::Faults(Box::new(value.parse()?)),
            Word::Capacity => {
                let factor = value.strip_prefix('x').and_then(|factor| factor.parse().ok());
                let sound = |factor: &f64| *factor > 0.0 && *factor <= LARGEST_FACTOR;
                Self::Capacity(factor.filter(sound).ok_or_else(|| bad("capacity=x0.5"))?)
            }
            Word::Rpm => {
                Self::RequestsPerMinute(count(value).ok_or_else(|| bad("rpm=600 or rpm=none"))?)
            }
            Word::Tpm => {
                Self::TokensPerMinute(count(value).ok_or_else(|| bad("tpm=90000 or tpm=none"))?)
            }
            Word::Latency => Self::Latency(parse_time(value).ok_or_else(|| bad("latency=300ms"))?),
            Word::Slots => Self::Slots(count(value).ok_or_else(|| bad("slots=8 or slots=none"))?),
            Word::Quota => {
                let bad = || bad("quota=+50000, quota=50000 or quota=none");
                Self::Quota(match value.strip_prefix('+') {
                    Some(more) => Quota::Add(digits(more).ok_or_else(bad)?),
                    None if value == "none" => Quota::Set(None),
                    None => Quota::Set(Some(digits(value).ok_or_else(bad)?)),
                })
            }
            Word::Refuse if value.is_empty() => return Err(bad("refuse=KEY")),
            Word::Refuse => Self::Refuse(value.to_owned()),
            Word::Accept if value.is_empty() => return Err(bad("accept=KEY")),
            Word::Accept => Self::Accept(value.to_owned()),
            Word::Down if value.is_empty() => Self::Down,
            Word::Down => return Err(bad("down")),
            Word::Up if value.is_empty() => Self::Up,
            Word::Up => return Err(bad("up")),
        })
    }
}

/// A number from 1, or `none`.
fn count(text: &str) -> Option<Option<u32>> {
    if text == "none" {
        return Some(None);
    }
    let number = u32::try_from(digits(text)?).ok()?;
    (number > 0).then_some(Some(number))
}

/// A whole number without a sign, which `parse` alone would let pass.
fn digits(text: &str) -> Option<u64> {
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct OrNone<T>(Option<T>);
        impl<T: fmt::Display> fmt::Display for OrNone<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0 {
                    Some(value) => value.fmt(f),
                    None => f.write_str("none"),
                }
            }
        }
        match self {
            Self::Faults(faults) if faults.is_empty() => f.write_str("fault=none"),
            Self::Faults(faults) => write!(f, "fault={faults}"),
            Self::Capacity(factor) => write!(f, "capacity=x{factor}"),
            Self::RequestsPerMinute(rate) => write!(f, "rpm={}", OrNone(*rate)),
            Self::TokensPerMinute(rate) => write!(f, "tpm={}", OrNone(*rate)),
            Self::Latency(latency) => write!(f, "latency={}", Written(*latency)),
            Self::Slots(slots) => write!(f, "slots={}", OrNone(*slots)),
            Self::Quota(Quota::Set(tokens)) => write!(f, "quota={}", OrNone(*tokens)),
            Self::Quota(Quota::Add(tokens)) => write!(f, "quota=+{tokens}"),
            Self::Refuse(key) => write!(f, "refuse={key}"),
            Self::Accept(key) => write!(f, "accept={key}"),
            Self::Down => f.write_str("down"),
            Self::Up => f.write_str("up"),
        }
    }
}

/// A change and when it happens, counted from the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    pub at: Duration,
    pub change: Change,
}

impl FromStr for Scheduled {
    type Err = ChangeError;

    /// Reads `30s:capacity=x0.5`.
    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let read =
            text.split_once(':').and_then(|(at, change)| Some((parse_time(at.trim())?, change)));
        let (at, change) = read.ok_or_else(|| ChangeError::Time(text.to_owned()))?;
        Ok(Self { at, change: change.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_as_it_is_written() {
        for (text, written) in [
            ("fault 429=10%,500=1%", "fault=429=10%,500=1%"),
            ("fault=none", "fault=none"),
            (" capacity x0.5 ", "capacity=x0.5"),
            ("rpm=600", "rpm=600"),
            ("tpm none", "tpm=none"),
            ("latency=1.5s", "latency=1500ms"),
            ("slots=8", "slots=8"),
            ("quota=+50000", "quota=+50000"),
            ("quota=0", "quota=0"),
            ("quota=none", "quota=none"),
            ("refuse=sk-a", "refuse=sk-a"),
            ("accept sk-a", "accept=sk-a"),
            ("down", "down"),
            ("up", "up"),
        ] {
            let change: Change = text.parse().unwrap();
            assert_eq!(change.to_string(), written);
            assert_eq!(written.parse(), Ok(change));
        }
        let names = Change::FORMS.map(|(form, _)| form.split('=').next().unwrap());
        assert_eq!(names, NAMES.map(|(name, _)| name));
    }

    #[test]
    fn a_bad_change_is_answered_with_how_to_write_it() {
        for (text, words) in [
            ("capicity=x2", "did you mean \"capacity\"?"),
            ("", "unknown change \"\"; known are fault"),
            ("capacity=0.5", "\"capacity=0.5\" does not read; write it as in capacity=x0.5"),
            ("capacity=x0", "capacity=x0.5"),
            ("capacity=xnan", "capacity=x0.5"),
            ("rpm=0", "rpm=600 or rpm=none"),
            ("rpm=+5", "rpm=600 or rpm=none"),
            ("quota=-5", "quota=+50000"),
            ("quota=++5", "quota=+50000"),
            ("latency=fast", "latency=300ms"),
            ("fault", "fault=429=2%"),
            ("fault=teapot=1%", "unknown fault \"teapot\""),
            ("refuse", "refuse=KEY"),
            ("down now", "write it as in down"),
        ] {
            let message = text.parse::<Change>().unwrap_err().to_string();
            assert!(message.contains(words) && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_scheduled_change_has_its_time_before_it() {
        let change = Change::Faults(Box::new("hang=1%".parse().unwrap()));
        let at = Duration::from_secs(90);
        assert_eq!("90s: fault=hang=1%".parse(), Ok(Scheduled { at, change }));
        for text in ["down", "30:down", ":down", "soon:down"] {
            let message = text.parse::<Scheduled>().unwrap_err().to_string();
            assert!(message.contains("begins with no time"), "{message}");
        }
    }
}
