//! Putting the failed personas of a stopped run back into its queue.

use super::{OpenRun, StoreError};
use crate::model::InterviewStatus;

impl OpenRun {
    /// Drops the end of every failed interview, in one transaction; the attempts stay. Returns how
    /// many there were.
    ///
    /// # Errors
    /// A file that is damaged or cannot be written.
    pub fn requeue_failed(&mut self) -> Result<usize, StoreError> {
        let failed = InterviewStatus::Failed.code();
        let path = self.path().to_owned();
        let requeue = |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "DELETE FROM fate WHERE persona IN (SELECT persona FROM interview WHERE status = ?)",
                [failed],
            )?;
            let requeued =
                transaction.execute("DELETE FROM interview WHERE status = ?", [failed])?;
            transaction.commit()?;
            Ok(requeued)
        };
        requeue(self.connection_mut()).map_err(|error| StoreError::sqlite(&path, error))
    }
}
