//! Error bodies: OpenAI's, and how the other servers write theirs.

use super::kind::Kind;
use serde::Serialize;
use serde_json::{Value, json};

/// The inside of an error body, in OpenAI's words.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ApiError<'a> {
    pub message: &'a str,
    pub r#type: &'a str,
    pub param: Option<&'a str>,
    pub code: Option<&'a str>,
}

impl<'a> ApiError<'a> {
    /// The request is wrong.
    pub const fn invalid_request(message: &'a str) -> Self {
        Self { message, r#type: "invalid_request_error", param: None, code: None }
    }

    /// The body, as this kind of server writes it.
    pub fn body(&self, kind: Kind, status: u16) -> Vec<u8> {
        let Self { message, param, code, .. } = *self;
        let error = match kind {
            Kind::OpenAi => json!(self),
            // What the model itself refuses is OpenAI's, what the gateway does is Azure's own.
            Kind::Azure if status == 400 => json!(self),
            Kind::Azure => json!({ "code": azure_code(status, code), "message": message }),
            // These answer no 429 of their own: one comes from a gateway before them.
            Kind::Vllm | Kind::LlamaCpp | Kind::Ollama if status == 429 => json!(self),
            Kind::Ollama => {
                let r#type = match status {
                    400 => "invalid_request_error",
                    404 => "not_found_error",
                    _ => "api_error",
                };
                json!({ "message": message, "type": r#type, "param": null, "code": null })
            }
            Kind::Vllm if status == 401 => Value::from("Unauthorized"),
            Kind::Vllm => {
                let r#type = match status {
                    400 => "BadRequestError",
                    404 => "NotFoundError",
                    503 => "ServiceUnavailableError",
                    500.. => "InternalServerError",
                    _ => self.r#type,
                };
                json!({ "message": message, "type": r#type, "param": param, "code": status })
            }
            Kind::LlamaCpp => {
                let r#type = match status {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    503 => "unavailable_error",
                    500.. => "server_error",
                    _ => "invalid_request_error",
                };
                json!({ "code": status, "message": message, "type": r#type })
            }
            Kind::Gemini => {
                let error = json!({
                    "code": status,
                    "message": message,
                    "status": google_status(status),
                });
                return json!([{ "error": error }]).to_string().into_bytes();
            }
            Kind::Anthropic => {
                let r#type = match status {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    413 => "request_too_large",
                    429 => "rate_limit_error",
                    529 => "overloaded_error",
                    500.. => "api_error",
                    _ => "invalid_request_error",
                };
                json!({ "message": message, "type": r#type, "param": null, "code": null })
            }
        };
        json!({ "error": error }).to_string().into_bytes()
    }
}

/// Azure's code is the status, but for what has a name there too.
fn azure_code(status: u16, code: Option<&str>) -> String {
    match code {
        Some("model_not_found") => "DeploymentNotFound".to_owned(),
        Some(code) if status == 429 && code != "rate_limit_exceeded" => code.to_owned(),
        _ => status.to_string(),
    }
}

/// The name that Google's APIs give a status.
const fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_writes_its_own() {
        let error = ApiError { code: Some("invalid_api_key"), ..ApiError::invalid_request("No.") };
        let body = |kind: Kind, status| String::from_utf8(error.body(kind, status)).unwrap();
        for (kind, written) in [
            (
                Kind::OpenAi,
                r#"{"error":{"message":"No.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            ),
            (Kind::Azure, r#"{"error":{"code":"401","message":"No."}}"#),
            (Kind::Vllm, r#"{"error":"Unauthorized"}"#),
            (
                Kind::Ollama,
                r#"{"error":{"message":"No.","type":"api_error","param":null,"code":null}}"#,
            ),
            (
                Kind::LlamaCpp,
                r#"{"error":{"code":401,"message":"No.","type":"authentication_error"}}"#,
            ),
            (
                Kind::Gemini,
                r#"[{"error":{"code":401,"message":"No.","status":"UNAUTHENTICATED"}}]"#,
            ),
            (
                Kind::Anthropic,
                r#"{"error":{"message":"No.","type":"authentication_error","param":null,"code":null}}"#,
            ),
        ] {
            assert_eq!(body(kind, 401), written);
        }
        assert_eq!(body(Kind::OpenAi, 429), body(Kind::Vllm, 429));
        assert!(
            body(Kind::Vllm, 400).contains(r#""type":"BadRequestError","param":null,"code":400"#)
        );
    }
}
