//! Looking at a run: any run, a live one too, without a lock.
//!
//! Every method sees what is committed at its call; a live run may have gone on at the next one.

use super::{StoreError, connection, decode, lock};
use crate::model::{
    Attempt, EndpointIndex, Fate, InterviewStatus, LimitChange, Persona, PersonaIndex, RunPhase,
    RunSummary, Step, StopReason, Survey, Turn, UnixMillis, Usage, strip_controls,
    strip_controls_keep_lines,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use std::path::{Path, PathBuf};

/// What a run is and how far it got.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    pub name: String,
    pub survey: Survey,
    pub settings: serde_json::Value,
    /// Where the personas came from, as the user named it.
    pub personas_from: String,
    pub created_at: UnixMillis,
    /// The version of voxpop that made the file.
    pub voxpop_version: String,
    /// `None` where the run has never started. [`StopReason::Crashed`] where its process died.
    pub phase: Option<RunPhase>,
    /// Of the last time that the run ended; its `run_file` is the file as it was opened here.
    pub summary: Option<RunSummary>,
}

impl RunInfo {
    /// The same without what a terminal would obey in the names that are shown. In a file that
    /// voxpop has written there is nothing of it.
    fn harmless(mut self) -> Self {
        let survey = &mut self.survey;
        let one_line = [&mut self.name, &mut self.personas_from, &mut self.voxpop_version]
            .into_iter()
            .chain([&mut survey.name, &mut survey.domain, &mut survey.grid.support])
            .chain(survey.grid.impacts.iter_mut().map(|impact| &mut impact.label))
            .chain(self.summary.iter_mut().map(|summary| &mut summary.run));
        one_line.for_each(|text| *text = strip_controls(text));
        survey.question = strip_controls_keep_lines(&survey.question);
        self
    }
}

/// One interview that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Interview {
    pub status: InterviewStatus,
    pub fate: Fate,
    /// All it ever took.
    pub attempts: u32,
    /// How long its attempts took, waits for permits included and pauses between them not.
    pub seconds: f64,
    pub finished_at: UnixMillis,
}

/// A run file opened for reading.
#[derive(Debug)]
pub struct RunReader {
    pub(super) connection: Connection,
    path: PathBuf,
    total: u32,
}

