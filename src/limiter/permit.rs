//! The right to send one request, and the asking for it.

use super::{clock::Moment, feedback::Feedback, handle::Shared};
use crate::model::{EndpointIndex, PersonaIndex, Tokens};
use std::{sync::Arc, time::Duration};

/// Which part of the line a call joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A further call of an interview in progress: goes before every new one.
    FollowUp,
    /// The first call of an interview.
    New,
}

/// Endpoints that a call does not want, by their places; those beyond the 64th cannot be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Avoided(u64);

impl Avoided {
    /// This one too.
    #[must_use]
    pub const fn with(self, endpoint: EndpointIndex) -> Self {
        if endpoint.0 < u64::BITS as u16 { Self(self.0 | 1 << endpoint.0) } else { self }
    }

    /// Whether it is not wanted.
    pub const fn has(self, endpoint: EndpointIndex) -> bool {
        endpoint.0 < u64::BITS as u16 && self.0 & 1 << endpoint.0 != 0
    }
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermitRequest {
    pub persona: PersonaIndex,
    pub priority: Priority,
    /// What to reserve: the prompt and the expected output.
    pub tokens: Tokens,
    /// The prompt and the output cap, which some providers charge whatever is used.
    pub most: Tokens,
    /// Where it must not go. At least one endpoint in service must be left: see
    /// [`super::Limiter::serves_beside`].
    pub avoided: Avoided,
}

/// Where the time before a permit went. The parts follow each other and overlap nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermitWaits {
    /// Behind others, or while the whole line was paused.
    pub queued: Duration,
    /// At the head of the line, with every slot taken.
    pub waited_for_slot: Duration,
    /// At the head of the line with a free slot, held back by a rate or by a provider's pause.
    pub waited_for_rate: Duration,
}

/// What became of the rate that a permit reserved.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spent {
    Nothing,
    Reserved,
    Exactly(Tokens),
}

/// What was taken for one permit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) endpoint: EndpointIndex,
    pub(super) reserved: Tokens,
    pub(super) at: Moment,
    pub(super) waits: PermitWaits,
}

/// A slot and the rate for one request, on one endpoint. Dropped, it gives its slot back, and if
/// nothing was sent, the request and its tokens too.
#[must_use = "a permit that is dropped gives everything back"]
pub struct Permit {
    shared: Arc<Shared>,
    grant: Grant,
    spent: Spent,
}

impl Permit {
    pub(super) const fn new(shared: Arc<Shared>, grant: Grant) -> Self {
        Self { shared, grant, spent: Spent::Nothing }
    }

    /// Where to send.
    pub const fn endpoint(&self) -> EndpointIndex {
        self.grant.endpoint
    }

    /// Where the time before it went.
    pub const fn waits(&self) -> PermitWaits {
        self.grant.waits
    }

    /// The request is on its way: from now on it counts, whatever becomes of it.
    pub const fn sent(&mut self) {
        self.spent = Spent::Reserved;
    }

    /// What came back teaches the limiter something of the endpoint. Called while the permit is
    /// held, once.
    pub fn learned(&self, feedback: &Feedback<'_>) {
        self.shared.learn(&self.grant, feedback);
    }

    /// Corrects the reservation to what the provider counted, and gives the slot back.
    pub fn settle(mut self, used: Tokens) {
        self.spent = Spent::Exactly(used);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.give_back(&self.grant, self.spent);
    }
}
