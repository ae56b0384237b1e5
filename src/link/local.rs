//! The link within one process: commands in a queue, updates in a mailbox that merges.
//!
//! The engine side never waits. Deltas that nobody has taken yet become one; a snapshot throws
//! away the deltas before it; of the details asked for, only the newest is kept.

use crate::protocol::{Command, CommandId, Delta, Order, Outlet, PersonaDetail, Snapshot, Update};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, mpsc};

/// The front end's side: send orders, receive updates.
pub struct FrontEndLink {
    mailbox: Arc<Mailbox>,
    orders: Orders,
}

/// The way to the engine alone, for those who order and do not look. The engine counts a front
/// end as gone when the link and every copy of this have been dropped.
#[derive(Clone)]
pub struct Orders {
    commands: mpsc::UnboundedSender<Command>,
    next_id: Arc<AtomicU64>,
}

impl Orders {
    /// Sends an order. Its outcome arrives at the link as [`Update::Applied`] with the id returned
    /// here; an engine that is gone answers nothing.
    pub fn send(&self, order: Order) -> CommandId {
        let id = CommandId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let _ = self.commands.send(Command { id, order });
        id
    }
}

/// The engine's side of the mailbox.
pub struct LocalOutlet(Arc<Mailbox>);

#[derive(Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    applied: VecDeque<Update>,
    snapshot: Option<Box<Snapshot>>,
    delta: Option<Box<Delta>>,
    detail: Option<Box<PersonaDetail>>,
    /// The engine is gone: what is still here is the last of it.
    closed: bool,
    /// The front end is gone: nobody will take anything.
    abandoned: bool,
}

/// A connected pair, and the queue that the engine reads commands from.
pub fn local() -> (FrontEndLink, LocalOutlet, mpsc::UnboundedReceiver<Command>) {
    let mailbox = Arc::new(Mailbox::default());
    let (commands, received) = mpsc::unbounded_channel();
    let orders = Orders { commands, next_id: Arc::new(AtomicU64::new(1)) };
    let front = FrontEndLink { mailbox: Arc::clone(&mailbox), orders };
    (front, LocalOutlet(mailbox), received)
}

impl FrontEndLink {
    /// Sends an order: see [`Orders::send`]. That the engine is gone is said by [`Self::next`].
    pub fn send(&self, order: Order) -> CommandId {
        self.orders.send(order)
    }

    /// Another way to send orders to the same engine.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// The next update; `None` once the engine is gone and everything has been taken.
    /// Dropping the future loses nothing.
    pub async fn next(&self) -> Option<Update> {
        loop {
            let arrived = self.mailbox.arrived.notified();
            {
                let mut waiting =
                    self.mailbox.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(update) = waiting.take() {
                    return Some(update);
                }
                if waiting.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// An update that is already there.
    pub fn try_next(&self) -> Option<Update> {
        self.mailbox.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for FrontEndLink {
    fn drop(&mut self) {
        let mut waiting = self.mailbox.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Waiting { abandoned: true, ..Waiting::default() };
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Update> {
        (self.snapshot.take().map(Update::Snapshot))
            .or_else(|| self.applied.pop_front())
            .or_else(|| self.delta.take().map(Update::Delta))
            .or_else(|| self.detail.take().map(Update::Detail))
    }

    fn put(&mut self, update: Update) {
        if self.abandoned {
            return;
        }
        match update {
            Update::Snapshot(snapshot) => {
                self.delta = None;
                self.snapshot = Some(snapshot);
            }
            Update::Delta(later) => match (&mut self.snapshot, &mut self.delta) {
                (_, Some(delta)) => delta.merge(*later),
                (Some(snapshot), None) => snapshot.apply(*later),
                (None, None) => self.delta = Some(later),
            },
            Update::Detail(detail) => self.detail = Some(detail),
            Update::Applied { .. } => self.applied.push_back(update),
        }
    }
}

impl Outlet for LocalOutlet {
    fn publish(&self, update: Update) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).put(update);
        self.0.arrived.notify_one();
    }
}

impl Drop for LocalOutlet {
    fn drop(&mut self) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{InterviewStatus, PersonaIndex, RunPhase},
        protocol::{CommandOutcome, Meters, StatusChange},
    };

    fn delta(index: u32, status: InterviewStatus) -> Update {
        Update::Delta(Box::new(Delta {
            phase: RunPhase::Running,
            statuses: vec![StatusChange { persona: PersonaIndex(index), status }],
            meters: Meters::default(),
            history: Vec::new(),
            log: Vec::new(),
            changes: Vec::new(),
            summary: None,
        }))
    }

    #[tokio::test]
    async fn a_reader_that_sleeps_finds_one_merged_delta() {
        let (front, outlet, _commands) = local();
        for _ in 0..1000 {
            outlet.publish(delta(3, InterviewStatus::InFlight));
            outlet.publish(delta(1, InterviewStatus::Done));
        }
        drop(outlet);
        let Some(Update::Delta(delta)) = front.next().await else { panic!("no delta") };
        assert_eq!(delta.statuses.len(), 2);
        assert_eq!(front.next().await, None);
    }

    #[tokio::test]
    async fn every_command_outcome_arrives_in_order() {
        let (front, outlet, mut commands) = local();
        for order in [Order::Pause, Order::Resume] {
            let id = front.send(order);
            let command = commands.recv().await.unwrap();
            assert_eq!(command.id, id);
            let outcome = CommandOutcome::Applied { what: "done".to_owned() };
            outlet.publish(Update::Applied { id, outcome });
        }
        for expected in [1, 2] {
            let Some(Update::Applied { id, .. }) = front.next().await else { panic!() };
            assert_eq!(id, CommandId(expected));
        }
    }
}
