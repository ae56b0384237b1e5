//! The line of calls that want a permit, and the one place where it is decided who goes next.
//! Everything here is plain state: no task, no waiting, and time is what the caller says it is. The
//! wall clock is read for nothing but what people read: when a limit changed, when a pause ends.

use super::{
    clock::Moment,
    endpoint::{Endpoint, EndpointSpec},
    permit::{Avoided, Grant, Permit, PermitRequest, PermitWaits, Priority, Spent},
    quota::Quota,
};
use crate::model::{EndpointIndex, LimitChange, PersonaIndex};
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// How many permits one pass hands out before it lets go of the lock.
const BATCH: usize = 256;

/// Cancelled calls leave the line when they reach its head, or all at once when they outnumber
/// the others by this many.
const CANCELLED_AT_MOST: usize = 1_000;

/// What the head of the line waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// Every slot is taken.
    Slot,
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// The whole line is paused, or a provider told us to wait.
    Pause,
}

/// The head of the line cannot be served yet, and why. Sent when it begins to wait and when the
/// reason changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadWaited {
    pub persona: PersonaIndex,
    pub on: Constraint,
}

/// One call that wants a permit.
pub(super) struct Waiting {
    request: PermitRequest,
    reply: oneshot::Sender<Permit>,
    waits: PermitWaits,
    /// `waits` is complete up to here.
    since: Moment,
    /// What the time after that counts as; `None` is "queued".
    on: Option<Constraint>,
    /// The last reason that was told.
    told: Option<Constraint>,
}

impl Waiting {
    pub(super) fn new(request: PermitRequest, reply: oneshot::Sender<Permit>, now: Moment) -> Self {
        Self { request, reply, waits: PermitWaits::default(), since: now, on: None, told: None }
    }

    /// Books the time up to now, and what the time after it will count as.
    fn wait_on(&mut self, on: Option<Constraint>, now: Moment) {
        let passed = now.since(self.since);
        match self.on {
            None => self.waits.queued += passed,
            Some(Constraint::Slot) => self.waits.waited_for_slot += passed,
            Some(Constraint::Requests | Constraint::Tokens | Constraint::Pause) => {
                self.waits.waited_for_rate += passed;
            }
        }
        self.since = now;
        self.on = on;
    }

    fn tell(&mut self, on: Constraint) -> Option<HeadWaited> {
        (self.told.replace(on) != Some(on))
            .then_some(HeadWaited { persona: self.request.persona, on })
    }
}

/// Whether the line moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Nothing is handed out.
    Paused,
    /// Nobody is left who could join.
    Closed,
}

/// What the dispatcher does after a pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again: the batch was full.
    Again,
    /// Look again when something has changed.
    OnChange,
    /// Look again then, or when something has changed.
    At(Moment),
    /// Nothing will ever happen again.
    End,
}

/// What became of the head of the line.
enum Served {
    Granted(Granted),
    Nobody,
    HeldBack { head_waited: Option<HeadWaited>, next: Next },
}

pub(super) type Granted = (oneshot::Sender<Permit>, Grant);

pub(super) struct Line {
    pub(super) endpoints: Vec<Endpoint>,
    /// One for each endpoint without a group, and one for each model of a group.
    pub(super) quotas: Vec<Quota>,
    pub(super) adapting: bool,
    /// Changes of limits that nobody has asked for, until somebody takes them.
    pub(super) changes: Vec<LimitChange>,
    /// When the next second has passed.
    pub(super) next_second: Moment,
    follow_ups: VecDeque<Waiting>,
    new: VecDeque<Waiting>,
    gate: Gate,
    /// Whether the last pass passed over an endpoint for want of a slot. Where none was, a slot
    /// that comes free is no reason to look again.
    wants_slot: bool,
}

