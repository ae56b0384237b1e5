//! How far a run is, for a list of many runs. SQLite counts by itself, in a third of the time that
//! reading 1,000,000 rows takes; and where a run has ended, its summary has the counts already.

use super::{RunInfo, RunReader, StoreError, decode};
use crate::model::{InterviewStatus, RunPhase, StatusCounts, StopReason, UnixMillis};
use rusqlite::params;

/// The pace is taken over so long.
const PACE_MS: i64 = 60_000;

/// A run that ended no longer than this after its last interview shows enough of its pace in the
/// minute before its end.
const END_FOLLOWS_WITHIN_MS: i64 = 30_000;

/// What a list shows of how far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Progress {
    pub counts: StatusCounts,
    /// How many interviews were over a minute, in the last minute in which any were; `None` for
    /// fewer than two.
    pub per_minute: Option<f64>,
}

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
        self.counts_and_last().map(|(counts, _)| counts)
    }

    /// Counts and pace of the run, of which this much is known already.
    pub(super) fn progress(&self, info: &RunInfo) -> Result<Progress, StoreError> {
        if let Some(counts) = self.counts_of_the_end(info)?
            && let Some((ended_at, _)) = self.phase_changes()?.pop()
            && let Some(since) = self.over_since(ended_at.0 - PACE_MS)?
            && since.last >= ended_at.0 - END_FOLLOWS_WITHIN_MS
        {
            return Ok(Progress { counts, per_minute: since.per_minute() });
        }
        let (counts, last) = self.counts_and_last()?;
        let since = match last {
            Some(last) => self.over_since(last.0 - PACE_MS)?,
            None => None,
        };
        Ok(Progress { counts, per_minute: since.and_then(|since| since.per_minute()) })
    }

    /// What the summary says, where the run has ended since and nothing has changed after it.
    fn counts_of_the_end(&self, info: &RunInfo) -> Result<Option<StatusCounts>, StoreError> {
        let summary = match (&info.phase, &info.summary) {
            (Some(RunPhase::Stopped { reason: StopReason::Crashed }), _) => return Ok(None),
            (Some(RunPhase::Finished | RunPhase::Stopped { .. }), Some(summary)) => summary,
            _ => return Ok(None),
        };
        // This alone is no scan of rows.
        let over: u32 = self.one("SELECT count(*) FROM interview", [], |row| row.get(0))?;
        let counts = self.counts_with(summary.done, summary.refused, summary.failed);
        Ok((counts.over() == over && counts.total() == self.total()).then_some(counts))
    }

    /// The counts, and when the last interview was over.
    fn counts_and_last(&self) -> Result<(StatusCounts, Option<UnixMillis>), StoreError> {
        let [done, refused, failed] =
            [InterviewStatus::Done, InterviewStatus::Refused, InterviewStatus::Failed]
                .map(InterviewStatus::code);
        let sql = "SELECT count(*), count(*) FILTER (WHERE status = ?), \
                   count(*) FILTER (WHERE status = ?), count(*) FILTER (WHERE status = ?), \
                   max(finished_at) FROM interview";
        self.one(sql, params![done, refused, failed], |row| {
            let counts = self.counts_with(row.get(1)?, row.get(2)?, row.get(3)?);
            let over: u32 = row.get(0)?;
            if counts.over() != over {
                return Err(decode::unreadable(1, "a status that no interview ends in"));
            }
            let last: Option<i64> = row.get(4)?;
            Ok((counts, last.map(UnixMillis)))
        })
    }

    fn counts_with(&self, done: u32, refused: u32, failed: u32) -> StatusCounts {
        let mut counts = StatusCounts::all_queued(self.total());
        for (status, many) in [
            (InterviewStatus::Done, done),
            (InterviewStatus::Refused, refused),
            (InterviewStatus::Failed, failed),
        ] {
            counts.change_many(InterviewStatus::Queued, status, many);
        }
        counts
    }

    fn over_since(&self, after: i64) -> Result<Option<Since>, StoreError> {
        let sql = "SELECT count(*), min(finished_at), max(finished_at) FROM interview \
                   WHERE finished_at > ?";
        self.one(sql, [after], |row| {
            let many = row.get(0)?;
            Ok(match many {
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
