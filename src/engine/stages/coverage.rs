//! Topic coverage, computed here and not by a model: which required topics an answer leaves out.

use crate::model::{Answer, Topic};

/// The topics that an answer must speak of.
pub(in crate::engine) struct Coverage {
    topics: Vec<(String, Vec<String>)>,
}

impl Coverage {
    pub(super) fn new(topics: &[Topic]) -> Self {
        let words = |topic: &Topic| {
            let all = std::iter::once(&topic.name).chain(&topic.words);
            all.map(|word| word.to_lowercase()).collect()
        };
        Self { topics: topics.iter().map(|topic| (topic.name.clone(), words(topic))).collect() }
    }

    /// The topics that neither the narrative nor the lists speak of, in the survey's order.
    pub(in crate::engine) fn missing(&self, answer: &Answer) -> Vec<String> {
        if self.topics.is_empty() {
            return Vec::new();
        }
        let lists = answer.key_concerns.iter().chain(&answer.suggested_improvements);
        let texts = std::iter::once(&answer.narrative).chain(lists);
        let said = texts.map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
        let missing = |words: &[String]| !words.iter().any(|word| said.contains(word));
        let topics = self.topics.iter().filter(|(_, words)| missing(words));
        topics.map(|(name, _)| name.clone()).collect()
    }
}
