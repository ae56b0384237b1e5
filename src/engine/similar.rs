//! Similar answers, one critic call: an answer that is nearly another one, on which a critic has
//! found nothing, needs no verdict of its own.
//!
//! What counts as near is strict, since a verdict of consistency rests on more than the words:
//!
//! - the same stage and the same numbers: support level and every impact;
//! - the same facts of the profile in it. A narrative rests on those attributes whose values it
//!   speaks of ("as a renter", "I am 34"), and these must be the same in both personas. What it
//!   says of a profile in other words than the profile's own is not recognized: that is the price
//!   of sharing, and the reason why a survey must ask for it;
//! - the same numerals and the same words that turn a sentence around, such as "not" and
//!   "against", in the same order: one word among a hundred would not show in a similarity;
//! - and then, of the shingles (two words each) of narrative, concerns and suggestions, at least
//!   the wanted share in common: the Jaccard similarity, of all shingles and not of a sketch.
//!
//! Candidates are found by `SimHash` (M. Charikar, "Similarity estimation techniques from rounding
//! algorithms", 2002), so that few are compared word by word. The memory of answers lasts as long
//! as the process has the run, and is bounded; a run that is resumed begins a new one.

use super::stages::{Stages, Standing};
use crate::model::{Answer, Persona, PersonaIndex, Stage};
use simhash::{hamming_distance, simhash_stream};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

/// Answers that are remembered, in all and in one block: about 2 KB each.
const DONORS_MOST: usize = 20_000;
const DONORS_OF_BLOCK: usize = 1_000;

/// Words in a shingle.
const SHINGLE: usize = 2;

/// Words shorter than this are in too many others to tell of an attribute.
const TELLING: usize = 3;

/// Words that turn a sentence around. Those that end in n't do as well.
const DECISIVE: [&str; 16] = [
    "not", "no", "never", "nor", "neither", "none", "nobody", "nothing", "without", "cannot",
    "against", "oppose", "opposed", "support", "favour", "favor",
];

/// What is remembered of answers that critics had no objection to.
pub(super) struct Similar {
    least: f32,
    /// Sketches further apart belong to answers that are less alike than `least`, but for one in a
    /// thousand.
    furthest: u32,
    donors: Mutex<Donors>,
}

#[derive(Default)]
struct Donors {
    blocks: HashMap<u64, VecDeque<Donor>>,
    /// The block of each donor, the oldest first.
    order: VecDeque<u64>,
}

struct Donor {
    persona: PersonaIndex,
    sketch: u64,
    shingles: Box<[u64]>,
}

/// What an answer is compared by.
pub(super) struct Fingerprint {
    /// Only answers of one block are compared.
    block: u64,
    sketch: u64,
    /// Hashes of the shingles, in order, each once.
    shingles: Box<[u64]>,
}

impl Similar {
    pub(super) fn new(least: f32) -> Self {
        Self { least, furthest: furthest(least), donors: Mutex::default() }
    }

    /// Of the answer that a critic is about to look at first; `None` where it is no such call.
    pub(super) fn fingerprint(
        &self,
        stage: Stage,
        standing: &Standing,
        persona: &Persona,
    ) -> Option<Fingerprint> {
        let answer = standing.answer().filter(|_| Stages::is_first_look(stage, standing))?;
        Some(Fingerprint::of(stage, persona, answer))
    }

