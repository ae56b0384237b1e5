//! `voxpop simulate` as somebody who rehearses a run uses it: the real program, real HTTP, changes
//! by schedule and on command. Nothing waits for a time, only for what the counts say.

mod common;

use common::voxpop::{Outcome, PATIENCE, Running, command};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Instant};
use tempfile::TempDir;

/// A simulator that has started, and a client.
struct Rehearsal {
    process: Running,
    base_url: String,
    client: Client,
    folder: TempDir,
}

impl Rehearsal {
    fn start(args: &[&str]) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let always = ["simulate", "--port", "0", "--latency", "0ms"];
        let process = Running::start(command(&[&always, args].concat(), folder.path()));
        let base_url = process.wait_for_line("http://127.0.0.1:");
        Self { process, base_url, client: Client::new(), folder }
    }

    /// The URL of a path beside the API.
    fn beside(&self, path: &str) -> String {
        let address = self.base_url.split('/').nth(2).unwrap();
        format!("http://{address}{path}")
    }

    fn ask(&self) -> RequestBuilder {
        self.ask_at(&format!("{}/chat/completions", self.base_url), question())
    }

    fn ask_at(&self, url: &str, body: Value) -> RequestBuilder {
        self.client.post(url).body(body.to_string())
    }

    /// The statuses of so many questions, one after the other.
    async fn statuses(&self, many: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..many {
            statuses.push(self.ask().send().await.unwrap().status().as_u16());
        }
        statuses
    }

    /// Makes changes, one a line, and returns what holds then.
    async fn change(&self, changes: &str) -> Value {
        let (status, reply) = self.try_to_change(changes).await;
        assert_eq!(status, 200, "{reply}");
        reply["now"].clone()
    }

    async fn try_to_change(&self, changes: &str) -> (u16, Value) {
        let request = self.client.post(self.beside("/simulator/do")).body(changes.to_owned());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, json_of(response).await)
    }

    async fn stats(&self) -> Value {
        json_of(self.client.get(self.beside("/simulator/stats")).send().await.unwrap()).await
    }

    /// Waits until the counts are as wanted.
    async fn wait_until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.stats().await;
            if wanted(&stats) {
                return stats;
            }
            assert!(Instant::now() < deadline, "it never came: {stats:#}");
        }
    }
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn question() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "Age: 40\nTown: Kew"}]})
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

fn refused(args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let args = [&["simulate", "--port", "0"], args].concat();
    common::voxpop::run(&args, folder.path())
}

#[tokio::test]
async fn each_group_of_keys_has_its_own_limit_and_the_counts_say_who_used_it() {
    let keys = ["--key", "sk-a:team", "--key", "sk-b:team", "--key", "sk-c"];
    let rehearsal = Rehearsal::start(&[&["--rpm", "2", "--limit", "log"], &keys[..]].concat());
    let mut statuses = Vec::new();
    for key in ["sk-a", "sk-b", "sk-a", "sk-c", "sk-c", "sk-c", "sk-d"] {
        let response = rehearsal.ask().bearer_auth(key).send().await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429, 401]);
    let stats = rehearsal.stats().await;
    assert_eq!((&stats["received"], &stats["answered"]), (&json!(7), &json!(4)));
    assert_eq!((&stats["limited_by_requests"], &stats["key_refused"]), (&json!(2), &json!(1)));
    let used: Vec<_> = stats["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"].as_str().unwrap(), row["group"].as_str().unwrap(), &row["admitted"]))
        .collect();
    let expected =
        [("sk-a", "team", &json!(1)), ("sk-b", "team", &json!(1)), ("sk-c", "sk-c", &json!(2))];
    assert_eq!(used, expected);
    assert!(stats["keys"][2]["completion_tokens"].as_u64().unwrap() > 0);

    rehearsal.change("refuse=sk-b\ncapacity=x2").await;
    for (key, status) in [("sk-a", 200), ("sk-b", 401), ("sk-c", 200)] {
        let response = rehearsal.ask().bearer_auth(key).send().await.unwrap();
        assert_eq!(response.status(), status, "{key}");
    }
    // The simulated keys are refused in OpenAI's words, without the key.
    let response = rehearsal.ask().bearer_auth("sk-0123456789abcdef").send().await.unwrap();
    let message = json_of(response).await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("sk-***cdef"), "{message}");
}

