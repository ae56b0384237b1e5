//! Vectors of answers: whom they are asked of, and the call that asks.
//!
//! It takes a slot, a rate and money as every call does, and is among the attempts of the persona
//! for whose answer it is made. But nothing hangs on it: what comes back takes no endpoint out of
//! service and teaches the limits nothing, since providers count another model apart, and where it
//! fails for good the run goes on without vectors.

use super::{
    attempt_log,
    fact::{Fact, NewSteps},
    interview::Interviewer,
    ledger::Reservation,
    retry::{self, Decision, Progress},
    waiting::{Clearance, settle_uncounted, total},
};
use crate::{
    config::{EndpointSettings, embeddings_price},
    limiter::{Avoided, Permit, PermitRequest, Priority},
    model::{
        Attempt, AttemptTiming, EndpointIndex, Failure, PersonaIndex, Price, Stage, Tokens,
        UnixMillis, Usage, Usd,
    },
    provider::{Exchange, Vector},
};
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a call stands in the line where it must not go to every endpoint: meanwhile those
/// behind it wait too, wherever they could go.
const PATIENCE: Duration = Duration::from_secs(2);

/// A model that puts texts into vectors, and where it is.
pub(super) struct Embedder {
    model: String,
    /// `None` where nobody knows it.
    price: Option<Price>,
    /// Endpoints of other servers than the first one's: their vectors could be of another space.
    elsewhere: Avoided,
    /// The numbers of a vector, once one has come.
    dimension: OnceLock<usize>,
    /// A call has failed for good.
    off: AtomicBool,
}

impl Embedder {
    /// One that is asked of the first endpoint's server.
    pub(super) fn new(model: &str, endpoints: &[EndpointSettings]) -> Self {
        let first = endpoints.first();
        let is_elsewhere = |endpoint: &EndpointSettings| {
            first.is_none_or(|first| endpoint.base_url != first.base_url)
        };
        let elsewhere = (0..=u16::MAX)
            .zip(endpoints)
            .filter(|(_, endpoint)| is_elsewhere(endpoint))
            .fold(Avoided::default(), |all, (index, _)| all.with(EndpointIndex(index)));
        Self {
            model: model.to_owned(),
            price: embeddings_price(model, first.and_then(|first| first.price)),
            elsewhere,
            dimension: OnceLock::new(),
            off: AtomicBool::new(false),
        }
    }

    /// Whether it is asked.
    pub(super) fn is_on(&self) -> bool {
        !self.off.load(Ordering::Relaxed)
    }

    /// What vectors have cost.
    pub(super) fn cost(&self, usage: &Usage) -> Usd {
        self.price.map_or(Usd::ZERO, |price| price.cost(usage))
    }

    /// The most that the vectors of a text can cost: a token is at least a byte.
    fn most(&self, bytes: usize) -> Usd {
        self.price.map_or(Usd::ZERO, |price| price.most(Tokens(bytes as u64), Tokens(0)))
    }

    /// Asks nobody any more, and says so once.
    fn give_up(&self, why: &Failure) {
        if !self.off.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the embeddings of {} failed: {why}; from now on the words of answers say which \
                 are alike",
                self.model
            );
        }
    }
}

impl Interviewer {
    /// Asks for the vectors of texts, in their order; `None` where there are none to be had.
    pub(super) async fn embed(
        &self,
        by: &Embedder,
        persona: PersonaIndex,
        texts: &[&str],
        attempts: &mut u32,
        sent: &mut bool,
    ) -> Option<Vec<Vector>> {
        let mut progress = Progress::default();
        while by.is_on() {
            let Clearance { permit, money } = self.clear_for(by, persona, texts).await?;
            let endpoint = permit.endpoint();
            if by.elsewhere.has(endpoint) {
                return None;
            }
            *attempts += 1;
            *sent = true;
            let (attempt, vectors) =
                self.embed_once(by, persona, texts, *attempts, permit, money).await;
            let Some(failure) = attempt.failure.clone() else {
                self.embedded(attempt);
                return vectors;
            };
            progress.failed += 1;
            progress.spent += attempt.timing.on_the_wire;
            let stopping = self.leaves_off(Stage::Embedding);
            match retry::decide(&failure, &progress, &self.bounds, fastrand::f64()) {
                Decision::RetryIn(wait) if !stopping && by.is_on() => {
                    progress.spent += wait;
                    self.back_off(attempt, wait).await;
                }
                Decision::Repair if !stopping && by.is_on() => {
                    progress.repaired = true;
                    self.again(attempt);
                }
                _ => {
                    self.embedded(attempt);
                    // Who stops has not tried everything.
                    if !stopping {
                        by.give_up(&failure);
                    }
                    return None;
                }
            }
        }
        None
    }

