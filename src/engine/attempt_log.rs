//! Every attempt leaves a line in the log.

use crate::model::Attempt;
use std::time::Duration;

/// An event with what every line about an attempt has. Times are in microseconds.
macro_rules! attempt_event {
    ($level:ident, $attempt:expr, $($rest:tt)+) => {
        tracing::$level!(
            persona = $attempt.persona.0,
            stage = $attempt.stage.as_str(),
            attempt = $attempt.number,
            endpoint = $attempt.endpoint.0,
            status = $attempt.status,
            queued_us = micros($attempt.timing.queued),
            slot_us = micros($attempt.timing.waited_for_slot),
            rate_us = micros($attempt.timing.waited_for_rate),
            wire_us = micros($attempt.timing.on_the_wire),
            parsed_us = micros($attempt.timing.parsed),
            request_id = $attempt.request_id.as_deref(),
            $($rest)+
        )
    };
}

/// Answers go to the file only; failures are also shown on the dashboard.
pub(super) fn log(attempt: &Attempt) {
    match &attempt.failure {
        None if attempt.from_cache => attempt_event!(debug, attempt, "answered from the cache"),
        None => attempt_event!(debug, attempt, "answered"),
        Some(failure) => attempt_event!(
            warn,
            attempt,
            retry_after_us = failure.retry_after.map(micros),
            "persona {} {failure}",
            attempt.persona
        ),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
