//! Topic coverage, computed here and not by a model: which required topics an answer leaves out.

use crate::{
    lexicon::Lexicon,
    model::{Answer, Topic},
};

/// The topics that an answer must speak of.
pub(in crate::engine) struct Coverage {
    /// `None` where nothing is required.
    topics: Option<Lexicon>,
}

impl Coverage {
    pub(super) fn new(topics: &[Topic]) -> Self {
        Self { topics: (!topics.is_empty()).then(|| Lexicon::new(topics)) }
    }

    /// The topics that neither the narrative nor the lists speak of, in the survey's order.
    pub(in crate::engine) fn missing(&self, answer: &Answer) -> Vec<String> {
        let Some(topics) = &self.topics else { return Vec::new() };
        topics.missing(answer.texts()).into_iter().map(str::to_owned).collect()
    }
}
