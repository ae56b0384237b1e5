//! What all forms of a word have in common, for the words that are looked for.

use rust_stemmers::{Algorithm, Stemmer};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use unicode_segmentation::UnicodeSegmentation;

/// Words whose stem is that of another word, which means something else: "business" is not "busy".
const ONLY_THEMSELVES: [&str; 6] =
    ["business", "businesses", "university", "universities", "organ", "organs"];

/// So many words are remembered: more than English that people speak has, and some megabytes.
const MOST_REMEMBERED: usize = 50_000;

/// Longer words are mostly none, and are not remembered.
const LONGEST_REMEMBERED: usize = 40;

/// A stem that some phrase has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stem(u32);

/// The stems of all phrases.
///
/// Answers say the same words over and over, and to stem one takes a microsecond: that was half of
/// the time that the analysis by words took. So what a word came to is remembered.
pub(super) struct Stems {
    stemmer: Stemmer,
    known: HashMap<String, Stem>,
    /// By word, in lower case; `None` for a word whose stem no phrase has.
    remembered: Mutex<HashMap<String, Option<Stem>>>,
}

impl Default for Stems {
    fn default() -> Self {
        Self {
            stemmer: Stemmer::create(Algorithm::English),
            known: HashMap::new(),
            remembered: Mutex::default(),
        }
    }
}

impl Stems {
    /// The stems of a phrase, which are known from now on.
    pub(super) fn learn(&mut self, phrase: &str) -> Vec<Stem> {
        // What was remembered of a word may have been that no phrase has it.
        self.remembered.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        let learn = |word: &str| {
            let new = Stem(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
            *self.known.entry(stem(&self.stemmer, &in_lower_case(word))).or_insert(new)
        };
        words(phrase).map(learn).collect()
    }

    /// The stem of each word of a text, where a phrase has it.
    pub(super) fn of(&self, text: &str) -> Vec<Option<Stem>> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_word = |word: &str| {
            let plain = word.bytes().all(|b| b.is_ascii_lowercase());
            if plain && let Some(stem) = remembered.get(word) {
                return *stem;
            }
            let word = in_lower_case(word);
            if let Some(stem) = remembered.get(&word) {
                return *stem;
            }
            let stem = self.known.get(&stem(&self.stemmer, &word)).copied();
            if word.len() <= LONGEST_REMEMBERED && remembered.len() < MOST_REMEMBERED {
                remembered.insert(word, stem);
            }
            stem
        };
        words(text).map(&mut of_word).collect()
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    // An underscore is a part of a word for Unicode, and none of ours.
    text.split('_').flat_map(UnicodeSegmentation::unicode_words)
}

fn in_lower_case(word: &str) -> String {
    word.to_lowercase().replace('\u{2019}', "'")
}

fn stem(stemmer: &Stemmer, word: &str) -> String {
    if ONLY_THEMSELVES.contains(&word) {
        return word.to_owned();
    }
    stemmer.stem(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_remembered_has_the_stem_that_it_had_at_first() {
        let mut stems = Stems::default();
        let [rent] = stems.learn("renting")[..] else { panic!("it is one word") };
        for _ in 0..2 {
            assert_eq!(stems.of("RENTS, a parent"), [Some(rent), None, None]);
        }
        let [parent] = stems.learn("parents")[..] else { panic!("it is one word") };
        assert_eq!(stems.of("rents, a parent"), [Some(rent), None, Some(parent)]);
    }

    #[test]
    fn words_that_are_remembered_are_bounded() {
        let stems = Stems::default();
        for n in 0..MOST_REMEMBERED + 10 {
            stems.of(&format!("w{n}"));
        }
        stems.of(&"x".repeat(LONGEST_REMEMBERED + 1));
        assert_eq!(stems.remembered.lock().map(|r| r.len()).ok(), Some(MOST_REMEMBERED));
    }
}
