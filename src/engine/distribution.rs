//! How the answers of an earlier part of a run are spread over the grid.
//!
//! They are counted apart: 100,000 answers take half a second, and nobody who is to be asked or who
//! wants to look shall wait for it.

use crate::{
    model::Grid,
    protocol::Distribution,
    store::{RunReader, StoreError},
};
use std::path::Path;

/// Counts all answers that the run file has at this moment, on a thread of its own. What is
/// committed later is not among them.
///
/// # Errors
/// A run file that cannot be read; what goes wrong later is said in the log.
pub(super) fn count_apart(
    run_file: &Path,
    grid: Grid,
    tell: impl FnOnce(Distribution) + Send + 'static,
) -> Result<(), StoreError> {
    let reader = RunReader::open(run_file)?;
    reader.hold_still()?;
    let count = move || match on_file(&reader, &grid) {
        Ok(distribution) => tell(distribution),
        Err(error) => tracing::error!("the answers on file cannot be counted: {error}"),
    };
    let thread = std::thread::Builder::new().name("distribution".to_owned());
    if let Err(error) = thread.spawn(count) {
        tracing::error!("the answers on file are not counted: {error}");
    }
    Ok(())
}

fn on_file(reader: &RunReader, grid: &Grid) -> Result<Distribution, StoreError> {
    let mut distribution = Distribution::of(grid);
    let keys: Vec<_> = grid.impacts.iter().map(|impact| impact.key.as_str()).collect();
    reader.for_each_score(&keys, |weight, scores| {
        distribution.count(weight, scores.iter().copied());
    })?;
    Ok(distribution)
}
