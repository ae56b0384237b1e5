//! Batches of calls in the run file: what a run that was killed must know of them.

use super::{RunReader, StoreError, decode};
use crate::model::{Attempt, EndpointIndex, PersonaIndex, Stage, UnixMillis, Usage, Usd};
use rusqlite::{Connection, Result, params};

/// One batch as it is on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// From 1, in the order in which they were planned.
    pub number: u32,
    pub made_at: UnixMillis,
    /// Whose Batch API has it.
    pub endpoint: EndpointIndex,
    /// The most that its lines can cost.
    pub most: Usd,
    /// Where it is in its life, in JSON.
    pub record: String,
    /// In the order of its file. They never change: empty where they are on file already.
    pub lines: Vec<BatchLine>,
}

/// One line of a batch: one attempt of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLine {
    pub persona: PersonaIndex,
    pub stage: Stage,
    pub round: u16,
    /// The number of the attempt that is on file once something came of the line.
    pub attempt: u32,
    /// How often this call had failed before.
    pub failed: u32,
    pub repaired: bool,
    pub cap_raised: bool,
}

/// Lines of one batch that were answered without a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UncountedLines {
    pub endpoint: EndpointIndex,
    /// The most that all lines of the batch can cost.
    pub most: Usd,
    pub uncounted: u32,
    pub lines: u32,
}

/// How far a batch was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinesTaken {
    pub lines: u32,
    /// Something came of so many of them, and is on file.
    pub taken: u32,
}

impl LinesTaken {
    /// What is left of the most that all lines can cost.
    pub fn left_of(self, most: Usd) -> Usd {
        part_of(most, self.lines.saturating_sub(self.taken), self.lines)
    }
}

impl UncountedLines {
    /// As dear as these lines can have been, taken as all of their batch are on average.
    pub fn most(&self) -> Usd {
        part_of(self.most, self.uncounted, self.lines)
    }
}

fn part_of(most: Usd, some: u32, all: u32) -> Usd {
    let picos = u128::from(most.picos()) * u128::from(some);
    let part = picos.div_ceil(u128::from(all.max(1)));
    Usd::from_picos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// Writes a batch as it is now.
pub(super) fn keep(connection: &Connection, batch: &StoredBatch) -> Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO batch VALUES (?,?,?,?,?)")?.execute(
        params![
            batch.number,
            batch.made_at.0,
            batch.endpoint.0,
            i64::try_from(batch.most.picos()).unwrap_or(i64::MAX),
            batch.record
        ],
    )?;
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO batch_line VALUES (?,?,?,?,?,?,?,?,?)")?;
    for (number, line) in (1_u32..).zip(&batch.lines) {
        insert.execute(params![
            batch.number,
            number,
            line.persona.0,
            line.stage.as_str(),
            line.round,
            line.attempt,
            line.failed,
            line.repaired,
            line.cap_raised
        ])?;
    }
    Ok(())
}

