//! The paths of files and batches.

use super::{
    Guest, Luck, Wrong,
    files::{Kept, Purpose},
    life,
    registry::{Order, metadata},
    reply,
};
use crate::simulator::{
    FaultKind,
    reply::Reply,
    server::Server,
    service::Service,
    stats::{Ending, InFlight},
    wire::WireHandle,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        ConnectInfo, DefaultBodyLimit, Multipart, Path, Query, State,
        multipart::{Field, MultipartRejection},
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, header::CONTENT_TYPE},
    response::Response,
    routing::{get, post},
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use std::{path::Path as FilePath, sync::Arc};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt, BufWriter},
};

/// The largest upload. A batch's input file has a smaller limit, which its validation holds.
const LONGEST_UPLOAD: usize = 512_000_000;

/// A file goes out in pieces of this size.
const PIECE: usize = 64 * 1024;

/// The path that the lines of a batch may ask for.
const ENDPOINT: &str = "/v1/chat/completions";

type Shared = State<Arc<Server>>;
type Connection = ConnectInfo<WireHandle>;

/// The paths, below a base.
pub fn routes(base: &str) -> Router<Arc<Server>> {
    let upload = post(upload).layer(DefaultBodyLimit::max(LONGEST_UPLOAD + (1 << 16)));
    Router::new()
        .route(&format!("{base}/files"), upload)
        .route(&format!("{base}/files/{{id}}"), get(file).delete(delete_file))
        .route(&format!("{base}/files/{{id}}/content"), get(content))
        .route(&format!("{base}/batches"), post(create).get(list))
        .route(&format!("{base}/batches/{{id}}"), get(batch))
        .route(&format!("{base}/batches/{{id}}/cancel"), post(cancel))
}

/// Counts a request in and looks at its key.
fn enter(server: &Server, headers: &HeaderMap) -> (InFlight, Result<Guest, Box<Reply>>) {
    let service = &server.service;
    let in_flight = service.counts.received();
    let guest = service.enter(server.key(headers)).and_then(|key| {
        let luck = Luck::of(service, service.batches.number());
        if luck == Luck::NotDone {
            service.counts.ended(Ending::Fault(FaultKind::ServerError));
            return Err(Box::new(service.batched_failure()));
        }
        Ok(Guest { key, group: service.accounts().group(key), luck })
    });
    (in_flight, guest)
}

/// The whole of a request that is answered at once with JSON.
async fn answer(
    server: &Server,
    headers: &HeaderMap,
    wire: &WireHandle,
    make: impl FnOnce(&Service, Guest) -> Result<Value, Wrong>,
) -> Response {
    let (in_flight, guest) = enter(server, headers);
    let reply = match guest {
        Ok(guest) => reply(&server.service, &guest, make(&server.service, guest)),
        Err(refusal) => *refusal,
    };
    server.send(reply, in_flight, wire).await
}

async fn upload(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    parts: Result<Multipart, MultipartRejection>,
) -> Response {
    let (in_flight, guest) = enter(&server, &headers);
    let reply = match guest {
        Ok(guest) => {
            let uploaded = match parts {
                Ok(parts) => take(&server.service, parts, guest.group).await,
                Err(rejection) => Err(Wrong::new(rejection.body_text(), None)),
            };
            reply(&server.service, &guest, uploaded)
        }
        Err(refusal) => *refusal,
    };
    server.send(reply, in_flight, &wire).await
}

/// Takes the parts of an upload in, the file straight to the disk.
async fn take(service: &Service, mut parts: Multipart, group: usize) -> Result<Value, Wrong> {
    let unreadable = |error: axum::extract::multipart::MultipartError| Wrong {
        status: error.status().as_u16(),
        ..Wrong::new(error.body_text(), None)
    };
    let (mut purpose, mut file) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        match part.name() {
            Some("purpose") => purpose = Some(part.text().await.map_err(unreadable)?),
            Some("file") => {
                let name = part.file_name().unwrap_or("upload").to_owned();
                let (id, path) = service.files.place().map_err(|error| Wrong::broken(&error))?;
                write(part, &path).await?;
                file = Some((id, path, name));
            }
            _ => {}
        }
    }
    let missing = |param| Wrong::new(format!("'{param}' is a required property"), Some(param));
    let (id, path, name) = file.ok_or_else(|| missing("file"))?;
    let sound = match purpose.as_deref() {
        Some("batch") if name.ends_with(".jsonl") => Ok(()),
        Some("batch") => {
            Err(Wrong::new("Invalid file format for Batch API. Must be .jsonl", Some("file")))
        }
        Some(other) => {
            let message = format!("'{other}' is not one of ['batch'] - 'purpose'");
            Err(Wrong::new(message, Some("purpose")))
        }
        None => Err(missing("purpose")),
    };
    if let Err(wrong) = sound {
        let _ = std::fs::remove_file(&path);
        return Err(wrong);
    }
    let kept = service.files.keep(&id, &path, name, Purpose::Batch, group);
    Ok(kept.map_err(|error| Wrong::broken(&error))?.object(&id))
}

