//! One HTTP exchange.

use super::{classify, dialect::Unsupported, headers, reply};
use crate::model::{AuthHeader, Failure, FailureKind, QuotaSaid, Usage, strip_controls};
use bytes::{Bytes, BytesMut};
use reqwest::{
    Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};

/// The longest reply that is read. A chat completion is a few kilobytes; a server that streams
/// for ever must not fill the memory.
const LONGEST_REPLY: usize = 16 * 1024 * 1024;

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter keys are placeholders such as "dummy", which may well stand in an answer.
const SHORTEST_SECRET: usize = 16;

/// Azure's header for the key.
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// The name under which a request can be traced on the provider's side.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");

/// What a client needs to know of its endpoint.
pub struct ClientSettings<'a> {
    /// Such as `https://api.openai.com/v1`, without a slash at the end.
    pub base_url: &'a str,
    /// What goes behind the `?`, such as Azure's `api-version=...`.
    pub query: Option<&'a str>,
    pub key: Option<&'a SecretString>,
    /// Which header carries the key.
    pub auth: AuthHeader,
    /// Sent with every request; some hold secrets.
    pub headers: &'a [(String, SecretString)],
    /// From the send to the last byte.
    pub timeout: Duration,
    /// How many connections may be kept open: the most slots there can be.
    pub connections: usize,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL does not parse.
    #[error("the base URL {url:?} is no URL ({reason}); it should look like https://host/v1")]
    BaseUrl { url: String, reason: String },
    /// The key has characters that no header may have.
    #[error("the API key holds a character that no HTTP header may hold; set it again")]
    Key,
    /// A header that HTTP does not have room for.
    #[error("the header {name:?} cannot be sent: its name or its value is no HTTP header")]
    Header { name: String },
    /// The TLS library would not start.
    #[error("the HTTP client could not be set up: {0}")]
    Setup(#[from] reqwest::Error),
}

/// A client of one endpoint, with its pool of connections.
///
/// It speaks HTTP/1.1 only: over HTTP/2 a server's cap on streams would be a second, hidden limit
/// on slots, and one lost connection would take all calls in flight with it.
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// What no reply may bring back into logs and files.
    secrets: Vec<SecretString>,
}

/// The text of a model's reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Completion {
    pub content: String,
}

/// An exchange that gave no completion.
#[derive(Debug)]
pub struct Unanswered {
    pub failure: Failure,
    /// What the server does not know of the request, where that is why.
    pub unsupported: Option<Unsupported>,
    /// The raw body, as far as it came.
    pub body: Option<String>,
}

/// How one exchange went; `T` is what an answered one gives.
#[derive(Debug)]
pub struct Exchange<T = Completion> {
    pub status: Option<u16>,
    pub request_id: Option<String>,
    pub usage: Option<Usage>,
    /// What the headers say of the quota.
    pub said: QuotaSaid,
    /// From the send to the reply's first byte, where one came.
    pub first_byte: Option<Duration>,
    pub on_the_wire: Duration,
    pub result: Result<T, Unanswered>,
}

impl Client {
    /// A client without a connection yet.
    ///
    /// # Errors
    /// Where the URL or the key is unusable.
    pub fn new(settings: &ClientSettings<'_>) -> Result<Self, ClientError> {
        let bad_url =
            |reason: String| ClientError::BaseUrl { url: settings.base_url.to_owned(), reason };
        let mut url = Url::parse(&format!("{}/chat/completions", settings.base_url))
            .map_err(|error| bad_url(error.to_string()))?;
        url.set_query(settings.query);
        let host = url.host_str().ok_or_else(|| bad_url("it names no host".to_owned()))?;
        // Where another client has installed it already, it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .timeout(settings.timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(settings.connections)
            .pool_idle_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("voxpop/", env!("CARGO_PKG_VERSION")));
        if is_loopback(host) {
            builder = builder.no_proxy();
        }
        if url.scheme() == "http" {
            // No certificate is ever looked at: loading the system's took 12 ms of the start.
            builder = builder.tls_certs_only([]);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = settings.key {
            let (name, text) = match settings.auth {
                AuthHeader::Bearer => {
                    (header::AUTHORIZATION, format!("Bearer {}", key.expose_secret()))
                }
                AuthHeader::ApiKey => (API_KEY, key.expose_secret().to_owned()),
            };
            let mut value = HeaderValue::try_from(text).map_err(|_| ClientError::Key)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        for (name, value) in settings.headers {
            let bad = || ClientError::Header { name: name.clone() };
            let mut text = HeaderValue::try_from(value.expose_secret()).map_err(|_| bad())?;
            text.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(|_| bad())?, text);
        }
        let secrets = settings.key.into_iter().chain(settings.headers.iter().map(|(_, v)| v));
        let secrets = secrets.filter(|s| s.expose_secret().len() >= SHORTEST_SECRET).cloned();
        Ok(Self { http: builder.build()?, url, headers, secrets: secrets.collect() })
    }

    /// Sends one request and reads its reply to the end. `id` is ASCII and names the request in
    /// the provider's logs, so that one that timed out can be traced.
    pub async fn exchange(&self, body: Bytes, id: &str) -> Exchange {
        self.post(self.url.clone(), body, id, reply::read).await
    }

