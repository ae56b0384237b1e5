//! A run's records one after the other: what an export is made of.

use super::{RunReader, StoreError, decode};
use crate::model::{Attribute, Fate, InterviewStatus, Persona, Stage};
use serde::Deserialize;

/// A verdict that was taken over from a judged answer like this one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Lent {
    pub stage: Stage,
    /// The id of the persona whose answer was judged.
    pub donor: String,
    /// How alike the two answers are, from 0 to 1.
    pub similarity: f32,
}

/// One persona and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRecord {
    pub persona: Persona,
    /// `None` while the interview is not over.
    pub fate: Option<Fate>,
    /// All that were made so far.
    pub attempts: u32,
    /// How many personas answered in one call, this one among them; `None` where it was alone.
    pub packed: Option<u32>,
    /// Verdicts that are not a critic's own on this answer, in their order.
    pub lent: Vec<Lent>,
    /// What the answer rests on; empty before the answers were digested.
    pub drivers: Vec<String>,
    pub themes: Vec<String>,
}

impl ExportRecord {
    /// How the interview ended, or queued.
    pub fn status(&self) -> InterviewStatus {
        self.fate.as_ref().map_or(InterviewStatus::Queued, Fate::status)
    }
}

impl RunReader {
    /// Hands over every persona's record in the order of the input, memory flat, all as they
    /// stood at one moment. An error of `f` ends it.
    ///
    /// # Errors
    /// Those of `f`; a file that is damaged or cannot be read.
    pub fn for_each_record<E: From<StoreError>>(
        &self,
        mut f: impl FnMut(ExportRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {}, {}, coalesce(i.attempts, \
             (SELECT count(*) FROM attempt a WHERE a.persona = p.persona)), \
             (SELECT personas FROM packed k WHERE k.persona = p.persona), n.drivers, n.themes, {} \
             FROM persona p LEFT JOIN interview i USING (persona) LEFT JOIN fate f USING (persona) \
             LEFT JOIN insight n USING (persona) \
             ORDER BY p.persona",
            decode::PERSONA_COLUMNS,
            decode::FATE_COLUMNS,
            if self.lends()? { LENT } else { "NULL" }
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.failed(e))?;
        let mut rows = statement.query([]).map_err(|e| self.failed(e))?;
        while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
            f(record(row).map_err(|e| self.failed(e))?)?;
        }
        Ok(())
    }

    /// Whether verdicts may have been lent: where not, no timeline need be read.
    fn lends(&self) -> Result<bool, StoreError> {
        let sql = "SELECT settings ->> '$.cache.similar' IS NOT NULL FROM run";
        self.one(sql, [], |row| row.get(0))
    }

    /// The names of all attributes of all personas, each once, in the order of their first
    /// appearance. Reads every persona.
    ///
    /// # Errors
    /// A file that is damaged or cannot be read.
    pub fn attribute_names(&self) -> Result<Vec<String>, StoreError> {
        let mut names: indexmap::IndexSet<String> = indexmap::IndexSet::new();
        let sql = format!("SELECT {} FROM persona p ORDER BY p.persona", decode::PERSONA_COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.failed(e))?;
        let mut rows = statement.query([]).map_err(|e| self.failed(e))?;
        while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
            for Attribute { name, .. } in
                decode::persona(row).map_err(|e| self.failed(e))?.attributes
            {
                names.insert(name);
            }
        }
        Ok(names.into_iter().collect())
    }
}

/// The verdicts that were taken over, as JSON. Quotes inside a text of a step are escaped, so the
/// first look finds keys only, and spares the parsing of most steps.
const LENT: &str = "(SELECT json_group_array(json_object('stage', stage, 'donor', donor, \
     'similarity', similarity)) FROM (SELECT s.stage, d.id AS donor, \
     s.event ->> '$.judged.by.similar.similarity' AS similarity FROM step s JOIN persona d \
     ON d.persona = s.event ->> '$.judged.by.similar.donor' WHERE s.persona = p.persona \
     AND instr(s.event, '\"similar\":{') > 0 ORDER BY s.number))";

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<ExportRecord> {
    let fate = match row.get_ref(4)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(decode::fate(row, 4)?),
    };
    let list = |at| match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(Vec::new()),
        _ => decode::json(row, at),
    };
    let (drivers, themes) = (list(11)?, list(12)?);
    let lent = match row.get_ref(13)? {
        rusqlite::types::ValueRef::Null => Vec::new(),
        _ => decode::json(row, 13)?,
    };
    Ok(ExportRecord {
        persona: decode::persona(row)?,
        fate,
        attempts: row.get(9)?,
        packed: row.get(10)?,
        lent,
        drivers,
        themes,
    })
}
