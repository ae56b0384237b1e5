//! The limiter as the rest of the program sees it.

use super::{
    Dispatcher,
    clock::{Epoch, Moment},
    endpoint::{Endpoint, EndpointSpec},
    feedback::Feedback,
    line::{Granted, HeadWaited, Line, Next, Waiting},
    meters::EndpointReading,
    permit::{Avoided, Grant, Permit, PermitRequest, Spent},
    quota::Quota,
};
use crate::model::{
    EndpointIndex, Failure, LimitChange, LimitError, LimitName, LimitSetBy, Limits, PerMinute,
    Slots, UnixMillis,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, futures::Notified, mpsc, oneshot},
    time::Instant,
};

/// A limit that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetLimitError {
    /// The value is out of bounds.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Slots were asked to be unlimited.
    #[error("slots need a number; set 1 to {}", Slots::MAX)]
    UnlimitedSlots,
    /// The run has no such endpoint.
    #[error("there is no endpoint {asked}; the last one is {last}", asked = asked.0)]
    NoSuchEndpoint { asked: EndpointIndex, last: usize },
}

/// What the handles, the dispatcher and the permits that are out have in common.
pub(super) struct Shared {
    line: Mutex<Line>,
    /// Something may let the head of the line go: only the dispatcher listens.
    changed: Notify,
    /// Calls in the line that are not cancelled.
    waiting: AtomicU32,
    epoch: Epoch,
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.epoch.instant(moment)
    }

    fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// One pass of the dispatcher.
    pub(super) fn hand_out(&self, granted: &mut Vec<Granted>) -> (Next, Option<HeadWaited>) {
        let mut line = self.line();
        line.prune(self.waiting() as usize);
        line.hand_out(self.epoch.now(), granted)
    }

    pub(super) fn give_back(&self, grant: &Grant, spent: Spent) {
        let now = self.epoch.now();
        let look = self.line().give_back(grant, spent, now);
        if look {
            self.changed.notify_one();
        }
    }

    pub(super) fn learn(&self, grant: &Grant, feedback: &Feedback<'_>) {
        let now = self.epoch.now();
        let look = self.line().learn(grant, feedback, now);
        if look {
            self.changed.notify_one();
        }
    }

    /// Changes the line, and has the dispatcher look at it.
    fn change<T>(&self, change: impl FnOnce(&mut Line, Moment) -> T) -> T {
        let outcome = change(&mut self.line(), self.epoch.now());
        self.changed.notify_one();
        outcome
    }
}

/// The right to ask for permits and to steer who gets them. Cheap to clone.
#[derive(Clone)]
pub struct Limiter(Arc<Handle>);

/// What all clones of a [`Limiter`] share; the last one to go ends the dispatcher.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.change(|line, _| line.close());
    }
}

/// A call in the line, until it has its permit or gives up.
struct InLine<'a> {
    shared: &'a Shared,
    served: bool,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        if !self.served {
            // It may have been the head: the next one shall not wait for a dead one's turn.
            self.shared.changed.notify_one();
        }
    }
}