    /// Sends one request to a URL and has the body of a 200 read by `read`.
    pub(super) async fn post<T>(
        &self,
        url: Url,
        body: Bytes,
        id: &str,
        read: impl FnOnce(&[u8]) -> (Option<Usage>, Result<T, Failure>),
    ) -> Exchange<T> {
        let sent = Instant::now();
        let mut request = reqwest::Request::new(reqwest::Method::POST, url);
        *request.headers_mut() = self.headers.clone();
        if let Ok(id) = HeaderValue::from_str(id) {
            request.headers_mut().insert(CLIENT_REQUEST_ID, id);
        }
        *request.body_mut() = Some(body.into());
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(error) => return Exchange::broken(None, None, sent, &error, &[]),
        };
        let first_byte = sent.elapsed();
        let status = response.status().as_u16();
        let said = headers::quota_said(response.headers());
        let request_id = headers::request_id(response.headers());
        let reply_headers = (status != 200).then(|| response.headers().clone());
        let body = match read_body(response).await {
            Ok(body) => self.without_key(body),
            Err((Some(error), part)) => {
                let part = self.without_key(part.freeze());
                let broken = Exchange::broken(Some(status), request_id, sent, &error, &part);
                return Exchange { said, first_byte: Some(first_byte), ..broken };
            }
            Err((None, part)) => {
                let failure =
                    Failure::new(FailureKind::Malformed, "the reply is longer than 16 MiB");
                let part = self.without_key(part.freeze());
                let long = Exchange::unanswered(Some(status), request_id, sent, failure, &part);
                return Exchange { said, first_byte: Some(first_byte), ..long };
            }
        };
        let on_the_wire = sent.elapsed();
        let (usage, result) = match reply_headers {
            None => read(&body),
            Some(headers) => {
                let failure = classify::classify(status, &headers, &body, SystemTime::now());
                (None, Err(failure))
            }
        };
        let result = result.map_err(|failure| Unanswered {
            failure,
            unsupported: classify::unsupported(status, &body),
            body: Some(lossy(&body)),
        });
        Exchange {
            status: Some(status),
            request_id,
            usage,
            said,
            first_byte: Some(first_byte),
            on_the_wire,
            result,
        }
    }

    /// The URL of a path beside the chat completions. The parts are escaped: an id is no path.
    pub(super) fn beside(&self, parts: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            // `chat` and `completions`.
            path.pop().pop().extend(parts);
        }
        url
    }

    /// Some proxies repeat the key in their errors, and bodies are kept.
    pub(super) fn without_key(&self, body: Bytes) -> Bytes {
        let shown: Vec<_> = (self.secrets.iter().map(|secret| secret.expose_secret()))
            .filter(|secret| memchr::memmem::find(&body, secret.as_bytes()).is_some())
            .collect();
        if shown.is_empty() {
            return body;
        }
        let mut text = String::from_utf8_lossy(&body).into_owned();
        for secret in shown {
            text = text.replace(secret, "[API key]");
        }
        text.into()
    }
}

impl Exchange {
    /// What a line of a batch came to, read as a reply to the same request would be. It took no
    /// time on any wire.
    pub fn of_line(status: u16, request_id: Option<String>, body: &[u8]) -> Self {
        let (usage, result) = if status == 200 {
            reply::read(body)
        } else {
            let nothing_said = HeaderMap::new();
            (None, Err(classify::classify(status, &nothing_said, body, SystemTime::now())))
        };
        let result = result.map_err(|failure| Unanswered {
            failure,
            unsupported: classify::unsupported(status, body),
            body: Some(lossy(body)),
        });
        Self {
            status: Some(status),
            request_id,
            usage,
            said: QuotaSaid::default(),
            first_byte: None,
            on_the_wire: Duration::ZERO,
            result,
        }
    }
}

impl<T> Exchange<T> {
    fn broken(
        status: Option<u16>,
        request_id: Option<String>,
        sent: Instant,
        error: &reqwest::Error,
        part: &[u8],
    ) -> Self {
        Self::unanswered(status, request_id, sent, lost(error, sent), part)
    }

    fn unanswered(
        status: Option<u16>,
        request_id: Option<String>,
        sent: Instant,
        failure: Failure,
        part: &[u8],
    ) -> Self {
        let body = (!part.is_empty()).then(|| lossy(part));
        Self {
            status,
            request_id,
            usage: None,
            said: QuotaSaid::default(),
            first_byte: None,
            on_the_wire: sent.elapsed(),
            result: Err(Unanswered { failure, unsupported: None, body }),
        }
    }
}

/// What a broken exchange is as a failure.
pub(super) fn lost(error: &reqwest::Error, sent: Instant) -> Failure {
    // A connection that could not be made in time was never sent anything.
    if error.is_timeout() && !error.is_connect() {
        let waited = sent.elapsed().as_secs_f64();
        let message = format!("no complete reply within {waited:.0} s");
        return Failure::new(FailureKind::Timeout, message);
    }
    Failure::new(FailureKind::Connection, root_cause(error))
}

/// Reads a body to its end. What had come is given back with the error; no error means that the
/// body was too long.
pub(super) async fn read_body(
    mut response: reqwest::Response,
) -> Result<Bytes, (Option<reqwest::Error>, BytesMut)> {
    // The usual reply arrives in one piece, which is then passed on uncopied.
    let first = match response.chunk().await {
        Ok(Some(first)) => first,
        Ok(None) => return Ok(Bytes::new()),
        Err(error) => return Err((Some(error), BytesMut::new())),
    };
    let mut all: Option<BytesMut> = None;
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(all.map_or(first, BytesMut::freeze)),
            Ok(Some(more)) => {
                let all = all.get_or_insert_with(|| BytesMut::from(&first[..]));
                all.extend_from_slice(&more);
                if all.len() > LONGEST_REPLY {
                    let part = BytesMut::from(&all[..64 * 1024]);
                    return Err((None, part));
                }
            }
            Err(error) => {
                return Err((Some(error), all.unwrap_or_else(|| BytesMut::from(&first[..]))));
            }
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The innermost cause, which names what really happened: "Connection refused (os error 111)".
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    strip_controls(&cause.to_string())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
