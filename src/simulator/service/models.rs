//! The list of models.

use super::{Asker, Service};
use crate::simulator::{reply::Reply, stats::Ending};
use tokio::time::Instant;

/// The models that `GET /v1/models` lists. Any other name is served as well.
const MODELS: [&str; 3] = ["gpt-4o-mini", "gpt-4o", "simulator"];

impl Service {
    /// The list of models.
    pub fn models(&self, asker: Asker<'_>, now: Instant) -> Reply {
        let key = match self.enter(asker.key) {
            Ok(key) => key,
            Err(refusal) => return *refusal,
        };
        self.counts.ended(Ending::ModelsListed);
        let model = |id: &str| {
            serde_json::json!({
                "id": id, "object": "model", "created": 1_721_172_741, "owned_by": "simulator",
            })
        };
        let list = serde_json::json!({ "object": "list", "data": MODELS.map(model) });
        let reply = Reply::new(200, list.to_string().into_bytes());
        Reply { gauges: self.accounts().gauges(key, now), ..reply }
    }
}
