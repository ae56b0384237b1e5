//! Everything that can go wrong with a reply, and how it shows.

use super::error_body::ApiError;

/// A way in which a reply fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    RateLimited,
    SlowDown,
    InsufficientQuota,
    CreditBalance,
    UsageLimit,
    SpendLimit,
    ProjectSpendLimit,
    TooLarge,
    BadRequest,
    DoRetry,
    Unauthorized,
    Forbidden,
    NotFound,
    RequestTimeout,
    Conflict,
    PayloadTooLarge,
    Unprocessable,
    ServerError,
    NoRetry,
    BadGateway,
    Overloaded,
    GatewayTimeout,
    SiteOverloaded,
    Malformed,
    Refusal,
    ContentFilter,
    Cutoff,
    NoChoices,
    NotJson,
    Html,
    Hang,
    Drop,
    Reset,
    Truncated,
    Slow,
}

/// A kind with its name on the command line and what happens. The order is that of the draws: a
/// kind between two others does not change what a seed means for those.
const TABLE: [(FaultKind, &str, &str); 35] = [
    (FaultKind::RateLimited, "429", "429 of requests or of tokens, with a Retry-After"),
    (FaultKind::SlowDown, "slow_down", "429 slow_down, with a Retry-After"),
    (FaultKind::InsufficientQuota, "insufficient_quota", "429: no money left"),
    (FaultKind::CreditBalance, "credit_balance", "429 credit_balance_exhausted"),
    (FaultKind::UsageLimit, "usage_limit", "429 organization_usage_limit_exceeded"),
    (FaultKind::SpendLimit, "spend_limit", "429 organization_spend_limit_exceeded"),
    (FaultKind::ProjectSpendLimit, "project_spend_limit", "429 project_spend_limit_exceeded"),
    (FaultKind::TooLarge, "too_large", "429: the one request is larger than the limit"),
    (FaultKind::BadRequest, "400", "the request is said to be wrong"),
    (FaultKind::DoRetry, "do_retry", "400 with x-should-retry: true"),
    (FaultKind::Unauthorized, "401", "the key is refused"),
    (FaultKind::Forbidden, "403", "the key may not use the model"),
    (FaultKind::NotFound, "404", "no such model"),
    (FaultKind::RequestTimeout, "408", "the request took too long to arrive"),
    (FaultKind::Conflict, "409", "a conflict, worth another attempt"),
    (FaultKind::PayloadTooLarge, "413", "the body is too large"),
    (FaultKind::Unprocessable, "422", "the request cannot be processed"),
    (FaultKind::ServerError, "500", "the server's own error"),
    (FaultKind::NoRetry, "no_retry", "500 with x-should-retry: false"),
    (FaultKind::BadGateway, "502", "a proxy's HTML page"),
    (FaultKind::Overloaded, "503", "overloaded"),
    (FaultKind::GatewayTimeout, "504", "a proxy's HTML page"),
    (FaultKind::SiteOverloaded, "529", "the whole site is overloaded"),
    (FaultKind::Malformed, "malformed", "200; not the content that was asked for"),
    (FaultKind::Refusal, "refusal", "200; the model declines, or a filter holds its answer back"),
    (FaultKind::ContentFilter, "content_filter", "a filter holds the answer back; Azure: 400"),
    (FaultKind::Cutoff, "cutoff", "200; finish_reason is length"),
    (FaultKind::NoChoices, "no_choices", "200; JSON that lacks what it should have"),
    (FaultKind::NotJson, "not_json", "200; said to be JSON and is not"),
    (FaultKind::Html, "html", "200; a proxy's HTML page"),
    (FaultKind::Hang, "hang", "never answers; also called timeout"),
    (FaultKind::Drop, "drop", "the connection is reset before any reply"),
    (FaultKind::Reset, "reset", "the connection is reset in the middle of the reply"),
    (FaultKind::Truncated, "truncated", "the connection ends before the whole body came"),
    (FaultKind::Slow, "slow", "the right reply, but its bytes drip"),
];

impl FaultKind {
    /// How many there are.
    pub(super) const COUNT: usize = TABLE.len();

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(kind, ..)| *kind)
    }

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        TABLE[self.ordinal()].1
    }

    /// What happens, in a few words for the help.
    pub const fn meaning(self) -> &'static str {
        TABLE[self.ordinal()].2
    }

    /// Its place in [`Self::all`].
    pub(super) const fn ordinal(self) -> usize {
        self as usize
    }

    /// Reads a name, or a code of OpenAI's; `timeout` is how a client sees a `hang`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "timeout" => Some(Self::Hang),
            "rate_limit_exceeded" => Some(Self::RateLimited),
            _ => Self::all().find(|kind| {
                let code = || match kind.symptom() {
                    Symptom::Error { error, .. } => error.code,
                    _ => None,
                };
                kind.as_str() == name || code() == Some(name)
            }),
        }
    }
}

/// How a fault shows.
#[derive(Clone, Copy, Debug)]
pub enum Symptom {
    /// An error of fixed words.
    Error {
        status: u16,
        error: ApiError<'static>,
        should_retry: Option<bool>,
    },
    /// A 429 that goes away.
    Limited {
        code: &'static str,
    },
    TooLarge,
    /// A page or a body in place of a completion.
    Body {
        status: u16,
        content_type: &'static str,
        body: &'static str,
    },
    Malformed,
    Refusal,
    ContentFilter,
    Cutoff,
    /// The right reply, delivered in this way.
    Delivered(BadDelivery),
}

/// What can become of the right reply on its way.
#[derive(Clone, Copy, Debug)]
pub enum BadDelivery {
    Never,
    Dropped,
    Reset,
    Truncated,
    Dripped,
}

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