impl Line {
    pub(super) fn new(specs: Vec<EndpointSpec>) -> Self {
        let now = Moment::default();
        let mut quotas: Vec<Quota> = Vec::new();
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for spec in specs {
            let shared = (endpoints.iter())
                .find(|other| spec.group.is_some() && other.shared_quota() == spec.shared_quota())
                .map(|other| other.quota);
            let quota = shared.unwrap_or_else(|| {
                quotas.push(Quota::new(&spec.limits, spec.guessed, now));
                quotas.len() - 1
            });
            endpoints.push(Endpoint::new(spec, quota));
        }
        Self {
            endpoints,
            quotas,
            adapting: false,
            changes: Vec::new(),
            next_second: now,
            follow_ups: VecDeque::new(),
            new: VecDeque::new(),
            gate: Gate::Open,
            wants_slot: false,
        }
    }

    /// How many stand in the line, cancelled ones included.
    pub(super) fn len(&self) -> usize {
        self.follow_ups.len() + self.new.len()
    }

    /// Adds a call at its place. True where it is the head, so that the dispatcher must look:
    /// whoever else joins changes nothing.
    #[must_use]
    pub(super) fn join(&mut self, waiting: Waiting, now: Moment) -> bool {
        match waiting.request.priority {
            Priority::FollowUp => {
                if self.follow_ups.is_empty()
                    && let Some(overtaken) = self.new.front_mut()
                {
                    overtaken.wait_on(None, now);
                }
                self.follow_ups.push_back(waiting);
                self.follow_ups.len() == 1
            }
            Priority::New => {
                self.new.push_back(waiting);
                self.len() == 1
            }
        }
    }

    /// Drops the cancelled calls where there are too many of them; `waiting` are not cancelled.
    pub(super) fn prune(&mut self, waiting: usize) {
        if self.len() > waiting.saturating_mul(2).saturating_add(CANCELLED_AT_MOST) {
            self.follow_ups.retain(|call| !call.reply.is_closed());
            self.new.retain(|call| !call.reply.is_closed());
        }
    }

    pub(super) fn pause(&mut self) {
        if self.gate == Gate::Open {
            self.gate = Gate::Paused;
        }
    }

    pub(super) fn resume(&mut self) {
        if self.gate == Gate::Paused {
            self.gate = Gate::Open;
        }
    }

    pub(super) fn close(&mut self) {
        self.gate = Gate::Closed;
    }

    /// Takes back what a permit held. True where the dispatcher must look.
    #[must_use]
    pub(super) fn give_back(&mut self, grant: &Grant, spent: Spent, now: Moment) -> bool {
        let Some(endpoint) = self.endpoints.get_mut(grant.endpoint.as_usize()) else {
            return false;
        };
        let earlier = endpoint.give_back(&mut self.quotas[endpoint.quota], grant, spent, now);
        // Also where its health is why it was passed over: the last one to come back frees it.
        let slot = self.wants_slot && endpoint.has_free_slot();
        if slot {
            self.wants_slot = false;
        }
        slot || (earlier && self.len() > 0)
    }

    /// One pass of the dispatcher: serves the head of the line for as long as it can be served,
    /// at most a batch. What it grants is put into `granted`, to be sent when the lock is free.
    pub(super) fn hand_out(
        &mut self,
        now: Moment,
        granted: &mut Vec<Granted>,
    ) -> (Next, Option<HeadWaited>) {
        self.wants_slot = false;
        if self.gate == Gate::Closed {
            return (Next::End, None);
        }
        self.pass_seconds(now);
        while granted.len() < BATCH {
            match self.serve_head(now) {
                Served::Granted(grant) => granted.push(grant),
                Served::Nobody => return (Next::OnChange, None),
                Served::HeldBack { head_waited, next } => return (next, head_waited),
            }
        }
        (Next::Again, None)
    }

