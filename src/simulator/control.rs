//! The way in for whoever rehearses: changes on command, and the counts. It is on the port of
//! the provider but no part of it: no key, no limit, and it is there while the provider is down.

use super::{
    batch::BatchStats,
    change::Change,
    server::Server,
    service::{By, Service},
    stats::Stats,
    time::Written,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;

/// `POST` changes, one a line.
pub const DO: &str = "/simulator/do";

/// `GET` the counts.
pub const STATS: &str = "/simulator/stats";

/// Makes the changes in the body, all of them or none, and answers with what holds now.
pub async fn change(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    match make(&server.service, &body) {
        Ok(()) => reply(StatusCode::OK, &json!({ "now": Now::of(&server.service) })),
        Err(message) => {
            let error = json!({ "error": { "message": message } });
            reply(StatusCode::BAD_REQUEST, &error)
        }
    }
}

fn make(service: &Service, body: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(body).map_err(|_| "the changes are not text".to_owned())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let changes: Vec<Change> =
        lines.map(str::parse).collect::<Result<_, _>>().map_err(|error| format!("{error}"))?;
    if changes.is_empty() {
        return Err("there is no change; send one a line, such as capacity=x0.5".to_owned());
    }
    for change in &changes {
        service.options.can_change(change).map_err(|error| error.to_string())?;
    }
    for change in changes {
        let made = service.change(change, By::Command, Instant::now());
        made.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Everything that was counted, what holds now, and what has changed.
pub async fn stats(State(server): State<Arc<Server>>) -> Response {
    let service = &server.service;
    let accounts = service.accounts();
    let keys: Vec<Value> = accounts
        .stats()
        .map(|(key, group, used)| {
            let mut row = json!({ "key": key, "group": group });
            if let (Some(row), Value::Object(used)) = (row.as_object_mut(), json!(used)) {
                row.extend(used);
            }
            row
        })
        .collect();
    drop(accounts);
    let changes: Vec<Value> = service
        .changes()
        .iter()
        .map(|made| {
            let by = match made.by {
                By::Schedule => "schedule",
                By::Command => "command",
            };
            let seconds = made.at.as_millis() as f64 / 1e3;
            json!({ "at_seconds": seconds, "change": made.change.to_string(), "by": by })
        })
        .collect();
    let all = All {
        uptime_seconds: service.started_at.elapsed().as_millis() as f64 / 1e3,
        counts: service.counts.now(),
        batches: service.batches.stats(),
        keys,
        now: Now::of(service),
        changes,
    };
    reply(StatusCode::OK, &all)
}

#[derive(Serialize)]
struct All {
    uptime_seconds: f64,
    #[serde(flatten)]
    counts: Stats,
    batches: BatchStats,
    keys: Vec<Value>,
    now: Now,
    changes: Vec<Value>,
}

/// The state that changes set.
#[derive(Serialize)]
struct Now {
    down: bool,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
    capacity: f64,
    faults: String,
    latency: String,
    slots: Option<u32>,
    waiting: usize,
    /// Of each group; null is no end.
    quota_left: Value,
}

impl Now {
    fn of(service: &Service) -> Self {
        let accounts = service.accounts();
        let rates = accounts.rates();
        let (requests_per_minute, tokens_per_minute) = rates.now();
        let quotas = accounts.quotas().map(|(group, left)| (group.to_owned(), json!(left)));
        let quota_left = Value::Object(quotas.collect());
        let live = service.live();
        Self {
            down: service.outage.is_on(),
            requests_per_minute,
            tokens_per_minute,
            capacity: rates.capacity,
            faults: live.faults.to_string(),
            latency: Written(live.speed.latency).to_string(),
            slots: service.slots().limit(),
            waiting: service.slots().waiting(),
            quota_left,
        }
    }
}

fn reply(status: StatusCode, value: &impl Serialize) -> Response {
    let mut text =
        serde_json::to_string_pretty(value).expect("these types hold nothing that JSON cannot");
    text.push('\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
