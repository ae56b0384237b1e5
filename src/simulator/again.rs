//! What a persona says when it is asked for more: its answer, with a sentence on each topic.

use super::{chance::Chance, conduct::Conduct, narrative::Speaker, task::Given};
use serde_json::{Map, Value};

/// The whole answer again, or the narrative alone where the persona drops its numbers.
pub fn follow_up(
    given: &Given,
    topics: &[String],
    speaker: &Speaker<'_>,
    conduct: &Conduct,
    chance: Chance,
) -> String {
    let mut narrative = given.narrative().trim().to_owned();
    for (nth, topic) in topics.iter().enumerate() {
        let words = topic.replace('_', " ").to_lowercase();
        let numbers = given.numbers();
        let mut scores = numbers.iter();
        let score = scores.find(|(key, _)| key.replace('_', " ").eq_ignore_ascii_case(&words));
        narrative.push(' ');
        narrative.push_str(&speaker.on(&words, score.map(|(_, score)| *score), nth));
    }
    let dropped = chance.with(b"drops numbers").happens(conduct.numbers_dropped.get());
    let mut answer = if dropped { Map::new() } else { given.0.clone() };
    answer.insert("narrative".to_owned(), narrative.into());
    Value::Object(answer).to_string()
}
