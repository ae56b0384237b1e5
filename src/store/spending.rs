//! What a run may have spent that no attempt on file shows.

use super::{RunReader, StoreError};
use crate::model::Usd;
use rusqlite::{Connection, params};
use std::{fmt, sync::Arc};

/// What the calls of a run that go out alone may have spent beyond the attempts on file: those that
/// are under way when its process is killed, or are broken off, leave no other trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// No more than this, all in all; `None` while a process is at it that does not watch it, for
    /// want of a budget.
    pub at_most: Option<Usd>,
    /// What earlier parts of the run left in the dark, at its most.
    pub unrecorded: Usd,
}

/// Told on the writer's thread when a record is on disk.
#[derive(Clone)]
pub struct Kept(Arc<dyn Fn() + Send + Sync>);

impl Kept {
    /// Calls this.
    pub fn new(tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn tell(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Spending {
    /// Puts it into the file, in place of what was there.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        // SQLite's integers are signed.
        let picos = |usd: Usd| i64::try_from(usd.picos()).unwrap_or(i64::MAX);
        connection
            .prepare_cached("INSERT OR REPLACE INTO spending VALUES (1,?,?)")?
            .execute(params![self.at_most.map(picos), picos(self.unrecorded)])?;
        Ok(())
    }
}

impl RunReader {
    /// What the run may have spent beyond its attempts on file; nothing where nobody wrote it down.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn spending(&self) -> Result<Spending, StoreError> {
        let usd = |picos: i64| Usd::from_picos(u64::try_from(picos).unwrap_or(0));
        let row = self.maybe("SELECT at_most, unrecorded FROM spending", [], |row| {
            let at_most = row.get::<_, Option<i64>>(0)?.map(usd);
            Ok(Spending { at_most, unrecorded: usd(row.get(1)?) })
        })?;
        Ok(row.unwrap_or_default())
    }
}
