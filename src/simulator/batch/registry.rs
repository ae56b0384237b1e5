//! Every batch, and what holds of it now.

use super::{Wrong, check::Problem, files::unique, now};
use crate::simulator::{accounts::KeyId, service::Service};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::Notify;

/// Where a batch is. The words are OpenAI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Validating,
    Failed,
    InProgress,
    Finalizing,
    Completed,
    Expired,
    Cancelling,
    Cancelled,
}

impl Status {
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Failed | Self::Completed | Self::Expired | Self::Cancelled)
    }
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Order {
    pub key: KeyId,
    pub group: usize,
    pub input_file_id: String,
    pub endpoint: String,
    pub completion_window: String,
    pub metadata: Value,
}

/// The counts of a batch's lines.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LineCounts {
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
}

/// One batch.
#[derive(Debug)]
pub struct Batch {
    pub id: String,
    pub number: u64,
    pub order: Order,
    pub status: Status,
    pub model: Option<String>,
    pub problems: Vec<Problem>,
    pub counts: LineCounts,
    pub output_file_id: Option<String>,
    pub error_file_id: Option<String>,
    /// Of its prompts, until it is over.
    enqueued_tokens: u64,
    created_at: u64,
    /// When it came into which status: the fields `in_progress_at` and so on.
    stamps: Vec<(Status, u64)>,
    /// Wakes its life where it is to be cancelled.
    pub cancel: Arc<Notify>,
}

impl Batch {
    pub fn set(&mut self, status: Status) {
        self.status = status;
        self.stamps.push((status, now()));
        if status.is_over() {
            self.enqueued_tokens = 0;
        }
    }

    /// The batch as the API shows it.
    pub fn object(&self) -> Value {
        let at = |status| self.stamps.iter().find(|(s, _)| *s == status).map(|(_, at)| *at);
        let errors =
            (!self.problems.is_empty()).then(|| json!({ "object": "list", "data": self.problems }));
        json!({
            "id": self.id, "object": "batch", "endpoint": self.order.endpoint,
            "model": self.model, "errors": errors,
            "input_file_id": self.order.input_file_id,
            "completion_window": self.order.completion_window, "status": self.status,
            "output_file_id": self.output_file_id, "error_file_id": self.error_file_id,
            "created_at": self.created_at, "in_progress_at": at(Status::InProgress),
            "expires_at": self.created_at + 86_400, "finalizing_at": at(Status::Finalizing),
            "completed_at": at(Status::Completed), "failed_at": at(Status::Failed),
            "expired_at": at(Status::Expired), "cancelling_at": at(Status::Cancelling),
            "cancelled_at": at(Status::Cancelled), "request_counts": self.counts,
            "metadata": self.order.metadata,
        })
    }
}

/// Counts over all batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchStats {
    pub created: u64,
    pub completed: u64,
    /// Refused at validation.
    pub failed: u64,
    pub expired: u64,
    pub cancelled: u64,
    /// Lines with a 200.
    pub lines_answered: u64,
    /// Lines with another status.
    pub lines_failed: u64,
    pub lines_expired: u64,
    /// Lines of a body that had been answered before, in any batch: work paid twice.
    pub lines_answered_again: u64,
}

/// All batches, the oldest first.
#[derive(Debug, Default)]
pub struct Registry {
    book: Mutex<Book>,
    /// Requests about files and batches so far.
    requests: AtomicU64,
}

#[derive(Debug, Default)]
struct Book {
    batches: Vec<Batch>,
    stats: BatchStats,
    /// The hashes of the bodies that have been answered.
    answered: HashSet<u64>,
}

impl Registry {
    /// The number of a request that has come in.
    pub fn number(&self) -> u64 {
        self.requests.fetch_add(1, Relaxed)
    }

    /// Takes an order; its validation is still to come.
    pub fn create(&self, order: Order) -> (String, Value) {
        let mut book = self.book();
        let number = book.batches.len() as u64 + 1;
        let batch = Batch {
            id: unique("batch_", number),
            number,
            order,
            status: Status::Validating,
            model: None,
            problems: Vec::new(),
            counts: LineCounts::default(),
            output_file_id: None,
            error_file_id: None,
            enqueued_tokens: 0,
            created_at: now(),
            stamps: Vec::new(),
            cancel: Arc::default(),
        };
        let made = (batch.id.clone(), batch.object());
        book.stats.created += 1;
        book.batches.push(batch);
        made
    }

