//! Carrying out what a batch's record says is next, as far as the provider is in it.

use super::{control::Stopped, meta::Meta, runner::Runner};
use crate::{
    batch::{Event, Next},
    model::{BatchProblem, Failure, FailureKind, PauseReason, UnixMillis},
    provider::{BatchError, Client, NewBatch},
};
use std::time::Duration;

/// The first wait after an error, and the longest one: it doubles in between.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What came of an exchange about a batch.
pub(super) enum Came {
    Event(Event),
    /// Nothing that changes where the batch is: the same is to be tried again.
    Later(BatchError),
}

impl Runner {
    /// Asks the provider for what is next.
    pub(super) async fn ask_provider(&mut self, at: usize, next: Next) -> Result<Came, Stopped> {
        let Meta { number, endpoint, .. } = self.metas[at];
        let path = self.folder.of(number);
        if next == Next::Upload && !path.exists() {
            // Somebody has tidied up: its lines go into another file.
            return Ok(Came::Event(Event::CancelWanted));
        }
        let client = &self.interviewer.endpoints[endpoint.as_usize()].client;
        let name = format!("{}-{number}.jsonl", self.interviewer.run);
        let work = exchange(client, &path, &name, next);
        self.control.unless_stopped(work).await
    }

    /// Nothing came of it. The next try is later, and where a try is of no use, the run pauses.
    pub(super) fn try_later(&mut self, at: usize, wanted: &Next, error: &BatchError) {
        let name = self.interviewer.endpoints[self.metas[at].endpoint.as_usize()].name.clone();
        let meta = &mut self.metas[at];
        meta.failures += 1;
        let doubled = 2_u32.saturating_pow(meta.failures - 1);
        let wait = FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT);
        meta.due = tokio::time::Instant::now() + wait;
        meta.note = Some(error.to_string());
        let number = meta.number;
        tracing::warn!("batch {number}: {error}; it is tried again in {} s", wait.as_secs());
        self.show(at);
        let reason = match error {
            BatchError::Provider { status, failure } => match (failure.kind, status) {
                (FailureKind::KeyRefused | FailureKind::QuotaExhausted, _) => {
                    Some(PauseReason::ProviderRefuses { failure: failure.clone() })
                }
                (_, Some(404 | 405)) if *wanted == Next::Upload => {
                    let why = format!("{name} has no Batch API: {}", failure.message);
                    let failure = Failure::new(FailureKind::BadRequest, why);
                    Some(PauseReason::ProviderRefuses { failure })
                }
                (_, Some(status)) if *wanted == Next::Upload && !matches!(status, 409 | 429) => {
                    let why = format!("batch {number} cannot be uploaded: {}", failure.message);
                    error.was_refused().then_some(PauseReason::Batch { message: why })
                }
                _ => None,
            },
            BatchError::File { .. } => Some(PauseReason::Batch { message: error.to_string() }),
        };
        if let Some(reason) = reason {
            self.pause(reason);
        }
    }
}

/// One exchange, and what it means: the rules for errors are in [`Event`]'s terms.
async fn exchange(client: &Client, path: &std::path::Path, name: &str, next: Next) -> Came {
    let said = |said| Event::Said { said, at: UnixMillis::now() };
    let came = match next {
        Next::Upload => match client.upload(path, name).await {
            Err(error) if error.status() == Some(413) => {
                Ok(Event::UploadRefused(problem("file_too_large", &error)))
            }
            uploaded => uploaded.map(Event::Uploaded),
        },
        Next::Create { key, input } => {
            let made = client.create_batch(NewBatch { key: &key, input: &input }).await;
            Ok(made.map_or_else(|error| not_created(&error), said))
        }
        Next::Find { key } => client
            .find_batch(&key)
            .await
            .map(|found| found.map_or_else(|| Event::NotFound { at: UnixMillis::now() }, said)),
        Next::Look { id } => match client.batch(&id).await {
            Err(error) if error.is_unknown() => Ok(Event::Gone),
            looked => looked.map(said),
        },
        Next::Cancel { id } => match client.cancel_batch(&id).await {
            // Whether there is such a batch at all, a look will tell.
            Err(error) if error.is_final() || error.status() == Some(409) => {
                tracing::warn!("{} cannot be cancelled, and is waited for: {error}", id.0);
                Ok(Event::CancelRefused)
            }
            cancelled => cancelled.map(said),
        },
        Next::Intend | Next::Read { .. } | Next::Wait { .. } | Next::Nothing => {
            unreachable!("the provider has no part in it")
        }
    };
    came.map_or_else(Came::Later, Came::Event)
}

/// What an error at the creation says of the batch.
fn not_created(error: &BatchError) -> Event {
    match error {
        error if error.is_unknown() => Event::InputGone,
        // A conflict is one of now.
        BatchError::Provider { status: Some(409 | 429), failure }
            if failure.kind != FailureKind::QuotaExhausted =>
        {
            Event::TurnedAway { at: UnixMillis::now() }
        }
        BatchError::Provider { failure, .. } if error.was_refused() => {
            Event::CreationRefused(problem(failure.kind.as_str(), error))
        }
        _ => Event::CreationUnclear { at: UnixMillis::now() },
    }
}

/// A refusal of the whole file.
fn problem(code: &str, error: &BatchError) -> BatchProblem {
    let message = match error {
        BatchError::Provider { failure, .. } => failure.message.clone(),
        BatchError::File { .. } => error.to_string(),
    };
    BatchProblem { code: code.to_owned(), message, param: None, line: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creation_is_refused_turned_away_or_unclear() {
        let came = |status, kind| {
            let failure = Failure::new(kind, "no");
            not_created(&BatchError::Provider { status, failure })
        };
        let for_now = [(409, FailureKind::ServerError), (429, FailureKind::ServerError)];
        for (status, kind) in for_now {
            assert!(matches!(came(Some(status), kind), Event::TurnedAway { .. }), "{status}");
        }
        for (status, kind) in [(400, FailureKind::BadRequest), (429, FailureKind::QuotaExhausted)] {
            assert!(matches!(came(Some(status), kind), Event::CreationRefused(_)), "{status}");
        }
        for status in [None, Some(408), Some(500)] {
            let came = came(status, FailureKind::ServerError);
            assert!(matches!(came, Event::CreationUnclear { .. }), "{status:?}");
        }
        assert!(matches!(came(Some(404), FailureKind::BadRequest), Event::InputGone));
    }
}