    fn serve_head(&mut self, now: Moment) -> Served {
        skip_cancelled(&mut self.follow_ups);
        skip_cancelled(&mut self.new);
        let queue = if self.follow_ups.is_empty() { &mut self.new } else { &mut self.follow_ups };
        let Some(mut head) = queue.pop_front() else { return Served::Nobody };

        let (on, next) = if self.gate == Gate::Paused {
            (None, Next::OnChange)
        } else {
            match choose(&mut self.endpoints, &self.quotas, head.request.avoided, now) {
                Choice::Wait(on) => (Some(on), Next::OnChange),
                Choice::Ask { index, at, on } => {
                    head.wait_on(None, now);
                    let endpoint = &mut self.endpoints[index.as_usize()];
                    let quota = &mut self.quotas[endpoint.quota];
                    if at <= now
                        && let Some(reserved) = endpoint.take(quota, &head.request, now)
                    {
                        let Waiting { reply, waits, .. } = head;
                        let grant = Grant { endpoint: index, reserved, at: now, waits };
                        return Served::Granted((reply, grant));
                    }
                    (Some(on), Next::At(at))
                }
            }
        };
        // An endpoint that comes back from a pause takes one at a time, whatever is free.
        let may_change = |endpoint: &Endpoint| {
            !endpoint.has_free_slot() || !endpoint.health.is_well() && !endpoint.health.is_out()
        };
        self.wants_slot = self.endpoints.iter().any(may_change);
        // While limits adapt, seconds must pass for those who wait, whatever else happens.
        let next = match next {
            Next::At(at) if self.adapting => Next::At(at.min(self.next_second)),
            Next::OnChange if self.adapting && self.gate == Gate::Open => {
                Next::At(self.next_second)
            }
            next => next,
        };
        head.wait_on(on, now);
        let head_waited = head.tell(on.unwrap_or(Constraint::Pause));
        queue.push_front(head);
        Served::HeldBack { head_waited, next }
    }
}

fn skip_cancelled(queue: &mut VecDeque<Waiting>) {
    while queue.front().is_some_and(|call| call.reply.is_closed()) {
        queue.pop_front();
    }
}

/// Where the head of the line may go.
enum Choice {
    /// Nowhere, until something changes.
    Wait(Constraint),
    /// Here, at this moment; until then that holds it back.
    Ask { index: EndpointIndex, at: Moment, on: Constraint },
}

/// Of the endpoints with a free slot that are in service, the one that is ready first; among
/// those that are ready, or have been since the same moment, the one whose slots are least taken.
fn choose(endpoints: &mut [Endpoint], quotas: &[Quota], avoided: Avoided, now: Moment) -> Choice {
    let mut best: Option<(Moment, f64, Choice)> = None;
    let mut no_slot = false;
    for (index, endpoint) in (0..=u16::MAX).zip(endpoints) {
        if avoided.has(EndpointIndex(index)) {
            continue;
        }
        let Some((at, on)) = endpoint.ready_at(&quotas[endpoint.quota], now) else { continue };
        if !endpoint.has_free_slot() {
            no_slot = true;
            // Where the rates would have let it go, more slots would help.
            endpoint.wanted |= at <= now;
            continue;
        }
        let (from, load) = (at.max(now), endpoint.load());
        if best.as_ref().is_none_or(|(first, least, _)| (from, load) < (*first, *least)) {
            let index = EndpointIndex(index);
            best = Some((from, load, Choice::Ask { index, at, on }));
        }
    }
    match best {
        Some((.., choice)) => choice,
        None if no_slot => Choice::Wait(Constraint::Slot),
        None => Choice::Wait(Constraint::Pause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tokens;

    #[test]
    fn a_line_that_does_not_move_is_cleared_of_cancelled_calls() {
        let mut line = Line::new(Vec::new());
        let request = PermitRequest {
            persona: PersonaIndex(0),
            priority: Priority::New,
            tokens: Tokens(1),
            most: Tokens(1),
            avoided: Avoided::default(),
        };
        let mut calls = Vec::new();
        for _ in 0..3_000 {
            let (reply, permit) = oneshot::channel();
            let _ = line.join(Waiting::new(request, reply, Moment::default()), Moment::default());
            calls.push(permit);
        }
        line.prune(3_000);
        assert_eq!(line.len(), 3_000);
        calls.truncate(700);
        line.prune(700);
        assert_eq!(line.len(), 700);
    }
}
