//! The base URL of an endpoint: checked, normalised, and whether a key is needed there.

use super::scalar::{Checked, Scalar, deserialize_checked, quoted};
use reqwest::Url;
use std::{fmt, net::IpAddr};

/// A base URL without a trailing slash, such as `https://api.openai.com/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl(Url);

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
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with its path: nothing from ? or # on".into());
        }
        if let Some(base) = url.path().trim_end_matches('/').strip_suffix("/chat/completions") {
            let mut shorter = url.clone();
            shorter.set_path(base);
            return Err(format!("must stop before /chat/completions: {}", Self(shorter)));
        }
        Ok(Self(url))
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
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;

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
                "https://example.org/v1?api-version=1",
                "must end with its path: nothing from ? or # on",
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
