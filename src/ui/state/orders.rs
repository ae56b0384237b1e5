//! Orders on their way: what was asked for and not yet answered, so that key presses add up and
//! every command's outcome is shown.

use super::notice::{Notice, Tone};
use crate::{
    advice,
    model::{EndpointIndex, LimitName, PerMinute, Slots, UnixMillis},
    protocol::{CommandId, CommandOutcome, EndpointMeters, LimitValue, Meters, Order},
    ui::steps,
};
use std::collections::{BTreeMap, HashMap};

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
    targets: HashMap<(EndpointIndex, LimitName), Target>,
    /// Pause (`true`) or resume (`false`), asked for and not yet answered.
    pause: Option<bool>,
    /// Adaptation on or off, likewise.
    adaptation: Option<bool>,
    /// Batches or single calls, likewise.
    batch: Option<bool>,
}

impl Orders {
    /// What one more key press asks for, of one endpoint or of each: one step from what was last
    /// asked for, or else from what holds. The error says why there is nothing to ask for.
    pub fn step(
        &mut self,
        limit: LimitName,
        more: bool,
        only: Option<EndpointIndex>,
        meters: &Meters,
    ) -> Result<Vec<Order>, &'static str> {
        let mut orders = Vec::new();
        let mut why = "no endpoint has said anything yet; try again in a moment";
        for (index, endpoint) in (0..=u16::MAX).map(EndpointIndex).zip(&meters.endpoints) {
            if only.is_some_and(|only| only != index) {
                continue;
            }
            match next(self.target_of(index, limit), limit, more, endpoint) {
                Ok(to) => {
                    self.targets.insert((index, limit), Target { to, id: None, applied: None });
                    let to = LimitValue::Exactly(to);
                    orders.push(Order::SetLimit { endpoint: Some(index), limit, to });
                }
                Err(because) => why = because,
            }
        }
        if orders.is_empty() { Err(why) } else { Ok(orders) }
    }

    fn target_of(&self, endpoint: EndpointIndex, limit: LimitName) -> Option<u32> {
        self.targets.get(&(endpoint, limit)).map(|target| target.to)
    }

    /// What was asked for, of one endpoint or of all together, and does not show in the meters
    /// yet.
    pub fn asked(
        &self,
        limit: LimitName,
        only: Option<EndpointIndex>,
        meters: &Meters,
    ) -> Option<u32> {
        if let Some(only) = only {
            return self.target_of(only, limit);
        }
        if !self.targets.keys().any(|(_, name)| *name == limit) {
            return None;
        }
        let mut asked = meters.endpoints.clone();
        for (index, endpoint) in (0..=u16::MAX).map(EndpointIndex).zip(&mut asked) {
            if let Some(to) = self.target_of(index, limit) {
                show(limit, to, endpoint);
            }
        }
        let load = advice::Load::of_all(&asked);
        let rate = |rate: advice::Rate| rate.limit.map(saturate);
        match limit {
            LimitName::Slots => Some(load.slots.target),
            LimitName::RequestsPerMinute => rate(load.requests),
            LimitName::TokensPerMinute => rate(load.tokens),
        }
    }

    /// Pause or resume: the opposite of what was last asked for, or else of what holds.
    pub fn toggle_pause(&mut self, paused: bool) -> Order {
        let pause = !self.pause.unwrap_or(paused);
        self.pause = Some(pause);
        if pause { Order::Pause } else { Order::Resume }
    }

    /// Adaptation on or off, likewise.
    pub fn toggle_adaptation(&mut self, adapting: bool) -> Order {
        let on = !self.adaptation.unwrap_or(adapting);
        self.adaptation = Some(on);
        Order::SetAdaptation { on }
    }

    /// Batches or single calls, likewise.
    pub fn toggle_batch(&mut self, in_batches: bool) -> Order {
        let on = !self.batch.unwrap_or(in_batches);
        self.batch = Some(on);
        Order::SetBatch { on }
    }

    /// The link took an order.
    pub fn sent(&mut self, id: CommandId, order: Order) {
        if let Order::SetLimit { endpoint: Some(endpoint), limit, .. } = order
            && let Some(target) = self.targets.get_mut(&(endpoint, limit))
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
        match &order {
            Some(Order::SetLimit { endpoint: Some(endpoint), limit, .. }) => {
                let key = (*endpoint, *limit);
                // Where a later key press is on its way, its answer counts.
                if let Some(target) = self.targets.get_mut(&key).filter(|t| t.id == Some(id)) {
                    target.applied = Some(0);
                    if refused {
                        self.targets.remove(&key);
                    }
                }
            }
            Some(Order::Pause | Order::Resume) if !self.waits_for(is_pausing) => self.pause = None,
            Some(Order::SetAdaptation { .. }) if !self.waits_for(is_adapting) => {
                self.adaptation = None;
            }
            Some(Order::SetBatch { .. }) if !self.waits_for(is_moving) => self.batch = None,
            // What the screen asks for on its own account needs no word, unless it failed.
            Some(
                Order::Inspect { .. }
                | Order::SendSnapshot
                | Order::OpenTalk { .. }
                | Order::Say { .. }
                | Order::CloseTalk { .. },
            ) if !refused => {
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

    fn waits_for(&self, kind: fn(&Order) -> bool) -> bool {
        self.sent.values().any(kind)
    }

    /// New meters arrived: targets that they show, or have had time to show, are no longer asked
    /// for but hold.
    pub fn settle(&mut self, meters: &Meters) {
        self.targets.retain(|(endpoint, limit), target| {
            let Some(deltas) = &mut target.applied else { return true };
            *deltas += 1;
            let endpoint = meters.endpoints.get(endpoint.as_usize());
            let shown = endpoint.and_then(|endpoint| in_force(*limit, endpoint));
            shown != Some(target.to) && *deltas < DELTAS_TO_SETTLE
        });
    }
}

const fn is_pausing(order: &Order) -> bool {
    matches!(order, Order::Pause | Order::Resume)
}

const fn is_adapting(order: &Order) -> bool {
    matches!(order, Order::SetAdaptation { .. })
}

const fn is_moving(order: &Order) -> bool {
    matches!(order, Order::SetBatch { .. })
}

/// One step from what was asked for, or else from what holds: down from the limit in force, so
/// that the step is felt, and up from the one that was set where that is higher, since a limit
/// that adaptation or a header keeps down is a ceiling that would not be reached.
fn next(
    asked: Option<u32>,
    limit: LimitName,
    more: bool,
    endpoint: &EndpointMeters,
) -> Result<u32, &'static str> {
    let holds = in_force(limit, endpoint);
    let ceiling = holds.map(|holds| holds.max(configured(limit, endpoint).unwrap_or(0)));
    let from = asked.or(if more { ceiling } else { holds });
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
    Ok(to)
}

fn in_force(limit: LimitName, endpoint: &EndpointMeters) -> Option<u32> {
    match limit {
        LimitName::Slots => Some(endpoint.slots.target),
        LimitName::RequestsPerMinute => endpoint.requests.limit.map(PerMinute::get),
        LimitName::TokensPerMinute => endpoint.tokens.limit.map(PerMinute::get),
    }
}

fn configured(limit: LimitName, endpoint: &EndpointMeters) -> Option<u32> {
    match limit {
        LimitName::Slots => endpoint.slots.configured,
        LimitName::RequestsPerMinute => endpoint.requests.configured.map(PerMinute::get),
        LimitName::TokensPerMinute => endpoint.tokens.configured.map(PerMinute::get),
    }
}

/// Puts a limit into meters, as if it held.
fn show(limit: LimitName, to: u32, endpoint: &mut EndpointMeters) {
    let rate = Some(PerMinute::clamped(i64::from(to)));
    match limit {
        LimitName::Slots => endpoint.slots.target = to,
        LimitName::RequestsPerMinute => endpoint.requests.limit = rate,
        LimitName::TokensPerMinute => endpoint.tokens.limit = rate,
    }
}

fn used_now(limit: LimitName, endpoint: &EndpointMeters) -> u32 {
    match limit {
        LimitName::Slots => endpoint.slots.target,
        LimitName::RequestsPerMinute => saturate(endpoint.requests.now),
        LimitName::TokensPerMinute => saturate(endpoint.tokens.now),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a `as` saturates")]
const fn saturate(value: f64) -> u32 {
    value as u32
}
