//! How the bytes of a reply go out, or fail to.

use super::{
    outage::Outage,
    reply::{Delivery, Reply},
    service::Service,
    slots::Place,
    stats::InFlight,
    wire::WireHandle,
};
use axum::{
    body::{Body, Bytes},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::Response,
};
use futures_util::stream;
use std::{
    future::pending,
    io,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep};

/// Into how many pieces a slow body is cut.
const DRIPS: u32 = 10;

/// How long the first half of a broken body has to reach the client before the connection ends.
const HALF_A_BODY: Duration = Duration::from_millis(5);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What is given back when the last byte is out, or the client has given up.
struct Held {
    _in_flight: InFlight,
    _place: Option<Place>,
}

/// Waits as long as the reply says and sends it, in the way it says. An outage ends both.
pub async fn send(
    service: &Service,
    number: u64,
    mut reply: Reply,
    in_flight: InFlight,
    wire: &WireHandle,
) -> Response {
    let mut place = reply.place.take();
    let came_at = Instant::now();
    let served = async {
        if let Some(place) = &mut place {
            place.served().await;
        }
        if !reply.after.is_zero() {
            sleep(reply.after).await;
        }
        if reply.delivery == Delivery::Never {
            pending::<()>().await;
        }
    };
    if reply.delivery == Delivery::Dropped || is_cut_short(served, &service.outage).await {
        wire.reset_now();
        return Response::new(Body::empty());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
    let kind = service.options.kind;
    if kind.numbers_replies() {
        let id = HeaderValue::from_maybe_shared(Bytes::from(format!("req_{number:016x}")))
            .expect("letters, digits and underscores are allowed in a header");
        headers.insert(REQUEST_ID, id);
    }
    if kind.times_replies() {
        let took = came_at.elapsed().as_millis() as u64;
        headers.insert(PROCESSING_MS, HeaderValue::from(took));
    }
    if let Some(wait) = reply.retry_after {
        service.options.retry_after.say(headers, wait, SystemTime::now());
    }
    if let Some(should_retry) = reply.should_retry {
        let said = if should_retry { "true" } else { "false" };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(said));
    }
    service.options.rate_headers.tell(headers, reply.gauges, number);
    let held = Held { _in_flight: in_flight, _place: place };
    *response.body_mut() = body(reply, held, wire, &service.outage);
    response
}

/// Whether an outage comes before the end of this.
async fn is_cut_short(served: impl Future<Output = ()>, outage: &Outage) -> bool {
    tokio::select! {
        biased;
        () = served => false,
        () = outage.begins() => true,
    }
}

/// The body in the way it is to arrive.
fn body(reply: Reply, held: Held, wire: &WireHandle, outage: &Outage) -> Body {
    let bytes = Bytes::from(reply.body);
    let half = bytes.slice(..bytes.len() / 2);
    match reply.delivery {
        Delivery::Whole | Delivery::Dropped | Delivery::Never => Body::from(bytes),
        Delivery::Dripped(over) => dripped(bytes, over, held, wire, outage),
        Delivery::Truncated => broken(half, held),
        Delivery::Reset => {
            wire.reset_at_the_end();
            broken(half, held)
        }
    }
}

/// The pieces of a slow body, the last after `over`; an outage ends it before.
fn dripped(bytes: Bytes, over: Duration, held: Held, wire: &WireHandle, outage: &Outage) -> Body {
    let size = bytes.len().div_ceil(DRIPS as usize).max(1);
    let (wire, outage) = (wire.clone(), outage.clone());
    let start = (bytes, wire, outage, held);
    Body::from_stream(stream::unfold(start, move |(mut left, wire, outage, held)| async move {
        if left.is_empty() {
            return None;
        }
        if is_cut_short(sleep(over / DRIPS), &outage).await {
            wire.reset_now();
            let error = io::Error::other("down on purpose");
            return Some((Err(error), (Bytes::new(), wire, outage, held)));
        }
        let piece = left.split_to(size.min(left.len()));
        Some((Ok(piece), (left, wire, outage, held)))
    }))
}

/// Half a body, and then an error, on which hyper ends the connection.
fn broken(half: Bytes, held: Held) -> Body {
    Body::from_stream(stream::unfold((Some(half), held), |(half, held)| async move {
        let piece = match half {
            Some(half) => Ok(half),
            None => {
                sleep(HALF_A_BODY).await;
                Err(io::Error::other("broken on purpose"))
            }
        };
        Some((piece, (None, held)))
    }))
}
