//! What the runner was ordered, as it stands now.

use super::fact::ToRunner;
use std::{future::Future, pin::pin};
use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError};

/// The runner's end of the line to the supervisor.
pub(super) struct Control {
    orders: UnboundedReceiver<ToRunner>,
    /// Somebody is to be put into batches.
    pub begin: bool,
    pub cancelling: bool,
    /// Set once, and for ever where the supervisor is gone.
    pub stopped: bool,
    pub gone: bool,
    /// Whether anything new may be sent.
    pub running: bool,
    /// Orders to begin, cancel or stop so far.
    pub turns: u32,
    kept: u64,
    issued: u64,
}

/// There is nothing to go on for.
#[derive(Debug)]
pub(super) struct Stopped;

impl Control {
    pub(super) const fn new(orders: UnboundedReceiver<ToRunner>) -> Self {
        Self {
            orders,
            begin: false,
            cancelling: false,
            stopped: false,
            gone: false,
            running: true,
            turns: 0,
            kept: 0,
            issued: 0,
        }
    }

    /// The ticket for what is to be kept next.
    pub(super) const fn ticket(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    /// Takes in what has been ordered by now.
    pub(super) fn look(&mut self) -> Result<(), Stopped> {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.take(order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.gone = true;
                    self.stopped = true;
                    break;
                }
            }
        }
        if self.stopped { Err(Stopped) } else { Ok(()) }
    }

    /// Waits for an order and takes it in.
    pub(super) async fn changed(&mut self) {
        if self.gone {
            return std::future::pending().await;
        }
        match self.orders.recv().await {
            Some(order) => self.take(order),
            None => {
                self.gone = true;
                self.stopped = true;
            }
        }
    }

    /// Waits until what has this ticket is on disk. A disk that refuses may take hours.
    pub(super) async fn kept(&mut self, ticket: u64) -> Result<(), Stopped> {
        while self.kept < ticket {
            if self.stopped {
                return Err(Stopped);
            }
            self.changed().await;
        }
        Ok(())
    }

    /// Does something that may be broken off where all is stopped.
    pub(super) async fn unless_stopped<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, Stopped> {
        let mut work = pin!(work);
        loop {
            if self.stopped {
                return Err(Stopped);
            }
            tokio::select! { biased;
                () = self.changed() => {}
                done = &mut work => return Ok(done),
            }
        }
    }

    fn take(&mut self, order: ToRunner) {
        if order.is_turn() {
            self.turns += 1;
        }
        match order {
            ToRunner::Begin => {
                self.begin = true;
                self.cancelling = false;
                self.stopped = false;
            }
            ToRunner::CancelAll => {
                self.cancelling = true;
                self.begin = false;
                self.stopped = false;
            }
            ToRunner::Stop => self.stopped = true,
            ToRunner::Running(running) => self.running = running,
            ToRunner::Kept(ticket) => self.kept = self.kept.max(ticket),
        }
    }
}
