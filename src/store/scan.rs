//! Reading all attempts or all failures of a run, one at a time.

use super::{RunReader, StoreError, decode};
use crate::model::{Attempt, Failure, Fate, InterviewStatus, PersonaIndex};

impl RunReader {
    /// Hands over every attempt, persona by persona, memory flat.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn for_each_attempt(&self, mut f: impl FnMut(Attempt)) -> Result<(), StoreError> {
        let sql =
            format!("SELECT {} FROM attempt ORDER BY persona, number", decode::ATTEMPT_COLUMNS);
        self.each(&sql, [], |row| decode::attempt(row).map(&mut f))
    }

    /// Hands over every persona that failed, with the failure, in order.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn for_each_failed(
        &self,
        mut f: impl FnMut(PersonaIndex, Failure),
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {}, i.persona FROM interview i LEFT JOIN fate f USING (persona) \
             WHERE i.status = ? ORDER BY i.persona",
            decode::FATE_COLUMNS
        );
        self.each(&sql, [InterviewStatus::Failed.code()], |row| {
            if let Fate::Failed(failure) = decode::fate(row, 0)? {
                f(PersonaIndex(row.get(5)?), failure);
            }
            Ok(())
        })
    }
}
