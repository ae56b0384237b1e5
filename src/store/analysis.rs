//! What the answers of a run come to, and what it is made from.

use super::{OpenRun, RunReader, StoreError, decode, json::parse_answer};
use crate::model::{
    Analysis, Answer, Covers, Findings, InterviewStatus, MadeBy, PersonaIndex, Score, Tally,
    snake_case,
};
use rusqlite::{params, types::ValueRef};

/// A list of what answers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Drivers,
    Themes,
}

impl Counted {
    const fn column(self) -> &'static str {
        match self {
            Self::Drivers => "drivers",
            Self::Themes => "themes",
        }
    }
}

/// A digest without its findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestOnFile {
    pub number: u32,
    pub covers: Covers,
    pub by: MadeBy,
}

impl RunReader {
    /// The summary of all answers, where one was made.
    ///
    /// # Errors
    /// A file that is damaged or cannot be read, as for every method here.
    pub fn analysis(&self) -> Result<Option<Analysis>, StoreError> {
        self.maybe("SELECT analysis FROM analysis", [], |row| decode::json(row, 0))
    }

    /// Every digest, by number.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn digests(&self) -> Result<Vec<DigestOnFile>, StoreError> {
        self.all("SELECT number, covers, made_by FROM digest ORDER BY number", [], |row| {
            Ok(DigestOnFile {
                number: row.get(0)?,
                covers: decode::json(row, 1)?,
                by: decode::json(row, 2)?,
            })
        })
    }

    /// What a digest found.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn findings(&self, digest: u32) -> Result<Option<Findings>, StoreError> {
        let sql = "SELECT findings FROM digest WHERE number = ?";
        self.maybe(sql, [digest], |row| decode::json(row, 0))
    }

    /// Everyone who has answered, in order, wherever the answers came from.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn answered(&self) -> Result<Vec<PersonaIndex>, StoreError> {
        let answered = InterviewStatus::ALL.into_iter().filter(|status| status.is_answered());
        let codes: Vec<_> = answered.map(|status| status.code().to_string()).collect();
        let codes = codes.join(", ");
        let sql =
            format!("SELECT persona FROM interview WHERE status IN ({codes}) ORDER BY persona");
        self.all(&sql, [], |row| Ok(PersonaIndex(row.get(0)?)))
    }

    /// Where the last `most` of those who have answered begin, in the order of the input.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn first_of_last_answered(&self, most: usize) -> Result<PersonaIndex, StoreError> {
        let sql = "SELECT coalesce(min(persona), 0) FROM (SELECT persona FROM interview \
                   WHERE status IN (6, 7, 8) ORDER BY persona DESC LIMIT ?)";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.one(sql, [most], |row| row.get(0).map(PersonaIndex))
    }

    /// At most `most` of those who have answered, from this one on.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn answered_from(
        &self,
        from: PersonaIndex,
        most: usize,
    ) -> Result<Vec<PersonaIndex>, StoreError> {
        let sql = "SELECT persona FROM interview WHERE status IN (6, 7, 8) AND persona >= ? \
                   ORDER BY persona LIMIT ?";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.all(sql, params![from.0, most], |row| row.get(0).map(PersonaIndex))
    }

    /// The answers of these personas; who has none is left out.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn answers(
        &self,
        personas: &[PersonaIndex],
    ) -> Result<Vec<(PersonaIndex, Answer)>, StoreError> {
        let mut answers = Vec::with_capacity(personas.len());
        for &persona in personas {
            let sql = "SELECT answer FROM fate WHERE persona = ? AND answer IS NOT NULL";
            let answer = self.maybe(sql, [persona.0], |row| {
                parse_answer(row.get_ref(0)?.as_str()?)
                    .map_err(|error| decode::unreadable(0, error))
            })?;
            answers.extend(answer.map(|answer| (persona, answer)));
        }
        Ok(answers)
    }

    /// How many answers have been digested, and what their personas weigh together.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn digested(&self) -> Result<(u32, f64), StoreError> {
        let sql = "SELECT count(*), coalesce(sum(coalesce(p.weight, 1)), 0) \
                   FROM insight i JOIN persona p USING (persona)";
        self.one(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The drivers or themes that weigh most, with how many answers of each support level have them.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn tallies(&self, of: Counted, most: u32) -> Result<Vec<Tally>, StoreError> {
        let sql = format!(
            "SELECT d.value, sum(i.support = 1), sum(i.support = 2), sum(i.support = 3), \
             sum(i.support = 4), sum(i.support = 5), sum(coalesce(p.weight, 1)) \
             FROM insight i JOIN persona p USING (persona), json_each(i.{}) d \
             GROUP BY d.value ORDER BY sum(coalesce(p.weight, 1)) DESC, d.value LIMIT ?",
            of.column()
        );
        self.all(&sql, [most], |row| {
            let mut by_support = [0; 5];
            for (at, count) in by_support.iter_mut().enumerate() {
                *count = row.get(at + 1)?;
            }
            Ok(Tally { name: row.get(0)?, by_support, weight: row.get(6)? })
        })
    }

    /// The groups of answers in which a theme stands most often.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn groups_with_theme(&self, theme: &str, most: u32) -> Result<Vec<u32>, StoreError> {
        let sql = "SELECT digest FROM insight i, json_each(i.themes) t WHERE t.value = ? \
                   GROUP BY digest ORDER BY count(*) DESC, digest LIMIT ?";
        self.all(sql, params![theme, most], |row| row.get(0))
    }

    /// A few who speak of a theme, those of extreme support first.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn personas_with_theme(
        &self,
        theme: &str,
        supports: std::ops::RangeInclusive<u8>,
        most: u32,
    ) -> Result<Vec<PersonaIndex>, StoreError> {
        let sql = "SELECT persona FROM insight i, json_each(i.themes) t \
                   WHERE t.value = ? AND support BETWEEN ? AND ? \
                   ORDER BY abs(support - 3) DESC, persona LIMIT ?";
        self.all(sql, params![theme, supports.start(), supports.end(), most], |row| {
            Ok(PersonaIndex(row.get(0)?))
        })
    }

    /// Hands over the numbers of every answer: the persona's weight, the support level, and each
    /// of these dimensions, `None` where the answer lacks it. One query, memory flat.
    ///
    /// # Errors
    /// As [`Self::analysis`].
    pub fn for_each_score(
        &self,
        dimensions: &[&str],
        mut f: impl FnMut(Option<f64>, &[Option<Score>]),
    ) -> Result<(), StoreError> {
        let mut sql =
            "SELECT p.weight, json_extract(f.answer, '$.survey.support_level')".to_owned();
        for _ in dimensions {
            sql.push_str(", json_extract(f.answer, ?)");
        }
        sql.push_str(" FROM fate f JOIN persona p USING (persona) WHERE f.answer IS NOT NULL");
        let paths = dimensions.iter().map(|key| format!("$.survey.\"{}\"", snake_case(key)));
        let mut scores = vec![None; dimensions.len() + 1];
        self.each(&sql, rusqlite::params_from_iter(paths), |row| {
            for (at, score) in scores.iter_mut().enumerate() {
                *score = match row.get_ref(at + 1)? {
                    ValueRef::Integer(number) => {
                        u8::try_from(number).ok().and_then(|number| Score::try_from(number).ok())
                    }
                    _ => None,
                };
            }
            f(row.get(0)?, &scores);
            Ok(())
        })
    }
}

impl OpenRun {
    /// Drops the summary, the digests and what each answer rests on, so that all of it is made
    /// anew. The attempts stay.
    ///
    /// # Errors
    /// A file that is damaged or cannot be written.
    pub fn forget_analysis(&mut self) -> Result<(), StoreError> {
        let path = self.path().to_owned();
        self.connection_mut()
            .execute_batch(
                "BEGIN IMMEDIATE; DELETE FROM analysis; DELETE FROM insight; DELETE FROM digest; \
                 COMMIT",
            )
            .map_err(|error| StoreError::sqlite(&path, error))
    }
}
