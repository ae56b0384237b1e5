//! A run in the order of time: what is on record of it, one thing after the other.

use super::{RunReader, StoreError, decode};
use crate::model::{Attempt, EndpointIndex, Failure, InterviewStatus, PersonaIndex, UnixMillis};
use rusqlite::Row;
use std::ops::ControlFlow;

/// One thing that is on record.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub at: UnixMillis,
    pub event: RecordedEvent,
}

/// What it is.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordedEvent {
    /// A request was sent.
    Sent { persona: PersonaIndex, endpoint: EndpointIndex },
    /// An attempt was over. Its body is left out.
    Came(Box<Attempt>),
    /// An interview was over: how, and why it failed if it did.
    Over { persona: PersonaIndex, status: InterviewStatus, failure: Option<Failure> },
}

/// The columns of `decode::attempt`, without request ids and bodies, then the moment and the kind.
/// What came from the cache was never sent, and is not among them.
/// An interview counts as later than its last attempt, and an attempt as later than its send.
const SQL: &str = "
SELECT persona, number, stage, endpoint, sent_at, 0, 0, 0, on_the_wire_us, 0, status, NULL,
       prompt_tokens, completion_tokens, cached_tokens, failure, NULL, 0, at, kind
FROM (
    SELECT sent_at AS at, 0 AS kind, persona, number, stage, endpoint, sent_at, 0 AS on_the_wire_us,
           NULL AS status, NULL AS prompt_tokens, NULL AS completion_tokens, NULL AS cached_tokens,
           NULL AS failure
    FROM attempt WHERE from_cache = 0
    UNION ALL
    SELECT sent_at + (on_the_wire_us + parsed_us) / 1000, 1, persona, number, stage, endpoint,
           sent_at, on_the_wire_us, status, prompt_tokens, completion_tokens, cached_tokens, failure
    FROM attempt WHERE from_cache = 0
    UNION ALL
    SELECT i.finished_at, 2, i.persona, i.attempts, '', 0, 0, 0, i.status, NULL, NULL, NULL,
           CASE i.status WHEN ? THEN (SELECT f.failure FROM fate f WHERE f.persona = i.persona) END
    FROM interview i
)
ORDER BY at, persona, number, kind";

impl RunReader {
    /// Hands over all that is on record of the interviews, in the order of time, until told to
    /// break off. Memory stays flat: SQLite sorts on disk what is more than it may hold.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn for_each_recorded(
        &self,
        mut f: impl FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare(SQL).map_err(|e| self.failed(e))?;
        let mut rows =
            statement.query([InterviewStatus::Failed.code()]).map_err(|e| self.failed(e))?;
        while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
            if f(recorded(row).map_err(|e| self.failed(e))?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let persona = || row.get(0).map(PersonaIndex);
    let kind: u8 = row.get(19)?;
    let event = match kind {
        0 => RecordedEvent::Sent { persona: persona()?, endpoint: EndpointIndex(row.get(3)?) },
        1 => RecordedEvent::Came(Box::new(decode::attempt(row)?)),
        _ => {
            let status = decode::status(row, 10)?;
            let failure = match status {
                InterviewStatus::Failed => Some(decode::json(row, 15)?),
                _ => None,
            };
            RecordedEvent::Over { persona: persona()?, status, failure }
        }
    };
    Ok(Recorded { at: UnixMillis(row.get(18)?), event })
}