    /// One batch of a group.
    ///
    /// # Errors
    /// A 404.
    pub(super) fn object(&self, id: &str, group: usize) -> Result<Value, Wrong> {
        let book = self.book();
        let batch = book.batches.iter().find(|b| b.id == id && b.order.group == group);
        batch.map(Batch::object).ok_or_else(|| Wrong::not_found("Batch", id))
    }

    /// A page of the batches of a group, the newest first.
    ///
    /// # Errors
    /// Where there is no batch to come after.
    pub(super) fn page(
        &self,
        group: usize,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Value, Wrong> {
        let book = self.book();
        let mut own = book.batches.iter().rev().filter(|b| b.order.group == group);
        if let Some(after) = after {
            let found = own.by_ref().any(|batch| batch.id == after);
            if !found {
                return Err(Wrong::not_found("Batch", after));
            }
        }
        let page: Vec<Value> = own.by_ref().take(limit).map(Batch::object).collect();
        let id = |batch: Option<&Value>| batch.map_or(Value::Null, |batch| batch["id"].clone());
        Ok(json!({
            "object": "list", "first_id": id(page.first()), "last_id": id(page.last()),
            "data": page, "has_more": own.next().is_some(),
        }))
    }

    /// Begins to cancel a batch.
    ///
    /// # Errors
    /// A 404, and a 409 for what is over.
    pub(super) fn cancel(&self, id: &str, group: usize) -> Result<Value, Wrong> {
        let mut book = self.book();
        let batch = book.batches.iter_mut().find(|b| b.id == id && b.order.group == group);
        let batch = batch.ok_or_else(|| Wrong::not_found("Batch", id))?;
        match batch.status {
            Status::Validating | Status::InProgress => {
                batch.set(Status::Cancelling);
                batch.cancel.notify_one();
            }
            Status::Cancelling => {}
            status => {
                let status = json!(status);
                let message = format!(
                    "Cannot cancel a batch with status {status}. Only batches that are in \
                     progress can be cancelled."
                );
                return Err(Wrong { status: 409, ..Wrong::new(message, None) });
            }
        }
        Ok(batch.object())
    }

    /// Lets a checked batch into the queue of its model; `false` where that is full.
    pub fn enqueue(&self, id: &str, model: &str, lines: usize, tokens: u64, most: u64) -> bool {
        let mut book = self.book();
        let Some(group) = book.batches.iter().find(|b| b.id == id).map(|b| b.order.group) else {
            return false;
        };
        let same = |b: &&Batch| b.order.group == group && b.model.as_deref() == Some(model);
        let enqueued: u64 = book.batches.iter().filter(same).map(|b| b.enqueued_tokens).sum();
        let fits = enqueued.saturating_add(tokens) <= most;
        if fits && let Some(batch) = book.batches.iter_mut().find(|b| b.id == id) {
            batch.model = Some(model.to_owned());
            batch.enqueued_tokens = tokens;
            batch.counts.total = lines as u64;
        }
        fits
    }

    /// Changes a batch.
    pub fn with<T>(&self, id: &str, change: impl FnOnce(&mut Batch) -> T) -> Option<T> {
        let mut book = self.book();
        book.batches.iter_mut().find(|batch| batch.id == id).map(change)
    }

    /// Changes the counts over all batches.
    pub fn count(&self, change: impl FnOnce(&mut BatchStats)) {
        change(&mut self.book().stats);
    }

    /// Counts an answered line.
    pub fn answered(&self, service: &Service, body: &[u8]) {
        let hash = service.chance(b"batch body").with(body).bits();
        let mut book = self.book();
        book.stats.lines_answered += 1;
        if !book.answered.insert(hash) {
            book.stats.lines_answered_again += 1;
        }
    }

    pub fn stats(&self) -> BatchStats {
        self.book().stats
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads metadata: up to 16 pairs of texts.
///
/// # Errors
/// A 400.
pub(super) fn metadata(given: Option<Value>) -> Result<Value, Wrong> {
    let pairs = match given {
        None | Some(Value::Null) => return Ok(Value::Null),
        Some(Value::Object(pairs)) => pairs,
        Some(_) => return Err(Wrong::new("'metadata' must be an object.", Some("metadata"))),
    };
    let sound = |pairs: &Map<String, Value>| {
        let fits = |(key, value): (&String, &Value)| {
            key.len() <= 64 && value.as_str().is_some_and(|value| value.len() <= 512)
        };
        pairs.len() <= 16 && pairs.iter().all(fits)
    };
    if !sound(&pairs) {
        let message = "'metadata' holds at most 16 pairs, keys of 64 and texts of 512 characters.";
        return Err(Wrong::new(message, Some("metadata")));
    }
    Ok(Value::Object(pairs))
}
