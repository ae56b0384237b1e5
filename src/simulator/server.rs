//! The HTTP side: which path asks for what, and whose key it comes with.

use super::{
    batch, control, delivery,
    kind::{KeyHeader, Kind},
    reply::Reply,
    service::{Asker, Service},
    stats::InFlight,
    wire::{WireHandle, WireListener},
};
use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderName, Method, Uri, header::AUTHORIZATION},
    response::Response,
    routing::{get, post},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{net::TcpListener, time::Instant};

/// A longer request is refused.
const LONGEST_BODY: usize = 4 << 20;

/// A longer request is not even read, and its connection ends. The gap is there because a client
/// that is still writing then sees a reset and never the 413.
const LONGEST_READ: usize = 64 << 20;

const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// A service and the number of its next reply.
pub struct Server {
    pub service: Arc<Service>,
    replies: AtomicU64,
}

type Shared = State<Arc<Server>>;

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, service: Arc<Service>) -> io::Result<()> {
    let kind = service.options.kind;
    let base = kind.base_path();
    let server = Arc::new(Server { service, replies: AtomicU64::new(1) });
    let mut app = Router::new()
        .route(&format!("{base}/chat/completions"), post(chat))
        .route(&format!("{base}/models"), get(models))
        .route(&format!("{base}/embeddings"), post(embeddings));
    if kind.has_batches() {
        app = app.merge(batch::routes(base));
    }
    if kind == Kind::Azure {
        let path = "/openai/deployments/{deployment}/chat/completions";
        app = app.route(path, post(chat_of_deployment));
    }
    let app = app
        .route(control::DO, post(control::change))
        .route(control::STATS, get(control::stats))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LONGEST_READ))
        .with_state(server)
        .into_make_service_with_connect_info::<WireHandle>();
    axum::serve(WireListener(listener), app).await
}

async fn chat(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let in_flight = server.service.counts.received();
    let reply = server.chat(None, &headers, body);
    server.send(reply, in_flight, &wire).await
}

/// Azure's older form of the URL, in which the deployment is the model.
async fn chat_of_deployment(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    Path(deployment): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let in_flight = server.service.counts.received();
    let query = query.unwrap_or_default();
    let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let has_version = parameters.any(|(name, value)| name == "api-version" && !value.is_empty());
    let reply = if has_version {
        server.chat(Some(&deployment), &headers, body)
    } else {
        server.service.wrong(404, "Resource not found")
    };
    server.send(reply, in_flight, &wire).await
}

async fn models(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    headers: HeaderMap,
) -> Response {
    let in_flight = server.service.counts.received();
    let asker = Asker { key: server.key(&headers), deployment: None };
    let reply = server.service.models(asker, Instant::now());
    server.send(reply, in_flight, &wire).await
}

async fn embeddings(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let in_flight = server.service.counts.received();
    let reply = match body {
        Ok(body) => {
            let asker = Asker { key: server.key(&headers), deployment: None };
            server.service.embeddings(asker, &body, Instant::now())
        }
        Err(rejection) => server.service.wrong(rejection.status().as_u16(), &rejection.body_text()),
    };
    server.send(reply, in_flight, &wire).await
}

async fn not_found(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    method: Method,
    uri: Uri,
) -> Response {
    let in_flight = server.service.counts.received();
    let message = format!("Invalid URL ({method} {})", uri.path());
    let reply = server.service.wrong(404, &message);
    server.send(reply, in_flight, &wire).await
}

async fn not_allowed(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    method: Method,
    uri: Uri,
) -> Response {
    let in_flight = server.service.counts.received();
    let message = format!(
        "Not allowed to {method} on {}. (HINT: Perhaps you meant to use a different HTTP method?)",
        uri.path()
    );
    let reply = server.service.wrong(405, &message);
    server.send(reply, in_flight, &wire).await
}

impl Server {
    fn chat(
        &self,
        deployment: Option<&str>,
        headers: &HeaderMap,
        body: Result<Bytes, BytesRejection>,
    ) -> Reply {
        match body {
            Ok(body) if body.len() > LONGEST_BODY => {
                self.service.wrong(413, "The request body is larger than 4 MB.")
            }
            Ok(body) => {
                let asker = Asker { key: self.key(headers), deployment };
                self.service.chat(asker, &body, Instant::now())
            }
            Err(rejection) => {
                self.service.wrong(rejection.status().as_u16(), &rejection.body_text())
            }
        }
    }

    /// The key, from the header in which this kind of server looks for it.
    pub fn key<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        match self.service.options.kind.key_header() {
            KeyHeader::Bearer => {
                let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
                header.strip_prefix("Bearer ").map(str::trim)
            }
            KeyHeader::ApiKey => headers.get(API_KEY)?.to_str().ok().map(str::trim),
            KeyHeader::Ignored => None,
        }
    }

    pub async fn send(&self, reply: Reply, in_flight: InFlight, wire: &WireHandle) -> Response {
        let number = self.replies.fetch_add(1, Relaxed);
        delivery::send(&self.service, number, reply, in_flight, wire).await
    }
}
