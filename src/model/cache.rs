//! Which replies may be used again, and for how long.

use serde::{Deserialize, Serialize};

/// How a run uses replies that were given before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheSettings {
    /// Whether a request that was answered before, in this run or another, is answered by that.
    pub on: bool,
    /// What the file of all runs may take.
    pub limits: CacheLimits,
    /// From this similarity on, 0 to 1, an answer takes the verdict that a critic gave on another
    /// one; `None` has a critic asked for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similar: Option<f32>,
    /// The model whose vectors say how alike two answers are; `None` where their words do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<String>,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { on: true, limits: CacheLimits::default(), similar: None, embeddings: None }
    }
}

impl Eq for CacheSettings {}

/// How large the cache may grow, and how old what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheLimits {
    pub megabytes: u32,
    pub days: u32,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { megabytes: 500, days: 30 }
    }
}
