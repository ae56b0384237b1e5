//! The exact cache in a run: which keys a call has, and at whose place a reply counts.

use super::endpoint::Endpoint;
use crate::{
    cache::{Cache, CacheKey, CachedReply, Repeat},
    model::EndpointIndex,
    prompt::Form,
    provider::Question,
};

/// The cache, and how endpoints stand in it.
pub(super) struct Caching {
    cache: Cache,
    /// Endpoints that ask different models, or different servers: the first of each sort.
    sorts: Vec<EndpointIndex>,
    /// The sort of each endpoint.
    sort_of: Vec<usize>,
}

impl Caching {
    pub(super) fn new(cache: Cache, endpoints: &[Endpoint]) -> Self {
        let mut sorts: Vec<EndpointIndex> = Vec::new();
        let mut sort_of = Vec::new();
        for (index, endpoint) in (0..).map(EndpointIndex).zip(endpoints) {
            let same =
                |first: &EndpointIndex| endpoints[first.as_usize()].is_asked_the_same_as(endpoint);
            sort_of.push(sorts.iter().position(same).unwrap_or_else(|| {
                sorts.push(index);
                sorts.len() - 1
            }));
        }
        Self { cache, sorts, sort_of }
    }

    /// The keys of a request, one for each sort of endpoint.
    pub(super) fn keys(
        &self,
        endpoints: &[Endpoint],
        form: Form,
        question: &Question<'_>,
        repeat: Repeat,
    ) -> Vec<CacheKey> {
        let key =
            |first: &EndpointIndex| endpoints[first.as_usize()].cache_key(form, question, repeat);
        self.sorts.iter().map(key).collect()
    }

    /// The reply under one of the keys, and the endpoint that gave it or one like it.
    pub(super) async fn look_up(&self, keys: &[CacheKey]) -> Option<(EndpointIndex, CachedReply)> {
        let (sort, reply) = self.cache.look_up(keys).await?;
        Some((*self.sorts.get(sort)?, reply))
    }

    /// Keeps what an endpoint has replied.
    pub(super) fn keep(&self, keys: &[CacheKey], endpoint: EndpointIndex, reply: CachedReply) {
        let sort = self.sort_of.get(endpoint.as_usize());
        if let Some(key) = sort.and_then(|sort| keys.get(*sort)) {
            self.cache.put(*key, reply);
        }
    }
}
