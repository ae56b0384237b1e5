//! The memory of judged answers. It is bounded, and the oldest go first.

use super::Fingerprint;
use crate::{model::PersonaIndex, provider::Vector};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Answers that are remembered, in all and in one block: about 2 KB each, and 1 KB more of text
/// where vectors are asked for.
pub(super) const DONORS_MOST: usize = 20_000;
const DONORS_OF_BLOCK: usize = 1_000;

/// What the vectors may take: of 1,536 numbers each, 5,461 of them. One that was dropped for a
/// newer one is asked for again where it is wanted.
const VECTOR_BYTES: usize = 32 * 1024 * 1024;

/// One judged answer.
pub(super) struct Donor {
    pub(super) persona: PersonaIndex,
    pub(super) sketch: u64,
    pub(super) shingles: Box<[u64]>,
    pub(super) text: Option<Arc<str>>,
}

#[derive(Default)]
pub(super) struct Donors {
    blocks: HashMap<u64, VecDeque<Donor>>,
    /// The block of each donor, the oldest first.
    order: VecDeque<u64>,
    vectors: Vectors,
}

/// An answer: a block has at most one of each persona.
type Key = (u64, PersonaIndex);

#[derive(Default)]
struct Vectors {
    of: HashMap<Key, Vector>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Donors {
    /// Those of a block, the oldest first.
    pub(super) fn block(&self, block: u64) -> impl Iterator<Item = &Donor> {
        self.blocks.get(&block).into_iter().flatten()
    }

    /// The vector of a donor, where there is one.
    pub(super) fn vector(&self, block: u64, persona: PersonaIndex) -> Option<&Vector> {
        self.vectors.of.get(&(block, persona))
    }

    pub(super) fn keep_vector(&mut self, block: u64, persona: PersonaIndex, vector: Vector) {
        self.vectors.put((block, persona), vector, VECTOR_BYTES);
    }

    /// Remembers an answer; the oldest ones are forgotten for it.
    pub(super) fn learn(&mut self, of: Fingerprint, persona: PersonaIndex) {
        let Fingerprint { block: id, sketch, shingles, text, vector } = of;
        let block = self.blocks.entry(id).or_default();
        // What was judged twice, word by word, is remembered once.
        let same = block.iter().find(|donor| donor.shingles == shingles);
        let (known, persona) = same.map_or((false, persona), |same| (true, same.persona));
        if let Some(vector) = vector {
            self.vectors.put((id, persona), vector, VECTOR_BYTES);
        }
        if known {
            return;
        }
        block.push_back(Donor { persona, sketch, shingles, text });
        if block.len() > DONORS_OF_BLOCK {
            // Its place in the order stays, for the next one of the block.
            block.pop_front();
            return;
        }
        self.order.push_back(id);
        if self.order.len() > DONORS_MOST
            && let Some(oldest) = self.order.pop_front()
            && let Some(block) = self.blocks.get_mut(&oldest)
        {
            block.pop_front();
            if block.is_empty() {
                self.blocks.remove(&oldest);
            }
        }
    }
}

impl Vectors {
    /// Keeps a vector, within so many bytes.
    fn put(&mut self, key: Key, vector: Vector, most: usize) {
        if self.of.contains_key(&key) {
            return;
        }
        self.bytes += vector.bytes();
        self.order.push_back(key);
        self.of.insert(key, vector);
        while self.bytes > most
            && let Some(oldest) = self.order.pop_front()
        {
            let dropped = self.of.remove(&oldest).map_or(0, |vector| vector.bytes());
            self.bytes = self.bytes.saturating_sub(dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(donors: &mut Donors, n: u32, block: u64) {
        let shingles = [n.into()].into();
        let of = Fingerprint { block, sketch: 0, shingles, text: None, vector: None };
        donors.learn(of, PersonaIndex(n));
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_remembered() {
        let (mut donors, most) = (Donors::default(), u32::try_from(DONORS_OF_BLOCK).unwrap());
        (0..=most).for_each(|n| learn(&mut donors, n, 7));
        assert_eq!(donors.block(7).count(), DONORS_OF_BLOCK);
        assert_eq!(donors.order.len(), DONORS_OF_BLOCK);
        assert_eq!(donors.block(7).last().map(|donor| donor.persona), Some(PersonaIndex(most)));
        (1..=most).for_each(|n| learn(&mut donors, n, 7));
        assert_eq!(
            donors.block(7).count(),
            DONORS_OF_BLOCK,
            "what is known is not remembered twice"
        );
        let other = |n: u32| (n + most + 1, u64::from(n) + 8);
        (0..u32::try_from(DONORS_MOST).unwrap()).map(other).for_each(|(n, block)| {
            learn(&mut donors, n, block);
        });
        assert_eq!(donors.order.len(), DONORS_MOST);
        assert_eq!(donors.blocks.values().map(VecDeque::len).sum::<usize>(), DONORS_MOST);
        assert_eq!(donors.block(7).count(), 0, "the oldest are gone");
    }

    #[test]
    fn vectors_are_dropped_when_they_take_too_much_the_oldest_first() {
        let mut vectors = Vectors::default();
        let one = || Vector::new(vec![1.0, 0.0]).unwrap();
        let most = 10 * one().bytes();
        for n in 0..25 {
            vectors.put((1, PersonaIndex(n)), one(), most);
            vectors.put((1, PersonaIndex(n)), one(), most);
        }
        assert_eq!((vectors.of.len(), vectors.order.len(), vectors.bytes), (10, 10, most));
        assert!(vectors.of.contains_key(&(1, PersonaIndex(24))));
        assert!(!vectors.of.contains_key(&(1, PersonaIndex(14))));
    }
}