impl RunReader {
    /// Opens a run file; it may be live, a copy, or write-protected.
    ///
    /// # Errors
    /// One of its own for a file that is missing, of something else, damaged, of a newer voxpop,
    /// or not fully imported.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connection::open_for_reading(path)?;
        let total = connection
            .query_row("SELECT personas FROM run", [], |row| row.get(0))
            .map_err(|e| StoreError::sqlite(path, e))?;
        Ok(Self { connection, path: path.to_owned(), total })
    }

    /// From now on every method sees what is committed at this moment, until the reader is dropped.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn hold_still(&self) -> Result<(), StoreError> {
        let begin = self.connection.execute_batch("BEGIN; SELECT personas FROM run");
        begin.map_err(|e| self.failed(e))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many personas there are.
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// The run's own row, with its phase. Its names are harmless on a terminal, whoever wrote the
    /// file.
    ///
    /// # Errors
    /// A file that is damaged or cannot be read, as for every method here.
    pub fn run(&self) -> Result<RunInfo, StoreError> {
        let phase = self.phase()?;
        self.one(
            "SELECT name, survey, settings, personas_from, created_at, voxpop_version, summary \
             FROM run",
            [],
            |row| {
                let summary = match row.get_ref(6)? {
                    rusqlite::types::ValueRef::Null => None,
                    _ => Some(RunSummary { run_file: self.path.clone(), ..decode::json(row, 6)? }),
                };
                let info = RunInfo {
                    name: row.get(0)?,
                    survey: decode::json(row, 1)?,
                    settings: decode::json(row, 2)?,
                    personas_from: row.get(3)?,
                    created_at: UnixMillis(row.get(4)?),
                    voxpop_version: row.get(5)?,
                    phase: phase.clone(),
                    summary,
                };
                Ok(info.harmless())
            },
        )
    }

    /// The phase the run is in; a process that died left the one it was in behind.
    fn phase(&self) -> Result<Option<RunPhase>, StoreError> {
        let last = || {
            self.one(
                "SELECT (SELECT phase FROM phase_change ORDER BY change DESC LIMIT 1)",
                [],
                |row| match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Null => Ok(None),
                    _ => decode::json(row, 0).map(Some),
                },
            )
        };
        let at_work = |phase: &Option<RunPhase>| {
            matches!(phase, Some(RunPhase::Running | RunPhase::Paused { .. } | RunPhase::Draining))
        };
        let phase = last()?;
        if !at_work(&phase) || lock::is_live(&self.path) {
            return Ok(phase);
        }
        // It may have ended properly between the two looks.
        let phase = last()?;
        Ok(if at_work(&phase) {
            Some(RunPhase::Stopped { reason: StopReason::Crashed })
        } else {
            phase
        })
    }

    /// Every persona's status: how its interview ended, or queued. One scan of a narrow table.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn statuses(&self) -> Result<Vec<InterviewStatus>, StoreError> {
        let mut statuses = vec![InterviewStatus::Queued; self.total as usize];
        self.each("SELECT persona, status FROM interview", [], |row| {
            if let Some(status) = statuses.get_mut(PersonaIndex(row.get(0)?).as_usize()) {
                *status = decode::status(row, 1)?;
            }
            Ok(())
        })?;
        Ok(statuses)
    }

    /// The tokens that each endpoint has counted so far, over all attempts.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn usage_by_endpoint(&self) -> Result<Vec<(EndpointIndex, Usage)>, StoreError> {
        self.all(
            "SELECT endpoint, COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0), \
             COALESCE(SUM(cached_tokens), 0) FROM attempt WHERE from_cache = 0 GROUP BY endpoint",
            [],
            decode::usage_of_endpoint,
        )
    }

    /// How many attempts of each endpoint may have been billed without anybody saying how much:
    /// those that timed out, or whose reply broke off or was no completion.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn uncounted_by_endpoint(&self) -> Result<Vec<(EndpointIndex, u64)>, StoreError> {
        self.all(
            "SELECT endpoint, COUNT(*) FROM attempt WHERE prompt_tokens IS NULL AND from_cache = 0 \
             AND (status IS NULL OR status = 200) \
             AND COALESCE(json_extract(failure, '$.kind'), '') <> 'connection' GROUP BY endpoint",
            [],
            decode::count_of_endpoint,
        )
    }

    /// At most `most` personas in order, beginning with the one at `from`.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn personas(&self, from: PersonaIndex, most: usize) -> Result<Vec<Persona>, StoreError> {
        self.all(
            &format!(
                "SELECT {} FROM persona p WHERE p.persona >= ? ORDER BY p.persona LIMIT ?",
                decode::PERSONA_COLUMNS
            ),
            params![from.0, limit(most)],
            decode::persona,
        )
    }

    /// One persona; `None` where there is no such index.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn persona(&self, index: PersonaIndex) -> Result<Option<Persona>, StoreError> {
        let sql = format!("SELECT {} FROM persona p WHERE p.persona = ?", decode::PERSONA_COLUMNS);
        self.maybe(&sql, [index.0], decode::persona)
    }

    /// At most `most` personas after `after` whose interviews are not over, in order. Fewer than
    /// `most` means that there are no more. Personas whose interviews are over are never read:
    /// 1,000,000 of them are passed in the time of a scan of the narrow table.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn pending(
        &self,
        after: Option<PersonaIndex>,
        most: usize,
    ) -> Result<Vec<Persona>, StoreError> {
        let mut personas = Vec::new();
        for index in self.pending_indexes(after, most)? {
            personas.extend(self.persona(index)?);
        }
        Ok(personas)
    }

    /// The gaps between the interviews that are over.
    fn pending_indexes(
        &self,
        after: Option<PersonaIndex>,
        most: usize,
    ) -> Result<Vec<PersonaIndex>, StoreError> {
        let first = after.map_or(0, |after| after.0.saturating_add(1));
        self.run_statement(
            "SELECT persona FROM interview WHERE persona >= ? ORDER BY persona",
            |statement| {
                let mut pending = Vec::new();
                let mut next = first;
                let mut over = statement.query([first])?;
                while pending.len() < most {
                    let gap_end = match over.next()? {
                        Some(row) => row.get(0)?,
                        None => self.total,
                    };
                    let room = u32::try_from(most - pending.len()).unwrap_or(u32::MAX);
                    let end = gap_end.min(next.saturating_add(room));
                    pending.extend((next..end).map(PersonaIndex));
                    if gap_end >= self.total {
                        break;
                    }
                    next = gap_end.saturating_add(1);
                }
                Ok(pending)
            },
        )
    }

    /// How an interview ended; `None` where it is not over.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn interview(&self, index: PersonaIndex) -> Result<Option<Interview>, StoreError> {
        let sql = format!(
            "SELECT {}, i.attempts, i.finished_at, \
             (SELECT sum(queued_us + waited_for_slot_us + waited_for_rate_us + on_the_wire_us \
             + parsed_us) FROM attempt a WHERE a.persona = i.persona) \
             FROM interview i LEFT JOIN fate f USING (persona) WHERE i.persona = ?",
            decode::FATE_COLUMNS
        );
        self.maybe(&sql, [index.0], |row| {
            let micros: Option<f64> = row.get(7)?;
            Ok(Interview {
                status: decode::status(row, 0)?,
                fate: decode::fate(row, 0)?,
                attempts: row.get(5)?,
                seconds: micros.unwrap_or_default() / 1e6,
                finished_at: UnixMillis(row.get(6)?),
            })
        })
    }

    /// Every attempt of one interview, oldest first.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn attempts(&self, index: PersonaIndex) -> Result<Vec<Attempt>, StoreError> {
        let sql = format!(
            "SELECT {} FROM attempt WHERE persona = ? ORDER BY number",
            decode::ATTEMPT_COLUMNS
        );
        self.all(&sql, [index.0], decode::attempt)
    }

    /// What happened in an interview of several stages, oldest first.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn steps(&self, index: PersonaIndex) -> Result<Vec<Step>, StoreError> {
        let sql =
            format!("SELECT {} FROM step WHERE persona = ? ORDER BY number", decode::STEP_COLUMNS);
        self.all(&sql, [index.0], decode::step)
    }

    /// How many personas answered in one call, this one among them; `None` where it was alone.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn packed(&self, index: PersonaIndex) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT personas FROM packed WHERE persona = ?";
        self.maybe(sql, [index.0], |row| row.get(0))
    }

    /// What was said in the talk with a persona, oldest first.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn talk(&self, index: PersonaIndex) -> Result<Vec<Turn>, StoreError> {
        let sql =
            format!("SELECT {} FROM talk WHERE persona = ? ORDER BY number", decode::TURN_COLUMNS);
        self.all(&sql, [index.0], decode::turn)
    }

    /// The first persona with this id of its own; `None` where there is none. Looks through all.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn persona_with_id(&self, id: &str) -> Result<Option<PersonaIndex>, StoreError> {
        let sql = "SELECT min(persona) FROM persona WHERE id = ?";
        self.one(sql, [id], |row| Ok(row.get::<_, Option<u32>>(0)?.map(PersonaIndex)))
    }

    /// The number of an interview's last attempt, or 0: a resumed interview counts on from it.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn attempts_made(&self, index: PersonaIndex) -> Result<u32, StoreError> {
        let sql = "SELECT coalesce(max(number), 0) FROM attempt WHERE persona = ?";
        self.one(sql, [index.0], |row| row.get(0))
    }

    /// Every change of a limit, oldest first.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn limit_changes(&self) -> Result<Vec<LimitChange>, StoreError> {
        let sql =
            format!("SELECT {} FROM limit_change ORDER BY change", decode::LIMIT_CHANGE_COLUMNS);
        self.all(&sql, [], decode::limit_change)
    }

    /// Every change of the run's phase, oldest first.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn phase_changes(&self) -> Result<Vec<(UnixMillis, RunPhase)>, StoreError> {
        self.all("SELECT at, phase FROM phase_change ORDER BY change", [], |row| {
            Ok((UnixMillis(row.get(0)?), decode::json(row, 1)?))
        })
    }

    pub(super) fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }

    fn run_statement<T>(
        &self,
        sql: &str,
        f: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| f(&mut statement))
            .map_err(|e| self.failed(e))
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.run_statement(sql, |statement| statement.query_row(params, f))
    }

    pub(super) fn maybe<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.run_statement(sql, |statement| statement.query_row(params, f).optional())
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.run_statement(sql, |statement| statement.query_map(params, f)?.collect())
    }

    pub(super) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut f: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        self.run_statement(sql, |statement| {
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                f(row)?;
            }
            Ok(())
        })
    }
}

/// SQLite's LIMIT is signed.
fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
