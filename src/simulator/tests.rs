//! The simulator through real HTTP, as a client meets it.

use super::*;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Long enough for anything that is to come to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client in the clear, which reqwest does not build without a provider for TLS either.
fn client() -> Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

fn start(options: Options) -> Simulator {
    Simulator::start(options).unwrap()
}

fn at_once() -> Options {
    Options { latency: Duration::ZERO, ..Options::default() }
}

fn with_faults(faults: &str) -> Options {
    Options { faults: faults.parse().unwrap(), ..at_once() }
}

fn body(persona: &str) -> String {
    let score = json!({"type": "integer", "minimum": 1, "maximum": 5});
    let closed = |fields: Value| {
        let keys: Vec<&String> = fields.as_object().unwrap().keys().collect();
        json!({"type": "object", "properties": fields, "required": keys,
            "additionalProperties": false})
    };
    let grid = closed(json!({"support_level": score, "housing": score}));
    let schema = closed(json!({"narrative": {"type": "string"}, "survey": grid}));
    json!({
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Should trams be free on weekends?"},
            {"role": "user", "content": persona},
        ],
        "max_completion_tokens": 600,
        "response_format": {"type": "json_schema",
            "json_schema": {"name": "survey", "strict": true, "schema": schema}},
    })
    .to_string()
}

fn ask(client: &Client, simulator: &Simulator, body: String) -> RequestBuilder {
    client.post(format!("{}/chat/completions", simulator.base_url())).body(body)
}