#[tokio::test]
async fn every_shape_of_limit_is_enforced_over_http() {
    for (shape, let_in) in [
        ("bucket:1h", 60),
        ("bucket:1s", 1),
        ("window", 1),
        ("log:1s", 1),
        ("limit_req:2:nodelay", 3),
    ] {
        let rehearsal = Rehearsal::start(&["--rpm", "1", "--limit", shape]);
        let statuses = rehearsal.statuses(let_in + 2).await;
        let expected: Vec<u16> =
            (0..let_in + 2).map(|nth| if nth < let_in { 200 } else { 429 }).collect();
        assert_eq!(statuses, expected, "{shape}");
    }
}

#[tokio::test]
async fn every_fault_can_be_had_on_command_and_looks_like_the_real_thing() {
    let rehearsal = Rehearsal::start(&[]);
    for (fault, status, code) in [
        ("429", 429, json!("rate_limit_exceeded")),
        ("slow_down", 429, json!("slow_down")),
        ("insufficient_quota", 429, json!("insufficient_quota")),
        ("credit_balance", 429, json!("credit_balance_exhausted")),
        ("usage_limit", 429, json!("organization_usage_limit_exceeded")),
        ("spend_limit", 429, json!("organization_spend_limit_exceeded")),
        ("project_spend_limit", 429, json!("project_spend_limit_exceeded")),
        ("too_large", 429, json!("rate_limit_exceeded")),
        ("400", 400, json!(null)),
        ("401", 401, json!("invalid_api_key")),
        ("403", 403, json!("model_not_allowed")),
        ("404", 404, json!("model_not_found")),
        ("408", 408, json!(null)),
        ("409", 409, json!(null)),
        ("413", 413, json!(null)),
        ("422", 422, json!(null)),
        ("500", 500, json!(null)),
        ("503", 503, json!(null)),
        ("529", 529, json!(null)),
        ("do_retry", 400, json!(null)),
        ("no_retry", 500, json!(null)),
    ] {
        let now = rehearsal.change(&format!("fault={fault}=100%")).await;
        assert_eq!(now["faults"], format!("{fault}=100%"));
        let response = rehearsal.ask().send().await.unwrap();
        assert_eq!(response.status(), status, "{fault}");
        let temporary = ["429", "slow_down"].contains(&fault);
        assert_eq!(header(&response, "retry-after").is_some(), temporary, "{fault}");
        let should_retry = match fault {
            "do_retry" => Some("true"),
            "no_retry" => Some("false"),
            _ => None,
        };
        assert_eq!(header(&response, "x-should-retry"), should_retry);
        let error = json_of(response).await["error"].clone();
        assert_eq!(error["code"], code, "{fault}");
        assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
        let too_large = error["message"].as_str().unwrap().starts_with("Request too large");
        assert_eq!(too_large, fault == "too_large");
    }
    for (fault, status) in [("html", 200), ("502", 502), ("504", 504)] {
        rehearsal.change(&format!("fault={fault}=100%")).await;
        let response = rehearsal.ask().send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "content-type"), Some("text/html; charset=utf-8"));
        assert!(response.text().await.unwrap().contains("<html>"));
    }
    rehearsal.change("fault=content_filter=100%").await;
    let reply = json_of(rehearsal.ask().send().await.unwrap()).await;
    assert_eq!(reply["choices"][0]["finish_reason"], "content_filter");
    rehearsal.change("fault=no_choices=100%").await;
    let reply = json_of(rehearsal.ask().send().await.unwrap()).await;
    assert_eq!(reply["choices"], json!([]));
    rehearsal.change("fault=not_json=100%").await;
    let bytes = rehearsal.ask().send().await.unwrap().bytes().await.unwrap();
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    for fault in ["drop", "reset", "truncated"] {
        rehearsal.change(&format!("fault={fault}=100%")).await;
        let outcome = async { rehearsal.ask().send().await?.bytes().await }.await;
        assert!(outcome.is_err(), "{fault}");
    }

    let now = rehearsal.change("fault=none").await;
    assert_eq!(now["faults"], "");
    assert_eq!(rehearsal.statuses(1).await, [200]);
    let stats = rehearsal.stats().await;
    assert_eq!((&stats["faults"]["529"], &stats["faults"]["html"]), (&json!(1), &json!(1)));
    assert_eq!(stats["answered"], 1);
}

