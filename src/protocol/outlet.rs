//! Where the engine puts what it has to say.

use super::Update;

/// A front end's end of the line, as the engine sees it. Publishing never waits: an outlet whose
/// reader is slow merges deltas, and one whose reader is gone drops them.
pub trait Outlet: Send + Sync {
    /// Takes in one update.
    fn publish(&self, update: Update);
}
