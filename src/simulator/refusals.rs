//! What is said to those who are not let in.

use super::{
    accounts::KeyProblem, answer::cut, error_body::ApiError, fault_kind::no_money, kind::Kind,
    reply::Reply,
};

const NO_KEY: &str = "You didn't provide an API key. You need to provide your API key in an \
    Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";

const AZURE_KEY_REFUSED: &str = "Access denied due to invalid subscription key or wrong API \
    endpoint. Make sure to provide a valid key for an active subscription and use a correct \
    regional API endpoint for your resource.";

const GEMINI_KEY_REFUSED: &str = "API key not valid. Please pass a valid API key.";

/// In Ollama's words.
const QUEUE_FULL: ApiError<'_> = ApiError {
    message: "server busy, please try again.  maximum pending requests exceeded",
    r#type: "server_error",
    param: None,
    code: None,
};

/// The 401; Gemini's is a 400.
pub fn key_refused(kind: Kind, problem: KeyProblem, given: Option<&str>) -> Reply {
    let (message, code) = match (kind, problem) {
        (Kind::Azure, _) => (AZURE_KEY_REFUSED.to_owned(), None),
        (Kind::Gemini, _) => (GEMINI_KEY_REFUSED.to_owned(), None),
        (Kind::Anthropic, _) => ("invalid x-api-key".to_owned(), None),
        (_, KeyProblem::Missing) => (NO_KEY.to_owned(), None),
        (_, KeyProblem::Wrong) => {
            let message = format!(
                "Incorrect API key provided: {}. You can find your API key at \
                 https://platform.openai.com/account/api-keys.",
                masked(given.unwrap_or_default())
            );
            (message, Some("invalid_api_key"))
        }
    };
    let status = if kind == Kind::Gemini { 400 } else { 401 };
    Reply::error(kind, status, &ApiError { code, ..ApiError::invalid_request(&message) })
}

/// The 429 after the last token of the quota.
pub fn no_quota(kind: Kind) -> Reply {
    Reply::error(kind, 429, &no_money("insufficient_quota"))
}

/// The 503 beyond the line before the slots; Anthropic has a status of its own for it.
pub fn queue_full(kind: Kind) -> Reply {
    let status = if kind == Kind::Anthropic { 529 } else { 503 };
    Reply::error(kind, status, &QUEUE_FULL)
}

/// A key as OpenAI's message shows it: enough to recognise it, too little to use it.
fn masked(key: &str) -> String {
    let count = key.chars().count();
    if count < 12 {
        return "***".to_owned();
    }
    let end: String = key.chars().skip(count - 4).collect();
    format!("{}***{end}", cut(key, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_masked_until_nobody_can_use_it() {
        assert_eq!(masked("sk-0123456789abcdef"), "sk-***cdef");
        assert_eq!(masked("short"), "***");
    }
}
