//! A provider that misbehaves on command: a raw HTTP/1.1 server on loopback, scripted by a
//! closure. It uses no HTTP library, so that it can send what no library would.
//!
//! ```ignore
//! let server = HostileServer::start(|number, body| match number.0 {
//!     1 => Reply::ResetMidBody,
//!     2 => Reply::rate_limited("requests", Duration::from_millis(20)),
//!     _ => answer_for(body),
//! });
//! // … point a client at server.base_url() …
//! assert_eq!(server.count(), 3);
//! ```

// Each test file compiles this for itself, and none of them uses all of it.
#![allow(dead_code)]

use serde_json::{Map, Value, json};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

/// The place of a request among all that the server received, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestNumber(pub usize);

/// What a request gets.
// "Before the reply" is what that variant is about.
#[allow(clippy::enum_variant_names)]
#[derive(Clone, Debug)]
pub enum Reply {
    /// A proper reply. `content-type` and `content-length` are added.
    Json { status: u16, headers: Vec<(String, String)>, body: Value },
    /// These bytes and nothing else, after which the connection ends. They may be anything.
    Raw(Vec<u8>),
    /// A reset (RST) before the first byte.
    ResetBeforeReply,
    /// The head and half of a body, then a reset (RST).
    ResetMidBody,
    /// The head and half of a body, then a proper end (FIN), so that `content-length` lied.
    TruncatedBody,
    /// Nothing, and the connection stays open until the client ends it.
    Hang,
    /// A proper reply whose head comes after `before` and whose body comes in ten pieces, with
    /// `between` before each.
    Slow { before: Duration, between: Duration, status: u16, body: Value },
    /// Nothing until the gate is open, and then this.
    Held { gate: Gate, then: Box<Self> },
}

/// Holds replies back until a test opens it; all that come later pass.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Lets all pass.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn opened(&self) {
        // The sender is here, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|&open| open).await;
    }
}

impl Reply {
    /// An error in OpenAI's shape.
    pub fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let error = json!({"message": message, "type": kind, "param": null, "code": code});
        Self::Json { status, headers: Vec::new(), body: json!({ "error": error }) }
    }

    /// The 429 of a rate limit; `kind` is `requests` or `tokens`.
    pub fn rate_limited(kind: &str, wait: Duration) -> Self {
        let message = format!("Rate limit reached. Please try again in {}ms.", wait.as_millis());
        Self::error(429, kind, Some("rate_limit_exceeded"), &message)
            .with_header("retry-after", wait.as_millis().div_ceil(1000))
            .with_header("retry-after-ms", wait.as_millis())
    }

    /// The 429 that waiting does not mend.
    pub fn quota_exhausted() -> Self {
        let message =
            "You exceeded your current quota, please check your plan and billing details.";
        Self::error(429, "insufficient_quota", Some("insufficient_quota"), message)
    }

    /// A completion with this content.
    pub fn content(content: &str) -> Self {
        Self::completion(json!(content), Value::Null, "stop")
    }

    /// A completion in which the model declines.
    pub fn refusal(text: &str) -> Self {
        Self::completion(Value::Null, json!(text), "stop")
    }

    /// A completion that the output cap cut off.
    pub fn cut_off(content: &str) -> Self {
        Self::completion(json!(content), Value::Null, "length")
    }

    fn completion(content: Value, refusal: Value, finish_reason: &str) -> Self {
        let tokens = content.as_str().map_or(0, str::len).div_ceil(4);
        let body = json!({
            "id": "chatcmpl-hostile",
            "object": "chat.completion",
            "created": 1_763_900_000,
            "model": "hostile",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "logprobs": null,
                "finish_reason": finish_reason,
            }],
            "usage": {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens},
        });
        Self::Json { status: 200, headers: Vec::new(), body }
    }

    /// The same with one header more; replies that have no headers of their own stay as they are.
    pub fn with_header(mut self, name: &str, value: impl ToString) -> Self {
        if let Self::Json { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// The same reply with its head late by `before` and its body in pieces; replies without a
    /// body of their own stay as they are.
    pub fn slowly(self, before: Duration, between: Duration) -> Self {
        match self {
            Self::Json { status, body, .. } => Self::Slow { before, between, status, body },
            other => other,
        }
    }

    /// The same reply once the gate is open.
    pub fn behind(self, gate: &Gate) -> Self {
        Self::Held { gate: gate.clone(), then: Box::new(self) }
    }
}

/// A valid and minimal answer to a request: every field that the schema in its
/// `response_format` asks for, or plain text where there is no schema.
pub fn answer_for(body: &str) -> Reply {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    match request.pointer("/response_format/json_schema/schema") {
        Some(schema) => Reply::content(&smallest(schema).to_string()),
        None => {
            Reply::content("An answer. It has five sentences. This is one. So is this. The end.")
        }
    }
}

/// A small value that the schema allows.
fn smallest(schema: &Value) -> Value {
    if let Some(choice) = schema.pointer("/enum/0").or_else(|| schema.get("const")) {
        return choice.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object();
            let filled =
                fields.into_iter().flatten().map(|(key, field)| (key.clone(), smallest(field)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
        Some("array") => json!([smallest(&schema["items"])]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(3)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => json!("One. Two. Three. Four. Five."),
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub number: RequestNumber,
    /// When its last byte was read.
    pub at: Instant,
    /// `POST /v1/chat/completions`
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    /// The value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The server. It stops, connections and all, when it is dropped.
pub struct HostileServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Of a request's number, its target and its body.
type Script = dyn Fn(RequestNumber, &str, &str) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    records: Mutex<Records>,
    /// How many requests have arrived, for those who wait for one.
    arrived: watch::Sender<usize>,
}

#[derive(Default)]
struct Records {
    received: Vec<Received>,
    in_flight: usize,
    most_in_flight: usize,
    script_panicked: bool,
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostileServer {
    /// Starts to listen; connections are accepted when this returns. The script is called once
    /// a request, in the order of arrival, with the request's body.
    pub fn start(script: impl Fn(RequestNumber, &str) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(move |number, _, body| script(number, body)))
    }

    /// The same, with a script that is called with the target (`GET /v1/batches/b`) and the body.
    pub fn routed(script: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(move |_, target, body| script(target, body)))
    }

    fn with(script: Box<Script>) -> Self {
        let shared =
            Arc::new(Shared { script, records: Mutex::default(), arrived: watch::Sender::new(0) });
        let (stop, stopped) = oneshot::channel();
        let (bound, wait_until_bound) = mpsc::channel();
        let for_thread = Arc::clone(&shared);
        // A thread of its own: tests may pause their runtime's clock or block their only thread.
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, for_thread) => {}
                }
            });
        });
        let address = wait_until_bound.recv().unwrap();
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        self.shared.records().received.len()
    }

    /// Every request that has arrived, in that order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.records().received.clone()
    }

    /// The bodies of [`Self::received`].
    pub fn bodies(&self) -> Vec<String> {
        self.shared.records().received.iter().map(|received| received.body.clone()).collect()
    }

    /// How many requests are being served; one that hangs is until the client gives up.
    pub fn in_flight(&self) -> usize {
        self.shared.records().in_flight
    }

    /// The most requests that were ever served at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.records().most_in_flight
    }

    /// Waits until so many requests have arrived in all.
    ///
    /// # Panics
    /// After `patience`, with how many there were.
    pub async fn wait_for(&self, count: usize, patience: Duration) {
        let mut arrived = self.shared.arrived.subscribe();
        let enough = arrived.wait_for(|&arrived| arrived >= count);
        let result = timeout(patience, enough).await.map(|_| ());
        assert!(result.is_ok(), "only {} of {count} requests arrived", self.count());
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // A script that panicked is a test that failed, even where the client took it well.
        if self.shared.records().script_panicked && !thread::panicking() {
            panic!("the hostile server's script panicked, see above");
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A connection that ends while we read or write is the client's good right.
            let _ = serve(stream, &shared).await;
        });
    }
}

