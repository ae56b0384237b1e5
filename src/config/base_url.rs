//! The base URL of an endpoint: checked, normalised, and whether a key is needed there.

use super::scalar::{Checked, Scalar, deserialize_checked, quoted};
use crate::model::EndpointKind;
use reqwest::Url;
use std::{fmt, net::IpAddr};

/// A base URL such as `https://api.openai.com/v1`. Azure's may end with `?api-version=...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl(Url);

/// The one parameter that a base URL may have: any other might hold a key.
const API_VERSION: &str = "api-version";

/// The hosts that tell their kind.
const HOSTS: [(&str, EndpointKind); 5] = [
    (".openai.azure.com", EndpointKind::Azure),
    (".cognitiveservices.azure.com", EndpointKind::Azure),
    (".services.ai.azure.com", EndpointKind::Azure),
    ("generativelanguage.googleapis.com", EndpointKind::Gemini),
    ("api.anthropic.com", EndpointKind::Anthropic),
];

deserialize_checked!([] BaseUrl);

impl Checked for BaseUrl {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        match value {
            Scalar::Text(text) => Self::parse(text),
            other => Err(format!("must be a URL such as https://api.openai.com/v1, not {other}")),
        }
    }
}

impl BaseUrl {
    /// Checks a URL. The error says what it must be; it never repeats a user name or password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong =
            |why: String| Err(format!("{why}; write one such as https://api.openai.com/v1"));
        let url = match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url,
            _ if !text.contains("://") => {
                return wrong(format!("must start with http:// or https://, not {}", quoted(text)));
            }
            Ok(url) => return wrong(format!("must be http or https, not {}", url.scheme())),
            Err(problem) => return wrong(format!("is not a URL ({problem})")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "must not hold a user name or password; put the key in OPENAI_API_KEY".into()
            );
        }
        let version = |value: &str| {
            !value.is_empty()
                && value.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
        };
        let is_version = url.query().is_none_or(|query| {
            query.split_once('=').is_some_and(|(key, value)| key == API_VERSION && version(value))
        });
        if !is_version || url.fragment().is_some() {
            return Err("must end with its path: nothing from ? or # on, but for Azure's \
                        ?api-version=2024-10-21"
                .into());
        }
        if let Some(base) = url.path().trim_end_matches('/').strip_suffix("/chat/completions") {
            let mut shorter = url.clone();
            shorter.set_path(base);
            return Err(format!("must stop before /chat/completions: {}", Self(shorter)));
        }
        Ok(Self(url))
    }

    /// The URL without its query and without a slash at the end.
    pub(super) fn base(&self) -> String {
        let mut base = self.0.clone();
        base.set_query(None);
        base.as_str().trim_end_matches('/').to_owned()
    }

    /// What goes behind the `?` of every request.
    pub(super) fn query(&self) -> Option<&str> {
        self.0.query()
    }

    /// The kind of server that answers there, where the URL tells.
    pub(super) fn kind(&self) -> Option<EndpointKind> {
        let host = self.0.host_str().unwrap_or_default();
        let by_host = HOSTS.iter().find(|(end, _)| host.ends_with(end)).map(|(_, kind)| *kind);
        by_host.or_else(|| self.query().map(|_| EndpointKind::Azure))
    }

    /// Whether a server of that kind can be asked there; otherwise what is wrong.
    pub(super) fn check_for(&self, kind: EndpointKind) -> Result<(), String> {
        match (kind, self.query()) {
            (EndpointKind::Azure, None) if self.0.path().contains("/deployments/") => {
                Err(format!("must end with the version: {self}?{API_VERSION}=2024-10-21"))
            }
            (EndpointKind::Azure, _) | (_, None) => Ok(()),
            (kind, Some(_)) => Err(format!(
                "must end with its path: only `kind: azure` has an {API_VERSION}, and this is {kind}"
            )),
        }
    }

    /// Host and port as people name the endpoint.
    pub(super) fn name(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is on this machine or a private network, where servers commonly want no key.
    pub(super) fn is_private(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
            // A name without a dot (`localhost`, `ollama` in a container network) is a local one.
            Err(_) => {
                !host.contains('.') || host.ends_with(".local") || host.ends_with(".localhost")
            }
        }
    }

    /// Whether what is sent there, the key included, travels in the clear.
    pub(super) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base())?;
        self.query().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_normalised() {
        for (given, kept, name) in [
            ("https://api.openai.com/v1/", "https://api.openai.com/v1", "api.openai.com"),
            (" HTTP://127.0.0.1:8080 ", "http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:11434/v1", "http://[::1]:11434/v1", "[::1]:11434"),
        ] {
            let url = BaseUrl::parse(given).unwrap();
            assert_eq!((url.to_string().as_str(), url.name().as_str()), (kept, name));
        }
    }

    #[test]
    fn a_wrong_base_url_says_what_to_write() {
        for (url, message) in [
            (
                "api.openai.com/v1",
                "must start with http:// or https://, not \"api.openai.com/v1\"; write one such as \
                 https://api.openai.com/v1",
            ),
            (
                "localhost:8000",
                "must start with http:// or https://, not \"localhost:8000\"; write one such as \
                 https://api.openai.com/v1",
            ),
            (
                "ftp://example.org/v1",
                "must be http or https, not ftp; write one such as https://api.openai.com/v1",
            ),
            ("https://", "is not a URL (empty host); write one such as https://api.openai.com/v1"),
            (
                "https://me:secret@example.org/v1",
                "must not hold a user name or password; put the key in OPENAI_API_KEY",
            ),
            (
                "https://example.org/v1?key=secret",
                "must end with its path: nothing from ? or # on, but for Azure's \
                 ?api-version=2024-10-21",
            ),
            (
                "https://example.org/v1?api-version=1&key=secret",
                "must end with its path: nothing from ? or # on, but for Azure's \
                 ?api-version=2024-10-21",
            ),
            (
                "https://example.org/v1/chat/completions/",
                "must stop before /chat/completions: https://example.org/v1",
            ),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap_err(), message);
        }
    }

    #[test]
    fn a_base_url_tells_its_kind_where_it_can() {
        use EndpointKind::{Anthropic, Azure, Gemini, OpenAi};
        for (url, kind) in [
            ("https://res.openai.azure.com/openai/v1/", Some(Azure)),
            (
                "https://gateway.example.org/openai/deployments/d?api-version=2024-10-21",
                Some(Azure),
            ),
            ("https://generativelanguage.googleapis.com/v1beta/openai/", Some(Gemini)),
            ("https://api.anthropic.com/v1/", Some(Anthropic)),
            ("https://api.openai.com/v1", None),
            ("http://127.0.0.1:8080/v1", None),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap().kind(), kind, "{url}");
        }
        let azure = "https://res.openai.azure.com/openai/deployments/dep/?api-version=2024-10-21";
        let azure = BaseUrl::parse(azure).unwrap();
        let base = "https://res.openai.azure.com/openai/deployments/dep";
        assert_eq!((azure.base().as_str(), azure.query()), (base, Some("api-version=2024-10-21")));
        assert_eq!(azure.to_string(), format!("{base}?api-version=2024-10-21"));
        assert_eq!(azure.check_for(Azure), Ok(()));
        assert!(azure.check_for(OpenAi).unwrap_err().contains("only `kind: azure`"));
        assert_eq!(
            BaseUrl::parse(base).unwrap().check_for(Azure),
            Err(format!("must end with the version: {base}?api-version=2024-10-21"))
        );
    }

    #[test]
    fn only_a_public_host_needs_a_key() {
        let private =
            |host: &str| BaseUrl::parse(&format!("http://{host}/v1")).unwrap().is_private();
        for host in [
            "localhost:1",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]:80",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.1",
            "192.168.0.9",
            "gpu.local",
            "ollama:11434",
        ] {
            assert!(private(host), "{host}");
        }
        for host in
            ["api.openai.com", "172.32.0.1", "8.8.8.8", "11.0.0.1", "[2001:db8::1]", "mylocal.com"]
        {
            assert!(!private(host), "{host}");
        }
    }
}
