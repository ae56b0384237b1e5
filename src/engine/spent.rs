//! What a run has cost before this process goes on with it.

use super::{embedding::Embedder, endpoint::Endpoint, prompt_bound::PromptBound};
use crate::{
    config::EndpointSettings,
    model::{EndpointIndex, LimitChange, LimitName, RunPhase, StopReason, Usage, Usd},
    prompt::Form,
    store::{RunReader, StoreError},
};

/// Money that is gone, or may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SpentBefore {
    pub spent: Usd,
    /// The part of it that the attempts on file do not show.
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
    /// By what is on file. Where the last process was killed, what it was allowed to spend counts
    /// as spent: it is known whenever there was a budget. Where there was none, as many calls as
    /// there were slots may have been under way, and as many more on their way into the file.
    pub(super) fn read(reader: &RunReader, prices: &Prices<'_>) -> Result<Self, StoreError> {
        let on_file = prices.on_file(reader)?;
        let before = reader.spending()?;
        let mut spent = on_file.saturating_add(before.unrecorded);
        let was_killed = matches!(
            reader.run()?.phase,
            Some(
                RunPhase::Running
                    | RunPhase::Paused { .. }
                    | RunPhase::Draining
                    | RunPhase::Stopped { reason: StopReason::Crashed }
            )
        );
        if was_killed {
            let known = spent;
            spent = match before.at_most {
                Some(at_most) => known.max(at_most),
                None => known.saturating_add(prices.under_way(&reader.limit_changes()?).times(2)),
            };
            if spent > known {
                let more = spent.saturating_sub(known);
                tracing::warn!(
                    "the last process was killed: {more} for calls that were under way count as \
                     spent"
                );
            }
        }
        Ok(Self { spent, unrecorded: spent.saturating_sub(on_file) })
    }
}

impl Prices<'_> {
    /// An attempt that nobody counted counts as dear as it can have been, for a prompt without a
    /// persona.
    fn on_file(&self, reader: &RunReader) -> Result<Usd, StoreError> {
        let at = |index: EndpointIndex| self.endpoints.get(index.as_usize());
        let counted = reader.usage_by_endpoint()?;
        let in_batches = reader.usage_in_batches()?;
        let embeddings = reader.usage_in_embeddings()?;
        let none = Usage::default();
        let counted = counted.iter().filter_map(|(index, all)| {
            let of_these = |list: &'_ [(EndpointIndex, Usage)]| {
                list.iter().find(|(of, _)| of == index).map_or(none, |(_, usage)| *usage)
            };
            let (batch, vectors) = (of_these(&in_batches), of_these(&embeddings));
            let endpoint = at(*index)?;
            // Without the model that was asked for them, they count as dear as chats.
            let single = match self.embedder {
                Some(_) => without(&without(all, &batch), &vectors),
                None => without(all, &batch),
            };
            let vectors = self.embedder.map_or(Usd::ZERO, |embedder| embedder.cost(&vectors));
            let chats = endpoint.cost(&single).saturating_add(endpoint.cost_in_batch(&batch));
            Some(chats.saturating_add(vectors))
        });
        let uncounted = reader.uncounted_by_endpoint()?;
        let most = self.bound.of(Form::Answer, "");
        let uncounted = uncounted
            .iter()
            .filter_map(|(index, many)| Some(at(*index)?.most(most, self.output_cap).times(*many)));
        Ok(counted.chain(uncounted).sum())
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
