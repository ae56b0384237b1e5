//! Topic coverage, computed here and not by a model: which required topics an answer leaves out.
//!
//! A topic is spoken of where one of its words stands in the answer, in any of its forms: "rents"
//! and "renting" are forms of "rent", and "current" and "parent" are none.

use crate::model::{Answer, Topic};

/// The topics that an answer must speak of.
pub(in crate::engine) struct Coverage {
    topics: Vec<(String, Vec<Phrase>)>,
}

/// One or several words that count as speaking of a topic.
type Phrase = Vec<String>;

impl Coverage {
    pub(super) fn new(topics: &[Topic]) -> Self {
        let phrases = |topic: &Topic| {
            let all = std::iter::once(&topic.name).chain(&topic.words);
            all.map(|phrase| words(phrase)).filter(|phrase| !phrase.is_empty()).collect()
        };
        Self { topics: topics.iter().map(|topic| (topic.name.clone(), phrases(topic))).collect() }
    }

    /// The topics that neither the narrative nor the lists speak of, in the survey's order.
    pub(in crate::engine) fn missing(&self, answer: &Answer) -> Vec<String> {
        if self.topics.is_empty() {
            return Vec::new();
        }
        let lists = answer.key_concerns.iter().chain(&answer.suggested_improvements);
        let texts = std::iter::once(&answer.narrative).chain(lists);
        let said: Vec<Vec<String>> = texts.map(|text| words(text)).collect();
        let missing = |phrases: &[Phrase]| {
            !phrases.iter().any(|phrase| said.iter().any(|text| speaks_of(text, phrase)))
        };
        let topics = self.topics.iter().filter(|(_, phrases)| missing(phrases));
        topics.map(|(name, _)| name.clone()).collect()
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn speaks_of(text: &[String], phrase: &[String]) -> bool {
    text.windows(phrase.len())
        .any(|window| window.iter().zip(phrase).all(|(word, wanted)| is_form_of(word, wanted)))
}

/// What may follow a word in one of its forms.
const ENDINGS: [&str; 13] =
    ["s", "es", "ed", "d", "ing", "ings", "er", "ers", "al", "ly", "ation", "ful", "able"];

/// Whether a word is a form of another. Of a short one only the plural is: "caring" is no car.
fn is_form_of(word: &str, of: &str) -> bool {
    if let Some(ending) = word.strip_prefix(of) {
        let short = of.chars().count() <= 3;
        let plural = ending == "s" || ending == "es" && of.ends_with(['s', 'x']);
        if ending.is_empty() || plural || !short && ENDINGS.contains(&ending) {
            return true;
        }
        // "Planning", "planned".
        let doubled = of.chars().next_back().and_then(|last| ending.strip_prefix(last));
        return !short && doubled.is_some_and(|ending| ENDINGS.contains(&ending));
    }
    // "Driving" and "communities" are forms of words that lose their last letter.
    let Some(stem) = of.strip_suffix(['e', 'y']).filter(|stem| stem.chars().count() >= 3) else {
        return false;
    };
    let lost = if of.ends_with('y') { ["ies", "ied", "ier"] } else { ["ing", "ings", "able"] };
    word.strip_prefix(stem).is_some_and(|ending| lost.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Score;

    fn missing(topic: &str, synonyms: &[&str], narrative: &str) -> bool {
        let words = synonyms.iter().map(|&word| word.to_owned()).collect();
        let coverage = Coverage::new(&[Topic { name: topic.to_owned(), words }]);
        let answer = Answer {
            narrative: narrative.to_owned(),
            support_level: Score::try_from(3).unwrap(),
            impacts: vec![],
            key_concerns: vec![],
            suggested_improvements: vec![],
        };
        !coverage.missing(&answer).is_empty()
    }

    #[test]
    fn word_forms_count_and_words_inside_others_do_not() {
        for (word, said) in [
            ("rent", "Renting is hard. My rents rose."),
            ("drive", "Driving takes an hour"),
            ("community", "Our communities matter."),
            ("plan", "I am planning ahead"),
            ("bus", "The buses are late"),
            ("car", "Two cars!"),
            ("save time", "It saves time."),
            ("neighbour", "The NEIGHBOURS' dog"),
        ] {
            assert!(!missing("x", &[word], said), "{word} in {said:?}");
            assert!(!missing(word, &[], said), "{word} in {said:?}");
        }
        for (word, said) in [
            ("rent", "The current plan, as a parent"),
            ("car", "I do not care. Caring is what I do, with scars."),
            ("town", "Downtown"),
            ("save time", "Save me some. Time flies."),
        ] {
            assert!(missing("x", &[word], said), "{word} in {said:?}");
        }
    }
}
