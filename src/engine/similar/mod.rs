//! Similar answers, one critic call: an answer that is nearly another one, on which a critic has
//! found nothing, needs no verdict of its own.
//!
//! What counts as near is strict, since a verdict of consistency rests on more than the words:
//!
//! - the same stage and the same numbers: support level and every impact;
//! - the same facts of the profile in it. A narrative rests on those attributes whose values it
//!   speaks of ("as a renter", "I am 34"), and these must be the same in both personas. What it
//!   says of a profile in other words than the profile's own is not recognized: that is the price
//!   of sharing, and the reason why a survey must ask for it;
//! - the same numerals and the same words that turn a sentence around, such as "not" and
//!   "against", in the same order: one word among a hundred would not show in a similarity;
//! - and then at least the wanted similarity. By words: of the shingles (two words each) of
//!   narrative, concerns and suggestions, the share in common, which is the Jaccard similarity, of
//!   all shingles and not of a sketch. Or by embeddings: the cosine between the vectors of the same
//!   texts, in which a sentence lies near another one that says it in other words.
//!
//! By words, candidates are found by `SimHash` (M. Charikar, "Similarity estimation techniques from
//! rounding algorithms", 2002), so that few are compared word by word.
//!
//! A vector takes a call, so as few are asked for as can be:
//!
//! - none for an answer that has no judged one in its block: nothing could be near. Nor for one
//!   that has all its shingles in common with a judged one: that is near by any measure;
//! - one call for every other answer, at the most. The vectors of judged answers that lack one, for
//!   want of anything to compare them with when they were judged, or because the run was resumed,
//!   are asked for in the same call: the few that are nearest by their sketches, which cost tokens
//!   and no further request. So a judged answer that nobody comes near to never takes a vector;
//! - none any more once such a call has failed for good: from then on, words say what is near.
//!
//! The memory of answers is bounded: see `donors`. A run that is resumed has it made anew from the
//! run file, by `recall`.

mod donors;
mod fingerprint;
mod recall;

pub(super) use fingerprint::Fingerprint;
pub(super) use recall::has_held;

use super::{
    embedding::Embedder,
    stages::{Stages, Standing},
};
use crate::{
    model::{Persona, PersonaIndex, Stage},
    provider::Vector,
};
use donors::{Donor, Donors};
use fingerprint::jaccard;
use simhash::hamming_distance;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Judged answers whose vectors are asked for together with that of the answer at hand.
const TAKEN_ALONG: usize = 8;

/// What is remembered of answers that critics had no objection to.
pub(super) struct Similar {
    least: f32,
    /// Sketches further apart belong to answers that are less alike than `least`, but for one in a
    /// thousand.
    furthest: u32,
    /// `None` where words say what is near.
    embedder: Option<Embedder>,
    donors: Mutex<Donors>,
}

/// How an answer can be compared with the judged ones by its vector.
pub(super) enum Comparison {
    /// There is none that it could be near to.
    Idle,
    /// It is this one's, word by word.
    Same(PersonaIndex),
    /// Its vector is to be asked for, together with those of these.
    Vectors(Vec<(PersonaIndex, Arc<str>)>),
}

impl Similar {
    pub(super) fn new(least: f32, embedder: Option<Embedder>) -> Self {
        Self { least, furthest: furthest(least), embedder, donors: Mutex::default() }
    }

    /// Who is asked for vectors; `None` where nobody is, or is any more.
    pub(super) fn embedder(&self) -> Option<&Embedder> {
        self.embedder.as_ref().filter(|embedder| embedder.is_on())
    }

    /// Of the answer that a critic is about to look at first; `None` where it is no such call.
    pub(super) fn fingerprint(
        &self,
        stage: Stage,
        standing: &Standing,
        persona: &Persona,
    ) -> Option<Fingerprint> {
        let answer = standing.answer().filter(|_| Stages::is_first_look(stage, standing))?;
        Some(Fingerprint::of(stage, persona, answer, self.embedder().is_some()))
    }

    /// By words, the nearest of the remembered answers that is near enough, and how near.
    pub(super) fn nearest(&self, to: &Fingerprint) -> Option<(PersonaIndex, f32)> {
        let donors = self.donors();
        let near = |donor: &&Donor| hamming_distance(donor.sketch, to.sketch) <= self.furthest;
        let near = donors.block(to.block).filter(near);
        self.best(near.map(|donor| (donor.persona, jaccard(&donor.shingles, &to.shingles))))
    }

