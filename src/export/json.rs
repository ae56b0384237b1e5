//! Records as JSON.

use super::ExportError;
use crate::{
    model::{Failure, Fate},
    store::{AnswerAsJson, AttributesAsJson, ExportRecord, RunReader},
};
use serde::Serialize;
use std::io::Write;

/// Every key is always there; what does not apply is null.
#[derive(Serialize)]
struct JsonRecord<'a> {
    index: u32,
    persona_id: &'a str,
    weight: Option<f64>,
    status: &'static str,
    answer: Option<AnswerAsJson<'a>>,
    /// What the critics were not content with.
    flags: &'a [String],
    failure: Option<JsonFailure<'a>>,
    refusal: Option<&'a str>,
    attempts: u32,
    /// How many personas answered in one call, this one among them; null where it was alone.
    packed: Option<u32>,
    /// Whose verdicts hold for this answer, and how alike the two are.
    verdict_donors: Vec<JsonDonor<'a>>,
    /// What the answer rests on.
    drivers: &'a [String],
    themes: &'a [String],
    attributes: AttributesAsJson<'a>,
}

#[derive(Serialize)]
struct JsonDonor<'a> {
    persona_id: &'a str,
    stage: &'static str,
    similarity: f32,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    kind: &'static str,
    message: &'a str,
}

impl<'a> From<&'a ExportRecord> for JsonRecord<'a> {
    fn from(record: &'a ExportRecord) -> Self {
        let (mut answer, mut failure, mut refusal) = (None, None, None);
        let mut flags: &[String] = &[];
        match &record.fate {
            Some(Fate::Answered(given) | Fate::Cached(given)) => answer = Some(AnswerAsJson(given)),
            Some(Fate::Flagged { answer: given, issues }) => {
                answer = Some(AnswerAsJson(given));
                flags = issues;
            }
            Some(Fate::Refused { reason }) => refusal = Some(reason.as_str()),
            Some(Fate::Failed(Failure { kind, message, .. })) => {
                failure = Some(JsonFailure { kind: kind.as_str(), message });
            }
            None => {}
        }
        Self {
            index: record.persona.index.0,
            persona_id: &record.persona.id,
            weight: record.persona.weight,
            status: record.status().as_str(),
            answer,
            flags,
            failure,
            refusal,
            attempts: record.attempts,
            packed: record.packed,
            verdict_donors: (record.lent.iter())
                .map(|lent| JsonDonor {
                    persona_id: &lent.donor,
                    stage: lent.stage.as_str(),
                    similarity: lent.similarity,
                })
                .collect(),
            drivers: &record.drivers,
            themes: &record.themes,
            attributes: AttributesAsJson(&record.persona.attributes),
        }
    }
}

/// One object a line.
pub(super) fn lines(reader: &RunReader, out: &mut impl Write) -> Result<(), ExportError> {
    reader.for_each_record(|record| {
        serde_json::to_writer(&mut *out, &JsonRecord::from(&record))?;
        out.write_all(b"\n")?;
        Ok(())
    })
}

/// One array, an object a line in it.
pub(super) fn array(reader: &RunReader, out: &mut impl Write) -> Result<(), ExportError> {
    let mut before = "[\n";
    reader.for_each_record::<ExportError>(|record| {
        out.write_all(before.as_bytes())?;
        before = ",\n";
        serde_json::to_writer(&mut *out, &JsonRecord::from(&record))?;
        Ok(())
    })?;
    let end = if reader.total() == 0 { "[]\n" } else { "\n]\n" };
    out.write_all(end.as_bytes())?;
    Ok(())
}