impl FaultKind {
    /// How it shows.
    pub(super) const fn symptom(self) -> Symptom {
        match self {
            Self::RateLimited => Symptom::Limited { code: "rate_limit_exceeded" },
            Self::SlowDown => Symptom::Limited { code: "slow_down" },
            Self::TooLarge => Symptom::TooLarge,
            Self::InsufficientQuota => broke("insufficient_quota"),
            Self::CreditBalance => broke("credit_balance_exhausted"),
            Self::UsageLimit => broke("organization_usage_limit_exceeded"),
            Self::SpendLimit => broke("organization_spend_limit_exceeded"),
            Self::ProjectSpendLimit => broke("project_spend_limit_exceeded"),
            Self::BadRequest => wrong(400, "The request is wrong.", None, None),
            Self::DoRetry => wrong(400, "The request was not understood.", None, Some(true)),
            Self::Unauthorized => {
                let code = Some("invalid_api_key");
                wrong(401, "Incorrect API key provided: ***.", code, None)
            }
            Self::Forbidden => {
                let message = "You are not allowed to sample from this model";
                wrong(403, message, Some("model_not_allowed"), None)
            }
            Self::NotFound => {
                let message = "The model does not exist or you do not have access to it.";
                wrong(404, message, Some("model_not_found"), None)
            }
            Self::RequestTimeout => wrong(408, "Request timed out.", None, None),
            Self::Conflict => {
                wrong(409, "The resource was updated by another request.", None, None)
            }
            Self::PayloadTooLarge => wrong(413, "The request body is too large.", None, None),
            Self::Unprocessable => wrong(422, "The request cannot be processed.", None, None),
            Self::ServerError => broken(500, "server_error", SERVER_ERROR, None),
            Self::NoRetry => broken(500, "server_error", SERVER_ERROR, Some(false)),
            Self::Overloaded => {
                let message = "The engine is currently overloaded, please try again later.";
                broken(503, "server_error", message, None)
            }
            Self::SiteOverloaded => broken(529, "overloaded_error", "Overloaded", None),
            Self::BadGateway => page(502, BAD_GATEWAY),
            Self::GatewayTimeout => page(504, GATEWAY_TIMEOUT),
            Self::Html => page(200, LOGIN),
            Self::NoChoices => {
                let body = r#"{"id":"chatcmpl-0","object":"chat.completion","choices":[]}"#;
                Symptom::Body { status: 200, content_type: JSON, body }
            }
            Self::NotJson => {
                let body = "upstream connect error or disconnect/reset before headers";
                Symptom::Body { status: 200, content_type: JSON, body }
            }
            Self::Malformed => Symptom::Malformed,
            Self::Refusal => Symptom::Refusal,
            Self::ContentFilter => Symptom::ContentFilter,
            Self::Cutoff => Symptom::Cutoff,
            Self::Hang => Symptom::Delivered(BadDelivery::Never),
            Self::Drop => Symptom::Delivered(BadDelivery::Dropped),
            Self::Reset => Symptom::Delivered(BadDelivery::Reset),
            Self::Truncated => Symptom::Delivered(BadDelivery::Truncated),
            Self::Slow => Symptom::Delivered(BadDelivery::Dripped),
        }
    }
}

const SERVER_ERROR: &str =
    "The server had an error while processing your request. Sorry about that!";

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

const GATEWAY_TIMEOUT: &str = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n\
    <center><h1>504 Gateway Time-out</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// What a hotel's or an office's proxy answers in the place of everybody.
const LOGIN: &str = "<!DOCTYPE html>\n<html>\n<head><title>Sign in</title></head>\n<body>\n\
    <h1>Please sign in to use this network</h1>\n<form method=\"post\"><input name=\"user\">\
    <input name=\"password\" type=\"password\"></form>\n</body>\n</html>\n";

const NO_MONEY: &str = "You exceeded your current quota, please check your plan and billing \
    details. For more information on this error, read the docs: \
    https://platform.openai.com/docs/guides/error-codes/api-errors.";

/// The 429 that no waiting mends. Its type is one for all codes.
pub const fn no_money(code: &'static str) -> ApiError<'static> {
    ApiError { message: NO_MONEY, r#type: "insufficient_quota", param: None, code: Some(code) }
}

/// The 500.
pub const fn server_error() -> ApiError<'static> {
    ApiError { message: SERVER_ERROR, r#type: "server_error", param: None, code: None }
}

const fn broke(code: &'static str) -> Symptom {
    Symptom::Error { status: 429, error: no_money(code), should_retry: None }
}

const fn wrong(
    status: u16,
    message: &'static str,
    code: Option<&'static str>,
    should_retry: Option<bool>,
) -> Symptom {
    let error = ApiError { code, ..ApiError::invalid_request(message) };
    Symptom::Error { status, error, should_retry }
}

const fn broken(
    status: u16,
    r#type: &'static str,
    message: &'static str,
    should_retry: Option<bool>,
) -> Symptom {
    let error = ApiError { message, r#type, param: None, code: None };
    Symptom::Error { status, error, should_retry }
}

const fn page(status: u16, body: &'static str) -> Symptom {
    Symptom::Body { status, content_type: HTML, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place_and_one_name() {
        let all: Vec<_> = FaultKind::all().collect();
        for (place, kind) in all.iter().enumerate() {
            assert_eq!(kind.ordinal(), place, "{kind:?}");
            assert_eq!(FaultKind::named(kind.as_str()), Some(*kind));
        }
        assert_eq!(FaultKind::named("timeout"), Some(FaultKind::Hang));
        let code = "organization_spend_limit_exceeded";
        assert_eq!(FaultKind::named(code), Some(FaultKind::SpendLimit));
    }
}
