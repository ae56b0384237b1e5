//! Which keys may be in the file, so that most calls need no look at the disk.

/// Bits of the filter: 4 MiB, of which a run touches what it needs.
const BITS: u64 = 1 << 25;

/// A Bloom filter (B. Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970)
/// with two bits a key. A run of 1,000,000 personas took 94 MiB with a set of keys and takes 81 with
/// this, which is as large at any number, and with 1,000,000 keys says of 1 in 300 unknown ones that it may be there.
#[derive(Debug)]
pub(super) struct KnownKeys(Vec<u64>);

impl Default for KnownKeys {
    fn default() -> Self {
        Self(vec![0; (BITS / 64) as usize])
    }
}

impl KnownKeys {
    /// `key` is a part of a digest, so it is as random as it need be.
    pub(super) fn insert(&mut self, key: u64) {
        for (word, bit) in places(key) {
            self.0[word] |= bit;
        }
    }

    /// Whether a key may have been put in; never false for one that was.
    pub(super) fn may_have(&self, key: u64) -> bool {
        places(key).into_iter().all(|(word, bit)| self.0[word] & bit != 0)
    }
}

/// A word and a bit of it, for either half of a key.
fn places(key: u64) -> [(usize, u64); 2] {
    [key % BITS, (key >> 32) % BITS].map(|place| ((place / 64) as usize, 1 << (place % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_known_and_little_else() {
        let mut random = fastrand::Rng::with_seed(7);
        let keys: Vec<u64> = (0..100_000).map(|_| random.u64(..)).collect();
        let mut known = KnownKeys::default();
        keys.iter().for_each(|&key| known.insert(key));
        assert!(keys.iter().all(|&key| known.may_have(key)));
        let wrong = (0..100_000).filter(|_| known.may_have(random.u64(..))).count();
        assert!(wrong < 100, "{wrong} of 100,000");
    }
}