    /// The nearest of the remembered answers that is near enough, and how near.
    pub(super) fn nearest(&self, to: &Fingerprint) -> Option<(PersonaIndex, f32)> {
        let donors = self.donors.lock().unwrap_or_else(PoisonError::into_inner);
        let block = donors.blocks.get(&to.block)?;
        let near = |donor: &&Donor| hamming_distance(donor.sketch, to.sketch) <= self.furthest;
        (block.iter().filter(near))
            .map(|donor| (donor.persona, jaccard(&donor.shingles, &to.shingles)))
            .filter(|(_, similarity)| *similarity >= self.least)
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Remembers an answer; the oldest ones are forgotten for it.
    pub(super) fn learn(&self, of: Fingerprint, persona: PersonaIndex) {
        let mut donors = self.donors.lock().unwrap_or_else(PoisonError::into_inner);
        let Fingerprint { block: id, sketch, shingles } = of;
        let block = donors.blocks.entry(id).or_default();
        block.push_back(Donor { persona, sketch, shingles });
        if block.len() > DONORS_OF_BLOCK {
            // Its place in the order stays, for the next one of the block.
            block.pop_front();
            return;
        }
        donors.order.push_back(id);
        if donors.order.len() > DONORS_MOST
            && let Some(oldest) = donors.order.pop_front()
            && let Some(block) = donors.blocks.get_mut(&oldest)
        {
            block.pop_front();
            if block.is_empty() {
                donors.blocks.remove(&oldest);
            }
        }
    }
}

impl Fingerprint {
    fn of(stage: Stage, persona: &Persona, answer: &Answer) -> Self {
        let lists = answer.key_concerns.iter().chain(&answer.suggested_improvements);
        let texts = std::iter::once(&answer.narrative).chain(lists);
        let text = texts.map(|text| words(text).join(" ")).collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let pairs: Vec<String> = words.windows(SHINGLE).map(|pair| pair.join(" ")).collect();
        let shingles: BTreeSet<u64> = pairs.iter().map(hash).collect();

        let mut block = DefaultHasher::new();
        (stage, answer.support_level.get()).hash(&mut block);
        for (key, score) in &answer.impacts {
            (key, score.get()).hash(&mut block);
        }
        for attribute in &persona.attributes {
            if speaks_of(&words, &attribute.value) {
                (&attribute.name, &attribute.value).hash(&mut block);
            }
        }
        words.iter().filter(|word| is_decisive(word)).for_each(|word| word.hash(&mut block));
        Self {
            block: block.finish(),
            sketch: simhash_stream(pairs.iter().map(String::as_str)),
            shingles: shingles.into_iter().collect(),
        }
    }
}

/// The words of a text in lower case, with the apostrophes inside them.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.map(|word| word.trim_matches('\'').to_owned()).filter(|word| !word.is_empty()).collect()
}

fn is_decisive(word: &str) -> bool {
    DECISIVE.contains(&word)
        || word.ends_with("n't")
        || word.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a narrative speaks of an attribute's value: a numeral of it, or a word of it in this
/// form or another that begins alike.
fn speaks_of(narrative: &[&str], value: &str) -> bool {
    words(value).iter().any(|word| {
        let is_numeral = word.starts_with(|first: char| first.is_ascii_digit());
        let telling = |word: &str| word.chars().count() >= TELLING;
        narrative.iter().any(|said| {
            *said == word.as_str() && (is_numeral || telling(word))
                || !is_numeral
                    && telling(said)
                    && telling(word)
                    && (said.starts_with(word.as_str()) || word.starts_with(said))
        })
    })
}

/// How many bits the sketches of two answers may differ in that have this share of their shingles
/// in common: each bit differs with the angle between them over pi, and three deviations more.
fn furthest(least: f32) -> u32 {
    let least = f64::from(least);
    let differs = (2.0 * least / (1.0 + least)).min(1.0).acos() / std::f64::consts::PI;
    let bits = f64::from(u64::BITS);
    let most = bits * differs + 3.0 * (bits * differs * (1.0 - differs)).sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 64 bits and some"
    )]
    let most = most.ceil() as u32;
    most
}

