//! The one task that hands out permits.

use super::{
    handle::Shared,
    line::{HeadWaited, Next},
    permit::Permit,
};
use std::{pin::pin, sync::Arc};
use tokio::{sync::mpsc, time::timeout_at};

/// Hands out permits while it runs; without it nobody gets one.
#[must_use = "nobody gets a permit unless the dispatcher runs"]
pub struct Dispatcher {
    shared: Arc<Shared>,
    waits: mpsc::UnboundedSender<HeadWaited>,
}

impl Dispatcher {
    pub(super) const fn new(shared: Arc<Shared>, waits: mpsc::UnboundedSender<HeadWaited>) -> Self {
        Self { shared, waits }
    }

    /// Runs until every [`super::Limiter`] handle is dropped; permits may still be out then.
    pub async fn run(self) {
        let mut granted = Vec::new();
        loop {
            // Armed before the look: what changes during it is not missed.
            let mut changed = pin!(self.shared.changed());
            changed.as_mut().enable();

            let (next, head_waited) = self.shared.hand_out(&mut granted);
            // Sent without the lock: a permit that nobody takes any more comes back at once.
            for (reply, grant) in granted.drain(..) {
                let _ = reply.send(Permit::new(Arc::clone(&self.shared), grant));
            }
            if let Some(head_waited) = head_waited {
                let _ = self.waits.send(head_waited);
            }
            match next {
                Next::Again => {}
                Next::OnChange => changed.await,
                Next::At(moment) => {
                    let _ = timeout_at(self.shared.instant(moment), changed).await;
                }
                Next::End => return,
            }
        }
    }
}
