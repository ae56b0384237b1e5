//! Identities: small numbers that must not be mixed up with each other.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A persona's place in the input, from 0. It never changes and is the order of every export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonaIndex(pub u32);

impl PersonaIndex {
    /// The index as a position in a slice.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PersonaIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.piece() {
            None => self.0.fmt(f),
            Some(0) => f.write_str("summary"),
            Some(digest) => write!(f, "digest-{digest}"),
        }
    }
}

/// An endpoint's place in the list of a run's endpoints, from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EndpointIndex(pub u16);

impl EndpointIndex {
    /// The index as a position in a slice.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}