impl Limiter {
    /// A limiter over `endpoints`. It starts nothing by itself: [`Dispatcher::run`] is the one
    /// task that hands out permits. Why the head of the line waits goes to `waits`.
    pub fn new(
        endpoints: Vec<EndpointSpec>,
        waits: mpsc::UnboundedSender<HeadWaited>,
    ) -> (Self, Dispatcher) {
        let epoch = Epoch::start();
        let shared = Arc::new(Shared {
            line: Mutex::new(Line::new(endpoints)),
            changed: Notify::new(),
            waiting: AtomicU32::new(0),
            epoch,
        });
        (Self(Arc::new(Handle(Arc::clone(&shared)))), Dispatcher::new(shared, waits))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Joins the line and resolves with the permit. Dropping the future leaves the line and gives
    /// back what was taken for it.
    pub async fn permit(&self, request: PermitRequest) -> Permit {
        let shared = self.shared();
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        // Before the channel: when this future is dropped, the dispatcher hears of it after the
        // channel is closed.
        let mut in_line = InLine { shared, served: false };
        let (reply, granted) = oneshot::channel();
        let now = shared.epoch.now();
        let head = shared.line().join(Waiting::new(request, reply, now), now);
        if head {
            shared.changed.notify_one();
        }
        let permit = granted
            .await
            .expect("a call leaves the line with a permit or because this future was dropped");
        in_line.served = true;
        permit
    }

    /// Sets one limit of one endpoint, or of all of them, at once: more slots are handed out now,
    /// fewer hold as running calls end, a new rate keeps what is owed. `None` is "no limit".
    /// Returns what changed; what already was so is not in it.
    ///
    /// # Errors
    /// A value out of bounds, unlimited slots, or an endpoint that is not there. Nothing changes.
    pub fn set_limit(
        &self,
        endpoint: Option<EndpointIndex>,
        limit: LimitName,
        to: Option<u32>,
        set_by: LimitSetBy,
        reason: &str,
    ) -> Result<Vec<LimitChange>, SetLimitError> {
        let new = match limit {
            LimitName::Slots => {
                let slots = to.ok_or(SetLimitError::UnlimitedSlots)?;
                NewLimit::Slots(Slots::try_from(i64::from(slots))?)
            }
            LimitName::RequestsPerMinute | LimitName::TokensPerMinute => {
                NewLimit::Rate(to.map(|rate| PerMinute::try_from(i64::from(rate))).transpose()?)
            }
        };
        self.shared().change(|line, now| {
            if let Some(asked) = endpoint
                && asked.as_usize() >= line.endpoints.len()
            {
                let last = line.endpoints.len().saturating_sub(1);
                return Err(SetLimitError::NoSuchEndpoint { asked, last });
            }
            let at = UnixMillis::now();
            let Line { endpoints, quotas, .. } = line;
            let changes = (0..=u16::MAX)
                .map(EndpointIndex)
                .zip(endpoints)
                .filter(|(index, _)| endpoint.is_none_or(|asked| asked == *index))
                .filter_map(|(index, endpoint)| {
                    let (from, to) = set(new, limit, endpoint, &mut quotas[endpoint.quota], now)?;
                    let reason = reason.to_owned();
                    Some(LimitChange { at, endpoint: index, limit, from, to, set_by, reason })
                });
            Ok(changes.collect())
        })
    }

    /// Hands out nothing until [`Self::resume`]; permits that are out stay good.
    pub fn pause(&self) {
        self.shared().change(|line, _| line.pause());
    }

    /// Ends [`Self::pause`].
    pub fn resume(&self) {
        self.shared().change(|line, _| line.resume());
    }

    /// Hands out nothing on this endpoint for `wait` from now on, to the full. It only ever
    /// extends a pause: late replies to requests of before it do not shorten it.
    pub fn pause_endpoint(&self, endpoint: EndpointIndex, wait: Duration) {
        self.shared().change(|line, now| {
            if let Some(endpoint) = line.endpoints.get(endpoint.as_usize()) {
                line.quotas[endpoint.quota].pause(wait, now);
            }
        });
    }

    /// Lets limits adapt to what the providers say, or holds them where they were set.
    pub fn set_adaptation(&self, on: bool) {
        self.shared().change(|line, now| line.adapt(on, now));
    }

    /// Whether limits adapt.
    pub fn is_adapting(&self) -> bool {
        self.shared().line().adapting
    }

    /// The changes of limits since the last call that nobody asked for: those of headers and of
    /// adaptation.
    pub fn take_changes(&self) -> Vec<LimitChange> {
        std::mem::take(&mut self.shared().line().changes)
    }

    /// Takes an endpoint out of service, and with `whole_group` all that share its quota, until
    /// [`Self::put_back`]. How many endpoints are left.
    pub fn take_out(&self, endpoint: EndpointIndex, failure: &Failure, whole_group: bool) -> usize {
        self.shared().change(|line, _| line.take_out(endpoint, failure, whole_group))
    }

    /// Puts every endpoint back into service that was taken out. How many there were.
    pub fn put_back(&self) -> usize {
        self.shared().change(|line, _| line.put_back())
    }

    /// Whether an endpoint that is not among these is in service, cooling ones included.
    pub fn serves_beside(&self, avoided: Avoided) -> bool {
        let line = self.shared().line();
        (0..=u16::MAX)
            .map(EndpointIndex)
            .zip(&line.endpoints)
            .any(|(index, endpoint)| !avoided.has(index) && !endpoint.health.is_out())
    }

    /// Whether an endpoint has served somebody within this time.
    pub fn has_served_within(&self, endpoint: EndpointIndex, span: Duration) -> bool {
        let shared = self.shared();
        let now = shared.epoch.now();
        let line = shared.line();
        line.endpoints.get(endpoint.as_usize()).is_some_and(|e| e.has_served_within(span, now))
    }

    /// The limits in force; `None` where there is no such endpoint.
    pub fn limits(&self, endpoint: EndpointIndex) -> Option<Limits> {
        let line = self.shared().line();
        let endpoint = line.endpoints.get(endpoint.as_usize())?;
        Some(endpoint.limits(&line.quotas[endpoint.quota]))
    }

    /// Every endpoint's numbers now, in the order of the endpoints.
    pub fn meters(&self) -> Vec<EndpointReading> {
        let shared = self.shared();
        let line = shared.line();
        let now = shared.epoch.now();
        // A cancelled call may still stand in the line, a served one may not have woken yet.
        let standing = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let waiting = shared.waiting().min(standing);
        let read = |endpoint: &Endpoint| endpoint.read(&line.quotas[endpoint.quota], waiting, now);
        line.endpoints.iter().map(read).collect()
    }

    /// The slots of all endpoints: how many calls may be in flight at once.
    pub fn slots_total(&self) -> u32 {
        self.shared().line().endpoints.iter().map(Endpoint::target).sum()
    }
}

/// A limit that has been checked and can be applied to any endpoint.
#[derive(Clone, Copy, Debug)]
enum NewLimit {
    Slots(Slots),
    Rate(Option<PerMinute>),
}

/// Applies a limit at once. The old and the new value in force, where they differ.
fn set(
    new: NewLimit,
    limit: LimitName,
    endpoint: &mut Endpoint,
    quota: &mut Quota,
    now: Moment,
) -> Option<(Option<u32>, Option<u32>)> {
    let plain = |rate: Option<PerMinute>| rate.map(PerMinute::get);
    match new {
        NewLimit::Slots(slots) => {
            let (from, before, to) = (endpoint.target(), endpoint.steering.set(), slots.get());
            endpoint.steering.set_to(slots);
            (from != to || before != slots).then_some((Some(from), Some(to)))
        }
        NewLimit::Rate(rate) => {
            let (from, to) = quota.set(limit, rate, now)?;
            Some((plain(from), plain(to)))
        }
    }
}
