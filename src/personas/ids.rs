//! Finds ids that stand in a file twice, without keeping the ids.
//!
//! 8 bytes an id: their 64-bit hashes in one list, which is sorted and looked through each time it
//! has doubled, and at the end. A hash set would need 19 bytes an id at a million, and 28 while it
//! grows; sorting a million hashes takes 20 ms. Two different ids may share a hash (at a million
//! ids once in 37 million files), so a hit is only a suspicion: the file is read again to tell.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// The first look; after that at every doubling.
const FIRST_LOOK: usize = 1 << 12;

#[derive(Debug, Default)]
pub(super) struct IdHashes {
    hashes: Vec<u64>,
    next_look: Option<usize>,
}

impl IdHashes {
    /// Notes an id. Returns hashes that two ids share, where it was time to look for some.
    pub(super) fn note(&mut self, id: &str) -> HashSet<u64> {
        self.hashes.push(hash(id));
        let next_look = *self.next_look.get_or_insert(FIRST_LOOK);
        if self.hashes.len() < next_look {
            return HashSet::new();
        }
        self.next_look = Some(next_look * 2);
        self.suspects()
    }

    /// Hashes that two of the ids share.
    pub(super) fn suspects(&mut self) -> HashSet<u64> {
        self.hashes.sort_unstable();
        self.hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
    }
}

/// The same for every process, so that a second reading finds the same.
pub(super) fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_hash_shows_at_the_next_doubling_or_at_the_end() {
        let mut ids = IdHashes::default();
        for number in 0..FIRST_LOOK - 2 {
            assert!(ids.note(&number.to_string()).is_empty());
        }
        assert!(ids.note("7").is_empty());
        assert_eq!(ids.note("x"), HashSet::from([hash("7")]));

        let mut few = IdHashes::default();
        assert!(few.note("a").is_empty() && few.note("b").is_empty() && few.note("a").is_empty());
        assert_eq!(few.suspects(), HashSet::from([hash("a")]));
    }
}
