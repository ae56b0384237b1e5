//! Requests for the vectors of texts.

use super::{Asker, Service};
use crate::simulator::{
    draft::tokens, embeddings::EmbeddingRequest, fault_kind::server_error, reply::Reply,
    stats::Ending,
};
use tokio::time::Instant;

impl Service {
    /// The vectors of texts.
    pub fn embeddings(&self, asker: Asker<'_>, body: &[u8], now: Instant) -> Reply {
        let key = match self.enter(asker.key) {
            Ok(key) => key,
            Err(refusal) => return *refusal,
        };
        let request = match EmbeddingRequest::parse(body) {
            Ok(request) => request,
            Err(message) => return self.wrong(400, &message),
        };
        let prompt_tokens = request.texts.iter().map(|text| tokens(text)).sum();
        let reply = match self.accounts().admit(key, prompt_tokens, now) {
            Err(refusal) => self.refused(refusal, &request.model),
            Ok(held) => {
                self.counts.ended(Ending::Embedded);
                let chance = self.attempt(body, true).with(b"embeddings");
                let reply = if chance.happens(self.options.embeddings_failed) {
                    Reply::error(self.kind(), 500, &server_error())
                } else {
                    Reply::new(200, request.reply(prompt_tokens).to_string().into_bytes())
                };
                Reply { after: held.saturating_add(self.live().speed.of(0.0, chance)), ..reply }
            }
        };
        Reply { gauges: self.accounts().gauges(key, now), ..reply }
    }
}
