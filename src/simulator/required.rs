//! The topics that an answer in a domain has to speak of.

use super::{
    chance::Chance,
    request::{Message, Role},
};
use serde::Deserialize;
use std::{collections::HashMap, sync::LazyLock};

/// A topic and the words that count as speaking of it.
#[derive(Debug, PartialEq, Eq)]
pub struct RequiredTopic {
    pub name: String,
    words: Vec<String>,
}

impl RequiredTopic {
    /// Whether a text speaks of it, as far as letters go: "rent" is also in "current". Who must be
    /// sure that nothing of the topic is left asks this.
    pub fn is_near(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        // "Driving" is a form of "drive".
        let stem = |word: &str| word.trim_end_matches(['e', 'y']).to_owned();
        text.contains(&stem(&self.name)) || self.words.iter().any(|word| text.contains(&stem(word)))
    }

    /// Whether a text has one of the words itself, as a word or the beginning of one.
    pub fn is_named(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let begins = |word: &str| {
            text.match_indices(word).any(|(at, _)| {
                let rest = &text[at + word.len()..];
                let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                let before = text[..at].chars().next_back();
                !before.is_some_and(char::is_alphanumeric) && ["", "s"].contains(&&rest[..end])
            })
        };
        begins(&self.name) || self.words.iter().any(|word| begins(word))
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Domains(HashMap<String, serde_yaml::Mapping>);

static DOMAINS: LazyLock<HashMap<String, Vec<RequiredTopic>>> = LazyLock::new(|| {
    let domains: Domains = serde_yaml::from_str(include_str!("../../config/topics.yaml"))
        .expect("config/topics.yaml is part of the program, and a test reads it");
    let text = |value: &serde_yaml::Value| value.as_str().unwrap_or_default().to_lowercase();
    let topics = |topics: serde_yaml::Mapping| {
        let topic = |(name, words): (&serde_yaml::Value, &serde_yaml::Value)| RequiredTopic {
            name: text(name),
            words: words.as_sequence().into_iter().flatten().map(text).collect(),
        };
        topics.iter().map(topic).collect()
    };
    domains.0.into_iter().map(|(domain, all)| (domain, topics(all))).collect()
});

/// The topics of the domain that the instructions name; none where they name none.
pub fn of(messages: &[Message]) -> &'static [RequiredTopic] {
    let told = messages.iter().filter(|message| message.role == Role::Instructions);
    let named = told.flat_map(|message| message.text.lines()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_domain = ["field", "domain"].contains(&name.trim().to_lowercase().as_str());
        is_domain.then(|| DOMAINS.get(value.trim()))?
    });
    named.map_or(&[], Vec::as_slice)
}

/// The sentences that are left when one topic is passed over; `None` where that cannot be done
/// without losing those that must stay.
pub fn pass_over<'a>(
    topics: &'a [RequiredTopic],
    sentences: &[String],
    must_stay: impl Fn(&[String]) -> bool,
    chance: Chance,
) -> Option<(&'a RequiredTopic, Vec<String>)> {
    let first = chance.below(topics.len());
    let mut turns = topics.iter().cycle().skip(first).take(topics.len());
    turns.find_map(|topic| {
        let left = sentences.iter().filter(|sentence| !topic.is_near(sentence)).cloned();
        let left: Vec<String> = left.collect();
        must_stay(&left).then_some((topic, left))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_that_the_instructions_name_has_its_topics() {
        let message = |text: &str| Message { role: Role::Instructions, text: text.to_owned() };
        let topics = of(&[message("# The question\n\nField: civic-policy\n\nShould it?")]);
        let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(names, ["housing", "transport", "community"]);
        assert!(topics[0].is_named("My rents rise.") && !topics[0].is_named("Current affairs."));
        assert!(topics[0].is_near("Current affairs."));
        assert!(of(&[message("Field: cooking"), message("No field")]).is_empty());
    }
}
