//! Chance that can be repeated: every draw is a pure function of a seed and of what it is about.
//!
//! There is no generator with a state. A draw that is added or left out therefore changes no
//! other draw, and requests may arrive in any order.

/// A place in the tree of draws: the seed, and what has been branched off with so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(u64);

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

impl Chance {
    /// The root of all draws of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed ^ FNV_OFFSET))
    }

    /// The branch for these bytes: the steps of FNV-1a from the place we are at, then mixed. A
    /// step takes eight bytes, because one byte a step took 5 % of a reply's time for the hash
    /// of its request, and turns them, because a product only carries upwards. The standard library's hasher is not used, for its
    /// result may change with a Rust release, and a seed should mean the same answers for ever.
    pub fn with(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(FNV_PRIME).rotate_left(29);
        let (words, rest) = bytes.as_chunks::<8>();
        let hash = words.iter().fold(self.0, |hash, word| step(hash, u64::from_le_bytes(*word)));
        let hash = rest.iter().fold(hash, |hash, &byte| step(hash, u64::from(byte)));
        Self(mix(hash ^ bytes.len() as u64))
    }

    /// The branch for a number.
    pub const fn with_number(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number.wrapping_add(FNV_OFFSET))))
    }

    /// Sixty-four even bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Even, 0 up to but not including 1.
    pub fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Even, -1 to 1.
    pub fn signed(self) -> f64 {
        self.unit() * 2.0 - 1.0
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller, 1958).
    pub fn normal(self) -> f64 {
        let u = self.with(b"radius").unit();
        let angle = self.with(b"angle").unit() * std::f64::consts::TAU;
        (-2.0 * (1.0 - u).ln()).sqrt() * angle.cos()
    }

    /// A position below `count`; 0 where there is nothing to choose from.
    pub const fn below(self, count: usize) -> usize {
        if count == 0 { 0 } else { ((self.0 >> 16) % count as u64) as usize }
    }

    /// True in `share` of all draws, 0 to 1.
    pub fn happens(self, share: f64) -> bool {
        self.unit() < share
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood, 2014).
const fn mix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn draws_are_spread_as_they_say() {
        let draws = || (0..20_000).map(|i| Chance::new(7).with(b"x").with_number(i));
        let count = 20_000.0;
        let mean = draws().map(Chance::unit).sum::<f64>() / count;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let mean = draws().map(Chance::normal).sum::<f64>() / count;
        let variance = draws().map(|d| (d.normal() - mean).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        for place in 0..7 {
            let hits = draws().filter(|d| d.below(7) == place).count();
            assert!((2_600..3_120).contains(&hits), "{hits}");
        }
    }

    #[test]
    fn a_seed_means_the_same_for_ever() {
        // Changing these numbers changes every answer that somebody has seen for a seed.
        assert_eq!(Chance::new(1).with(b"a persona").bits(), 11_682_643_469_121_536_287);
        assert_ne!(Chance::new(1).with(b"ab").with(b"c"), Chance::new(1).with(b"a").with(b"bc"));
        assert_ne!(Chance::new(1).with(b"a"), Chance::new(2).with(b"a"));
    }
}
