//! Where updates wait for a front end.
//!
//! Who puts something in never waits. Deltas that nobody has taken yet become one; a snapshot
//! throws away the deltas before it; of details and of talks only the newest is kept. Behind a
//! front end that takes nothing for long the deltas are given up, which is a gap: it gets a
//! snapshot instead, once it takes something again.
//!
//! A delta that nothing was merged into stays shared with the mailboxes of the other front ends.

use crate::protocol::{Conversation, Delta, PersonaDetail, Snapshot, Update};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// One front end's mailbox.
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

struct Waiting {
    applied: VecDeque<Update>,
    snapshot: Option<Box<Snapshot>>,
    delta: Option<Arc<Delta>>,
    detail: Option<Box<PersonaDetail>>,
    talk: Option<Box<Conversation>>,
    reconnecting: bool,
    gap: Gap,
    /// Status changes that may wait; merging more of them costs more than a snapshot.
    most_changes: usize,
    /// The engine is gone: what is still here is the last of it.
    closed: bool,
    /// The front end is gone: nobody will take anything.
    abandoned: bool,
}

/// Whether deltas were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    /// Nobody has been told yet.
    Fresh,
    /// A snapshot is asked for.
    Told,
}

/// What comes out of a mailbox.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// Anything but a delta.
    Update(Update),
    Delta(Arc<Delta>),
    /// Deltas are missing: a snapshot has to be asked for.
    Gap,
}

impl Mailbox {
    /// Deltas with more status changes than this are given up.
    pub(super) fn new(most_changes: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                applied: VecDeque::new(),
                snapshot: None,
                delta: None,
                detail: None,
                talk: None,
                reconnecting: false,
                gap: Gap::None,
                most_changes,
                closed: false,
                abandoned: false,
            }),
            arrived: Notify::new(),
        }
    }

    pub(super) fn put(&self, update: Update) {
        self.lock().put(update);
        self.arrived.notify_one();
    }

    /// The same for a delta that others have too.
    pub(super) fn put_shared(&self, delta: &Arc<Delta>) {
        self.lock().put_delta(Arc::clone(delta));
        self.arrived.notify_one();
    }

    /// Nothing will be put in any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Nothing will be taken out any more.
    pub(super) fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.applied.clear();
        waiting.snapshot = None;
        waiting.delta = None;
        waiting.detail = None;
        waiting.talk = None;
        waiting.abandoned = true;
    }

    /// The next thing; `None` once the engine is gone and everything has been taken. Dropping the
    /// future loses nothing.
    pub(super) async fn take(&self) -> Option<Taken> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut waiting = self.lock();
                if let Some(taken) = waiting.take() {
                    return Some(taken);
                }
                if waiting.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next update, where there are no gaps.
    pub(super) async fn next(&self) -> Option<Update> {
        loop {
            if let Some(update) = self.take().await?.update() {
                return Some(update);
            }
        }
    }

    /// An update that is already there, where there are no gaps.
    pub(super) fn try_next(&self) -> Option<Update> {
        self.lock().take()?.update()
    }
}

impl Taken {
    /// The update, if it is one.
    fn update(self) -> Option<Update> {
        match self {
            Self::Update(update) => Some(update),
            Self::Delta(delta) => Some(Update::Delta(Box::new(Arc::unwrap_or_clone(delta)))),
            Self::Gap => None,
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Taken> {
        if self.gap == Gap::Fresh {
            self.gap = Gap::Told;
            return Some(Taken::Gap);
        }
        let first = self.snapshot.take().map(Update::Snapshot);
        if let Some(update) = first.or_else(|| self.applied.pop_front()) {
            return Some(Taken::Update(update));
        }
        if let Some(delta) = self.delta.take() {
            return Some(Taken::Delta(delta));
        }
        (self.detail.take().map(Update::Detail))
            .or_else(|| self.talk.take().map(Update::Talk))
            .or_else(|| std::mem::take(&mut self.reconnecting).then_some(Update::Reconnecting))
            .map(Taken::Update)
    }

    fn put(&mut self, update: Update) {
        if self.abandoned {
            return;
        }
        match update {
            Update::Snapshot(snapshot) => {
                self.delta = None;
                self.gap = Gap::None;
                self.reconnecting = false;
                self.snapshot = Some(snapshot);
            }
            Update::Delta(later) => self.put_delta(later.into()),
            Update::Detail(detail) => self.detail = Some(detail),
            Update::Talk(talk) => self.talk = Some(talk),
            Update::Applied { .. } => self.applied.push_back(update),
            Update::Reconnecting => self.reconnecting = true,
        }
    }

    fn put_delta(&mut self, later: Arc<Delta>) {
        if self.abandoned || self.gap != Gap::None {
            return;
        }
        match (&mut self.snapshot, &mut self.delta) {
            (_, Some(delta)) => {
                let delta = Arc::make_mut(delta);
                delta.merge(Arc::unwrap_or_clone(later));
                if delta.statuses.len() > self.most_changes {
                    self.delta = None;
                    self.gap = Gap::Fresh;
                }
            }
            (Some(snapshot), None) => snapshot.apply(Arc::unwrap_or_clone(later)),
            (None, None) => self.delta = Some(later),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{InterviewStatus, PersonaIndex, RunPhase},
        protocol::{Meters, StatusChange},
    };

    fn delta(persona: u32) -> Arc<Delta> {
        let persona = PersonaIndex(persona);
        Arc::new(Delta {
            phase: RunPhase::Running,
            statuses: vec![StatusChange { persona, status: InterviewStatus::Done }],
            meters: Meters::default(),
            history: Vec::new(),
            log: Vec::new(),
            changes: Vec::new(),
            summary: None,
            analysis: None,
        })
    }

    #[tokio::test]
    async fn a_delta_is_shared_until_another_is_merged_into_it() {
        let (quick, slow) = (Mailbox::new(100), Mailbox::new(100));
        let deltas = [delta(1), delta(2)];
        for delta in &deltas {
            quick.put_shared(delta);
            slow.put_shared(delta);
            let Some(Taken::Delta(taken)) = quick.take().await else { panic!("no delta") };
            assert!(Arc::ptr_eq(&taken, delta));
        }
        let Some(Taken::Delta(merged)) = slow.take().await else { panic!("no delta") };
        assert_eq!(merged.statuses.len(), 2);
        assert!(deltas.iter().all(|delta| delta.statuses.len() == 1));
    }
}