/// One request in flight, until it is dropped.
struct InFlight<'a>(&'a Shared);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.records().in_flight -= 1;
    }
}

/// Serves one connection, request after request, until one of its replies ends it.
async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some((target, headers, body)) = read_request(&mut stream, &mut buffer).await? {
        let (reply, _in_flight) = {
            let mut records = shared.records();
            let number = RequestNumber(records.received.len() + 1);
            let at = Instant::now();
            let (asked, kept) = (target.clone(), body.clone());
            records.received.push(Received { number, at, target, headers, body: kept });
            records.in_flight += 1;
            records.most_in_flight = records.most_in_flight.max(records.in_flight);
            drop(records);
            let in_flight = InFlight(shared);
            shared.arrived.send_replace(number.0);
            // The runtime would swallow the panic, and the client would see one more reset.
            let called = catch_unwind(AssertUnwindSafe(|| (shared.script)(number, &asked, &body)));
            let reply = called.unwrap_or_else(|_| {
                shared.records().script_panicked = true;
                Reply::error(500, "server_error", None, "the script panicked")
            });
            (reply, in_flight)
        };
        let reply = match reply {
            Reply::Held { gate, then } => {
                gate.opened().await;
                *then
            }
            other => other,
        };
        match reply {
            Reply::Held { .. } => unreachable!("nobody waits for two gates"),
            Reply::Json { status, headers, body } => {
                let body = body.to_string();
                let whole = head(status, &headers, body.len()) + &body;
                stream.write_all(whole.as_bytes()).await?;
            }
            Reply::Slow { before, between, status, body } => {
                let body = body.to_string();
                sleep(before).await;
                stream.write_all(head(status, &[], body.len()).as_bytes()).await?;
                for piece in body.as_bytes().chunks(body.len().div_ceil(10).max(1)) {
                    sleep(between).await;
                    stream.write_all(piece).await?;
                }
            }
            Reply::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::TruncatedBody => {
                stream.write_all(half_a_reply().as_bytes()).await?;
                return stream.shutdown().await;
            }
            Reply::ResetBeforeReply => return stream.set_zero_linger(),
            Reply::ResetMidBody => {
                stream.write_all(half_a_reply().as_bytes()).await?;
                // A reset throws away what the client has not read yet; this is how long it has.
                sleep(Duration::from_millis(20)).await;
                return stream.set_zero_linger();
            }
            Reply::Hang => {
                let mut ignored = [0; 1024];
                while stream.read(&mut ignored).await? > 0 {}
                return Ok(());
            }
        }
    }
    Ok(())
}

fn head(status: u16, headers: &[(String, String)], length: usize) -> String {
    let mut head = format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

/// A head that promises a whole completion, and the half that comes.
fn half_a_reply() -> String {
    let Reply::Json { body, .. } = Reply::content("This never comes whole.") else {
        unreachable!("a content is JSON")
    };
    let body = body.to_string();
    head(200, &[], body.len()) + &body[..body.len() / 2]
}

type Request = (String, Vec<(String, String)>, String);

/// The next request of a connection; `None` where the client has ended it. What was read too
/// much stays in the buffer.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let end_of_head = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end_of_head]).into_owned();
    let mut lines = head.lines();
    let request_line = lines.next().unwrap_or_default();
    let target =
        request_line.rsplit_once(' ').map_or(request_line, |(target, _)| target).to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    buffer.drain(..end_of_head + 4);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8_lossy(&buffer[..length]).into_owned();
    buffer.drain(..length);
    Ok(Some((target, headers, body)))
}
