//! A sample of the personas, drawn while their file is read once.

use crate::{
    commands::one_call::Longest,
    error::Problem,
    model::Persona,
    personas::{self, ReadError},
};
use std::{convert::Infallible, path::Path};

/// How many personas are looked at closely. Counting their prompts takes some milliseconds, and
/// where one persona's part is as often twice as half as long as another's, the sum of all prompts
/// is known to within a hundredth.
const SIZE: usize = 2_000;

/// The same file gives the same plan.
const SEED: u64 = 7;

/// All personas of a small file; of a larger one as many as are needed, each with the same chance.
pub(super) struct Sample {
    pub personas: Vec<Persona>,
    /// How many there are in the file.
    pub of: u32,
    pub longest: Longest,
    /// What was left out; one sentence each.
    pub notes: Vec<String>,
}

impl Sample {
    /// Reads the file to its end.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let mut drawn = Draw::new();
        let mut longest = Longest::default();
        let read = personas::read::<Infallible>(path, &mut |persona| {
            longest.offer(&persona);
            drawn.offer(persona);
            Ok(())
        });
        let summary = read.map_err(|error| match error {
            ReadError::Input(input) => Problem::input(input),
            ReadError::Stopped(never) => match never {},
        })?;
        Ok(Self { personas: drawn.kept, of: summary.count, longest, notes: summary.notes })
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn of(personas: Vec<Persona>) -> Self {
        let mut longest = Longest::default();
        personas.iter().for_each(|persona| longest.offer(persona));
        let of = u32::try_from(personas.len()).expect("a test has few");
        Self { personas, of, longest, notes: Vec::new() }
    }
}

/// A reservoir: whatever has been offered so far, everything has the same chance to be kept.
struct Draw<T> {
    kept: Vec<T>,
    offered: usize,
    random: fastrand::Rng,
}

impl<T> Draw<T> {
    fn new() -> Self {
        Self { kept: Vec::new(), offered: 0, random: fastrand::Rng::with_seed(SEED) }
    }

    fn offer(&mut self, item: T) {
        self.offered += 1;
        if self.kept.len() < SIZE {
            self.kept.push(item);
        } else if let Some(place) = self.kept.get_mut(self.random.usize(..self.offered)) {
            *place = item;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_taken_whole_and_of_a_large_one_every_part_alike() {
        let mut draw = Draw::new();
        (0..SIZE).for_each(|n| draw.offer(n));
        assert_eq!(draw.kept, (0..SIZE).collect::<Vec<_>>());
        (SIZE..SIZE * 50).for_each(|n| draw.offer(n));
        assert_eq!(draw.kept.len(), SIZE);
        for tenth in 0..10 {
            let part = SIZE * 5 * tenth..SIZE * 5 * (tenth + 1);
            let kept = draw.kept.iter().filter(|n| part.contains(n)).count();
            assert!((150..=250).contains(&kept), "{kept} of {part:?}");
        }
    }
}
