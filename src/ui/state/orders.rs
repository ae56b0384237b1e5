//! Orders on their way: what was asked for and not yet answered, so that key presses add up and
//! every command's outcome is shown.

use crate::{
    model::{EndpointIndex, LimitName, PerMinute, Slots, UnixMillis},
    protocol::{CommandId, CommandOutcome, EndpointMeters, LimitValue, Meters, Order},
    ui::steps,
};
use std::collections::BTreeMap;

/// What became of the last command, for the footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub at: UnixMillis,
    pub tone: Tone,
    pub text: String,
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Applied,
    /// Nothing changed, and nothing is wrong.
    Info,
    Refused,
}

/// A limit that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    to: u32,
    /// `None` until the link has given it a number.
    id: Option<CommandId>,
    /// `Some` once it was applied: the deltas since. The meters that come with the first of them
    /// may still be older than the change.
    applied: Option<u8>,
}

/// After so many deltas the meters know better than the last key press.
const DELTAS_TO_SETTLE: u8 = 3;

/// All orders on their way.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    sent: BTreeMap<CommandId, Order>,
    slots: Option<Target>,
    requests: Option<Target>,
    tokens: Option<Target>,
    /// Pause (`true`) or resume (`false`), asked for and not yet answered.
    pause: Option<bool>,
}

impl Orders {
    /// The limit that one more key press asks for: one step from what was last asked for, or else
    /// from what holds. The error says why there is none.
    pub fn step(
        &mut self,
        limit: LimitName,
        more: bool,
        meters: &Meters,
    ) -> Result<Order, &'static str> {
        let Some(endpoint) = meters.endpoints.first() else {
            return Err("no endpoint has said anything yet; try again in a moment");
        };
        let from = self.asked(limit).or_else(|| holds(limit, endpoint));
        let to = match (from, more) {
            (Some(from), true) => steps::up(from),
            (Some(from), false) => steps::down(from),
            (None, true) => return Err("this rate has no limit to raise; lower it to set one"),
            (None, false) => steps::down(used_now(limit, endpoint)),
        };
        let most = if limit == LimitName::Slots { Slots::MAX } else { PerMinute::MAX };
        let to = to.clamp(1, most);
        if from == Some(to) {
            return Err(if more { "that is the most there can be" } else { "1 is the least" });
        }
        *self.target(limit) = Some(Target { to, id: None, applied: None });
        // Every endpoint gets the same value: one of them alone is not on this screen.
        let endpoint = (meters.endpoints.len() == 1).then_some(EndpointIndex(0));
        Ok(Order::SetLimit { endpoint, limit, to: LimitValue::Exactly(to) })
    }

    /// What was asked for and does not show in the meters yet.
    pub fn asked(&self, limit: LimitName) -> Option<u32> {
        match limit {
            LimitName::Slots => self.slots,
            LimitName::RequestsPerMinute => self.requests,
            LimitName::TokensPerMinute => self.tokens,
        }
        .map(|target| target.to)
    }

    const fn target(&mut self, limit: LimitName) -> &mut Option<Target> {
        match limit {
            LimitName::Slots => &mut self.slots,
            LimitName::RequestsPerMinute => &mut self.requests,
            LimitName::TokensPerMinute => &mut self.tokens,
        }
    }

    /// Pause or resume: the opposite of what was last asked for, or else of what holds.
    pub fn toggle_pause(&mut self, paused: bool) -> Order {
        let pause = !self.pause.unwrap_or(paused);
        self.pause = Some(pause);
        if pause { Order::Pause } else { Order::Resume }
    }

    /// The link took an order.
    pub fn sent(&mut self, id: CommandId, order: Order) {
        if let Order::SetLimit { limit, .. } = order
            && let Some(target) = self.target(limit)
        {
            target.id = Some(id);
        }
        self.sent.insert(id, order);
    }

    /// The engine answered; the notice for it, where it is worth one.
    pub fn answered(
        &mut self,
        id: CommandId,
        outcome: CommandOutcome,
        at: UnixMillis,
    ) -> (Option<Order>, Option<Notice>) {
        let order = self.sent.remove(&id);
        let refused = matches!(outcome, CommandOutcome::Refused { .. });
        match order {
            Some(Order::SetLimit { limit, .. }) => {
                let target = self.target(limit);
                match target {
                    Some(held) if held.id == Some(id) && refused => *target = None,
                    Some(held) if held.id == Some(id) => held.applied = Some(0),
                    // A later key press is on its way: its answer counts.
                    _ => {}
                }
            }
            Some(Order::Pause | Order::Resume) if !self.pausing() => self.pause = None,
            // What the screen asks for on its own account needs no word, unless it failed.
            Some(Order::Inspect { .. } | Order::SendSnapshot) if !refused => {
                return (order, None);
            }
            _ => {}
        }
        let (tone, text) = match outcome {
            CommandOutcome::Applied { what } => (Tone::Applied, what),
            CommandOutcome::Refused { why } => (Tone::Refused, why),
        };
        let text = crate::model::strip_controls(&text);
        (order, Some(Notice { at, tone, text }))
    }

    fn pausing(&self) -> bool {
        self.sent.values().any(|order| matches!(order, Order::Pause | Order::Resume))
    }

    /// New meters arrived: targets that they show, or have had time to show, are no longer asked
    /// for but hold.
    pub fn settle(&mut self, meters: &Meters) {
        for limit in [LimitName::Slots, LimitName::RequestsPerMinute, LimitName::TokensPerMinute] {
            let shown = meters.endpoints.first().and_then(|endpoint| holds(limit, endpoint));
            let target = self.target(limit);
            if let Some(Target { to, applied: Some(deltas), .. }) = target {
                *deltas += 1;
                if shown == Some(*to) || *deltas >= DELTAS_TO_SETTLE {
                    *target = None;
                }
            }
        }
    }
}

fn holds(limit: LimitName, endpoint: &EndpointMeters) -> Option<u32> {
    match limit {
        LimitName::Slots => Some(endpoint.slots.target),
        LimitName::RequestsPerMinute => endpoint.requests.limit.map(PerMinute::get),
        LimitName::TokensPerMinute => endpoint.tokens.limit.map(PerMinute::get),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a `as` saturates")]
fn used_now(limit: LimitName, endpoint: &EndpointMeters) -> u32 {
    match limit {
        LimitName::Slots => endpoint.slots.target,
        LimitName::RequestsPerMinute => endpoint.requests.now as u32,
        LimitName::TokensPerMinute => endpoint.tokens.now as u32,
    }
}
