//! A batch of records as rows: one transaction, prepared statements, one reused buffer.

use super::{Record, batches, json::AnswerAsJson, queue::Entry};
use crate::model::{
    Analysis, Attempt, Digest, Fate, InterviewStatus, LimitChange, PersonaIndex, RunPhase,
    RunSummary, Step, Turn, UnixMillis,
};
use rusqlite::{CachedStatement, Connection, Error, Transaction, TransactionBehavior, params};
use serde::Serialize;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Writes and commits the entries. On an error nothing of them is in the file, and writing them
/// again gives the same rows.
pub(super) fn commit<'e>(
    connection: &Connection,
    entries: impl Iterator<Item = &'e Entry>,
    buffer: &mut Vec<u8>,
) -> rusqlite::Result<Vec<(PersonaIndex, InterviewStatus)>> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut rows = Rows::prepare(&transaction, buffer)?;
    let mut changes = Vec::new();
    for entry in entries {
        rows.write(&entry.record, entry.at)?;
        entry.record.statuses(&mut changes);
    }
    drop(rows);
    transaction.commit()?;
    Ok(changes)
}

/// The statements of the two frequent records, prepared once a commit; the rare ones are looked
/// up when they come.
struct Rows<'c> {
    connection: &'c Connection,
    attempt: CachedStatement<'c>,
    interview: CachedStatement<'c>,
    fate: CachedStatement<'c>,
    buffer: &'c mut Vec<u8>,
    /// Both clocks at the same moment: records carry the one that never jumps.
    now: (Instant, UnixMillis),
}

