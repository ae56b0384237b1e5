//! What goes wrong in a first answer: it contradicts itself or the profile, passes over a topic, or
//! misses the question.

use super::{
    chance::Chance,
    character::Stance,
    conduct,
    facts::{Facts, Tenure},
    narrative::{Speaker, Told},
    required::{RequiredTopic, pass_over},
    stock::Stock,
};

/// A first answer that is not as it should be.
#[derive(Clone, Debug, Default)]
pub struct Slipped {
    /// The narrative in the place of the right one.
    pub narrative: Option<String>,
    /// A support level that the narrative does not bear out.
    pub support: Option<f64>,
    /// A dimension, in words, with a score that the narrative does not bear out.
    pub score: Option<(String, f64)>,
    /// The lists speak of this no more than the narrative does.
    passed_over: Option<&'static RequiredTopic>,
}

impl Slipped {
    /// Makes the mistake.
    pub fn make(
        slip: conduct::Slip,
        facts: &Facts,
        stance: &Stance,
        speaker: &Speaker<'_>,
        required: &'static [RequiredTopic],
    ) -> Self {
        let chance = facts.chance.with(b"how it slips");
        match slip {
            conduct::Slip::Contradiction => contradiction(facts, stance, speaker, chance),
            conduct::Slip::TopicMissed => topic_missed(speaker, required, chance),
            conduct::Slip::OffTopic => {
                Self { narrative: Some(off_topic(chance)), ..Self::default() }
            }
        }
    }

    /// The phrases of a list that may stay, or what stands in their place.
    pub fn phrases(&self, phrases: Vec<String>, otherwise: &str) -> Vec<String> {
        let Some(topic) = self.passed_over else { return phrases };
        let mut kept: Vec<_> =
            phrases.into_iter().filter(|phrase| !topic.is_near(phrase)).collect();
        if kept.is_empty() {
            kept.push(otherwise.to_owned());
        }
        kept
    }
}

/// A way to contradict oneself.
enum Way {
    Support,
    Score(String, f64),
    Claim(&'static [String]),
}

fn contradiction(facts: &Facts, stance: &Stance, speaker: &Speaker<'_>, chance: Chance) -> Slipped {
    let told = speaker.told();
    let claims = &Stock::get().claims;
    let mut ways = vec![Way::Support];
    let spoken_of = told.dimensions.iter().filter_map(|label| {
        let is_it = |(key, _): &&(String, f64)| key.replace('_', " ").eq_ignore_ascii_case(label);
        stance.dimensions.iter().find(is_it).map(|(_, opinion)| (label, opinion.round()))
    });
    for (label, score) in spoken_of {
        if score != 3.0 {
            ways.push(Way::Score(label.clone(), if score < 3.0 { 5.0 } else { 1.0 }));
            break;
        }
    }
    match facts.tenure {
        Some(Tenure::Rents) => ways.push(Way::Claim(&claims.owns)),
        Some(Tenure::Owns) => ways.push(Way::Claim(&claims.rents)),
        None => {}
    }
    if facts.has_car == Some(false) {
        ways.push(Way::Claim(&claims.car));
    }
    if facts.has_children == Some(false) {
        ways.push(Way::Claim(&claims.children));
    }
    match ways.swap_remove(chance.with(b"way").below(ways.len())) {
        Way::Support => {
            let support = if stance.level() <= 3 { 5.0 } else { 1.0 };
            Slipped { support: Some(support), ..Slipped::default() }
        }
        Way::Score(label, score) => Slipped { score: Some((label, score)), ..Slipped::default() },
        Way::Claim(texts) => {
            let Told { mut sentences, .. } = told;
            let text = texts[chance.with(b"claim").below(texts.len())].clone();
            sentences.insert(sentences.len().min(2), text);
            Slipped { narrative: Some(sentences.join(" ")), ..Slipped::default() }
        }
    }
}

fn topic_missed(
    speaker: &Speaker<'_>,
    required: &'static [RequiredTopic],
    chance: Chance,
) -> Slipped {
    let told = speaker.told();
    let stance = &told.sentences[told.stance];
    let must_stay = |left: &[String]| left.contains(stance) && speaker.names_the_question(left);
    let found = pass_over(required, &told.sentences, must_stay, chance.with(b"topic"));
    // A narrative that speaks of everything in each sentence cannot pass over anything.
    let Some((topic, left)) = found else { return Slipped::default() };
    Slipped { narrative: Some(left.join(" ")), passed_over: Some(topic), ..Slipped::default() }
}

/// Five sentences about something else.
fn off_topic(chance: Chance) -> String {
    let texts = &Stock::get().off_topic;
    let first = chance.with(b"off topic").below(texts.len());
    let five: Vec<&str> = texts.iter().cycle().skip(first).take(5).map(String::as_str).collect();
    five.join(" ")
}