async fn write(mut part: Field<'_>, path: &FilePath) -> Result<(), Wrong> {
    let broken = |error: std::io::Error| Wrong::broken(&error);
    let mut file = BufWriter::new(File::create(path).await.map_err(broken)?);
    loop {
        match part.chunk().await {
            Ok(Some(chunk)) => file.write_all(&chunk).await.map_err(broken)?,
            Ok(None) => return file.flush().await.map_err(broken),
            Err(error) => {
                let _ = std::fs::remove_file(path);
                let status = error.status().as_u16();
                return Err(Wrong { status, ..Wrong::new(error.body_text(), Some("file")) });
            }
        }
    }
}

async fn file(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let find = |service: &Service, guest: Guest| {
        service.files.find(&id, guest.group).map(|kept| kept.object(&id))
    };
    answer(&server, &headers, &wire, find).await
}

async fn delete_file(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let delete = |service: &Service, guest: Guest| service.files.delete(&id, guest.group);
    answer(&server, &headers, &wire, delete).await
}

async fn content(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let (in_flight, guest) = enter(&server, &headers);
    let found = match guest {
        Ok(guest) => open(&server.service, &id, guest.group).await,
        Err(refusal) => return server.send(*refusal, in_flight, &wire).await,
    };
    match found {
        Ok(file) => {
            server.service.counts.ended(Ending::FilesAndBatches);
            let pieces = stream::unfold((file, in_flight), |(mut file, in_flight)| async move {
                let mut piece = Vec::with_capacity(PIECE);
                match file.read_buf(&mut piece).await {
                    Ok(0) => None,
                    Ok(_) => Some((Ok(Bytes::from(piece)), (file, in_flight))),
                    Err(error) => Some((Err(error), (file, in_flight))),
                }
            });
            let mut response = Response::new(Body::from_stream(pieces));
            let binary = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(CONTENT_TYPE, binary);
            response
        }
        Err(wrong) => server.send(wrong.reply(&server.service), in_flight, &wire).await,
    }
}

async fn open(service: &Service, id: &str, group: usize) -> Result<File, Wrong> {
    let Kept { path, .. } = service.files.find(id, group)?;
    File::open(path).await.map_err(|error| Wrong::broken(&error))
}

/// The body of a creation.
#[derive(Deserialize)]
struct Creation {
    input_file_id: Option<String>,
    endpoint: Option<String>,
    completion_window: Option<String>,
    metadata: Option<Value>,
}

async fn create(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (in_flight, guest) = enter(&server, &headers);
    let reply = match guest {
        Ok(guest) => {
            let made = order(&server.service, guest, &body.unwrap_or_default());
            let created = made.map(|order| {
                let (id, object) = server.service.batches.create(order);
                tokio::spawn(life::live(Arc::clone(&server.service), id));
                object
            });
            reply(&server.service, &guest, created)
        }
        Err(refusal) => *refusal,
    };
    server.send(reply, in_flight, &wire).await
}

fn order(service: &Service, guest: Guest, body: &[u8]) -> Result<Order, Wrong> {
    let missing = |param| Wrong {
        code: Some("missing_required_parameter"),
        ..Wrong::new(format!("Missing required parameter: '{param}'."), Some(param))
    };
    let creation: Creation = serde_json::from_slice(body)
        .map_err(|error| Wrong::new(format!("The body is no JSON of a batch: {error}."), None))?;
    let input_file_id = creation.input_file_id.ok_or_else(|| missing("input_file_id"))?;
    let input = service.files.find(&input_file_id, guest.group)?;
    if input.purpose != Purpose::Batch {
        let message = "The input file must have been uploaded with the purpose 'batch'.";
        return Err(Wrong::new(message, Some("input_file_id")));
    }
    let endpoint = creation.endpoint.ok_or_else(|| missing("endpoint"))?;
    if endpoint != ENDPOINT {
        let message = format!("Invalid value: '{endpoint}'. Supported values are: '{ENDPOINT}'.");
        return Err(Wrong::new(message, Some("endpoint")));
    }
    let window = creation.completion_window.ok_or_else(|| missing("completion_window"))?;
    if window != "24h" {
        let message = format!("Invalid value: '{window}'. Supported values are: '24h'.");
        return Err(Wrong::new(message, Some("completion_window")));
    }
    Ok(Order {
        key: guest.key,
        group: guest.group,
        input_file_id,
        endpoint,
        completion_window: window,
        metadata: metadata(creation.metadata)?,
    })
}

async fn batch(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let find = |service: &Service, guest: Guest| service.batches.object(&id, guest.group);
    answer(&server, &headers, &wire, find).await
}

/// Which part of the list is wanted.
#[derive(Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    page: Result<Query<Page>, QueryRejection>,
) -> Response {
    let list = |service: &Service, guest: Guest| {
        let Query(Page { after, limit }) =
            page.map_err(|rejection| Wrong::new(rejection.body_text(), None))?;
        let limit = limit.unwrap_or(20);
        if !(1..=100).contains(&limit) {
            return Err(Wrong::new("'limit' must be from 1 to 100.", Some("limit")));
        }
        service.batches.page(guest.group, after.as_deref(), limit)
    };
    answer(&server, &headers, &wire, list).await
}

async fn cancel(
    State(server): Shared,
    ConnectInfo(wire): Connection,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let cancel = |service: &Service, guest: Guest| service.batches.cancel(&id, guest.group);
    answer(&server, &headers, &wire, cancel).await
}