    /// A permit at one of its endpoints. Where the budget has no room for it, there is no vector: the
    /// critic's own call says so, if it must.
    async fn clear_for(
        &self,
        by: &Embedder,
        persona: PersonaIndex,
        texts: &[&str],
    ) -> Option<Clearance> {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let tokens = self.prompt_tokens.estimate(bytes);
        let request = PermitRequest {
            persona,
            priority: Priority::FollowUp,
            tokens,
            most: tokens,
            avoided: by.elsewhere,
        };
        let clearance = self.clearance(Stage::Embedding, request, |_| by.most(bytes));
        if by.elsewhere == Avoided::default() {
            return clearance.await.ok();
        }
        if !self.limiter.serves_beside(by.elsewhere) {
            return None;
        }
        tokio::time::timeout(PATIENCE, clearance).await.ok()?.ok()
    }

    async fn embed_once(
        &self,
        by: &Embedder,
        persona: PersonaIndex,
        texts: &[&str],
        number: u32,
        mut permit: Permit,
        mut money: Reservation,
    ) -> (Box<Attempt>, Option<Vec<Vector>>) {
        let index = permit.endpoint();
        self.tell(Fact::Sent { persona });
        let (sent_at, waits) = (UnixMillis::now(), permit.waits());
        permit.sent();
        money.sent();
        let client = &self.endpoints[index.as_usize()].client;
        let id = format!("{}-{persona}-{number}", self.run);
        let dimension = by.dimension.get().copied();
        let exchange = client.embeddings(&by.model, texts, dimension, &id).await;
        let Exchange { status, request_id, usage, on_the_wire, result, .. } = exchange;
        let (vectors, failure, body) = match result {
            Ok(vectors) => (Some(vectors), None, None),
            Err(unanswered) => (None, Some(unanswered.failure), unanswered.body),
        };
        if let Some(first) = vectors.as_ref().and_then(|vectors| vectors.first()) {
            by.dimension.get_or_init(|| first.dimension());
        }
        match &usage {
            Some(usage) => {
                permit.settle(total(usage));
                money.settle(by.cost(usage));
            }
            None => settle_uncounted(permit, money, status, failure.as_ref().map(|f| f.kind)),
        }
        let timing = AttemptTiming {
            queued: waits.queued,
            waited_for_slot: waits.waited_for_slot,
            waited_for_rate: waits.waited_for_rate,
            on_the_wire,
            parsed: Duration::ZERO,
        };
        let attempt = Box::new(Attempt {
            persona,
            stage: Stage::Embedding,
            number,
            endpoint: index,
            sent_at,
            timing,
            status,
            request_id,
            usage,
            failure,
            body,
            from_cache: false,
        });
        attempt_log::log(&attempt);
        (attempt, vectors)
    }

    /// Tells of the last attempt: the interview stands in the line again.
    fn embedded(&self, attempt: Box<Attempt>) {
        let persona = attempt.persona;
        let steps = NewSteps::default();
        self.tell(Fact::Stepped { persona, attempt: Some(attempt), steps });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vectors_cost_is_known_of_listed_models_only() {
        let listed = Embedder::new("text-embedding-3-small", &[]);
        let usage = Usage { prompt_tokens: 1_000_000, ..Usage::default() };
        assert_eq!(listed.cost(&usage).to_string(), "$0.020");
        assert!(listed.most(500) <= listed.most(501) && listed.most(1) > Usd::ZERO);
        assert_eq!(Embedder::new("my-embed", &[]).most(500), Usd::ZERO);
    }
}
