//! How much may be asked of an endpoint: slots, requests a minute and tokens a minute.

use super::{EndpointIndex, UnixMillis};
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32};

/// A limit that no run can work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Zero or negative.
    #[error("{what} must be at least 1, not {value}; leave it out for the default")]
    TooSmall { what: &'static str, value: i64 },
    /// Beyond what the program or any provider can do.
    #[error("{what} must be at most {most}, not {value}")]
    TooLarge { what: &'static str, most: u32, value: i64 },
}

macro_rules! limit {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "u32")]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The largest value that is accepted.
            pub const MAX: u32 = $most;

            /// The plain number.
            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The nearest value that is allowed: what a key press on a screen asks for.
            pub fn clamped(value: i64) -> Self {
                let value = u32::try_from(value.clamp(1, i64::from($most))).unwrap_or(1);
                Self(NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN))
            }
        }

        impl TryFrom<i64> for $name {
            type Error = LimitError;

            fn try_from(value: i64) -> Result<Self, LimitError> {
                if value > i64::from($most) {
                    return Err(LimitError::TooLarge { what: $what, most: $most, value });
                }
                u32::try_from(value)
                    .ok()
                    .and_then(NonZeroU32::new)
                    .map(Self)
                    .ok_or(LimitError::TooSmall { what: $what, value })
            }
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> u32 {
                value.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }
    };
}

limit!(
    /// How many requests may be in flight at once.
    Slots, "slots", 10_000
);
limit!(
    /// A rate: requests or tokens a minute.
    PerMinute, "a rate per minute", 1_000_000_000
);

/// A number of tokens.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Tokens(pub u64);

/// What holds for one endpoint. `None` is "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub slots: Slots,
    pub requests_per_minute: Option<PerMinute>,
    pub tokens_per_minute: Option<PerMinute>,
}

impl Limits {
    /// One limit as a plain number; `None` is "no limit".
    pub fn get(&self, limit: LimitName) -> Option<u32> {
        match limit {
            LimitName::Slots => Some(self.slots.get()),
            LimitName::RequestsPerMinute => self.requests_per_minute.map(PerMinute::get),
            LimitName::TokensPerMinute => self.tokens_per_minute.map(PerMinute::get),
        }
    }

    /// Sets one limit, as a change on file has it; `None` is "no limit", which slots do not have.
    pub fn set(&mut self, limit: LimitName, to: Option<u32>) {
        let rate = |value| PerMinute::clamped(i64::from(value));
        match limit {
            LimitName::Slots => {
                self.slots = to.map_or(self.slots, |value| Slots::clamped(i64::from(value)));
            }
            LimitName::RequestsPerMinute => self.requests_per_minute = to.map(rate),
            LimitName::TokensPerMinute => self.tokens_per_minute = to.map(rate),
        }
    }
}

/// Which limits are no more than a first guess: a default or a preset, and nobody's ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guessed {
    pub slots: bool,
    pub requests_per_minute: bool,
    pub tokens_per_minute: bool,
}

/// One of the three limits, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    Slots,
    RequestsPerMinute,
    TokensPerMinute,
}

impl LimitName {
    /// The name as people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::RequestsPerMinute => "requests/min",
            Self::TokensPerMinute => "tokens/min",
        }
    }

    /// The name as it stands in files and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::RequestsPerMinute => "requests_per_minute",
            Self::TokensPerMinute => "tokens_per_minute",
        }
    }
}

/// Who changed a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSetBy {
    User,
    Header,
    Adaptation,
}

impl LimitSetBy {
    /// The author as it stands in files and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Header => "header",
            Self::Adaptation => "adaptation",
        }
    }
}

/// One change of one limit, as it is kept in the run file. `None` is "no limit".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitChange {
    pub at: UnixMillis,
    pub endpoint: EndpointIndex,
    pub limit: LimitName,
    pub from: Option<u32>,
    pub to: Option<u32>,
    pub set_by: LimitSetBy,
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_refuse_what_no_run_can_work_with() {
        assert_eq!(Slots::try_from(5).map(Slots::get), Ok(5));
        for value in [0, -3] {
            assert_eq!(Slots::try_from(value), Err(LimitError::TooSmall { what: "slots", value }));
        }
        assert!(PerMinute::try_from(i64::MAX).is_err());
        assert_eq!(Slots::clamped(-7).get(), 1);
        assert_eq!(Slots::clamped(i64::MAX).get(), Slots::MAX);
    }
}
