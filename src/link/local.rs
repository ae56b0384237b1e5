//! The link within one process: commands in a queue, updates in a mailbox that merges.

use super::mailbox::Mailbox;
use crate::protocol::{Command, CommandId, Order, Outlet, Update};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

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

/// A connected pair, and the queue that the engine reads commands from.
pub fn local() -> (FrontEndLink, LocalOutlet, mpsc::UnboundedReceiver<Command>) {
    let mailbox = Arc::new(Mailbox::new(usize::MAX));
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
        self.mailbox.next().await
    }

    /// An update that is already there.
    pub fn try_next(&self) -> Option<Update> {
        self.mailbox.try_next()
    }
}

impl Drop for FrontEndLink {
    fn drop(&mut self) {
        self.mailbox.abandon();
    }
}

impl Outlet for LocalOutlet {
    fn publish(&self, update: Update) {
        self.0.put(update);
    }
}

impl Drop for LocalOutlet {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{InterviewStatus, PersonaIndex, RunPhase},
        protocol::{CommandOutcome, Delta, Meters, StatusChange},
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
            analysis: None,
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
