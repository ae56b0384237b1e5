//! Where front ends and engine meet: what the engine says goes to an outlet, and what front ends
//! do comes in as an [`Incoming`].

use super::{Command, Delta, Update};
use std::sync::Arc;

/// A front end's end of the line, as the engine sees it. Publishing never waits: an outlet whose
/// reader is slow merges deltas, and one whose reader is gone drops them.
pub trait Outlet: Send + Sync {
    /// Takes in one update.
    fn publish(&self, update: Update);

    /// Takes in a delta that goes to many: where it is only passed on, nobody needs a copy.
    fn publish_shared(&self, delta: &Arc<Delta>) {
        self.publish(Update::Delta(Box::new(Delta::clone(delta))));
    }
}

/// Names a front end among those of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrontEndId(pub u64);

/// What reaches an engine from its front ends.
pub enum Incoming {
    /// A front end has joined: it gets a snapshot, and then deltas.
    Joined {
        from: FrontEndId,
        outlet: Box<dyn Outlet>,
        /// Whether it still looks, and may order, once the run is over.
        stays: bool,
    },
    Ordered {
        from: FrontEndId,
        command: Command,
    },
    /// It is gone, and its outlet is to go too.
    Left {
        from: FrontEndId,
    },
}
