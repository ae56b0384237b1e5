//! Tokens from the length of a text.

use crate::model::Tokens;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many tokens a byte, learnt from texts whose tokens are known: counted ones first, later those
/// that the provider reports as `usage.prompt_tokens`. What a request has besides its texts (chat
/// format, JSON schema) is learnt with it, since all requests of a run have about the same.
///
/// It is one atomic number: any thread may ask and teach at once.
#[derive(Debug)]
pub struct TokenEstimate {
    /// The tokens a byte as the bits of an `f32` above, how many taught it below.
    state: AtomicU64,
}

/// Four bytes a token: English prose, before anything is known.
const GUESS: f32 = 0.25;

/// A sample counts at least for one part in this many, so that the estimate follows a provider
/// which counts differently, or personas that change along the file.
const MEMORY: u32 = 64;

/// What is believed of a sample, in tokens a byte. A server may report nonsense.
const CREDIBLE: std::ops::RangeInclusive<f32> = 0.02..=8.0;

impl TokenEstimate {
    /// An estimate that has seen nothing.
    pub const fn new() -> Self {
        Self { state: AtomicU64::new(pack(GUESS, 0)) }
    }

    /// Takes in how many tokens a prompt turned out to be. `length` is that of all its texts in
    /// bytes (`str::len`), which costs nothing to know.
    pub fn observe(&self, length: usize, prompt_tokens: Tokens) {
        if length == 0 || prompt_tokens.0 == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "five digits of a ratio are plenty")]
        let sample = prompt_tokens.0 as f32 / length as f32;
        let sample = sample.clamp(*CREDIBLE.start(), *CREDIBLE.end());
        // Only the number itself is shared, so no order with other memory is needed.
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
            let (ratio, seen) = unpack(state);
            let seen = seen.saturating_add(1).min(MEMORY);
            #[expect(clippy::cast_precision_loss, reason = "it is at most 64")]
            let weight = 1.0 / seen as f32;
            Some(pack(ratio + (sample - ratio) * weight, seen))
        });
    }

    /// About how many tokens a prompt of that length (as for [`Self::observe`]) will be, rounded
    /// up.
    pub fn estimate(&self, length: usize) -> Tokens {
        let (ratio, _) = unpack(self.state.load(Ordering::Relaxed));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate, and never negative"
        )]
        let tokens = (length as f64 * f64::from(ratio)).ceil() as u64;
        Tokens(tokens)
    }
}

impl Default for TokenEstimate {
    fn default() -> Self {
        Self::new()
    }
}

const fn pack(ratio: f32, seen: u32) -> u64 {
    ((ratio.to_bits() as u64) << 32) | seen as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
const fn unpack(state: u64) -> (f32, u32) {
    (f32::from_bits((state >> 32) as u32), state as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_a_token_until_something_is_known() {
        let estimate = TokenEstimate::new();
        assert_eq!(estimate.estimate(0), Tokens(0));
        assert_eq!(estimate.estimate(4_001), Tokens(1_001));
        estimate.observe(1_000, Tokens(300));
        assert_eq!(estimate.estimate(2_000), Tokens(601));
    }

    #[test]
    fn the_first_samples_are_averaged_and_later_ones_followed() {
        let estimate = TokenEstimate::new();
        estimate.observe(1_000, Tokens(200));
        estimate.observe(1_000, Tokens(300));
        assert_eq!(estimate.estimate(10_000), Tokens(2_500));
        // A provider that counts twice as much, for a few minutes.
        for _ in 0..500 {
            estimate.observe(1_000, Tokens(500));
        }
        assert!((4_990..=5_000).contains(&estimate.estimate(10_000).0));
    }

    #[test]
    fn nonsense_moves_it_no_further_than_can_be() {
        let estimate = TokenEstimate::new();
        estimate.observe(0, Tokens(5));
        estimate.observe(1_000, Tokens(0));
        assert_eq!(estimate.estimate(1_000), Tokens(250));
        estimate.observe(1_000, Tokens(u64::MAX));
        assert_eq!(estimate.estimate(1_000), Tokens(8_000));
        estimate.observe(usize::MAX, Tokens(1));
        assert!(estimate.estimate(1_000).0 > 0);
        assert!(estimate.estimate(usize::MAX).0 > 0);
    }

    #[test]
    fn many_threads_may_teach_it() {
        let estimate = TokenEstimate::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        estimate.observe(1_000, Tokens(500));
                        assert!(
                            (1_000..=5_000).contains(&estimate.estimate(10_000).0)
                                || estimate.estimate(10_000).0 == 2_500
                        );
                    }
                });
            }
        });
        assert!((4_999..=5_001).contains(&estimate.estimate(10_000).0));
    }
}
