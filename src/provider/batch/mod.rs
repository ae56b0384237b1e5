//! Files and batches (`/v1/files`, `/v1/batches`): one exchange a function, without a retry.
//!
//! Files go up from the disk and come down line by line; neither way is one ever whole in memory.

mod batches;
mod files;

pub use batches::{BatchPage, NewBatch};
pub use files::ContentLines;

use super::{
    classify,
    client::{Client, lost, read_body},
};
use crate::model::{Failure, FailureKind};
use bytes::Bytes;
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;
use std::{
    io,
    path::PathBuf,
    time::{Instant, SystemTime},
};

/// Why a request about files or batches gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The provider, or the way to it. Without a status, nobody knows whether it was received.
    #[error("{failure}")]
    Provider { status: Option<u16>, failure: Failure },
    /// The file that should go up.
    #[error("{}: {source}; the batch cannot be uploaded", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl BatchError {
    /// The status of the reply, where there was one.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Provider { status, .. } => *status,
            Self::File { .. } => None,
        }
    }

    /// Whether the provider said no, and so did nothing. A server error may have come after it did.
    pub const fn was_refused(&self) -> bool {
        match self {
            Self::Provider { status, .. } => matches!(status, Some(400..=407 | 409..=499)),
            Self::File { .. } => true,
        }
    }

    /// Whether the provider said no to what was asked, and will say so again. A key or a quota is
    /// nothing about what was asked, and can be mended.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Provider {
                status: Some(400 | 402 | 404..=407 | 410..=424 | 426..=428),
                failure,
            } => !matches!(failure.kind, FailureKind::KeyRefused | FailureKind::QuotaExhausted),
            _ => false,
        }
    }

    /// Whether the provider knows no such file or batch.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Provider { status: Some(404), .. })
    }

    fn malformed(what: &str, error: &impl std::fmt::Display) -> Self {
        let message = format!("the reply is no {what}: {error}");
        Self::Provider { status: Some(200), failure: Failure::new(FailureKind::Malformed, message) }
    }
}

impl Client {
    /// Sends a request and gives back the reply where its status is a good one.
    async fn ask(&self, request: RequestBuilder) -> Result<Response, BatchError> {
        let sent = Instant::now();
        let response = request
            .send()
            .await
            .map_err(|error| BatchError::Provider { status: None, failure: lost(&error, sent) })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match read_body(response).await {
            Ok(body) => body,
            Err((_, part)) => part.freeze(),
        };
        let body = self.without_key(body);
        let failure = classify::classify(status, &headers, &body, SystemTime::now());
        Err(BatchError::Provider { status: Some(status), failure })
    }

    /// Sends a request and reads the JSON that comes back.
    async fn ask_json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        what: &str,
    ) -> Result<T, BatchError> {
        let sent = Instant::now();
        let response = self.ask(request).await?;
        let body: Bytes = match read_body(response).await {
            Ok(body) => body,
            Err((Some(error), _)) => {
                let failure = lost(&error, sent);
                return Err(BatchError::Provider { status: None, failure });
            }
            Err((None, _)) => return Err(BatchError::malformed(what, &"it is too long")),
        };
        serde_json::from_slice(&body).map_err(|error| BatchError::malformed(what, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_good_is_told_from_what_is_for_now() {
        let error = |status, kind| BatchError::Provider {
            status: Some(status),
            failure: Failure::new(kind, "no"),
        };
        for status in [400, 404, 405, 413, 422] {
            assert!(error(status, FailureKind::BadRequest).is_final(), "{status}");
        }
        for status in [401, 403, 408, 409, 425, 429, 500, 503] {
            assert!(!error(status, FailureKind::ServerError).is_final(), "{status}");
        }
        assert!(!error(402, FailureKind::QuotaExhausted).is_final());
    }
}