impl RunReader {
    /// Every batch without its lines, in order.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn batches(&self) -> std::result::Result<Vec<StoredBatch>, StoreError> {
        let sql = "SELECT batch, made_at, endpoint, most_picousd, record FROM batch ORDER BY batch";
        self.all(sql, [], |row| {
            let most: i64 = row.get(3)?;
            Ok(StoredBatch {
                number: row.get(0)?,
                made_at: UnixMillis(row.get(1)?),
                endpoint: EndpointIndex(row.get(2)?),
                most: Usd::from_picos(u64::try_from(most).unwrap_or(0)),
                record: row.get(4)?,
                lines: Vec::new(),
            })
        })
    }

    /// The lines of a batch, in the order of its file.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn batch_lines(&self, batch: u32) -> std::result::Result<Vec<BatchLine>, StoreError> {
        let sql = "SELECT persona, stage, round, attempt, failed, repaired, cap_raised \
                   FROM batch_line WHERE batch = ? ORDER BY line";
        self.all(sql, [batch], |row| {
            Ok(BatchLine {
                persona: PersonaIndex(row.get(0)?),
                stage: decode::word(row, 1)?,
                round: row.get(2)?,
                attempt: row.get(3)?,
                failed: row.get(4)?,
                repaired: row.get(5)?,
                cap_raised: row.get(6)?,
            })
        })
    }

    /// Whose lines of a batch have something come of them on file.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn taken_of_batch(&self, batch: u32) -> std::result::Result<Vec<PersonaIndex>, StoreError> {
        let sql = "SELECT l.persona FROM batch_line l JOIN attempt a \
                   ON a.persona = l.persona AND a.number = l.attempt WHERE l.batch = ?";
        self.all(sql, [batch], |row| row.get(0).map(PersonaIndex))
    }

    /// One attempt of an interview.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn attempt(
        &self,
        index: PersonaIndex,
        number: u32,
    ) -> std::result::Result<Option<Attempt>, StoreError> {
        let sql = format!(
            "SELECT {} FROM attempt WHERE persona = ? AND number = ?",
            decode::ATTEMPT_COLUMNS
        );
        self.maybe(&sql, params![index.0, number], decode::attempt)
    }

    /// Of [`Self::usage_by_endpoint`], what was used for vectors of answers.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn usage_in_embeddings(
        &self,
    ) -> std::result::Result<Vec<(EndpointIndex, Usage)>, StoreError> {
        self.all(
            "SELECT endpoint, COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0), \
             COALESCE(SUM(cached_tokens), 0) FROM attempt WHERE stage = ? GROUP BY endpoint",
            [Stage::Embedding.as_str()],
            decode::usage_of_endpoint,
        )
    }

    /// Of [`Self::usage_by_endpoint`], what was used in batches.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn usage_in_batches(&self) -> std::result::Result<Vec<(EndpointIndex, Usage)>, StoreError> {
        self.all(
            "SELECT a.endpoint, COALESCE(SUM(prompt_tokens), 0), \
             COALESCE(SUM(completion_tokens), 0), COALESCE(SUM(cached_tokens), 0) \
             FROM batch_line l JOIN batch b USING (batch) \
             JOIN attempt a ON a.persona = l.persona AND a.number = l.attempt \
             WHERE coalesce(b.record ->> '$.step.over.end', 'read') = 'read' \
             OR b.record ->> '$.step.over.end' = 'lost' AND a.sent_at = b.made_at \
             GROUP BY a.endpoint",
            [],
            decode::usage_of_endpoint,
        )
    }

    /// Of [`Self::uncounted_by_endpoint`], those in batches, by batch.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn uncounted_in_batches(&self) -> std::result::Result<Vec<UncountedLines>, StoreError> {
        self.all(
            "SELECT a.endpoint, b.most_picousd, COUNT(*), \
             (SELECT COUNT(*) FROM batch_line WHERE batch = b.batch) \
             FROM batch_line l JOIN batch b USING (batch) \
             JOIN attempt a ON a.persona = l.persona AND a.number = l.attempt \
             WHERE (coalesce(b.record ->> '$.step.over.end', 'read') = 'read' \
             OR b.record ->> '$.step.over.end' = 'lost' AND a.sent_at = b.made_at) \
             AND a.prompt_tokens IS NULL AND a.from_cache = 0 \
             AND (a.status IS NULL OR a.status = 200) \
             AND COALESCE(json_extract(a.failure, '$.kind'), '') <> 'connection' \
             GROUP BY b.batch, a.endpoint",
            [],
            |row| {
                let most: i64 = row.get(1)?;
                Ok(UncountedLines {
                    endpoint: EndpointIndex(row.get(0)?),
                    most: Usd::from_picos(u64::try_from(most).unwrap_or(0)),
                    uncounted: row.get(2)?,
                    lines: row.get(3)?,
                })
            },
        )
    }

    /// How many lines a batch has, and of how many of them it is on file what came of them.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn lines_of_batch(&self, batch: u32) -> std::result::Result<LinesTaken, StoreError> {
        let sql = "SELECT COUNT(*), COUNT(a.persona) FROM batch_line l JOIN batch b USING (batch) \
                   LEFT JOIN attempt a ON a.persona = l.persona AND a.number = l.attempt \
                   AND a.sent_at = b.made_at WHERE batch = ?";
        let row = self
            .maybe(sql, [batch], |row| Ok(LinesTaken { lines: row.get(0)?, taken: row.get(1)? }))?;
        Ok(row.unwrap_or_default())
    }
}
