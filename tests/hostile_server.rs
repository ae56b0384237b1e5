//! The hostile server itself: what it promises to tests of the engine, seen by a client that
//! is known to be good.

mod common;

use common::provider::{HostileServer, Reply, answer_for};
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// One request on a plain socket: what came, and how the connection ended.
fn raw(server: &HostileServer) -> (String, io::Result<()>) {
    let address = server.base_url().replace("http://", "").replace("/v1", "");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    stream.write_all(request.as_bytes()).unwrap();
    let mut read = Vec::new();
    let mut chunk = [0; 1024];
    let end = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break Ok(()),
            Ok(count) => read.extend_from_slice(&chunk[..count]),
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8(read).unwrap(), end)
}

async fn post(server: &HostileServer, body: Value) -> (u16, Value) {
    let url = format!("{}/chat/completions", server.base_url());
    let reply = client().post(url).body(body.to_string()).send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap())
}

#[test]
fn connections_end_as_the_script_says() {
    let server = HostileServer::start(|number, _| match number.0 {
        1 => Reply::ResetBeforeReply,
        2 => Reply::ResetMidBody,
        3 => Reply::TruncatedBody,
        _ => Reply::Raw(b"not http at all".to_vec()),
    });
    let reset = |end: io::Result<()>| end.unwrap_err().kind() == io::ErrorKind::ConnectionReset;

    let (text, end) = raw(&server);
    assert!(text.is_empty() && reset(end));

    let (text, end) = raw(&server);
    assert!(text.starts_with("HTTP/1.1 200") && reset(end), "{text}");

    let (text, end) = raw(&server);
    end.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(!body.is_empty() && body.len() < promised.parse().unwrap());

    let (text, end) = raw(&server);
    end.unwrap();
    assert_eq!(text, "not http at all");
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn an_answer_holds_what_the_schema_asks_for() {
    let server = HostileServer::start(|_, body| answer_for(body));
    let score = json!({"type": "integer", "minimum": 1, "maximum": 5});
    let schema = json!({"type": "object", "properties": {
        "narrative": {"type": "string"},
        "survey": {"type": "object", "properties": {
            "support_level": score, "key_concerns": {"type": "array", "items": {"type": "string"}},
        }},
    }});
    let request = json!({"response_format": {"json_schema": {"schema": schema}}});
    let (status, reply) = post(&server, request.clone()).await;
    assert_eq!(status, 200);
    let content = reply.pointer("/choices/0/message/content").unwrap().as_str().unwrap();
    let answer: Value = serde_json::from_str(content).unwrap();
    assert!(answer["narrative"].is_string());
    assert_eq!(answer["survey"]["support_level"], 1);
    assert!(answer["survey"]["key_concerns"][0].is_string());

    let received = server.received();
    assert_eq!(received[0].target, "POST /v1/chat/completions");
    assert_eq!(received[0].body, request.to_string());
    assert!(received[0].header("host").is_some());
}

#[tokio::test]
async fn headers_and_slow_bodies_arrive() {
    let server = HostileServer::start(|number, body| match number.0 {
        1 => Reply::rate_limited("tokens", Duration::from_millis(1500)),
        _ => answer_for(body).slowly(Duration::from_millis(5), Duration::from_millis(1)),
    });
    let url = format!("{}/chat/completions", server.base_url());
    let limited = client().post(url).body("{}").send().await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "2");
    assert_eq!(limited.headers()["retry-after-ms"], "1500");
    assert_eq!(post(&server, json!({})).await.0, 200);
}

#[tokio::test]
async fn those_that_hang_are_counted_until_the_client_gives_up() {
    let server = HostileServer::start(|_, _| Reply::Hang);
    let client = client();
    let ask = || client.post(server.base_url()).body("{}").send();
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(ask())).collect();
    server.wait_for(3, PATIENCE).await;
    assert_eq!((server.in_flight(), server.most_in_flight()), (3, 3));
    assert!(waiting.iter().all(|request| !request.is_finished()));
    for request in waiting {
        request.abort();
    }
    tokio::time::timeout(PATIENCE, async {
        while server.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("they never left");
    assert_eq!(server.most_in_flight(), 3);
}

#[tokio::test]
#[should_panic(expected = "the hostile server's script panicked")]
async fn a_script_that_panics_fails_its_test() {
    let server = HostileServer::start(|_, body| panic!("did not expect {body}"));
    assert_eq!(post(&server, json!({})).await.0, 500);
}

/// A client; the library wants to be told first which TLS to take, though loopback needs none.
fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}