    /// What comparing an answer by its vector takes.
    pub(super) fn comparison(&self, of: &Fingerprint) -> Comparison {
        let donors = self.donors();
        if let Some(same) = donors.block(of.block).find(|donor| donor.shingles == of.shingles) {
            return Comparison::Same(same.persona);
        }
        if of.text.is_none() {
            return Comparison::Idle;
        }
        let mut lacking = Vec::new();
        let mut compared = false;
        for donor in donors.block(of.block) {
            if donors.vector(of.block, donor.persona).is_some() {
                compared = true;
            } else if let Some(text) = &donor.text {
                lacking.push((hamming_distance(donor.sketch, of.sketch), donor.persona, text));
            }
        }
        if !compared && lacking.is_empty() {
            return Comparison::Idle;
        }
        lacking.sort_by_key(|(apart, ..)| *apart);
        lacking.truncate(TAKEN_ALONG);
        let taken = lacking.into_iter().map(|(_, persona, text)| (persona, Arc::clone(text)));
        Comparison::Vectors(taken.collect())
    }

    /// Takes in vectors of judged answers, those of an answer's block.
    pub(super) fn keep_vectors(
        &self,
        beside: &Fingerprint,
        vectors: impl IntoIterator<Item = (PersonaIndex, Vector)>,
    ) {
        let mut donors = self.donors();
        for (persona, vector) in vectors {
            donors.keep_vector(beside.block, persona, vector);
        }
    }

    /// By vectors, the nearest of the remembered answers that is near enough, and how near.
    pub(super) fn nearest_by_vector(&self, to: &Fingerprint) -> Option<(PersonaIndex, f32)> {
        let vector = to.vector.as_ref()?;
        let donors = self.donors();
        self.best(donors.block(to.block).filter_map(|donor| {
            let other = donors.vector(to.block, donor.persona)?;
            Some((donor.persona, vector.cosine(other)))
        }))
    }

