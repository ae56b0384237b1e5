//! Which categories a text speaks of: by words and their synonyms, in whatever form they stand.
//!
//! A category has a name and further words or phrases ("easy to use"); each of them is found at
//! word boundaries, in any form that has the same stem: "rent" in "rents" and "renting", but not
//! in "parent". Stems are those of the Snowball stemmer for English; a word of another language is
//! found where it stands as it was listed, or nearly so. Whether something is said or denied makes
//! no difference: who says "I have no car" has spoken of transport.

mod stems;

use crate::model::Topic;
use std::collections::HashMap;
use stems::{Stem, Stems};

/// Categories, ready to be looked for.
pub struct Lexicon {
    stems: Stems,
    names: Vec<String>,
    /// By the stem of its first word: the stems that must follow it, and whose phrase it is.
    phrases: HashMap<Stem, Vec<Phrase>>,
}

/// What follows its first word, and the category that it stands for.
type Phrase = (Vec<Option<Stem>>, usize);

impl Lexicon {
    /// Each category is found by its name and by its words.
    pub fn new(categories: &[Topic]) -> Self {
        let mut stems = Stems::default();
        let mut phrases: HashMap<Stem, Vec<Phrase>> = HashMap::new();
        for (category, topic) in categories.iter().enumerate() {
            for phrase in std::iter::once(&topic.name).chain(&topic.words) {
                let mut phrase = stems.learn(phrase).into_iter();
                let Some(first) = phrase.next() else { continue };
                let phrase = (phrase.map(Some).collect(), category);
                let of_first = phrases.entry(first).or_default();
                if !of_first.contains(&phrase) {
                    of_first.push(phrase);
                }
            }
        }
        let names = categories.iter().map(|topic| topic.name.clone()).collect();
        Self { stems, names, phrases }
    }

    /// How often each category is spoken of, in the order in which they were given. No phrase
    /// reaches from one text into the next.
    pub fn count<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<u32> {
        let mut counts = vec![0; self.names.len()];
        if self.phrases.is_empty() {
            return counts;
        }
        for text in texts {
            let said = self.stems.of(text);
            for (at, first) in said.iter().enumerate() {
                let Some(phrases) = first.as_ref().and_then(|first| self.phrases.get(first)) else {
                    continue;
                };
                for (phrase, category) in phrases {
                    counts[*category] += u32::from(said[at + 1..].starts_with(phrase));
                }
            }
        }
        counts
    }

    /// The names of the categories that are spoken of, those most often spoken of first.
    pub fn found<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<&str> {
        let counts = self.count(texts);
        let mut found: Vec<_> =
            (0..counts.len()).filter(|&category| counts[category] > 0).collect();
        // Stable: the order in which they were given decides between equals.
        found.sort_by_key(|&category| std::cmp::Reverse(counts[category]));
        found.into_iter().map(|category| self.names[category].as_str()).collect()
    }

    /// The names of the categories that are not spoken of, in the order in which they were given.
    pub fn missing<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<&str> {
        let counts = self.count(texts);
        let missing = self.names.iter().zip(counts).filter(|(_, count)| *count == 0);
        missing.map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon(categories: &[(&str, &[&str])]) -> Lexicon {
        let topic = |(name, words): &(&str, &[&str])| Topic {
            name: (*name).to_owned(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        Lexicon::new(&categories.iter().map(topic).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_found_in_all_their_forms_and_in_no_other_word() {
        let lexicon = lexicon(&[("transport", &["car", "commute"]), ("housing", &["rent"])]);
        for text in ["Two cars.", "I am commuting", "the CAR's boot", "public_transport"] {
            assert_eq!(lexicon.found([text]), ["transport"], "{text}");
        }
        for text in ["renting", "My rents!", "(housing)", "A house"] {
            assert_eq!(lexicon.found([text]), ["housing"], "{text}");
        }
        for text in ["It is scarce.", "my parent", "I care", "a carpet", "current", ""] {
            assert_eq!(lexicon.found([text]), [""; 0], "{text}");
        }
    }

    #[test]
    fn phrases_of_several_words_are_found_across_white_space_and_not_across_texts() {
        let lexicon = lexicon(&[("usability", &["easy to use"])]);
        assert_eq!(lexicon.found(["It was EASY\n  to use."]), ["usability"]);
        assert_eq!(lexicon.found(["easy to", "use"]), [""; 0]);
        assert_eq!(lexicon.found(["easy to learn, no use"]), [""; 0]);
    }

    #[test]
    fn what_is_denied_is_spoken_of_all_the_same() {
        let lexicon = lexicon(&[("transport", &["car"]), ("parks", &["green space"])]);
        assert_eq!(lexicon.missing(["I have no car."]), ["parks"]);
    }

    #[test]
    fn a_stem_that_two_words_share_by_accident_is_no_match() {
        let lexicon = lexicon(&[("workload", &["busy"]), ("trade", &["business"])]);
        assert_eq!(lexicon.found(["Local businesses and a business"]), ["trade"]);
        assert_eq!(lexicon.found(["My business suffers"]), ["trade"]);
        assert_eq!(lexicon.found(["We are too busy"]), ["workload"]);
    }

    #[test]
    fn what_is_said_most_comes_first() {
        let lexicon = lexicon(&[("roads", &["bus"]), ("rails", &["tram"])]);
        assert_eq!(lexicon.found(["tram", "trams and a bus"]), ["rails", "roads"]);
        assert_eq!(lexicon.count(["tram", "trams and a bus"]), [1, 2]);
    }
}
