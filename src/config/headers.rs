//! Headers that an endpoint wants besides the usual ones.

use super::{
    key,
    key_source::{KeyPlace, KeySource},
    scalar::{Checked, Line, Scalar, deserialize_checked, quoted},
};
use reqwest::header::{HeaderName, HeaderValue};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use std::fmt;

/// What stands in a header: a text, or a secret by its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderSource {
    Text(String),
    Secret(KeySource),
}

/// The headers of an endpoint in the order of the file, no name twice.
#[derive(Debug, Default)]
pub(super) struct Headers(pub Vec<(String, HeaderSource)>);

/// These carry the key, which has a place of its own.
const OF_THE_KEY: [&str; 2] = ["authorization", "api-key"];

/// These belong to the request as it is sent.
const OF_THE_REQUEST: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
    "x-client-request-id",
];

deserialize_checked!([] Name, [] Value);

/// The name of a header that a survey may set.
struct Name(String);

impl Checked for Name {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let name = match value {
            Scalar::Text(text) => text.to_owned(),
            other => other.to_string(),
        };
        let quoted = quoted(&name);
        let lower = name.to_lowercase();
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            Err(format!("{quoted} is no name of a header; use letters, digits and -"))
        } else if OF_THE_KEY.contains(&lower.as_str()) {
            Err(format!(
                "{quoted} carries the key; take it out and write `key: {{ env: NAME }}` at the \
                 endpoint"
            ))
        } else if OF_THE_REQUEST.contains(&lower.as_str()) {
            Err(format!("{quoted} is set by voxpop for every request; take it out"))
        } else {
            Ok(Self(name))
        }
    }
}

/// Checks what a header is to hold. The error does not repeat it.
pub(super) fn check_value(value: &str) -> Result<(), &'static str> {
    if value.contains(['\n', '\r']) {
        return Err("has a line break inside; write it on one line");
    }
    if !value.is_ascii() || HeaderValue::from_str(value).is_err() {
        return Err("has a character that no header may hold; keep to plain ASCII");
    }
    Ok(())
}

/// Whether a header's name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["authorization", "apikey", "secret", "password", "cookie"]
        .iter()
        .any(|word| name.contains(word))
        || ["-key", "-token", "-auth"].iter().any(|end| name.ends_with(end))
}

/// What a secret in plain text is told.
const PLAIN: &str = "holds a secret, and a survey is no place for one: write { env: NAME }, { file: \
                     PATH } or { command: ... }";

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;

        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{Name: value}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Headers, A::Error> {
                let mut headers: Vec<(String, HeaderSource)> = Vec::new();
                while let Some(Name(name)) = mapping.next_key()? {
                    if headers.iter().any(|(other, _)| name.eq_ignore_ascii_case(other)) {
                        let problem = format!("{name} stands here twice; take one out");
                        return Err(A::Error::custom(problem));
                    }
                    let Value(value) = mapping.next_value()?;
                    if is_secret(&name) && matches!(value, HeaderSource::Text(_)) {
                        return Err(A::Error::custom(format!("{name} {PLAIN}")));
                    }
                    headers.push((name, value));
                }
                Ok(Headers(headers))
            }
        }

        from.deserialize_map(HeadersVisitor)
    }
}

/// What a survey writes behind the name of a header.
struct Value(HeaderSource);

impl Checked for Value {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Text(text) if key::is_likely_in(text) => Err(PLAIN.to_owned()),
            Scalar::Text(text) if !text.trim().is_empty() => {
                let text = text.trim_matches(' ');
                check_value(text)?;
                Ok(Self(HeaderSource::Text(text.to_owned())))
            }
            other => Line::check(other).map(|line| Self(HeaderSource::Text(line.0))),
        }
    }

    fn check_mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Self, A::Error> {
        KeyPlace::check_mapping(mapping).map(|place| Self(HeaderSource::Secret(place.0)))
    }
}
