//! Records as CSV, for spreadsheets.

use super::ExportError;
use crate::{
    model::{Fate, Survey},
    store::{ExportRecord, RunReader},
};
use std::{collections::HashMap, io::Write};

/// Columns before and after the grid's own.
const FIRST: [&str; 5] = ["index", "persona_id", "weight", "status", "support_level"];
const LAST: [&str; 13] = [
    "narrative",
    "key_concerns",
    "suggested_improvements",
    "flags",
    "failure_kind",
    "failure_message",
    "refusal",
    "attempts",
    "packed",
    "verdict_donors",
    "verdict_similarities",
    "drivers",
    "themes",
];

/// A header, then one row a persona. Attributes that only some personas have are empty for the
/// others; to know them all, the personas are read once before.
pub(super) fn table(reader: &RunReader, out: &mut impl Write) -> Result<(), ExportError> {
    let columns = Columns::new(&reader.run()?.survey, reader.attribute_names()?);
    let mut out = csv::Writer::from_writer(out);
    let mut row = columns.header();
    out.write_record(&row)?;
    reader.for_each_record::<ExportError>(|record| {
        columns.fill(&record, &mut row);
        out.write_record(&row)?;
        Ok(())
    })?;
    out.flush()?;
    Ok(())
}

struct Columns {
    dimensions: Names,
    attributes: Names,
}

/// Names in the order of their columns, and the way back.
struct Names {
    in_order: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    fn new(in_order: Vec<String>) -> Self {
        let places = in_order.iter().cloned().zip(0..).collect();
        Self { in_order, places }
    }
}

impl Columns {
    fn new(survey: &Survey, attribute_names: Vec<String>) -> Self {
        let keys = survey.grid.impacts.iter().map(|dimension| dimension.key.clone()).collect();
        Self { dimensions: Names::new(keys), attributes: Names::new(attribute_names) }
    }

    fn header(&self) -> Vec<String> {
        let own = |name: &&str| (*name).to_owned();
        let dimension = |key: &String| {
            // A dimension called "Status" must not make a second column of that name.
            let taken = FIRST.iter().chain(&LAST).any(|name| name == key);
            if taken { format!("impact.{key}") } else { key.clone() }
        };
        (FIRST.iter().map(own))
            .chain(self.dimensions.in_order.iter().map(dimension))
            .chain(LAST.iter().map(own))
            .chain(self.attributes.in_order.iter().map(|name| format!("attribute.{name}")))
            .collect()
    }

    /// Puts a record into a row as wide as the header, whose strings are used again.
    fn fill(&self, record: &ExportRecord, row: &mut [String]) {
        row.iter_mut().for_each(String::clear);
        let (first, rest) = row.split_at_mut(FIRST.len());
        let (grid, rest) = rest.split_at_mut(self.dimensions.in_order.len());
        let (last, attributes) = rest.split_at_mut(LAST.len());

        first[0].push_str(&record.persona.index.to_string());
        put_text(&mut first[1], &record.persona.id);
        if let Some(weight) = record.persona.weight {
            first[2].push_str(&weight.to_string());
        }
        first[3].push_str(record.status().as_str());
        match &record.fate {
            Some(
                fate @ (Fate::Answered(answer)
                | Fate::Cached(answer)
                | Fate::Flagged { answer, .. }),
            ) => {
                first[4].push_str(&answer.support_level.get().to_string());
                for (key, score) in &answer.impacts {
                    if let Some(&place) = self.dimensions.places.get(key) {
                        grid[place].push_str(&score.get().to_string());
                    }
                }
                put_text(&mut last[0], &answer.narrative);
                put_text(&mut last[1], &answer.key_concerns.join("; "));
                put_text(&mut last[2], &answer.suggested_improvements.join("; "));
                if let Fate::Flagged { issues, .. } = fate {
                    put_text(&mut last[3], &issues.join("; "));
                }
            }
            Some(Fate::Failed(failure)) => {
                last[4].push_str(failure.kind.as_str());
                put_text(&mut last[5], &failure.message);
            }
            Some(Fate::Refused { reason }) => put_text(&mut last[6], reason),
            None => {}
        }
        last[7].push_str(&record.attempts.to_string());
        if let Some(packed) = record.packed {
            last[8].push_str(&packed.to_string());
        }
        for lent in &record.lent {
            put_text(&mut last[9], &lent.donor);
            put_text(&mut last[10], &lent.similarity.to_string());
        }
        put_text(&mut last[11], &record.drivers.join("; "));
        put_text(&mut last[12], &record.themes.join("; "));
        for attribute in &record.persona.attributes {
            if let Some(&place) = self.attributes.places.get(&attribute.name) {
                put_text(&mut attributes[place], &attribute.value);
            }
        }
    }
}

/// Adds text to an empty cell. What a spreadsheet would run as a formula gets an apostrophe in
/// front (OWASP, "CSV injection"); a plain number runs nothing and stays a number.
fn put_text(cell: &mut String, text: &str) {
    let looks_like_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_number = || text.parse::<f64>().is_ok_and(f64::is_finite);
    if cell.is_empty() && looks_like_formula && !is_number() {
        cell.push('\'');
    } else if !cell.is_empty() {
        // An attribute that a persona has twice, or one of several verdicts that were lent.
        cell.push_str("; ");
    }
    cell.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::put_text;

    #[test]
    fn formulas_are_defused_and_numbers_are_not_touched() {
        for (text, expected) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1+1", "'+1+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t=1"),
            ("-3.5", "-3.5"),
            ("-inf", "'-inf"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            let mut cell = String::new();
            put_text(&mut cell, text);
            assert_eq!(cell, expected);
        }
    }
}
