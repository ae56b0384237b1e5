//! Rows as the model's types. A row that does not read is a damaged file.

use super::json::{parse_answer, parse_attributes};
use crate::model::{
    Attempt, AttemptTiming, EndpointIndex, Fate, InterviewStatus, LimitChange, Persona,
    PersonaIndex, Step, Turn, UnixMillis, Usage,
};
use rusqlite::{
    Error, Result, Row,
    types::{Type, ValueRef},
};
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use std::time::Duration;

/// The columns that [`persona`] reads, from the first on.
pub(super) const PERSONA_COLUMNS: &str = "p.persona, p.id, p.weight, p.attributes";

pub(super) fn persona(row: &Row<'_>) -> Result<Persona> {
    Ok(Persona {
        index: PersonaIndex(row.get(0)?),
        id: row.get(1)?,
        weight: row.get(2)?,
        attributes: parse_attributes(text(row, 3)?).map_err(|e| unreadable(3, e))?,
    })
}

/// The columns that [`fate`] reads, from `at` on.
pub(super) const FATE_COLUMNS: &str = "i.status, f.answer, f.refusal, f.failure, \
     CASE WHEN i.status = 8 THEN (SELECT json_group_array(issue) FROM \
     (SELECT issue FROM flag WHERE persona = i.persona ORDER BY number)) END";

pub(super) fn fate(row: &Row<'_>, at: usize) -> Result<Fate> {
    match status(row, at)? {
        InterviewStatus::Done => {
            parse_answer(text(row, at + 1)?).map(Fate::Answered).map_err(|e| unreadable(at + 1, e))
        }
        InterviewStatus::Cached => {
            parse_answer(text(row, at + 1)?).map(Fate::Cached).map_err(|e| unreadable(at + 1, e))
        }
        InterviewStatus::Flagged => Ok(Fate::Flagged {
            answer: parse_answer(text(row, at + 1)?).map_err(|e| unreadable(at + 1, e))?,
            issues: json(row, at + 4)?,
        }),
        InterviewStatus::Refused => Ok(Fate::Refused { reason: row.get(at + 2)? }),
        InterviewStatus::Failed => json(row, at + 3).map(Fate::Failed),
        other => Err(unreadable(at, format!("no interview ends as {other:?}"))),
    }
}

pub(super) fn status(row: &Row<'_>, at: usize) -> Result<InterviewStatus> {
    let code = row.get(at)?;
    InterviewStatus::from_code(code)
        .ok_or_else(|| unreadable(at, format!("no status has the code {code}")))
}

/// The columns that [`attempt`] reads.
pub(super) const ATTEMPT_COLUMNS: &str = "persona, number, stage, endpoint, sent_at, queued_us, \
     waited_for_slot_us, waited_for_rate_us, on_the_wire_us, parsed_us, status, request_id, \
     prompt_tokens, completion_tokens, cached_tokens, failure, body, from_cache";

pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let usage = match row.get_ref(12)? {
        ValueRef::Null => None,
        _ => Some(Usage {
            prompt_tokens: count(row, 12)?,
            completion_tokens: count(row, 13)?,
            cached_tokens: count(row, 14)?,
        }),
    };
    let failure = match row.get_ref(15)? {
        ValueRef::Null => None,
        _ => Some(json(row, 15)?),
    };
    Ok(Attempt {
        persona: PersonaIndex(row.get(0)?),
        number: row.get(1)?,
        stage: word(row, 2)?,
        endpoint: EndpointIndex(row.get(3)?),
        sent_at: UnixMillis(row.get(4)?),
        timing: AttemptTiming {
            queued: micros(row, 5)?,
            waited_for_slot: micros(row, 6)?,
            waited_for_rate: micros(row, 7)?,
            on_the_wire: micros(row, 8)?,
            parsed: micros(row, 9)?,
        },
        status: row.get(10)?,
        request_id: row.get(11)?,
        usage,
        failure,
        body: row.get(16)?,
        from_cache: row.get(17)?,
    })
}

/// The columns that [`step`] reads.
pub(super) const STEP_COLUMNS: &str = "at, stage, event";

pub(super) fn step(row: &Row<'_>) -> Result<Step> {
    Ok(Step { at: UnixMillis(row.get(0)?), stage: word(row, 1)?, event: json(row, 2)? })
}

/// The columns that [`turn`] reads.
pub(super) const TURN_COLUMNS: &str =
    "at, said_by, text, prompt_tokens, completion_tokens, cached_tokens";

pub(super) fn turn(row: &Row<'_>) -> Result<Turn> {
    let usage = match row.get_ref(3)? {
        ValueRef::Null => None,
        _ => Some(Usage {
            prompt_tokens: count(row, 3)?,
            completion_tokens: count(row, 4)?,
            cached_tokens: count(row, 5)?,
        }),
    };
    Ok(Turn { at: UnixMillis(row.get(0)?), by: word(row, 1)?, text: row.get(2)?, usage })
}

/// An endpoint's number and what it has counted: its number, then the three counts.
pub(super) fn usage_of_endpoint(row: &Row<'_>) -> Result<(EndpointIndex, Usage)> {
    let usage = Usage {
        prompt_tokens: count(row, 1)?,
        completion_tokens: count(row, 2)?,
        cached_tokens: count(row, 3)?,
    };
    Ok((EndpointIndex(row.get(0)?), usage))
}

/// An endpoint's number, and a count.
pub(super) fn count_of_endpoint(row: &Row<'_>) -> Result<(EndpointIndex, u64)> {
    Ok((EndpointIndex(row.get(0)?), count(row, 1)?))
}

/// The columns that [`limit_change`] reads.
pub(super) const LIMIT_CHANGE_COLUMNS: &str =
    "at, endpoint, limit_name, changed_from, changed_to, set_by, reason";

pub(super) fn limit_change(row: &Row<'_>) -> Result<LimitChange> {
    Ok(LimitChange {
        at: UnixMillis(row.get(0)?),
        endpoint: EndpointIndex(row.get(1)?),
        limit: word(row, 2)?,
        from: row.get(3)?,
        to: row.get(4)?,
        set_by: word(row, 5)?,
        reason: row.get(6)?,
    })
}

/// A column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T> {
    serde_json::from_str(text(row, at)?).map_err(|e| unreadable(at, e))
}

/// A column that holds one of an enum's names.
pub(super) fn word<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T> {
    let name: value::StrDeserializer<'_, value::Error> = text(row, at)?.into_deserializer();
    T::deserialize(name).map_err(|e| unreadable(at, e))
}

fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str> {
    row.get_ref(at)?.as_str().map_err(|e| unreadable(at, e))
}

fn micros(row: &Row<'_>, at: usize) -> Result<Duration> {
    count(row, at).map(Duration::from_micros)
}

fn count(row: &Row<'_>, at: usize) -> Result<u64> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(at, value))
}

pub(super) fn unreadable(
    at: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::FromSqlConversionFailure(at, Type::Text, why.into())
}
