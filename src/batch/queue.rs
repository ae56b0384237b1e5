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

/// So often files are cut smaller by guess.
const GUESSED_CUTS: u32 = 2;

/// To what a file of so many tokens is cut that finds no room though nothing else of ours waits:
/// the provider may count more tokens in it than were reckoned here. `named` is the limit that it
/// names, `cuts` how often files were cut already. `None` where that cannot be what is wrong: then
/// others of the same organization fill the queue, and smaller files would find no room either.
pub fn cut_to(tokens: Tokens, named: Option<Tokens>, cuts: u32) -> Option<Tokens> {
    let cut = tokens.0 - tokens.0 / 4;
    let helps = match named {
        Some(Tokens(limit)) => cut >= limit / 2,
        None => cuts < GUESSED_CUTS,
    };
    helps.then_some(Tokens(cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::{Event, Rules},
        model::{BatchKey, FileId, UnixMillis},
    };

    #[test]
    fn a_queue_that_others_fill_cuts_no_file_to_pieces() {
        let limit = Some(Tokens(100));
        assert_eq!(cut_to(Tokens(100), limit, 0), Some(Tokens(75)));
        assert_eq!(cut_to(Tokens(75), limit, 9), Some(Tokens(57)));
        assert_eq!(cut_to(Tokens(57), limit, 9), None);
        assert_eq!(cut_to(Tokens(20), Some(Tokens(1_000)), 0), None, "it is small already");
        let guessed: Vec<_> = (0..3).map(|cuts| cut_to(Tokens(80), None, cuts)).collect();
        assert_eq!(guessed, [Some(Tokens(60)), Some(Tokens(60)), None]);
    }

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
