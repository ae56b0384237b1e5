//! Batches: make one, look at it, look for it, cancel it.

use super::BatchError;
use crate::{
    model::{
        BatchCounts, BatchId, BatchKey, BatchProblem, BatchSaid, BatchState, FileId, strip_controls,
    },
    provider::client::Client,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The name of our own key in a batch's metadata.
const KEY: &str = "voxpop_batch";

/// The path that every line asks for.
const ENDPOINT: &str = "/v1/chat/completions";

/// A message longer than this says nothing more.
const LONGEST_MESSAGE: usize = 500;

/// A batch that is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewBatch<'a> {
    pub key: &'a BatchKey,
    pub input: &'a FileId,
}

/// A part of the list of batches, the newest first.
#[derive(Debug)]
pub struct BatchPage {
    pub batches: Vec<BatchSaid>,
    /// Whether there are older ones, to be asked for after the last of these.
    pub has_more: bool,
}

#[derive(Deserialize)]
struct BatchObject {
    id: String,
    status: String,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    request_counts: Option<CountsObject>,
    #[serde(default)]
    output_file_id: Option<String>,
    #[serde(default)]
    error_file_id: Option<String>,
    #[serde(default)]
    errors: Option<ErrorList>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CountsObject {
    total: u64,
    completed: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct ErrorList {
    #[serde(default)]
    data: Option<Vec<ErrorObject>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorObject {
    code: Option<String>,
    message: Option<String>,
    param: Option<String>,
    line: Option<u64>,
}

#[derive(Deserialize)]
struct ListObject {
    data: Vec<BatchObject>,
    #[serde(default)]
    has_more: bool,
}

impl From<BatchObject> for BatchSaid {
    fn from(batch: BatchObject) -> Self {
        let counts = batch.request_counts.unwrap_or_default();
        // Some servers write "" for none.
        let file = |id: Option<String>| id.filter(|id| !id.is_empty()).map(FileId);
        let key = batch.metadata.as_ref().and_then(|pairs| pairs.get(KEY)?.as_str());
        let problems = batch.errors.and_then(|list| list.data).unwrap_or_default();
        Self {
            id: BatchId(batch.id),
            key: key.map(|key| BatchKey(key.to_owned())),
            state: BatchState::named(&batch.status),
            counts: BatchCounts {
                total: counts.total,
                completed: counts.completed,
                failed: counts.failed,
            },
            output: file(batch.output_file_id),
            errors: file(batch.error_file_id),
            problems: problems.into_iter().map(BatchProblem::from).collect(),
        }
    }
}

impl From<ErrorObject> for BatchProblem {
    fn from(error: ErrorObject) -> Self {
        let plain = |text: Option<String>, or: &str| {
            let text = text.unwrap_or_else(|| or.to_owned());
            strip_controls(&text).chars().take(LONGEST_MESSAGE).collect::<String>()
        };
        Self {
            code: plain(error.code, "no_code"),
            message: plain(error.message, "the provider does not say why"),
            param: error.param.map(|param| strip_controls(&param)),
            line: error.line,
        }
    }
}

impl Client {
    /// Makes a batch of an uploaded file. It is run from now on, whether the reply arrives or not.
    ///
    /// # Errors
    /// Where no reply says that it was made; [`BatchError::was_refused`] tells whether it was not.
    pub async fn create_batch(&self, new: NewBatch<'_>) -> Result<BatchSaid, BatchError> {
        let body = json!({
            "input_file_id": new.input, "endpoint": ENDPOINT, "completion_window": "24h",
            "metadata": { KEY: new.key },
        });
        let request = self.http.post(self.beside(&["batches"])).headers(self.headers.clone());
        self.ask_batch(request.body(body.to_string())).await
    }

    /// Looks at a batch.
    ///
    /// # Errors
    /// Where it is not shown.
    pub async fn batch(&self, id: &BatchId) -> Result<BatchSaid, BatchError> {
        let request = self.http.get(self.beside(&["batches", &id.0]));
        self.ask_batch(request.headers(self.headers.clone())).await
    }

    /// Begins to cancel a batch, which may take minutes; lines that are done by then are kept.
    ///
    /// # Errors
    /// Where it is not cancelled, such as one that is over.
    pub async fn cancel_batch(&self, id: &BatchId) -> Result<BatchSaid, BatchError> {
        let request = self.http.post(self.beside(&["batches", &id.0, "cancel"]));
        self.ask_batch(request.headers(self.headers.clone())).await
    }

    /// A page of up to 100 batches of this key's project, the newest first.
    ///
    /// # Errors
    /// Where the list is not shown.
    pub async fn batches(&self, after: Option<&BatchId>) -> Result<BatchPage, BatchError> {
        let mut url = self.beside(&["batches"]);
        url.query_pairs_mut().append_pair("limit", "100");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", &after.0);
        }
        let request = self.http.get(url).headers(self.headers.clone());
        let list: ListObject = self.ask_json(request, "list of batches").await?;
        let batches = list.data.into_iter().map(BatchSaid::from).collect();
        Ok(BatchPage { batches, has_more: list.has_more })
    }

    /// Looks through the provider's batches for one of ours, the newest first.
    ///
    /// # Errors
    /// Where the list is not shown to its end: the batch may be there all the same.
    pub async fn find_batch(&self, key: &BatchKey) -> Result<Option<BatchSaid>, BatchError> {
        let mut after: Option<BatchId> = None;
        loop {
            let page = self.batches(after.as_ref()).await?;
            let last = page.batches.last().map(|batch| batch.id.clone());
            let found = page.batches.into_iter().find(|batch| batch.key.as_ref() == Some(key));
            match (found, last) {
                (Some(found), _) => return Ok(Some(found)),
                // A list that goes in a circle has an end too.
                (None, Some(last)) if page.has_more && after.as_ref() != Some(&last) => {
                    after = Some(last);
                }
                (None, _) => return Ok(None),
            }
        }
    }

    async fn ask_batch(&self, request: reqwest::RequestBuilder) -> Result<BatchSaid, BatchError> {
        self.ask_json::<BatchObject>(request, "batch").await.map(BatchSaid::from)
    }
}
