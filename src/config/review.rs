//! How answers are reviewed and summarized: the keys of a survey, the topics that a domain
//! requires, and the themes that are counted in it.

use super::scalar::{Checked, Line, Scalar, deserialize_checked, nearest, quoted};
use crate::model::{ReviewMode, SummaryMode, Topic};
use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, sync::OnceLock};

/// The topics that an answer in this domain must speak of; none where nobody knows the domain.
pub(super) fn topics_of_domain(domain: &str) -> Vec<Topic> {
    static DOMAINS: OnceLock<IndexMap<String, Topics>> = OnceLock::new();
    let domains = DOMAINS.get_or_init(|| {
        serde_yaml::from_str(include_str!("../../config/topics.yaml"))
            .expect("config/topics.yaml is part of the program, and a test reads it")
    });
    domains.get(domain).map(|topics| topics.0.clone()).unwrap_or_default()
}

/// The themes that are counted in this domain: its own, and those of every domain.
pub fn themes_of_domain(domain: &str) -> Vec<Topic> {
    static DOMAINS: OnceLock<IndexMap<String, Topics>> = OnceLock::new();
    let domains = DOMAINS.get_or_init(|| {
        serde_yaml::from_str(include_str!("../../config/themes.yaml"))
            .expect("config/themes.yaml is part of the program, and a test reads it")
    });
    let of = |name: &str| domains.get(name).map(|themes| themes.0.clone()).unwrap_or_default();
    let mut themes = if domain == GENERAL { Vec::new() } else { of(domain) };
    for general in of(GENERAL) {
        if !themes.iter().any(|theme| theme.name == general.name) {
            themes.push(general);
        }
    }
    themes
}

/// The themes of every domain, in `config/themes.yaml`.
const GENERAL: &str = "general";

deserialize_checked!([] ReviewWord, [] SummaryWord);

/// `summary: model`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SummaryWord(pub SummaryMode);

impl Checked for SummaryWord {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let known = SummaryMode::ALL.map(SummaryMode::as_str);
        one_of(value, &known, |word| SummaryMode::ALL.into_iter().find(|m| m.as_str() == word))
            .map(Self)
    }
}

/// `review: fused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReviewWord(pub ReviewMode);

impl Checked for ReviewWord {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let known = ReviewMode::ALL.map(ReviewMode::as_str);
        one_of(value, &known, |word| ReviewMode::ALL.into_iter().find(|m| m.as_str() == word))
            .map(Self)
    }
}

fn one_of<M>(
    value: Scalar<'_>,
    known: &[&str],
    find: impl Fn(&str) -> Option<M>,
) -> Result<M, String> {
    let word = match value {
        Scalar::Text(word) => word,
        // YAML's own word for it.
        Scalar::Bool(false) => "off",
        other => return Err(format!("must be one of {}, not {other}", known.join(", "))),
    };
    find(word).ok_or_else(|| {
        let near = nearest(word, known).map(|word| format!("; did you mean {word}?"));
        let near = near.unwrap_or_default();
        format!("must be one of {}, not {}{near}", known.join(", "), quoted(word))
    })
}

/// `topics: [noise, parks]`, or with synonyms: `topics: {noise: [loud, quiet], parks: [green]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topics(pub Vec<Topic>);

impl<'de> Deserialize<'de> for Topics {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TopicsVisitor)
    }
}

struct TopicsVisitor;

impl<'de> Visitor<'de> for TopicsVisitor {
    type Value = Topics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list such as [noise, parks], or {noise: [loud, quiet]}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Topics, A::Error> {
        let mut topics = Vec::new();
        while let Some(Line(name)) = list.next_element()? {
            add(&mut topics, name, Vec::new()).map_err(A::Error::custom)?;
        }
        Ok(Topics(topics))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Topics, A::Error> {
        let mut topics = Vec::new();
        while let Some((Line(name), words)) = map.next_entry::<Line, Vec<Line>>()? {
            let words = words.into_iter().map(|word| word.0).collect();
            add(&mut topics, name, words).map_err(A::Error::custom)?;
        }
        Ok(Topics(topics))
    }
}

fn add(topics: &mut Vec<Topic>, name: String, words: Vec<String>) -> Result<(), String> {
    if topics.iter().any(|topic| topic.name == name) {
        return Err(format!("{} stands here twice; take one out", quoted(&name)));
    }
    topics.push(Topic { name, words });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_domain_requires_its_topics_and_an_unknown_one_none() {
        let names = |domain| {
            topics_of_domain(domain).into_iter().map(|topic| topic.name).collect::<Vec<_>>()
        };
        assert_eq!(names("civic-policy"), ["housing", "transport", "community"]);
        assert_eq!(names("product-design"), ["usability", "trust", "cost"]);
        assert_eq!(names("employee-engagement"), ["workload", "growth", "culture"]);
        assert_eq!(names("marketing-copy"), ["clarity", "brand", "emotion"]);
        assert!(names("unknown").is_empty());
    }

    #[test]
    fn a_domain_has_its_own_themes_and_every_domain_the_general_ones() {
        let names = |domain| {
            themes_of_domain(domain).into_iter().map(|theme| theme.name).collect::<Vec<_>>()
        };
        let general = names("unknown");
        assert!(general.contains(&"fairness".to_owned()), "{general:?}");
        for domain in [
            "civic-policy",
            "product-design",
            "employee-engagement",
            "marketing-copy",
            "technology-adoption",
            "ai-adoption",
        ] {
            let all = names(domain);
            assert!(all.len() > general.len() && all.ends_with(&general[1..]), "{all:?}");
            let mut each = all.clone();
            each.sort();
            each.dedup();
            assert_eq!(each.len(), all.len(), "{domain}");
        }
    }

    #[test]
    fn topics_are_a_list_or_come_with_synonyms() {
        let read = |text| serde_yaml::from_str::<Topics>(text).map(|topics| topics.0);
        let list = read("[noise, parks]").unwrap();
        assert_eq!(list[1], Topic { name: "parks".into(), words: vec![] });
        let map = read("{noise: [loud, quiet]}").unwrap();
        assert_eq!(
            map,
            [Topic { name: "noise".into(), words: vec!["loud".into(), "quiet".into()] }]
        );
        let twice = read("[noise, noise]").unwrap_err().to_string();
        assert!(twice.contains("twice"), "{twice}");
    }
}
