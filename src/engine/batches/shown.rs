//! A batch as front ends are shown it.

use super::meta::Meta;
use crate::{
    batch::{BatchRecord, End, Step},
    model::{BatchCounts, UnixMillis},
    protocol::{BatchMeter, BatchStanding},
};

/// The batch as it is now.
pub(super) fn shown(record: &BatchRecord, meta: &Meta) -> BatchMeter {
    let (standing, counts) = match record.step() {
        Step::Written => (BatchStanding::Written, None),
        Step::Uploaded { .. } => (BatchStanding::Uploaded, None),
        Step::Creating { .. } => (BatchStanding::Creating, None),
        Step::Created { said, .. } => (BatchStanding::AtProvider(said.state), Some(said.counts)),
        Step::Over { end, .. } => (over(end), meta.shown.as_ref().map(|before| before.counts)),
    };
    let standing_over = standing.is_over();
    BatchMeter {
        number: meta.number,
        standing,
        lines: record.lines,
        counts: counts.unwrap_or_else(BatchCounts::default),
        tokens: record.tokens.0,
        made_at: meta.made_at,
        over_at: standing_over.then(UnixMillis::now),
        note: meta.note.clone(),
    }
}

const fn over(end: &End) -> BatchStanding {
    match end {
        End::Read => BatchStanding::Read,
        End::Refused(_) => BatchStanding::Refused,
        End::NeverCreated => BatchStanding::NotCreated,
        End::Lost => BatchStanding::Lost,
    }
}
