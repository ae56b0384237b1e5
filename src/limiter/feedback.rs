//! What an exchange taught about its endpoint.

use crate::model::{Failure, QuotaSaid};
use std::time::Duration;

/// What came back for one permit.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    pub outcome: Outcome<'a>,
    /// What the reply's headers say about the quota.
    pub said: QuotaSaid,
}

/// How an exchange ended, as far as limits are concerned.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The endpoint served: with an answer, or with something that is no fault of its load.
    Served { first_byte: Duration },
    /// A 429 that time mends.
    Limited { failure: &'a Failure },
    /// It has more than it can take: 503, 529, or no reply in time.
    Overloaded { failure: &'a Failure },
    /// It is broken or cannot be reached.
    Broken { failure: &'a Failure },
    /// The request was wrong, or the run stopped: nothing is learned.
    NothingLearned,
}