    fn best(&self, of: impl Iterator<Item = (PersonaIndex, f32)>) -> Option<(PersonaIndex, f32)> {
        of.filter(|(_, similarity)| *similarity >= self.least)
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Remembers an answer; the oldest ones are forgotten for it.
    pub(super) fn learn(&self, of: Fingerprint, persona: PersonaIndex) {
        self.donors().learn(of, persona);
    }

    fn donors(&self) -> MutexGuard<'_, Donors> {
        self.donors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bits the sketches of two answers may differ in that have this share of their shingles
/// in common: each bit differs with the angle between them over pi, and three deviations more.
fn furthest(least: f32) -> u32 {
    let least = f64::from(least);
    let differs = (2.0 * least / (1.0 + least)).min(1.0).acos() / std::f64::consts::PI;
    let bits = f64::from(u64::BITS);
    let most = bits * differs + 3.0 * (bits * differs * (1.0 - differs)).sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 64 bits and some"
    )]
    let most = most.ceil() as u32;
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Attribute, Score};

    const TEXT: &str = "I think the council should drop the rule because the car spaces cost a lot \
        and most of them stand empty all day long. People who rent here would pay less every month \
        and the street would have room for trees and benches. I would still like the council to \
        keep some spaces for those who care for others and must come and go by car at odd hours.";

    fn persona(index: u32, attributes: &[(&str, &str)]) -> Persona {
        let attribute = |(name, value): &(&str, &str)| Attribute {
            name: (*name).into(),
            value: (*value).into(),
        };
        Persona {
            index: PersonaIndex(index),
            id: index.to_string(),
            weight: None,
            attributes: attributes.iter().map(attribute).collect(),
        }
    }

    fn answer(narrative: &str, support: u8) -> Answer {
        Answer {
            narrative: narrative.into(),
            support_level: Score::try_from(support).unwrap(),
            impacts: vec![("housing".into(), Score::try_from(3).unwrap())],
            key_concerns: vec![],
            suggested_improvements: vec![],
        }
    }

    /// How alike the second answer is found to be, with the first as the only one remembered.
    fn found(donor: (&Persona, &Answer), other: (&Persona, &Answer)) -> Option<f32> {
        let similar = Similar::new(0.9, None);
        similar.learn(Fingerprint::of(Stage::Review, donor.0, donor.1, false), donor.0.index);
        let other = Fingerprint::of(Stage::Review, other.0, other.1, false);
        let nearest = similar.nearest(&other);
        nearest.map(|(persona, similarity)| {
            assert_eq!(persona, donor.0.index);
            similarity
        })
    }

    #[test]
    fn an_answer_with_a_word_changed_is_near_and_one_with_another_number_is_not() {
        let (ada, bob) = (persona(0, &[]), persona(1, &[]));
        let (told, retold) = (answer(TEXT, 4), answer(&TEXT.replace("trees", "shrubs"), 4));
        assert_eq!(found((&ada, &told), (&bob, &told)), Some(1.0));
        let near = found((&ada, &told), (&bob, &retold)).unwrap();
        assert!((0.9..1.0).contains(&near), "{near}");
        assert_eq!(found((&ada, &told), (&bob, &answer(TEXT, 5))), None);
        let half: String = TEXT.chars().take(TEXT.len() / 2).collect();
        assert_eq!(found((&ada, &told), (&bob, &answer(&half, 4))), None);
    }

    #[test]
    fn what_the_narrative_rests_on_must_be_the_same_in_both_profiles() {
        let profile =
            |index, tenure, hobby| persona(index, &[("tenure", tenure), ("hobby", hobby)]);
        let told = answer(TEXT, 4);
        let renter = profile(0, "renter", "chess");
        assert_eq!(found((&renter, &told), (&profile(1, "renter", "golf"), &told)), Some(1.0));
        assert_eq!(found((&renter, &told), (&profile(1, "owner", "chess"), &told)), None);
        assert_eq!(found((&profile(1, "owner", "chess"), &told), (&renter, &told)), None);
        let aged = |index, age| persona(index, &[("age", age)]);
        let young = answer(&format!("I am 34. {TEXT}"), 4);
        assert_eq!(found((&aged(0, "34"), &young), (&aged(1, "71"), &young)), None);
    }

    #[test]
    fn a_not_among_a_hundred_words_is_seen() {
        let (ada, bob) = (persona(0, &[]), persona(1, &[]));
        let turned = TEXT.replace("council should drop", "council should not drop");
        assert_eq!(found((&ada, &answer(TEXT, 4)), (&bob, &answer(&turned, 4))), None);
        let turned = TEXT.replace("would pay", "wouldn\u{2019}t pay");
        assert_eq!(found((&ada, &answer(TEXT, 4)), (&bob, &answer(&turned, 4))), None);
    }

    #[test]
    fn a_stricter_wish_searches_less_far() {
        assert_eq!(furthest(1.0), 0);
        assert!(furthest(0.9) < furthest(0.8) && furthest(0.5) < u64::BITS);
    }

    fn vector(numbers: [f32; 2]) -> Vector {
        Vector::new(numbers.into()).unwrap()
    }

    #[test]
    fn a_vector_is_asked_for_only_where_there_is_something_to_compare_it_with() {
        let (ada, bob) = (persona(0, &[]), persona(1, &[]));
        let similar = Similar::new(0.9, Some(Embedder::new("m", &[])));
        let of = |who: &Persona, text: &str, support| {
            Fingerprint::of(Stage::Review, who, &answer(text, support), true)
        };
        let asks = |of: &Fingerprint| match similar.comparison(of) {
            Comparison::Idle => None,
            Comparison::Same(_) => panic!("it is another text"),
            Comparison::Vectors(lacking) => Some(lacking.len()),
        };
        let mut told = of(&bob, "quite other words", 4);
        assert_eq!(asks(&told), None, "nobody was judged");
        similar.learn(of(&ada, TEXT, 4), ada.index);
        assert_eq!(asks(&told), Some(1), "the judged one is taken along");
        assert_eq!(asks(&of(&bob, TEXT, 5)), None, "its numbers are its own");
        assert!(matches!(
            similar.comparison(&of(&bob, TEXT, 4)),
            Comparison::Same(PersonaIndex(0))
        ));

        similar.keep_vectors(&told, [(ada.index, vector([1.0, 0.0]))]);
        assert_eq!(asks(&told), Some(0), "its vector is there");
        assert_eq!(similar.nearest_by_vector(&told), None);
        told.vector = Some(vector([1.0, 0.1]));
        let (donor, similarity) = similar.nearest_by_vector(&told).unwrap();
        assert!(donor == ada.index && (0.99..1.0).contains(&similarity), "{similarity}");
        told.vector = Some(vector([0.0, 1.0]));
        assert_eq!(similar.nearest_by_vector(&told), None);
        let near = of(&bob, "other words", 4);
        for n in 2..20 {
            let word = "x".repeat(n as usize);
            similar.learn(of(&bob, &format!("{word} other words"), 4), PersonaIndex(n));
        }
        assert_eq!(asks(&near), Some(TAKEN_ALONG));
    }
}
