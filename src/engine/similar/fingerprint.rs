//! What an answer is compared by.

use crate::{
    model::{Answer, Persona, Stage},
    provider::Vector,
};
use simhash::simhash_stream;
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// Words in a shingle.
const SHINGLE: usize = 2;

/// Words shorter than this are in too many others to tell of an attribute.
const TELLING: usize = 3;

/// A longer text might be more than a model takes, at a token a byte; and what lies behind its cut
/// would be compared by nobody.
const LONGEST_TEXT: usize = 8_000;

/// Words that turn a sentence around. Those that end in n't do as well.
const DECISIVE: [&str; 16] = [
    "not", "no", "never", "nor", "neither", "none", "nobody", "nothing", "without", "cannot",
    "against", "oppose", "opposed", "support", "favour", "favor",
];

/// What an answer is compared by.
#[derive(Clone)]
pub(in crate::engine) struct Fingerprint {
    /// Only answers of one block are compared.
    pub(super) block: u64,
    pub(super) sketch: u64,
    /// Hashes of the shingles, in order, each once.
    pub(super) shingles: Box<[u64]>,
    /// What a vector is made of; `None` where none is wanted.
    pub(super) text: Option<Arc<str>>,
    /// Where somebody has asked for it.
    pub(super) vector: Option<Vector>,
}

impl Fingerprint {
    /// With the text for a vector, or without.
    pub(super) fn of(stage: Stage, persona: &Persona, answer: &Answer, with_text: bool) -> Self {
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
            text: with_text.then(|| text_of(answer)).flatten(),
            vector: None,
        }
    }
}

impl Fingerprint {
    /// The text that a vector is made of.
    pub(in crate::engine) fn text(&self) -> Option<Arc<str>> {
        self.text.clone()
    }

    /// Takes the vector of its text.
    pub(in crate::engine) fn take(&mut self, vector: Option<Vector>) {
        self.vector = vector;
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

/// Narrative and lists, as they are put into a vector.
fn text_of(answer: &Answer) -> Option<Arc<str>> {
    let lists = answer.key_concerns.iter().chain(&answer.suggested_improvements);
    let lines: Vec<_> = std::iter::once(&answer.narrative).chain(lists).map(|s| s.trim()).collect();
    let text = lines.join("\n");
    (!text.trim().is_empty() && text.len() <= LONGEST_TEXT).then(|| text.into())
}

/// The share of two sorted lists that is in both.
pub(super) fn jaccard(one: &[u64], other: &[u64]) -> f32 {
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
