//! A provider, a client of it, and what is asked.

use crate::common::voxpop::PATIENCE;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use voxpop::{
    model::{AuthHeader, BatchId, BatchKey, BatchSaid, FileId},
    provider::{Client, ClientSettings, NewBatch},
    simulator::{BatchOptions, Options, Simulator},
};

/// A provider, a client of it and a folder.
pub struct Bench {
    pub simulator: Simulator,
    pub client: Client,
    pub folder: TempDir,
}

impl Bench {
    pub fn start(batch: BatchOptions) -> Self {
        Self::with(Options { batch, ..quick() })
    }

    pub fn with(options: Options) -> Self {
        let simulator = Simulator::start(options).unwrap();
        let client = client(&simulator.base_url(), "sk-a-made-up-key-of-tests");
        Self { simulator, client, folder: tempfile::tempdir().unwrap() }
    }

    pub fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("input.jsonl");
        fs::write(&path, text).unwrap();
        path
    }

    pub async fn upload(&self, text: &str) -> FileId {
        self.client.upload(&self.file(text), "input.jsonl").await.unwrap()
    }

    pub async fn create(&self, key: &str, text: &str) -> BatchSaid {
        let input = self.upload(text).await;
        let key = BatchKey(key.to_owned());
        self.client.create_batch(NewBatch { key: &key, input: &input }).await.unwrap()
    }

    pub async fn wait_for(&self, id: &BatchId, wanted: impl Fn(&BatchSaid) -> bool) -> BatchSaid {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.client.batch(id).await.unwrap();
            if wanted(&said) {
                return said;
            }
            assert!(Instant::now() < deadline, "it never came: {said:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn end_of(&self, id: &BatchId) -> BatchSaid {
        self.wait_for(id, |said| said.state.is_over()).await
    }

    pub async fn lines(&self, file: Option<&FileId>) -> Vec<Value> {
        let Some(file) = file else { return Vec::new() };
        let mut content = self.client.content(file).await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = content.next().await.unwrap() {
            lines.push(serde_json::from_slice(&line).unwrap());
        }
        lines
    }
}

pub fn quick() -> Options {
    let batch = BatchOptions { takes: Duration::ZERO, ..BatchOptions::default() };
    Options { latency: Duration::ZERO, batch, ..Options::default() }
}

pub fn client(base_url: &str, key: &str) -> Client {
    let key = SecretString::from(key.to_owned());
    Client::new(&ClientSettings {
        base_url,
        query: None,
        key: Some(&key),
        auth: AuthHeader::Bearer,
        headers: &[],
        timeout: Duration::from_secs(30),
        connections: 2,
    })
    .unwrap()
}

pub fn line(id: &str, model: &str, age: usize) -> Value {
    let messages = json!([
        {"role": "system", "content": "Should the city close the market street to cars?"},
        {"role": "user", "content": format!("Age: {age}\nJob: Nurse\nTown: Kew")},
    ]);
    json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions",
           "body": {"model": model, "messages": messages}})
}

pub fn lines(many: usize) -> String {
    let mut text = String::new();
    for number in 0..many {
        writeln!(text, "{}", line(&format!("p{number}"), "m", number)).unwrap();
    }
    text
}

pub fn ids(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| line["custom_id"].as_str().unwrap().to_owned()).collect()
}
