//! What a run can be told about itself, in numbers and in words, for every front end: pure
//! functions over what the engine reports.
//!
//! ```text
//! (phase, counts, meters, now) = Situation -> load    what is used of which limit
//!                                          -> binds   what holds the run back
//!                                          -> advice  one sentence: what would help, and how much
//!                                          -> alarm   that nothing comes back
//! LimitChange ... -> changes    the history of limits, with its many small steps joined
//! MoneyMeter      -> cost       what it costs, against the budget
//! ```
//!
//! A sentence names no key: who shows it adds the one that does what its [`Remedy`] says.

mod alarm;
mod batches;
mod binds;
mod changes;
mod cost;
mod load;
mod sentence;
mod words;

pub use alarm::Alarm;
pub use batches::{BatchLoad, one_line};
pub use binds::Binds;
pub use changes::{ChangeRow, author, joined, net, value};
pub use cost::Cost;
pub use load::{Load, Rate, SlotLoad, Used};
pub use sentence::{Advice, Remedy};
pub use words::{Unit, count_up_to, plural, seconds, short_clock, thousands};

use crate::{
    model::{RunPhase, StatusCounts, UnixMillis},
    protocol::Meters,
};

/// A run at one moment: all that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub phase: &'a RunPhase,
    pub counts: &'a StatusCounts,
    pub meters: &'a Meters,
    pub now: UnixMillis,
}

impl Situation<'_> {
    /// What is used of the limits, over all endpoints.
    pub fn load(&self) -> Load {
        Load::of_all(&self.meters.endpoints)
    }
}

#[cfg(test)]
mod tests;
