//! How far a run is, for a list of many runs. SQLite counts by itself, in a third of the time that
//! reading 1,000,000 rows takes: each look at them here is one scan of the narrow table.

use super::{RunInfo, RunReader, StoreError, decode};
use crate::model::{InterviewStatus, RunPhase, StatusCounts, StopReason, UnixMillis};

/// The pace is taken over so long.
const PACE_MS: i64 = 60_000;

/// A run that ended no longer than this after its last interview shows enough of its pace in the
/// minute before its end.
const END_FOLLOWS_WITHIN_MS: i64 = 30_000;

/// The interviews that were over since some moment.
struct Since {
    many: u32,
    first: i64,
    last: i64,
}

impl RunReader {
    /// How many personas have each status, as in [`Self::statuses`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn counts(&self) -> Result<StatusCounts, StoreError> {
        let mut counts = StatusCounts::all_queued(self.total());
        // The first count is no scan of rows. The few that are not done are told apart: to group
        // all would take four times as long. One statement, so that both are of one moment.
        let sql = "SELECT NULL, count(*) FROM interview UNION ALL \
                   SELECT status, count(*) FROM interview WHERE status <> ? GROUP BY status";
        self.each(sql, [InterviewStatus::Done.code()], |row| {
            let (from, to) = match row.get::<_, Option<u8>>(0)? {
                None => (InterviewStatus::Queued, InterviewStatus::Done),
                Some(_) => (InterviewStatus::Done, decode::status(row, 0)?),
            };
            counts.change_many(from, to, row.get(1)?);
            Ok(())
        })?;
        Ok(counts)
    }

    /// How many interviews were over a minute, in the last minute in which any were, or about it;
    /// `None` where there are fewer than two. `info` is what the run says of itself.
    pub(super) fn last_per_minute(&self, info: &RunInfo) -> Result<Option<f64>, StoreError> {
        if let Some(ended_at) = self.ended_at(info)?
            && let Some(since) = self.over_since(ended_at.0 - PACE_MS)?
            && since.last >= ended_at.0 - END_FOLLOWS_WITHIN_MS
        {
            return Ok(since.per_minute());
        }
        let sql = "SELECT max(finished_at) FROM interview";
        let last: Option<i64> = self.one(sql, [], |row| row.get(0))?;
        let Some(last) = last else { return Ok(None) };
        Ok(self.over_since(last - PACE_MS)?.and_then(|since| since.per_minute()))
    }

    /// When the run ended, where it ended properly and nobody goes on with it.
    fn ended_at(&self, info: &RunInfo) -> Result<Option<UnixMillis>, StoreError> {
        match &info.phase {
            Some(RunPhase::Stopped { reason: StopReason::Crashed }) => Ok(None),
            Some(RunPhase::Finished | RunPhase::Stopped { .. }) => {
                Ok(self.phase_changes()?.pop().map(|(at, _)| at))
            }
            _ => Ok(None),
        }
    }

    fn over_since(&self, after: i64) -> Result<Option<Since>, StoreError> {
        let sql = "SELECT count(*), min(finished_at), max(finished_at) FROM interview \
                   WHERE finished_at > ?";
        self.one(sql, [after], |row| {
            Ok(match row.get(0)? {
                0 => None,
                many => Some(Since { many, first: row.get(1)?, last: row.get(2)? }),
            })
        })
    }
}

impl Since {
    fn per_minute(&self) -> Option<f64> {
        let seconds = UnixMillis(self.last).since(UnixMillis(self.first)).as_secs_f64();
        (self.many >= 2).then(|| f64::from(self.many - 1) * 60.0 / seconds.max(1.0))
    }
}