#[tokio::test]
async fn a_quota_runs_out_and_a_run_that_was_stopped_by_it_ends_complete() {
    let rehearsal = Rehearsal::start(&["--quota", "12000"]);
    let folder = rehearsal.folder.path();
    let survey = folder.join("survey.yaml");
    let survey_text = format!(
        "name: parking\nquestion: Should the council stop requiring car spaces?\n\
         domain: civic-policy\ngrid: {{ support: Support, impacts: [Housing] }}\n\
         base_url: {}\nreview: off\nlimits: {{ slots: 4, requests_per_minute: unlimited }}\n",
        rehearsal.base_url
    );
    fs::write(&survey, survey_text).unwrap();
    let people = folder.join("people.csv");
    let lines: String = (0..40).map(|n| format!("p{n},{}\n", 20 + n)).collect();
    fs::write(&people, format!("id,age\n{lines}")).unwrap();
    let voxpop = |args: &[&str]| {
        let outcome = Running::start(command(args, folder)).end();
        let done = outcome.last_json()["done"].as_u64().unwrap();
        (outcome.code, done)
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (survey, people) = (text(&survey), text(&people));
    let (code, done) = voxpop(&["run", &survey, "--personas", &people, "--name", "r", "--json"]);
    assert_eq!(code, 4);
    assert!((1..40).contains(&done), "{done}");
    let stats = rehearsal.stats().await;
    assert!(stats["out_of_quota"].as_u64().unwrap() > 0, "{stats:#}");
    assert_eq!(stats["now"]["quota_left"]["anybody"], 0);

    let now = rehearsal.change("quota=+1000000").await;
    assert_eq!(now["quota_left"]["anybody"], 1_000_000);
    assert_eq!(voxpop(&["resume", "r", "--json"]), (0, 40));
}

#[tokio::test]
async fn a_provider_goes_down_with_all_that_is_in_flight_and_comes_back_up() {
    let rehearsal = Rehearsal::start(&["--fault", "hang=100%"]);
    let waiting = tokio::spawn(rehearsal.ask().send());
    rehearsal.wait_until(|stats| stats["in_flight"] == 1).await;
    rehearsal.change("fault=none\ndown").await;
    assert!(waiting.await.unwrap().is_err());
    for _ in 0..3 {
        assert!(rehearsal.ask().send().await.is_err());
    }
    let stats = rehearsal.stats().await;
    assert_eq!((&stats["while_down"], &stats["now"]["down"]), (&json!(3), &json!(true)));
    rehearsal.change("up").await;
    assert_eq!(rehearsal.statuses(2).await, [200, 200]);
    let stats = rehearsal.stats().await;
    assert_eq!((&stats["answered"], &stats["in_flight"]), (&json!(2), &json!(0)));
    let made: Vec<_> =
        stats["changes"].as_array().unwrap().iter().map(|made| &made["change"]).collect();
    assert_eq!(made, ["fault=none", "down", "up"]);
}

#[tokio::test]
async fn a_schedule_is_kept() {
    let schedule = ["150ms:fault 404=100%", "50ms:rpm=300", "100ms:capacity=x0.5", "200ms:slots=7"];
    let args: Vec<&str> = schedule.iter().flat_map(|change| ["--at", change]).collect();
    let rehearsal = Rehearsal::start(&args);
    let stats = rehearsal.wait_until(|stats| stats["changes"].as_array().unwrap().len() == 4).await;
    let changes = stats["changes"].as_array().unwrap();
    let made: Vec<_> = changes.iter().map(|made| made["change"].as_str().unwrap()).collect();
    assert_eq!(made, ["rpm=300", "capacity=x0.5", "fault=404=100%", "slots=7"]);
    for (made, at) in changes.iter().zip([0.05, 0.1, 0.15, 0.2]) {
        assert!(made["at_seconds"].as_f64().unwrap() >= at, "{made}");
        assert_eq!(made["by"], "schedule");
    }
    let now = &stats["now"];
    assert_eq!((&now["requests_per_minute"], &now["slots"]), (&json!(150), &json!(7)));
    assert_eq!(rehearsal.statuses(1).await, [404]);
}

#[tokio::test]
async fn a_command_that_does_not_read_changes_nothing() {
    let rehearsal = Rehearsal::start(&["--limit", "limit_req", "--rpm", "600"]);
    for (changes, words) in [
        ("slots=3\ncapicity=x2", "did you mean \\\"capacity\\\"?"),
        ("slots=3\ntpm=100", "limit_req counts requests only"),
        ("slots=3\nrefuse=sk-x", "no key \\\"sk-x\\\""),
        ("  \n", "there is no change"),
    ] {
        let (status, reply) = rehearsal.try_to_change(changes).await;
        let message = reply["error"]["message"].to_string();
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(words), "{message}");
    }
    let stats = rehearsal.stats().await;
    assert_eq!((&stats["now"]["slots"], &stats["changes"]), (&json!(null), &json!([])));
    // Control is no part of the provider: nothing of it is counted.
    assert_eq!(stats["received"], 0);
}

