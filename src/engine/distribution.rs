//! How the answers of an earlier part of a run are spread over the grid.

use crate::{
    model::Grid,
    protocol::Distribution,
    store::{RunReader, StoreError},
};

/// The distribution of all answers that the run file has: one query over it.
pub(super) fn on_file(reader: &RunReader, grid: &Grid) -> Result<Distribution, StoreError> {
    let mut distribution = Distribution::of(grid);
    let keys: Vec<_> = grid.impacts.iter().map(|impact| impact.key.as_str()).collect();
    reader.for_each_score(&keys, |weight, scores| {
        distribution.count(weight, scores.iter().copied());
    })?;
    Ok(distribution)
}
