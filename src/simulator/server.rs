//! The HTTP side: paths, headers, and how the bytes of a reply go out.

use super::{
    limits::{Gauge, GoDuration},
    reply::{Delivery, Reply},
    service::Service,
    stats::InFlight,
    wire::{WireHandle, WireListener},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, State, rejection::BytesRejection},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    },
    response::Response,
    routing::{get, post},
};
use futures_util::stream;
use std::{
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

/// A longer request is refused.
const LONGEST_BODY: usize = 4 << 20;

/// A longer request is not even read, and its connection ends. The gap is there because a client
/// that is still writing then sees a reset and never the 413.
const LONGEST_READ: usize = 64 << 20;

/// Into how many pieces a slow body is cut.
const DRIPS: u32 = 10;

/// How long the first half of a broken body has to reach the client before the connection ends.
const HALF_A_BODY: Duration = Duration::from_millis(5);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The headers of one limit: the limit, what remains, and when it is whole again.
type GaugeNames = [HeaderName; 3];

const REQUESTS: GaugeNames = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: GaugeNames = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// A service and the number of its next reply.
struct Server {
    service: Arc<Service>,
    replies: AtomicU64,
}

type Shared = State<Arc<Server>>;

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, service: Arc<Service>) -> io::Result<()> {
    let server = Arc::new(Server { service, replies: AtomicU64::new(1) });
    let app = Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
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
    let now = Instant::now();
    let reply = match body {
        Ok(body) if body.len() > LONGEST_BODY => {
            server.service.wrong(413, "The request body is larger than 4 MB.", now)
        }
        Ok(body) => server.service.chat(authorization(&headers), &body, now),
        Err(rejection) => {
            let status = rejection.status().as_u16();
            server.service.wrong(status, &rejection.body_text(), now)
        }
    };
    server.send(reply, in_flight, &wire).await
}

async fn models(
    State(server): Shared,
    ConnectInfo(wire): ConnectInfo<WireHandle>,
    headers: HeaderMap,
) -> Response {
    let in_flight = server.service.counts.received();
    let reply = server.service.models(authorization(&headers), Instant::now());
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
    let reply = server.service.wrong(404, &message, Instant::now());
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
    let reply = server.service.wrong(405, &message, Instant::now());
    server.send(reply, in_flight, &wire).await
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

impl Server {
    /// Waits as long as the reply says and sends it, in the way it says.
    async fn send(&self, reply: Reply, in_flight: InFlight, wire: &WireHandle) -> Response {
        let number = self.replies.fetch_add(1, Relaxed);
        if reply.delivery == Delivery::Never {
            return pending().await;
        }
        if !reply.after.is_zero() {
            sleep(reply.after).await;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(REQUEST_ID, value(format!("req_{number:016x}")));
        headers.insert(PROCESSING_MS, number_value(reply.after.as_millis() as u64));
        headers.insert(CONTENT_LENGTH, number_value(reply.body.len() as u64));
        if let Some(wait) = reply.retry_after {
            // The older header knows whole seconds only, and must not ask for less.
            headers.insert(RETRY_AFTER, number_value(wait.as_millis().div_ceil(1000) as u64));
            headers.insert(RETRY_AFTER_MS, number_value(wait.as_millis() as u64));
        }
        tell(headers, REQUESTS, reply.gauges.requests);
        tell(headers, TOKENS, reply.gauges.tokens);
        *response.body_mut() = body(reply, in_flight, wire);
        response
    }
}

fn tell(headers: &mut HeaderMap, [limit, remaining, reset]: GaugeNames, gauge: Option<Gauge>) {
    if let Some(gauge) = gauge {
        headers.insert(limit, HeaderValue::from(gauge.limit));
        headers.insert(remaining, HeaderValue::from(gauge.remaining));
        headers.insert(reset, value(GoDuration(gauge.full_in).to_string()));
    }
}

fn number_value(number: u64) -> HeaderValue {
    HeaderValue::from(number)
}

fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .expect("letters, digits and dots are allowed in a header")
}

/// The body in the way it is to arrive. A body that comes in pieces stays in flight until its
/// last piece is out.
fn body(reply: Reply, in_flight: InFlight, wire: &WireHandle) -> Body {
    let bytes = Bytes::from(reply.body);
    let half = bytes.slice(..bytes.len() / 2);
    match reply.delivery {
        Delivery::Whole | Delivery::Never => Body::from(bytes),
        Delivery::Dripped(over) => dripped(bytes, over, in_flight),
        Delivery::Truncated => broken(half, in_flight),
        Delivery::Reset => {
            wire.reset_at_the_end();
            broken(half, in_flight)
        }
    }
}

/// The pieces of a slow body, the last after `over`.
fn dripped(bytes: Bytes, over: Duration, in_flight: InFlight) -> Body {
    let size = bytes.len().div_ceil(DRIPS as usize).max(1);
    Body::from_stream(stream::unfold((bytes, in_flight), move |(mut left, in_flight)| async move {
        if left.is_empty() {
            return None;
        }
        sleep(over / DRIPS).await;
        let piece = left.split_to(size.min(left.len()));
        Some((Ok::<_, io::Error>(piece), (left, in_flight)))
    }))
}

/// Half a body, and then an error, on which hyper ends the connection.
fn broken(half: Bytes, in_flight: InFlight) -> Body {
    Body::from_stream(stream::unfold((Some(half), in_flight), |(half, in_flight)| async move {
        let piece = match half {
            Some(half) => Ok(half),
            None => {
                sleep(HALF_A_BODY).await;
                Err(io::Error::other("broken on purpose"))
            }
        };
        Some((piece, (None, in_flight)))
    }))
}
