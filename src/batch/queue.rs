//! Which batch may be created next.

use super::{BatchRecord, Step};
use crate::model::Tokens;

/// The first batch that waits to be created and has room under the cap on enqueued tokens. One
/// that is larger than the cap itself is let through where nothing else is enqueued: the provider
/// has the last word. Those after it must wait, so that a large one is not passed by for ever.
pub fn startable(batches: &[BatchRecord], cap: Option<Tokens>) -> Option<usize> {
    let enqueued = batches.iter().filter(|batch| batch.is_enqueued());
    let enqueued: u64 = enqueued.map(|batch| batch.tokens.0).sum();
    let waits =
        |batch: &&BatchRecord| matches!(batch.step(), Step::Written | Step::Uploaded { .. });
    let (at, batch) = batches.iter().enumerate().find(|(_, batch)| waits(batch))?;
    let fits = match cap {
        None => true,
        Some(cap) => enqueued == 0 || enqueued.saturating_add(batch.tokens.0) <= cap.0,
    };
    fits.then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::{Event, Rules},
        model::{BatchKey, FileId, UnixMillis},
    };

    #[test]
    fn the_next_starts_where_the_cap_has_room() {
        let batch = |tokens: u64| BatchRecord::new(BatchKey(tokens.to_string()), 1, Tokens(tokens));
        let mut batches = vec![batch(60), batch(50), batch(10)];
        let cap = Some(Tokens(100));
        assert_eq!(startable(&batches, cap), Some(0));
        let rules = Rules::default();
        batches[0].apply(Event::Uploaded(FileId("in".into())), &rules);
        assert_eq!(startable(&batches, cap), Some(0));
        batches[0].apply(Event::Intended { at: UnixMillis(0) }, &rules);
        assert_eq!(startable(&batches, cap), None, "the third does not pass the second");
        assert_eq!(startable(&batches, None), Some(1));
        assert_eq!(startable(&batches[1..], Some(Tokens(1))), Some(0));
        assert_eq!(startable(&batches[..1], cap), None);
    }
}
