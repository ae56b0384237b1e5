//! What a run has cost before this process goes on with it.

use super::{embedding::Embedder, endpoint::Endpoint, ledger::Before, prompt_bound::PromptBound};
use crate::{
    batch::{BatchRecord, End, Step},
    config::EndpointSettings,
    model::{EndpointIndex, LimitChange, LimitName, RunPhase, StopReason, Usage, Usd},
    prompt::Form,
    store::{RunReader, StoreError, StoredBatch, UncountedLines},
};
use std::collections::HashMap;

/// Money that is gone, or may be.
#[derive(Debug, Default)]
pub(super) struct SpentBefore {
    pub before: Before,
    /// The part of what was spent alone that the attempts on file do not show.
    pub unrecorded: Usd,
}

/// How dear calls are, for those that nobody counted.
pub(super) struct Prices<'e> {
    pub endpoints: &'e [Endpoint],
    pub settings: &'e [EndpointSettings],
    pub bound: &'e PromptBound,
    pub output_cap: u32,
    /// Whose calls have a price of their own, where there are any.
    pub embedder: Option<&'e Embedder>,
}

impl SpentBefore {
    /// By what is on file. What the last process had spent when it ended counts, and where it was
    /// killed, what it was allowed to spend. Only a process without a budget that was killed has
    /// left no such amount: as many calls as there were slots may have been under way, and as many
    /// more on their way into the file. What batches can cost stands in the file with them.
    pub(super) fn read(reader: &RunReader, prices: &Prices<'_>) -> Result<Self, StoreError> {
        let batches = reader.batches()?;
        let on_file = prices.alone(reader)?;
        let stored = reader.spending()?;
        let known = on_file.saturating_add(stored.unrecorded);
        let was_killed = matches!(
            reader.run()?.phase,
            Some(
                RunPhase::Running
                    | RunPhase::Paused { .. }
                    | RunPhase::Draining
                    | RunPhase::Stopped { reason: StopReason::Crashed }
            )
        );
        let alone = match stored.at_most {
            Some(at_most) => known.max(at_most),
            None if was_killed => {
                known.saturating_add(prices.under_way(&reader.limit_changes()?).times(2))
            }
            None => known,
        };
        if was_killed && alone > known {
            let more = alone.saturating_sub(known);
            tracing::warn!(
                "the last process was killed: {more} for calls that were under way count as spent"
            );
        }
        let mut in_batches = prices.in_batches(reader)?;
        let mut under_way = HashMap::new();
        for StoredBatch { number, most, record, .. } in &batches {
            let left = || reader.lines_of_batch(*number).map(|lines| lines.left_of(*most));
            match serde_json::from_str::<BatchRecord>(record) {
                Ok(record) => match record.step() {
                    Step::Creating { .. } | Step::Created { .. } => {
                        under_way.insert(*number, left()?);
                    }
                    Step::Over { end: End::Lost, .. } => {
                        in_batches = in_batches.saturating_add(left()?);
                    }
                    Step::Written | Step::Uploaded { .. } | Step::Over { .. } => {}
                },
                // Nobody can tell how far it is.
                Err(_) => {
                    under_way.insert(*number, left()?);
                }
            }
        }
        let before = Before { alone, in_batches, under_way, followed: false };
        Ok(Self { before, unrecorded: alone.saturating_sub(on_file) })
    }
}

impl Prices<'_> {
    /// What the attempts on file have cost of calls that went out alone. One that nobody counted
    /// counts as dear as it can have been, for a prompt without a persona.
    fn alone(&self, reader: &RunReader) -> Result<Usd, StoreError> {
        let counted = reader.usage_by_endpoint()?;
        let in_batches = reader.usage_in_batches()?;
        let embeddings = reader.usage_in_embeddings()?;
        let none = Usage::default();
        let counted = counted.iter().filter_map(|(index, all)| {
            let of_these = |list: &'_ [(EndpointIndex, Usage)]| {
                list.iter().find(|(of, _)| of == index).map_or(none, |(_, usage)| *usage)
            };
            let (batch, vectors) = (of_these(&in_batches), of_these(&embeddings));
            let endpoint = self.endpoint(*index)?;
            // Without the model that was asked for them, they count as dear as chats.
            let single = match self.embedder {
                Some(_) => without(&without(all, &batch), &vectors),
                None => without(all, &batch),
            };
            let vectors = self.embedder.map_or(Usd::ZERO, |embedder| embedder.cost(&vectors));
            Some(endpoint.cost(&single).saturating_add(vectors))
        });
        let uncounted = reader.uncounted_by_endpoint()?;
        let lines = reader.uncounted_in_batches()?;
        let most = self.bound.of(Form::Answer, "");
        let uncounted = uncounted.iter().filter_map(|(index, all)| {
            let of_this = lines.iter().filter(|lines| lines.endpoint == *index);
            let in_batches: u64 = of_this.map(|lines| u64::from(lines.uncounted)).sum();
            let alone = all.saturating_sub(in_batches);
            Some(self.endpoint(*index)?.most(most, self.output_cap).times(alone))
        });
        Ok(counted.chain(uncounted).sum())
    }

    /// What the attempts on file have cost of calls in batches.
    fn in_batches(&self, reader: &RunReader) -> Result<Usd, StoreError> {
        let counted = reader.usage_in_batches()?;
        let counted = (counted.iter())
            .filter_map(|(index, usage)| Some(self.endpoint(*index)?.cost_in_batch(usage)));
        let uncounted = reader.uncounted_in_batches()?;
        Ok(counted.chain(uncounted.iter().map(UncountedLines::most)).sum())
    }

    fn endpoint(&self, index: EndpointIndex) -> Option<&Endpoint> {
        self.endpoints.get(index.as_usize())
    }

    /// The most that calls can cost that are under way at a time, with as many slots as there ever
    /// were.
    fn under_way(&self, changes: &[LimitChange]) -> Usd {
        let most = self.bound.of(Form::Answer, "");
        let of_one = |(index, (endpoint, settings)): (u16, (&Endpoint, &EndpointSettings))| {
            let changed = (changes.iter())
                .filter(|c| c.limit == LimitName::Slots && c.endpoint == EndpointIndex(index))
                .flat_map(|change| [change.from, change.to].into_iter().flatten());
            let slots = changed.fold(settings.limits.slots.get(), u32::max);
            endpoint.most(most, self.output_cap).times(u64::from(slots))
        };
        (0..=u16::MAX).zip(self.endpoints.iter().zip(self.settings)).map(of_one).sum()
    }
}

/// The tokens that are left of some.
const fn without(all: &Usage, part: &Usage) -> Usage {
    Usage {
        prompt_tokens: all.prompt_tokens.saturating_sub(part.prompt_tokens),
        completion_tokens: all.completion_tokens.saturating_sub(part.completion_tokens),
        cached_tokens: all.cached_tokens.saturating_sub(part.cached_tokens),
    }
}
