//! What batches come to, in numbers and in words.

use super::{plural, thousands};
use crate::{model::strip_controls, protocol::BatchMeters};

/// The batches that are under way, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchLoad {
    pub batches: u64,
    pub calls: u64,
    pub done: u64,
    pub failed: u64,
}

impl BatchLoad {
    pub fn of(batches: &BatchMeters) -> Self {
        batches.open().fold(Self::default(), |sum, batch| Self {
            batches: sum.batches + 1,
            calls: sum.calls + u64::from(batch.lines),
            done: sum.done + batch.counts.completed,
            failed: sum.failed + batch.counts.failed,
        })
    }

    /// `2 batches, 40 of 120 calls done`.
    pub fn words(&self) -> String {
        if self.batches == 0 {
            return "none under way".to_owned();
        }
        let mut words = format!(
            "{}, {} of {} calls done",
            plural(self.batches, "batch", "batches"),
            thousands(self.done),
            thousands(self.calls)
        );
        if self.failed > 0 {
            words.push_str(&format!(", {} failed", thousands(self.failed)));
        }
        words
    }
}

/// What a provider has said, for a line of a screen.
pub fn one_line(text: &str) -> String {
    strip_controls(text)
}
