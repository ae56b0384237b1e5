//! A provider of batches that does as it should, but for what a test has it do.

use crate::common::provider::{HostileServer, Reply, answer_for};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// What is asked. Files and batches are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Upload,
    Create,
    List,
    Look(usize),
    Cancel(usize),
    /// What came of this batch.
    Results(usize),
    Delete,
    /// A single call.
    Call,
}

impl Asked {
    fn of(target: &str) -> Self {
        let (method, path) = target.split_once(' ').unwrap();
        let path = path.split('?').next().unwrap();
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        let number = |text: &str| text.rsplit('-').next().unwrap().parse().unwrap();
        match (method, &parts[..]) {
            ("POST", ["files"]) => Self::Upload,
            ("POST", ["batches"]) => Self::Create,
            ("GET", ["batches"]) => Self::List,
            ("GET", ["batches", id]) => Self::Look(number(id)),
            ("POST", ["batches", id, "cancel"]) => Self::Cancel(number(id)),
            ("GET", ["files", id, "content"]) => Self::Results(number(id)),
            ("DELETE", _) => Self::Delete,
            ("POST", ["chat", "completions"]) => Self::Call,
            _ => panic!("{target}"),
        }
    }
}

/// What the server knows.
#[derive(Default)]
pub struct Book {
    /// The lines of each file that was uploaded.
    pub files: Vec<Vec<Value>>,
    /// The key and the file of each batch.
    pub batches: Vec<(String, usize)>,
    pub asked: Vec<Asked>,
}

impl Book {
    pub fn count(&self, what: Asked) -> usize {
        self.asked.iter().filter(|asked| **asked == what).count()
    }

    /// The lines of a batch.
    pub fn lines(&self, batch: usize) -> &[Value] {
        &self.files[self.batches[batch - 1].1 - 1]
    }

    /// A batch, with more fields.
    pub fn batch(&self, batch: usize, status: &str, more: Value) -> Reply {
        let mut object = json!({
            "id": format!("batch-{batch}"), "status": status,
            "metadata": {"voxpop_batch": self.batches[batch - 1].0},
        });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json_reply(object)
    }

    /// One that is over, and all of it answered.
    pub fn completed(&self, batch: usize) -> Reply {
        let lines = self.lines(batch).len();
        let counts = json!({"total": lines, "completed": lines, "failed": 0});
        let output = format!("output-{batch}");
        self.batch(batch, "completed", json!({"output_file_id": output, "request_counts": counts}))
    }

    /// Results of these lines, all answered.
    pub fn answers<'a>(lines: impl IntoIterator<Item = &'a Value>) -> Reply {
        text_reply(lines.into_iter().map(|line| {
            let Reply::Json { body, .. } = answer_for(&line["body"].to_string()) else {
                unreachable!("an answer is JSON")
            };
            result(line, 200, body)
        }))
    }

    pub fn usual(&mut self, asked: Asked, body: &str) -> Reply {
        match asked {
            Asked::Upload => {
                let lines = body.lines().filter(|line| line.contains("\"custom_id\""));
                let lines = lines.map(|line| serde_json::from_str(line).unwrap());
                self.files.push(lines.collect());
                json_reply(json!({"id": format!("file-{}", self.files.len())}))
            }
            Asked::Create => {
                let order: Value = serde_json::from_str(body).unwrap();
                let file = order["input_file_id"].as_str().unwrap();
                let file = file.rsplit('-').next().unwrap().parse().unwrap();
                let key = order["metadata"]["voxpop_batch"].as_str().unwrap_or_default();
                self.batches.push((key.to_owned(), file));
                self.batch(self.batches.len(), "in_progress", json!({}))
            }
            Asked::List => json_reply(json!({"data": [], "has_more": false})),
            Asked::Look(batch) => self.completed(batch),
            Asked::Cancel(batch) => self.batch(batch, "cancelling", json!({})),
            Asked::Results(batch) => Self::answers(self.lines(batch)),
            Asked::Delete => json_reply(json!({"deleted": true})),
            Asked::Call => answer_for(body),
        }
    }
}

/// A line of results.
pub fn result(line: &Value, status: u16, body: Value) -> Value {
    let response = json!({"status_code": status, "request_id": "r", "body": body});
    json!({"custom_id": line["custom_id"], "response": response, "error": null})
}

pub fn json_reply(body: Value) -> Reply {
    Reply::Json { status: 200, headers: Vec::new(), body }
}

/// A file of lines.
pub fn text_reply(lines: impl IntoIterator<Item = Value>) -> Reply {
    let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    Reply::Raw(format!("{head}content-length: {}\r\n\r\n{text}", text.len()).into_bytes())
}

/// The server, and what it knows.
pub struct BatchServer {
    server: HostileServer,
    book: Arc<Mutex<Book>>,
}

impl BatchServer {
    /// Starts one. Where the script gives nothing, the reply is the usual one.
    pub fn start(
        script: impl Fn(&mut Book, Asked, &str) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let book = Arc::<Mutex<Book>>::default();
        let own = Arc::clone(&book);
        let server = HostileServer::routed(move |target, body| {
            let mut book = own.lock().unwrap();
            let asked = Asked::of(target);
            book.asked.push(asked);
            let scripted = script(&mut book, asked, body);
            scripted.unwrap_or_else(|| book.usual(asked, body))
        });
        Self { server, book }
    }

    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }
}