#[tokio::test]
async fn beyond_the_slots_requests_wait_and_beyond_the_queue_they_are_turned_away() {
    let rehearsal = Rehearsal::start(&["--kind", "ollama", "--queue", "1", "--fault", "hang=100%"]);
    let served = tokio::spawn(rehearsal.ask().send());
    rehearsal.wait_until(|stats| stats["in_flight"] == 1).await;
    rehearsal.change("fault=none").await;
    let waiting = tokio::spawn(rehearsal.ask().send());
    rehearsal.wait_until(|stats| stats["now"]["waiting"] == 1).await;
    let response = rehearsal.ask().send().await.unwrap();
    assert_eq!(response.status(), 503);
    let message = json_of(response).await["error"]["message"].to_string();
    assert!(message.contains("maximum pending requests exceeded"), "{message}");
    assert!(!waiting.is_finished());
    // Whoever gives up makes room for the next.
    served.abort();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    let stats = rehearsal.stats().await;
    assert_eq!((&stats["queue_full"], &stats["most_in_flight"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn azure_wants_its_own_header_and_knows_both_forms_of_the_url() {
    let rehearsal = Rehearsal::start(&["--kind", "azure", "--key", "right", "--rpm", "2"]);
    assert!(rehearsal.base_url.ends_with("/openai/v1"), "{}", rehearsal.base_url);
    let response = rehearsal.ask().bearer_auth("right").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(json_of(response).await["error"]["code"], "401");
    let response = rehearsal.ask().header("api-key", "right").send().await.unwrap();
    assert_eq!(response.status(), 200);

    let path = "/openai/deployments/mine/chat/completions";
    let url = rehearsal.beside(path);
    let of_deployment = |url: &str| rehearsal.ask_at(url, question()).header("api-key", "right");
    assert_eq!(of_deployment(&url).send().await.unwrap().status(), 404);
    let url = format!("{url}?api-version=2024-10-21");
    let reply = json_of(of_deployment(&url).send().await.unwrap()).await;
    assert_eq!(reply["model"], "mine");

    let response = of_deployment(&url).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(header(&response, "retry-after-ms").is_some());
    let error = json_of(response).await["error"].clone();
    assert_eq!(error["code"], "429");
    assert!(error["message"].as_str().unwrap().contains("exceeded call rate limit"), "{error}");
    assert_eq!(
        rehearsal
            .ask_at(&rehearsal.beside("/v1/chat/completions"), question())
            .header("api-key", "right")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn what_a_server_does_not_know_is_a_400_that_names_it() {
    let with = |key: &str, value: Value| {
        let mut body = question();
        body[key] = value;
        body
    };
    let format = |kind: &str| {
        let schema = json!({"name": "s", "schema": {"type": "object", "properties": {}}});
        let format = json!({"type": kind, "json_schema": schema});
        let mut body = with("response_format", format);
        body["messages"][0]["content"] = json!("Say it in JSON.");
        body
    };
    for (flag, body, param) in [
        ("--no-json-schema", format("json_schema"), "response_format"),
        ("--no-json-object", format("json_object"), "response_format"),
        (
            "--no-max-completion-tokens",
            with("max_completion_tokens", json!(9)),
            "max_completion_tokens",
        ),
        ("--no-max-tokens", with("max_tokens", json!(9)), "max_tokens"),
    ] {
        let rehearsal = Rehearsal::start(&[flag]);
        let url = format!("{}/chat/completions", rehearsal.base_url);
        let response = rehearsal.ask_at(&url, body.clone()).send().await.unwrap();
        assert_eq!(response.status(), 400, "{flag}");
        let error = json_of(response).await["error"].clone();
        assert_eq!(error["param"], param);
        assert!(error["message"].as_str().unwrap().contains(param), "{error}");
        assert_eq!(rehearsal.statuses(1).await, [200]);
    }
    // Ollama ignores the newer cap, and a key.
    let rehearsal = Rehearsal::start(&["--kind", "ollama"]);
    let url = format!("{}/chat/completions", rehearsal.base_url);
    for (cap, reason) in [("max_completion_tokens", "stop"), ("max_tokens", "length")] {
        let request = rehearsal.ask_at(&url, with(cap, json!(9))).bearer_auth("anything");
        let reply = json_of(request.send().await.unwrap()).await;
        assert_eq!(reply["choices"][0]["finish_reason"], reason, "{cap}");
    }
}

#[tokio::test]
async fn headers_lie_keep_silent_or_talk_nonsense_as_they_are_told() {
    let limit = "x-ratelimit-limit-requests";
    for (sort, said, left) in [
        ("honest", Some("100"), Some("99")),
        ("lying", Some("200"), Some("199")),
        ("none", None, None),
    ] {
        let rehearsal = Rehearsal::start(&["--rpm", "100", "--headers", sort]);
        let response = rehearsal.ask().send().await.unwrap();
        assert_eq!(header(&response, limit), said, "{sort}");
        assert_eq!(header(&response, "x-ratelimit-remaining-requests"), left, "{sort}");
    }
    let rehearsal = Rehearsal::start(&["--rpm", "100", "--headers", "nonsense"]);
    let mut said = Vec::new();
    for _ in 0..6 {
        let response = rehearsal.ask().send().await.unwrap();
        said.push(header(&response, limit).unwrap().to_owned());
    }
    assert!(
        ["-1", "0", "unlimited"].iter().all(|word| said.iter().any(|said| said == word)),
        "{said:?}"
    );

    for (form, name, ends_with) in [
        ("ms", "retry-after-ms", ""),
        ("seconds", "retry-after", ""),
        ("float", "retry-after", ""),
        ("date", "retry-after", " GMT"),
        ("seconds=365d", "retry-after", "31536000"),
        ("none", "", ""),
    ] {
        let rehearsal = Rehearsal::start(&["--rpm", "1", "--retry-after", form]);
        assert_eq!(rehearsal.statuses(1).await, [200]);
        let response = rehearsal.ask().send().await.unwrap();
        assert_eq!(response.status(), 429);
        for header_name in ["retry-after", "retry-after-ms"] {
            let value = header(&response, header_name);
            assert_eq!(value.is_some(), header_name == name, "{form} {value:?}");
            assert!(value.is_none_or(|value| value.ends_with(ends_with)), "{form} {value:?}");
        }
        if form == "float" {
            assert!(header(&response, name).unwrap().contains('.'));
        }
    }
    // The servers of one's own say nothing.
    let rehearsal = Rehearsal::start(&["--kind", "vllm", "--rpm", "1"]);
    rehearsal.statuses(1).await;
    let response = rehearsal.ask().send().await.unwrap();
    assert_eq!(response.status(), 429);
    let names = response.headers().keys().map(|name| name.as_str());
    let talkative = names.filter(|name| name.starts_with("x-") || name.starts_with("retry"));
    assert_eq!(talkative.count(), 0);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let faults = "429=20%,500=20%,spend_limit=20%";
    let mut outcomes = Vec::new();
    for seed in ["3", "3", "4"] {
        let rehearsal = Rehearsal::start(&["--seed", seed, "--fault", faults]);
        outcomes.push(rehearsal.statuses(30).await);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_ne!(outcomes[0], outcomes[2]);
}

#[test]
fn a_bad_value_gets_one_clear_line() {
    for (args, words) in [
        (&["--limit", "windw"][..], "unknown limit shape \"windw\", did you mean \"window\"?"),
        (&["--limit", "log:fast"], "write it as in \"log:10s\""),
        (&["--kind", "olama"], "did you mean \"ollama\"?"),
        (&["--headers", "liar"], "known are honest, none, lying, nonsense"),
        (&["--retry-after", "minutes"], "known are both, ms, seconds, float, date, none"),
        (&["--retry-after", "date=x"], "seconds=365d"),
        (&["--key", ":team"], "sk-one:team"),
        (&["--key", "sk-a", "--key", "sk-a:x"], "the key \"sk-a\" is given twice"),
        (&["--kind", "ollama", "--key", "sk-a"], "ollama ignores keys"),
        (&["--fault", "teapot=1%"], "unknown fault \"teapot\""),
        (&["--at", "capacity=x0.5"], "30s:capacity=x0.5"),
        (&["--at", "30s:capacity=0.5"], "write it as in capacity=x0.5"),
        (&["--at", "30s:refuse=sk-x"], "there is no key \"sk-x\""),
        (&["--limit", "limit_req", "--tpm", "9"], "limit_req counts requests only"),
        (&["--queue", "3"], "set a number of slots too"),
        (&["--tokens-per-second", "0"], "must be more than 0"),
        (&["--tokens-per-second", "nan"], "must be more than 0"),
        (&["--rpm", "0"], "--rpm"),
        (&["--slots", "0"], "--slots"),
        (&["--quota", "-1"], "-1"),
    ] {
        let outcome = refused(args);
        assert_eq!(outcome.code, 2, "{args:?} {outcome:?}");
        let line = outcome.err.lines().next().unwrap_or_default();
        assert!(line.starts_with("error: ") && line.contains(words), "{args:?} {outcome:?}");
        assert!(outcome.out.is_empty() && !outcome.err.contains("panicked"), "{outcome:?}");
    }
}

#[test]
fn the_help_says_what_can_be_rehearsed() {
    let outcome = refused(&["--help"]);
    assert_eq!(outcome.code, 0);
    for words in [
        "Examples:",
        "project_spend_limit ",
        "limit_req:N:nodelay",
        "capacity=xF",
        "/simulator/do",
        "/simulator/stats",
        "llama.cpp",
    ] {
        assert!(outcome.out.contains(words), "{words}: {}", outcome.out);
    }
    let longest = outcome.out.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest <= 100), "{longest:?}");
}

#[test]
fn it_ends_at_once_when_it_is_interrupted() {
    let rehearsal = Rehearsal::start(&[]);
    rehearsal.process.signal(rustix::process::Signal::INT);
    assert_eq!(rehearsal.process.end().code, 0);
}