async fn reply(request: RequestBuilder) -> (Response, Value) {
    let mut response = request.send().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    let value = serde_json::from_slice(&bytes).unwrap();
    (response, value)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_completion_has_the_shape_and_the_headers_of_openai() {
    let limits = Options {
        requests_per_minute: Some(600),
        tokens_per_minute: Some(60_000),
        keys: vec![Key::alone("sk-right")],
        ..at_once()
    };
    let simulator = start(limits);
    let client = client();
    let request = ask(&client, &simulator, body("Age: 40\nTenure: rents")).bearer_auth("sk-right");
    let (response, value) = reply(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert!(header(&response, "x-request-id").unwrap().starts_with("req_"));
    assert_eq!(header(&response, "openai-processing-ms"), Some("0"));
    assert_eq!(header(&response, "x-ratelimit-limit-requests"), Some("600"));
    assert_eq!(header(&response, "x-ratelimit-remaining-requests"), Some("599"));
    assert_eq!(header(&response, "x-ratelimit-reset-requests"), Some("100ms"));
    assert_eq!(header(&response, "retry-after"), None);

    let usage = &value["usage"];
    let total = usage["total_tokens"].as_u64().unwrap();
    let parts =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(total, parts);
    assert_eq!(header(&response, "x-ratelimit-limit-tokens"), Some("60000"));
    let left = (60_000 - total).to_string();
    assert_eq!(header(&response, "x-ratelimit-remaining-tokens"), Some(left.as_str()));

    assert_eq!(value["object"], "chat.completion");
    assert_eq!(value["model"], "gpt-4o-mini");
    let choice = &value["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["message"]["refusal"], Value::Null);
    let content: Value =
        serde_json::from_str(choice["message"]["content"].as_str().unwrap()).unwrap();
    assert!((1..=5).contains(&content["survey"]["support_level"].as_i64().unwrap()));
    assert!(content["narrative"].as_str().unwrap().len() > 200);
}

#[tokio::test]
async fn errors_have_the_shape_of_openai() {
    let simulator = start(Options { keys: vec![Key::alone("sk-right")], ..at_once() });
    let client = client();
    let base = simulator.base_url();
    let good = |request: RequestBuilder| request.bearer_auth("sk-right");
    let wrong_key = "sk-this-is-the-wrong-one";
    for (request, status, code) in [
        (ask(&client, &simulator, body("x")), 401, json!(null)),
        (ask(&client, &simulator, body("x")).bearer_auth(wrong_key), 401, json!("invalid_api_key")),
        (good(ask(&client, &simulator, "{".to_owned())), 400, json!(null)),
        (
            good(ask(&client, &simulator, r#"{"model": "m"}"#.to_owned())),
            400,
            json!("missing_required_parameter"),
        ),
        (good(ask(&client, &simulator, "x".repeat(5 << 20))), 413, json!(null)),
        (client.get(format!("{base}/nothing/here")), 404, json!(null)),
        (client.get(format!("{base}/chat/completions")), 405, json!(null)),
    ] {
        let (response, value) = reply(request).await;
        assert_eq!(response.status(), status, "{value}");
        let error = &value["error"];
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["code"], code, "{value}");
        assert!(error["param"].is_null() || error["param"].is_string());
        assert!(!error["message"].as_str().unwrap().contains(wrong_key));
        assert!(header(&response, "x-request-id").is_some());
    }
    let stats = simulator.stats();
    assert_eq!((stats.received, stats.key_refused, stats.bad_requests), (7, 2, 5));
}

#[tokio::test]
async fn the_models_can_be_listed() {
    let simulator = start(at_once());
    let (response, value) = reply(client().get(format!("{}/models", simulator.base_url()))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(value["object"], "list");
    assert_eq!(value["data"][0]["object"], "model");
}

#[tokio::test]
async fn a_full_limit_answers_429_and_says_how_long_to_wait() {
    let client = client();
    for (requests, tokens, kind) in [(Some(2), None, "requests"), (None, Some(900), "tokens")] {
        let limits =
            Options { requests_per_minute: requests, tokens_per_minute: tokens, ..at_once() };
        let simulator = start(limits);
        let denied = loop {
            let (response, value) = reply(ask(&client, &simulator, body("Age: 40"))).await;
            if response.status() != StatusCode::OK {
                break (response, value);
            }
        };
        let (response, value) = denied;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(value["error"]["type"], kind);
        assert_eq!(value["error"]["code"], "rate_limit_exceeded");
        let millis: u64 = header(&response, "retry-after-ms").unwrap().parse().unwrap();
        let seconds: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
        assert!(millis > 0 && seconds == millis.div_ceil(1000), "{millis} {seconds}");
        assert!(header(&response, &format!("x-ratelimit-reset-{kind}")).is_some());
        let stats = simulator.stats();
        let denials =
            if kind == "requests" { stats.limited_by_requests } else { stats.limited_by_tokens };
        assert_eq!((denials, stats.answered + denials), (1, stats.received));
    }
    let simulator = start(Options { tokens_per_minute: Some(10), ..at_once() });
    let (response, value) = reply(ask(&client, &simulator, body("Age: 40"))).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(value["error"]["message"].as_str().unwrap().starts_with("Request too large"));
    assert_eq!(header(&response, "retry-after"), None);
}

#[tokio::test]
async fn faults_that_are_replies_look_like_the_real_thing() {
    let client = client();
    for (fault, status, kind) in [
        ("429", 429, FaultKind::RateLimited),
        ("500", 500, FaultKind::ServerError),
        ("503", 503, FaultKind::Overloaded),
    ] {
        let simulator = start(with_faults(&format!("{fault}=100%")));
        let (response, value) = reply(ask(&client, &simulator, body("Age: 40"))).await;
        assert_eq!(response.status(), status);
        assert!(value["error"]["message"].is_string());
        assert_eq!(header(&response, "retry-after").is_some(), status == 429);
        assert_eq!(simulator.stats().faults(kind), 1);
    }

    let simulator = start(with_faults("refusal=100%"));
    for age in 18..40 {
        let (response, value) = reply(ask(&client, &simulator, body(&format!("Age: {age}")))).await;
        assert_eq!(response.status(), StatusCode::OK);
        let choice = &value["choices"][0];
        let declined =
            choice["message"]["refusal"].is_string() && choice["message"]["content"].is_null();
        assert!(declined || choice["finish_reason"] == "content_filter", "{value}");
    }

    let simulator = start(with_faults("cutoff=100%"));
    let (_, value) = reply(ask(&client, &simulator, body("Age: 40"))).await;
    let choice = &value["choices"][0];
    assert_eq!(choice["finish_reason"], "length");
    let content = choice["message"]["content"].as_str().unwrap();
    assert!(!content.is_empty() && serde_json::from_str::<Value>(content).is_err(), "{content}");
}

#[tokio::test]
async fn the_cap_of_the_request_cuts_the_output_off() {
    let simulator = start(at_once());
    let tight = body("Age: 40").replace("600", "20");
    let (_, value) = reply(ask(&client(), &simulator, tight)).await;
    assert_eq!(value["choices"][0]["finish_reason"], "length");
    assert_eq!(value["usage"]["completion_tokens"], 20);
    assert_eq!(simulator.stats().cut_off, 1);
}

/// Sends one request on a plain socket and reads what comes until the connection ends.
async fn raw(simulator: &Simulator) -> (String, std::io::Result<()>) {
    let address = simulator.base_url().replace("http://", "").replace("/v1", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body("Age: 40");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: simulator\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the end never came");
    (String::from_utf8(read).unwrap(), end.map(|_| ()))
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let simulator = start(with_faults("truncated=100%"));
    let (text, end) = raw(&simulator).await;
    end.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let promised: usize = promised.parse().unwrap();
    assert!(!body.is_empty() && body.len() < promised, "{} of {promised}", body.len());
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let simulator = start(with_faults("reset=100%"));
    let (_, end) = raw(&simulator).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_hanging_request_is_in_flight_until_the_client_gives_up() {
    let simulator = start(with_faults("timeout=100%"));
    let client = client();
    let waiting = tokio::spawn(ask(&client, &simulator, body("Age: 40")).send());
    let eventually = |in_flight| {
        let simulator = &simulator;
        timeout(PATIENCE, async move {
            while simulator.stats().in_flight != in_flight {
                tokio::task::yield_now().await;
            }
        })
    };
    eventually(1).await.expect("it never arrived");
    assert!(!waiting.is_finished());
    waiting.abort();
    eventually(0).await.expect("it never left");
    assert_eq!(simulator.stats().faults(FaultKind::Hang), 1);
    assert_eq!(simulator.stats().most_in_flight, 1);
}

#[tokio::test]
async fn a_slow_body_comes_whole() {
    let simulator = start(with_faults("slow=100%"));
    let (_, value) = reply(ask(&client(), &simulator, body("Age: 40"))).await;
    assert_eq!(value["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_seed_repeats_the_same_luck_and_a_retry_has_its_own() {
    let client = client();
    let outcomes = async |seed| {
        let simulator = start(Options { seed, ..with_faults("500=50%") });
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            for age in 20..30 {
                let (response, value) =
                    reply(ask(&client, &simulator, body(&format!("Age: {age}")))).await;
                outcomes.push((response.status(), value["choices"].clone()));
            }
        }
        assert_eq!(simulator.stats().faults(FaultKind::ServerError), {
            outcomes.iter().filter(|(status, _)| *status == 500).count() as u64
        });
        outcomes
    };
    let once = outcomes(1).await;
    assert_eq!(once, outcomes(1).await);
    assert_ne!(once, outcomes(2).await);
    for persona in 0..10 {
        let attempts = || once.iter().skip(persona).step_by(10);
        let failed = attempts().filter(|(status, _)| *status == 500).count();
        let answers: Vec<_> = attempts().filter(|(status, _)| *status == 200).collect();
        assert_eq!(failed + answers.len(), 4);
        // However often it is asked, a persona says the same.
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    }
    let retried_well = (0..10).any(|persona| once[persona].0 == 500 && once[persona + 10].0 == 200);
    assert!(retried_well);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_and_a_dropped_one_is_free() {
    let first = start(at_once());
    let port = first.address.port();
    let error = Simulator::start(Options { port, ..at_once() }).err().unwrap();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    drop(first);
    start(Options { port, ..at_once() });
}

#[test]
fn a_limit_of_zero_is_refused() {
    let error =
        Simulator::start(Options { tokens_per_minute: Some(0), ..at_once() }).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the simulator's tokens per minute must be at least 1; leave it out for no limit"
    );
}
