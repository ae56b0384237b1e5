//! Telling failures apart: a pure function of status, headers and body.

use super::{dialect::Unsupported, headers};
use crate::model::{Failure, FailureKind, strip_controls};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use std::time::SystemTime;

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorDetail,
}

/// What a body says; nothing where it is no error body. Gemini's compatibility layer puts its own
/// into a list.
fn read(body: &[u8]) -> ErrorDetail {
    let listed = serde_json::from_slice::<Vec<ErrorBody>>(body).ok();
    listed
        .and_then(|bodies| bodies.into_iter().next())
        .or_else(|| serde_json::from_slice(body).ok())
        .unwrap_or_default()
        .error
}

/// Some servers send `code` as a number and some leave everything out, hence the loose types.
#[derive(Default, Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    r#type: Option<serde_json::Value>,
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    param: Option<serde_json::Value>,
}

/// `error.code`s of a 429 that no waiting mends (OpenAI's published list).
const OUT_OF_QUOTA: [&str; 5] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_usage_limit_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
];

/// What a reply with a status other than 200 means.
pub(super) fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Failure {
    let error = read(body);
    let word = |value: &Option<serde_json::Value>| match value {
        Some(serde_json::Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (code, kind_of_limit) = (word(&error.code), word(&error.r#type));
    let said = error.message.unwrap_or_default();
    let kind = match status {
        429 if OUT_OF_QUOTA.contains(&code.as_str()) || kind_of_limit == "insufficient_quota" => {
            FailureKind::QuotaExhausted
        }
        429 if said.starts_with("Request too large") => FailureKind::TooLarge,
        429 if kind_of_limit == "tokens" => FailureKind::RateLimitedTokens,
        429 => FailureKind::RateLimitedRequests,
        401 | 403 => FailureKind::KeyRefused,
        // Gemini's compatibility layer says it so.
        400 if said.contains("API key not valid") => FailureKind::KeyRefused,
        413 => FailureKind::TooLarge,
        503 | 529 => FailureKind::Overloaded,
        408 | 409 | 500..=599 => FailureKind::ServerError,
        400 if code == "content_filter" => FailureKind::Refused,
        _ => FailureKind::BadRequest,
    };
    let kind = match headers::should_retry(headers) {
        Some(true)
            if matches!(
                kind,
                FailureKind::BadRequest | FailureKind::TooLarge | FailureKind::KeyRefused
            ) =>
        {
            FailureKind::ServerError
        }
        Some(false)
            if matches!(
                kind,
                FailureKind::ServerError
                    | FailureKind::Overloaded
                    | FailureKind::RateLimitedRequests
                    | FailureKind::RateLimitedTokens
            ) =>
        {
            FailureKind::BadRequest
        }
        _ => kind,
    };
    let message = match said.as_str() {
        "" if status == 404 => "HTTP 404: are the base URL and the model right?".to_owned(),
        "" => format!("HTTP {status}, and the reply does not say why"),
        _ => said,
    };
    Failure {
        kind,
        message: strip_controls(&message).chars().take(500).collect(),
        retry_after: headers::retry_after(headers, now),
    }
}

/// The part of the request that a 400 (or 422) names as unknown, where it names one.
pub(super) fn unsupported(status: u16, body: &[u8]) -> Option<Unsupported> {
    if !matches!(status, 400 | 422) {
        return None;
    }
    let error = read(body);
    // Servers that are not OpenAI's put it anywhere; the body as a whole names the field.
    let param = error.param.as_ref().and_then(|param| param.as_str()).unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let names = |word: &str| param.contains(word) || param.is_empty() && text.contains(word);
    if names("response_format") || names("json_schema") || names("json_object") {
        Some(Unsupported::AnswerFormat)
    } else if (names("max_completion_tokens") || names("max_tokens")) && !text.contains("too large")
    {
        Some(Unsupported::OutputCap)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> FailureKind {
        classify(status, &HeaderMap::new(), body.as_bytes(), SystemTime::now()).kind
    }

    #[test]
    fn the_table_of_errors_holds() {
        for (status, body, expected) in [
            (429, r#"{"error":{"type":"requests"}}"#, FailureKind::RateLimitedRequests),
            (429, r#"{"error":{"type":"tokens"}}"#, FailureKind::RateLimitedTokens),
            (429, "", FailureKind::RateLimitedRequests),
            (429, r#"{"error":{"code":"slow_down"}}"#, FailureKind::RateLimitedRequests),
            (429, r#"{"error":{"code":"insufficient_quota"}}"#, FailureKind::QuotaExhausted),
            (
                429,
                r#"{"error":{"message":"Request too large for gpt-4o","type":"tokens"}}"#,
                FailureKind::TooLarge,
            ),
            (401, "", FailureKind::KeyRefused),
            (403, r#"{"error":"denied"}"#, FailureKind::KeyRefused),
            (413, "", FailureKind::TooLarge),
            (408, "", FailureKind::ServerError),
            (409, "", FailureKind::ServerError),
            (500, "", FailureKind::ServerError),
            (503, "<html>", FailureKind::Overloaded),
            (529, "", FailureKind::Overloaded),
            (400, r#"{"error":{"code":17}}"#, FailureKind::BadRequest),
            (400, r#"{"error":{"code":"content_filter"}}"#, FailureKind::Refused),
            (404, "", FailureKind::BadRequest),
            (
                400,
                r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#,
                FailureKind::KeyRefused,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
                FailureKind::KeyRefused,
            ),
            (422, "[]", FailureKind::BadRequest),
            (422, "", FailureKind::BadRequest),
        ] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_400_may_name_what_the_server_does_not_know() {
        let named = |status, body: &str| unsupported(status, body.as_bytes());
        let format = Some(Unsupported::AnswerFormat);
        let cap = Some(Unsupported::OutputCap);
        for (status, body, expected) in [
            (400, r#"{"error":{"message":"no","param":"response_format"}}"#, format),
            (400, r#"{"error":"response_format.type json_schema is not supported"}"#, format),
            (422, r#"{"detail":[{"loc":["body","max_completion_tokens"]}]}"#, cap),
            (400, r#"{"error":{"message":"use max_completion_tokens","param":"max_tokens"}}"#, cap),
            (400, r#"{"error":{"message":"response_format ...","param":"messages"}}"#, None),
            (400, r#"{"error":{"message":"no such model"}}"#, None),
            (400, r#"{"error":{"message":"max_tokens is too large","param":"max_tokens"}}"#, None),
            (500, r#"{"error":{"param":"response_format"}}"#, None),
        ] {
            assert_eq!(named(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_server_has_the_last_word_on_whether_to_retry() {
        let mut headers = HeaderMap::new();
        headers.insert("x-should-retry", "false".parse().unwrap());
        for status in [500, 503, 429] {
            let failure = classify(status, &headers, b"", SystemTime::now());
            assert_eq!(failure.kind, FailureKind::BadRequest, "{status}");
        }
        headers.insert("x-should-retry", "true".parse().unwrap());
        for status in [400, 401, 413] {
            let failure = classify(status, &headers, b"", SystemTime::now());
            assert_eq!(failure.kind, FailureKind::ServerError, "{status}");
        }
    }

    #[test]
    fn what_the_server_said_is_one_harmless_line() {
        let body = "{\"error\":{\"message\":\"bad\\u001b[2J\\nthing\"}}";
        let failure = classify(400, &HeaderMap::new(), body.as_bytes(), SystemTime::now());
        assert_eq!(failure.message, "bad[2J thing");
    }
}
