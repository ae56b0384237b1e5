//! What keeps the runner from going on.

use super::control::Stopped;
use crate::store::StoreError;
use std::io;

/// Why the runner cannot go on with what it is at.
#[derive(Debug)]
pub(super) enum Halt {
    Stopped,
    Store(StoreError),
    Files(io::Error),
    Record(String),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Files(error)
    }
}
