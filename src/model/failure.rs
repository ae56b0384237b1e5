//! The one list of what can go wrong with a call, and the one treatment each kind gets.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// 429: too many requests for now.
    RateLimitedRequests,
    /// 429: too many tokens for now.
    RateLimitedTokens,
    /// 429: no money, or a spending cap reached. Waiting does not help.
    QuotaExhausted,
    /// 401 or 403.
    KeyRefused,
    /// 408, 409 or 5xx.
    ServerError,
    /// 503 or 529: the server has more requests than it can take.
    Overloaded,
    /// No reply in time.
    Timeout,
    /// No connection, or one that broke.
    Connection,
    /// 400, 404 or 422: the request itself is wrong.
    BadRequest,
    /// 413, or a 429 for one request that is larger than the whole limit.
    TooLarge,
    /// The answer hit the output cap.
    CutOff,
    /// The model declined. A non-response, not an error.
    Refused,
    /// A 200 whose body is not the answer that was asked for.
    Malformed,
    /// The run was stopped while the call was under way.
    Cancelled,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Wait and ask again, within the bounds of attempts and time.
    Retry,
    /// Say what was wrong with the answer and ask for it again, once; then the persona fails.
    Repair,
    /// Ask again with room for a longer answer, once; then the persona fails.
    RaiseCap,
    /// The persona fails now.
    FailPersona,
    /// The refusal is the persona's result.
    KeepRefusal,
    /// Nobody else would fare better there: the endpoint goes out of service and the call to
    /// another one. Where it was the last, the run pauses and the persona goes back to the queue.
    TakeEndpointOut,
    /// The persona goes back to the queue.
    Requeue,
}

impl FailureKind {
    /// Every kind, in the order in which screens list them.
    pub const ALL: [Self; 14] = [
        Self::RateLimitedRequests,
        Self::RateLimitedTokens,
        Self::QuotaExhausted,
        Self::KeyRefused,
        Self::ServerError,
        Self::Overloaded,
        Self::Timeout,
        Self::Connection,
        Self::BadRequest,
        Self::TooLarge,
        Self::CutOff,
        Self::Refused,
        Self::Malformed,
        Self::Cancelled,
    ];

    /// The table of treatments: each kind has exactly one.
    pub const fn treatment(self) -> Treatment {
        match self {
            Self::RateLimitedRequests
            | Self::RateLimitedTokens
            | Self::ServerError
            | Self::Overloaded
            | Self::Timeout
            | Self::Connection => Treatment::Retry,
            Self::Malformed => Treatment::Repair,
            Self::CutOff => Treatment::RaiseCap,
            Self::BadRequest | Self::TooLarge => Treatment::FailPersona,
            Self::Refused => Treatment::KeepRefusal,
            Self::QuotaExhausted | Self::KeyRefused => Treatment::TakeEndpointOut,
            Self::Cancelled => Treatment::Requeue,
        }
    }

    /// A few words for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RateLimitedRequests => "429 requests",
            Self::RateLimitedTokens => "429 tokens",
            Self::QuotaExhausted => "quota exhausted",
            Self::KeyRefused => "key refused",
            Self::ServerError => "server error",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::BadRequest => "bad request",
            Self::TooLarge => "too large",
            Self::CutOff => "cut off",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The name as it stands in files: the same word that serde writes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimitedRequests => "rate_limited_requests",
            Self::RateLimitedTokens => "rate_limited_tokens",
            Self::QuotaExhausted => "quota_exhausted",
            Self::KeyRefused => "key_refused",
            Self::ServerError => "server_error",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::CutOff => "cut_off",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// One thing that went wrong, with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// What the provider or the network said, on one line, with no control characters.
    pub message: String,
    /// How long the provider asked us to wait: a floor, to which jitter is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a Retry-After.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.label(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::FailureKind;

    #[test]
    fn the_name_in_files_is_the_name_that_serde_writes() {
        for kind in FailureKind::ALL {
            let written = serde_json::to_string(&kind).unwrap();
            assert_eq!(written, format!("{:?}", kind.as_str()));
        }
    }
}
