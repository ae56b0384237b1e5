//! What a provider says of a quota with a reply.

use std::time::Duration;

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
