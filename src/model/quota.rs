//! Whose a quota is, and what a provider says of it with a reply.

use std::time::Duration;

/// A quota that several endpoints draw on: providers count by project and model. Endpoints that
/// name the same group are of one project; with another model, one has a quota of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SharedQuota {
    pub group: String,
    pub model: String,
}

impl SharedQuota {
    /// That of an endpoint; `None` where it is in no group, and shares with nobody.
    pub fn of(group: Option<&str>, model: &str) -> Option<Self> {
        group.map(|group| Self { group: group.to_owned(), model: model.to_owned() })
    }
}

/// The rate-limit headers of one reply, as far as they make sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaSaid {
    pub requests: WindowSaid,
    pub tokens: WindowSaid,
}

/// One of the two limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSaid {
    /// A minute.
    pub limit: Option<u32>,
    /// What is left now.
    pub remaining: Option<u64>,
    /// Until nothing counts as used any more.
    pub reset: Option<Duration>,
}
