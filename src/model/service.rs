//! Whether an endpoint takes calls.

use super::{Failure, UnixMillis};
use serde::{Deserialize, Serialize};

/// Whether an endpoint is asked at all, whatever its limits say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "service")]
pub enum Service {
    #[default]
    InService,
    /// It failed several times in a row: nothing is sent until then, and after that one request
    /// at a time, until one is answered.
    CoolingDown { until: UnixMillis, failure: Failure },
    /// It will serve nobody until a person mends it: the key is refused, or the quota used up.
    OutOfService { failure: Failure },
}