impl<'c> Rows<'c> {
    // OR REPLACE: a batch whose commit failed is written again, whatever became of it.
    fn prepare(connection: &'c Connection, buffer: &'c mut Vec<u8>) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            attempt: connection.prepare_cached(
                "INSERT OR REPLACE INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            )?,
            interview: connection
                .prepare_cached("INSERT OR REPLACE INTO interview VALUES (?,?,?,?)")?,
            fate: connection.prepare_cached("INSERT OR REPLACE INTO fate VALUES (?,?,?,?)")?,
            buffer,
            now: (Instant::now(), UnixMillis::now()),
        })
    }

    fn write(&mut self, record: &Record, at: Instant) -> rusqlite::Result<()> {
        match record {
            Record::Attempted(attempt) => self.attempted(attempt),
            Record::Stepped { persona, number, step } => self.stepped(*persona, *number, step),
            Record::Packed { persona, personas } => self.packed(*persona, *personas),
            Record::Talked { persona, number, turn } => self.talked(*persona, *number, turn),
            Record::Finished { persona, fate, attempts } => {
                self.finished(*persona, fate, *attempts, self.wall_clock(at))
            }
            Record::Requeued { persona } => self.requeued(*persona),
            Record::Digested(digest) => self.digested(digest, self.wall_clock(at)),
            Record::Analysed(analysis) => self.analysed(analysis, self.wall_clock(at)),
            Record::LimitChanged(change) => self.limit_changed(change),
            Record::MaySpend { spending, .. } => spending.write(self.connection),
            Record::AdaptationSwitched { on } => self.switched("$.adapt", *on),
            Record::PhaseChanged(phase) => self.phase_changed(phase, self.wall_clock(at)),
            Record::BatchSwitched { on } => self.switched("$.batch", *on),
            Record::Batches { kept, .. } => {
                kept.iter().try_for_each(|batch| batches::keep(self.connection, batch))
            }
            Record::Together(records) => {
                records.iter().try_for_each(|record| self.write(record, at))
            }
            Record::Ended(summary) => self.ended(summary),
        }
    }

    fn wall_clock(&self, at: Instant) -> UnixMillis {
        let ago = self.now.0.saturating_duration_since(at).as_millis();
        UnixMillis(self.now.1.0.saturating_sub(i64::try_from(ago).unwrap_or(i64::MAX)))
    }

    fn attempted(&mut self, attempt: &Attempt) -> rusqlite::Result<()> {
        let failure = match &attempt.failure {
            Some(failure) => Some(json(self.buffer, failure)?),
            None => None,
        };
        let usage = attempt.usage.as_ref();
        self.attempt.execute(params![
            attempt.persona.0,
            attempt.number,
            attempt.stage.as_str(),
            attempt.endpoint.0,
            attempt.sent_at.0,
            micros(attempt.timing.queued),
            micros(attempt.timing.waited_for_slot),
            micros(attempt.timing.waited_for_rate),
            micros(attempt.timing.on_the_wire),
            micros(attempt.timing.parsed),
            attempt.status,
            attempt.request_id,
            usage.map(|u| integer(u.prompt_tokens)),
            usage.map(|u| integer(u.completion_tokens)),
            usage.map(|u| integer(u.cached_tokens)),
            failure,
            attempt.body,
            attempt.from_cache,
        ])?;
        Ok(())
    }

    fn stepped(&mut self, persona: PersonaIndex, number: u32, step: &Step) -> rusqlite::Result<()> {
        let event = json(self.buffer, &step.event)?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO step VALUES (?,?,?,?,?)")?
            .execute(params![persona.0, number, step.at.0, step.stage.as_str(), event])?;
        Ok(())
    }

    fn packed(&self, persona: PersonaIndex, personas: u32) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO packed VALUES (?,?)")?
            .execute(params![persona.0, personas])?;
        Ok(())
    }

    fn talked(&self, persona: PersonaIndex, number: u32, turn: &Turn) -> rusqlite::Result<()> {
        let usage = turn.usage.as_ref();
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO talk VALUES (?,?,?,?,?,?,?,?)")?
            .execute(params![
                persona.0,
                number,
                turn.at.0,
                turn.by.as_str(),
                turn.text,
                usage.map(|u| integer(u.prompt_tokens)),
                usage.map(|u| integer(u.completion_tokens)),
                usage.map(|u| integer(u.cached_tokens)),
            ])?;
        Ok(())
    }

    fn flagged(&self, persona: PersonaIndex, issues: &[String]) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM flag WHERE persona = ?")?
            .execute([persona.0])?;
        let mut flag = self.connection.prepare_cached("INSERT INTO flag VALUES (?,?,?)")?;
        for (number, issue) in (0_u32..).zip(issues) {
            flag.execute(params![persona.0, number, issue])?;
        }
        Ok(())
    }

    fn finished(
        &mut self,
        persona: PersonaIndex,
        fate: &Fate,
        attempts: u32,
        at: UnixMillis,
    ) -> rusqlite::Result<()> {
        self.interview.execute(params![persona.0, fate.status().code(), attempts, at.0])?;
        let none = None::<&str>;
        match fate {
            Fate::Answered(answer) | Fate::Cached(answer) => {
                let answer = json(self.buffer, &AnswerAsJson(answer))?;
                self.fate.execute(params![persona.0, answer, none, none])
            }
            Fate::Flagged { answer, issues } => {
                self.flagged(persona, issues)?;
                let answer = json(self.buffer, &AnswerAsJson(answer))?;
                self.fate.execute(params![persona.0, answer, none, none])
            }
            Fate::Refused { reason } => self.fate.execute(params![persona.0, none, reason, none]),
            Fate::Failed(failure) => {
                let failure = json(self.buffer, failure)?;
                self.fate.execute(params![persona.0, none, none, failure])
            }
        }?;
        Ok(())
    }

    fn requeued(&self, persona: PersonaIndex) -> rusqlite::Result<()> {
        for table in ["interview", "fate"] {
            self.connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE persona = ?"))?
                .execute([persona.0])?;
        }
        Ok(())
    }

    fn digested(&mut self, digest: &Digest, at: UnixMillis) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO digest VALUES (?,?,?,?,?)")?
            .execute(params![
                digest.number,
                at.0,
                owned_json(&digest.covers)?,
                owned_json(&digest.findings)?,
                owned_json(&digest.by)?,
            ])?;
        let mut insight =
            self.connection.prepare_cached("INSERT OR REPLACE INTO insight VALUES (?,?,?,?,?)")?;
        for of in &digest.insights {
            insight.execute(params![
                of.persona.0,
                digest.number,
                of.support.get(),
                owned_json(&of.drivers)?,
                owned_json(&of.themes)?,
            ])?;
        }
        Ok(())
    }

    fn analysed(&mut self, analysis: &Analysis, at: UnixMillis) -> rusqlite::Result<()> {
        let analysis = json(self.buffer, analysis)?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO analysis VALUES (1,?,?)")?
            .execute(params![at.0, analysis])?;
        Ok(())
    }

    fn limit_changed(&self, change: &LimitChange) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT INTO limit_change VALUES (NULL,?,?,?,?,?,?,?)")?
            .execute(params![
                change.at.0,
                change.endpoint.0,
                change.limit.as_str(),
                change.from,
                change.to,
                change.set_by.as_str(),
                change.reason,
            ])?;
        Ok(())
    }

    /// A switch of the settings.
    fn switched(&self, path: &str, on: bool) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE run SET settings = json_set(settings, ?, json(?)) WHERE id = 1",
            )?
            .execute([path, if on { "true" } else { "false" }])?;
        Ok(())
    }

    fn phase_changed(&mut self, phase: &RunPhase, at: UnixMillis) -> rusqlite::Result<()> {
        let phase = json(self.buffer, phase)?;
        self.connection
            .prepare_cached("INSERT INTO phase_change VALUES (NULL,?,?)")?
            .execute(params![at.0, phase])?;
        Ok(())
    }

    fn ended(&mut self, summary: &RunSummary) -> rusqlite::Result<()> {
        // Where the file lies is for the reader to say: it may be a copy. And JSON has no word
        // for a path that is not Unicode.
        let summary = RunSummary { run_file: PathBuf::new(), ..summary.clone() };
        let summary = json(self.buffer, &summary)?;
        self.connection
            .prepare_cached("UPDATE run SET summary = ? WHERE id = 1")?
            .execute([summary])?;
        Ok(())
    }
}

/// JSON in the reused buffer.
pub(super) fn json<'b>(
    buffer: &'b mut Vec<u8>,
    value: &impl Serialize,
) -> rusqlite::Result<&'b str> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, value)
        .map_err(|e| Error::ToSqlConversionFailure(e.into()))?;
    std::str::from_utf8(buffer).map_err(|e| Error::ToSqlConversionFailure(e.into()))
}

/// JSON where a row has several of it.
fn owned_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| Error::ToSqlConversionFailure(e.into()))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// SQLite's integers are signed; no provider counts further.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