/// The share of two sorted lists that is in both.
fn jaccard(one: &[u64], other: &[u64]) -> f32 {
    let (mut i, mut j, mut both) = (0, 0, 0_u32);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        both += u32::from(a == b);
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    let all = one.len() + other.len() - both as usize;
    #[expect(clippy::cast_precision_loss, reason = "an answer has some hundred words")]
    let share = both as f32 / all.max(1) as f32;
    share
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attribute, Score};

    const TEXT: &str = "I think the council should drop the rule because the car spaces cost a lot \
        and most of them stand empty all day long. People who rent here would pay less every month \
        and the street would have room for trees and benches. I would still like the council to \
        keep some spaces for those who care for others and must come and go by car at odd hours.";

    fn persona(index: u32, attributes: &[(&str, &str)]) -> Persona {
        let attribute = |(name, value): &(&str, &str)| Attribute {
            name: (*name).into(),
            value: (*value).into(),
        };
        Persona {
            index: PersonaIndex(index),
            id: index.to_string(),
            weight: None,
            attributes: attributes.iter().map(attribute).collect(),
        }
    }

    fn answer(narrative: &str, support: u8) -> Answer {
        Answer {
            narrative: narrative.into(),
            support_level: Score::try_from(support).unwrap(),
            impacts: vec![("housing".into(), Score::try_from(3).unwrap())],
            key_concerns: vec![],
            suggested_improvements: vec![],
        }
    }

    /// How alike the second answer is found to be, with the first as the only one remembered.
    fn found(donor: (&Persona, &Answer), other: (&Persona, &Answer)) -> Option<f32> {
        let similar = Similar::new(0.9);
        similar.learn(Fingerprint::of(Stage::Review, donor.0, donor.1), donor.0.index);
        let nearest = similar.nearest(&Fingerprint::of(Stage::Review, other.0, other.1));
        nearest.map(|(persona, similarity)| {
            assert_eq!(persona, donor.0.index);
            similarity
        })
    }

    #[test]
    fn an_answer_with_a_word_changed_is_near_and_one_with_another_number_is_not() {
        let (ada, bob) = (persona(0, &[]), persona(1, &[]));
        let (told, retold) = (answer(TEXT, 4), answer(&TEXT.replace("trees", "shrubs"), 4));
        assert_eq!(found((&ada, &told), (&bob, &told)), Some(1.0));
        let near = found((&ada, &told), (&bob, &retold)).unwrap();
        assert!((0.9..1.0).contains(&near), "{near}");
        assert_eq!(found((&ada, &told), (&bob, &answer(TEXT, 5))), None);
        let half: String = TEXT.chars().take(TEXT.len() / 2).collect();
        assert_eq!(found((&ada, &told), (&bob, &answer(&half, 4))), None);
    }

    #[test]
    fn what_the_narrative_rests_on_must_be_the_same_in_both_profiles() {
        let profile =
            |index, tenure, hobby| persona(index, &[("tenure", tenure), ("hobby", hobby)]);
        let told = answer(TEXT, 4);
        let renter = profile(0, "renter", "chess");
        assert_eq!(found((&renter, &told), (&profile(1, "renter", "golf"), &told)), Some(1.0));
        assert_eq!(found((&renter, &told), (&profile(1, "owner", "chess"), &told)), None);
        assert_eq!(found((&profile(1, "owner", "chess"), &told), (&renter, &told)), None);
        let aged = |index, age| persona(index, &[("age", age)]);
        let young = answer(&format!("I am 34. {TEXT}"), 4);
        assert_eq!(found((&aged(0, "34"), &young), (&aged(1, "71"), &young)), None);
    }

    #[test]
    fn a_not_among_a_hundred_words_is_seen() {
        let (ada, bob) = (persona(0, &[]), persona(1, &[]));
        let turned = TEXT.replace("council should drop", "council should not drop");
        assert_eq!(found((&ada, &answer(TEXT, 4)), (&bob, &answer(&turned, 4))), None);
        let turned = TEXT.replace("would pay", "wouldn\u{2019}t pay");
        assert_eq!(found((&ada, &answer(TEXT, 4)), (&bob, &answer(&turned, 4))), None);
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_remembered() {
        let similar = Similar::new(0.9);
        let of = |text: &str| Fingerprint::of(Stage::Review, &persona(0, &[]), &answer(text, 4));
        for n in 0..=u32::try_from(DONORS_OF_BLOCK).unwrap() {
            similar.learn(
                of(&format!("{} one two three", "x".repeat(n as usize % 50 + 1))),
                PersonaIndex(n),
            );
        }
        let donors = similar.donors.lock().unwrap();
        assert_eq!(donors.blocks.values().map(VecDeque::len).sum::<usize>(), DONORS_OF_BLOCK);
        assert_eq!(donors.order.len(), DONORS_OF_BLOCK);
    }

    #[test]
    fn a_stricter_wish_searches_less_far() {
        assert_eq!(furthest(1.0), 0);
        assert!(furthest(0.9) < furthest(0.8) && furthest(0.5) < u64::BITS);
    }
}
