//! The provider: one answer for everybody, at once, and a count of who was asked how often.

use bytes::{Buf, BytesMut};
use memchr::memmem;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::watch,
    time::sleep,
};

/// The attribute that says whom a request is about, and how a prompt shows it.
pub const ATTRIBUTE: &str = "survey_number";
const IN_PROMPT: &[u8] = b"Survey number: ";

/// How requests are answered.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    pub latency: Duration,
    /// One request in a hundred gets a 500, and one in 700 a 429.
    pub troubled: bool,
}

/// What the server knows.
pub struct Desk {
    manner: Manner,
    replies: Replies,
    /// How often each persona was asked.
    asked: Vec<AtomicU32>,
    /// Whose answer is known to be kept: nobody may ask them any more.
    kept: Vec<AtomicBool>,
    asked_in_vain: AtomicU64,
    requests: AtomicU64,
    /// When the first request came since it was last cleared.
    first: Mutex<Option<Instant>>,
    /// Closed, it lets requests in and no answers out.
    gate: watch::Sender<bool>,
}

struct Replies {
    answer: Vec<u8>,
    server_error: Vec<u8>,
    rate_limited: Vec<u8>,
}

impl Desk {
    /// For so many personas at most.
    pub fn new(personas: u32, manner: Manner) -> Self {
        Self {
            manner,
            replies: Replies::new(),
            asked: (0..personas).map(|_| AtomicU32::new(0)).collect(),
            kept: (0..personas).map(|_| AtomicBool::new(false)).collect(),
            asked_in_vain: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            first: Mutex::new(None),
            gate: watch::Sender::new(true),
        }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How often each persona was asked so far.
    pub fn asked(&self) -> Vec<u32> {
        self.asked.iter().map(|asked| asked.load(Ordering::Relaxed)).collect()
    }

    /// The answer of this one is kept.
    pub fn keep(&self, persona: usize) {
        self.kept[persona].store(true, Ordering::Relaxed);
    }

    /// Requests about those whose answer is kept.
    pub fn asked_in_vain(&self) -> u64 {
        self.asked_in_vain.load(Ordering::Relaxed)
    }

    pub fn open(&self, open: bool) {
        self.gate.send_replace(open);
    }

    /// From now on, the next request is the first.
    pub fn clear_first(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// When the first request came; waits for it.
    pub fn first(&self) -> Instant {
        loop {
            let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(first) = first {
                return first;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    fn note(&self, body: &[u8]) -> &[u8] {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        if let Some(persona) = persona_in(body)
            && let (Some(asked), Some(kept)) = (self.asked.get(persona), self.kept.get(persona))
        {
            asked.fetch_add(1, Ordering::Relaxed);
            if kept.load(Ordering::Relaxed) {
                self.asked_in_vain.fetch_add(1, Ordering::Relaxed);
            }
        }
        match number {
            number if self.manner.troubled && number.is_multiple_of(700) => {
                &self.replies.rate_limited
            }
            number if self.manner.troubled && number.is_multiple_of(100) => {
                &self.replies.server_error
            }
            _ => &self.replies.answer,
        }
    }

    async fn opened(&self) {
        if !*self.gate.borrow() {
            // The sender is here, so it cannot be gone.
            let _ = self.gate.subscribe().wait_for(|&open| open).await;
        }
    }
}

impl Replies {
    fn new() -> Self {
        let narrative = "I have lived here for most of my life and I see both sides. ".repeat(12);
        let content = serde_json::json!({
            "narrative": narrative,
            "survey": {
                "support_level": 4,
                "housing": 2,
                "transport": 3,
                "community": 4,
                "key_concerns": ["parking on my street", "the cost of rent"],
                "suggested_improvements": ["more frequent buses in the evening"],
            }
        });
        let completion = serde_json::json!({
            "id": "chatcmpl-attached",
            "object": "chat.completion",
            "created": 1_763_900_000,
            "model": "gpt-4o-mini",
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": content.to_string() },
                "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": 900, "completion_tokens": 250, "total_tokens": 1150 },
        });
        let error = |message: &str, kind: &str| serde_json::json!({ "error": { "message": message, "type": kind } });
        Self {
            answer: http("200 OK", "", &completion),
            server_error: http(
                "500 Internal Server Error",
                "",
                &error("The server had an error while processing your request.", "server_error"),
            ),
            rate_limited: http(
                "429 Too Many Requests",
                "retry-after: 1\r\n",
                &error("Rate limit reached for requests. Please try again in 1s.", "requests"),
            ),
        }
    }
}

fn http(status: &str, headers: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n\
         {body}",
        body.len()
    )
    .into_bytes()
}

fn persona_in(body: &[u8]) -> Option<usize> {
    let rest = &body[memmem::find(body, IN_PROMPT)? + IN_PROMPT.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// A server on a thread of its own. It ends with the process.
pub struct Server {
    pub desk: Arc<Desk>,
    address: SocketAddr,
}

impl Server {
    pub fn start(personas: u32, manner: Manner) -> Self {
        let desk = Arc::new(Desk::new(personas, manner));
        let (bound, address) = mpsc::channel();
        let for_thread = Arc::clone(&desk);
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                let listener = listen().await;
                let _ = bound.send(listener.local_addr().expect("it is bound"));
                serve(listener, for_thread).await;
            });
        });
        Self { desk, address: address.recv().expect("the server listens") }
    }

    pub fn base_url(&self) -> String {
        base_url(self.address)
    }
}

pub fn base_url(address: SocketAddr) -> String {
    format!("http://{address}/v1")
}

/// A port of this machine.
pub async fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("there is a free port")
}

/// Serves whoever comes, for ever.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            // A client that was killed breaks its connections.
            let _ = talk(stream, &desk).await;
        });
    }
}

async fn talk(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    loop {
        let (head, whole) = loop {
            if let Some(lengths) = lengths(&buffer) {
                break lengths;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        while buffer.len() < whole {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let reply = desk.note(&buffer[head..whole]);
        buffer.advance(whole);
        if !desk.manner.latency.is_zero() {
            sleep(desk.manner.latency).await;
        }
        desk.opened().await;
        stream.write_all(reply).await?;
    }
}

/// Where a request's head ends, and where its body does; `None` until its head is there.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &[u8] = b"content-length: ";
    let head = memmem::find(bytes, b"\r\n\r\n")? + 4;
    let at = memmem::find(&bytes[..head], LENGTH).map(|at| at + LENGTH.len());
    let digits = at.map_or(&[][..], |at| &bytes[at..head]);
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let body = digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    Some((head, head + body))
}
