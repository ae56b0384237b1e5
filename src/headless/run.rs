//! What both forms read off a run.

use crate::{
    advice::Situation,
    model::{EndpointIndex, StatusCounts, UnixMillis, strip_controls},
    protocol::Snapshot,
};

/// What the run is judged by; `None` where it is only looked at, or over.
pub(super) fn situation<'a>(
    run: &'a Snapshot,
    counts: &'a StatusCounts,
    now: UnixMillis,
) -> Option<Situation<'a>> {
    let goes_on = run.header.live && run.summary.is_none();
    let situation = Situation { phase: &run.phase, counts, meters: &run.meters, now };
    goes_on.then_some(situation)
}

/// An endpoint's name.
pub(super) fn endpoint_name(run: &Snapshot, index: EndpointIndex) -> String {
    let endpoint = run.meters.endpoints.get(index.as_usize());
    endpoint.map_or_else(|| format!("endpoint {}", index.0), |e| strip_controls(&e.name))
}
