//! The one queue into an engine, and the seats of the front ends that talk into it.

use super::local::{FrontEndLink, local};
use crate::protocol::{Command, FrontEndId, Incoming, Outlet};
use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use tokio::sync::mpsc;

/// Where front ends join an engine.
#[derive(Clone)]
pub struct Hub {
    incoming: mpsc::UnboundedSender<Incoming>,
    next: Arc<AtomicU64>,
    staying: Arc<AtomicUsize>,
}

/// A front end's place at an engine. The engine counts it as gone when this is dropped.
pub struct Seat {
    hub: Hub,
    id: FrontEndId,
    stays: bool,
}

/// A hub, and the queue that the engine reads.
pub fn hub() -> (Hub, mpsc::UnboundedReceiver<Incoming>) {
    let (incoming, received) = mpsc::unbounded_channel();
    let hub = Hub { incoming, next: Arc::default(), staying: Arc::default() };
    (hub, received)
}

impl Hub {
    /// Joins; the engine answers with a snapshot. An engine that is gone drops the outlet.
    pub fn join(&self, outlet: Box<dyn Outlet>, stays: bool) -> Seat {
        let id = FrontEndId(self.next.fetch_add(1, Ordering::Relaxed));
        if stays {
            self.staying.fetch_add(1, Ordering::AcqRel);
        }
        let _ = self.incoming.send(Incoming::Joined { from: id, outlet, stays });
        Seat { hub: self.clone(), id, stays }
    }

    /// Orders something that no front end asked for: nobody is told the outcome.
    pub fn order(&self, command: Command) {
        let from = FrontEndId(u64::MAX);
        let _ = self.incoming.send(Incoming::Ordered { from, command });
    }

    /// Whether a front end is there that looks on when the run is over: the engine goes on for it.
    pub(super) fn anyone_stays(&self) -> bool {
        self.staying.load(Ordering::Acquire) > 0
    }
}

impl Seat {
    /// Passes a command on. An engine that is gone answers nothing.
    pub fn order(&self, command: Command) {
        let _ = self.hub.incoming.send(Incoming::Ordered { from: self.id, command });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.stays {
            self.hub.staying.fetch_sub(1, Ordering::AcqRel);
        }
        let _ = self.hub.incoming.send(Incoming::Left { from: self.id });
    }
}

/// The only front end of an engine in this process, and the queue for the engine. Must be called
/// inside a tokio runtime.
pub fn in_process(stays: bool) -> (FrontEndLink, mpsc::UnboundedReceiver<Incoming>) {
    let (link, outlet, mut commands) = local();
    let (hub, incoming) = hub();
    let seat = hub.join(Box::new(outlet), stays);
    tokio::spawn(async move {
        while let Some(command) = commands.recv().await {
            seat.order(command);
        }
    });
    (link, incoming)
}
