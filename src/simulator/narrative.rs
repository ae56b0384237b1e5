//! A stance in words: the narrative, the concerns and the suggestions.

use super::{
    chance::Chance,
    character::Stance,
    facts::{Facts, Household, Income, Tenure},
    required::RequiredTopic,
    stock::{BySide, Fills, Stock, Templates, Theme},
};

/// How many sentences a narrative has at least and at most.
const SENTENCES: std::ops::RangeInclusive<usize> = 5..=9;

/// One persona about to speak.
pub struct Speaker<'a> {
    facts: &'a Facts,
    stance: &'a Stance,
    stock: &'static Stock,
    work: Option<Work>,
    place: Option<String>,
    age: Option<String>,
    /// From the worst to the best.
    dimensions: Vec<Dimension>,
    required: &'a [RequiredTopic],
}

/// A narrative before its sentences are joined.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub sentences: Vec<String>,
    /// Which sentence says where the persona stands.
    pub stance: usize,
    /// The dimensions that are spoken of, in words.
    pub dimensions: Vec<String>,
}

impl Told {
    pub fn join(&self) -> String {
        self.sentences.join(" ")
    }
}

/// An occupation as it stands after "I am".
pub struct Work {
    pub phrase: String,
    has_colleagues: bool,
}

/// A dimension in words, with its opinion and the theme that knows it.
struct Dimension {
    label: String,
    opinion: f64,
    theme: Option<&'static Theme>,
}

impl<'a> Speaker<'a> {
    /// Prepares what the sentences will name.
    pub fn new(facts: &'a Facts, stance: &'a Stance, required: &'a [RequiredTopic]) -> Self {
        let stock = Stock::get();
        let known = |(key, opinion): (&str, f64)| {
            let label = key.replace('_', " ").to_lowercase();
            Dimension { theme: stock.theme(&label), label, opinion }
        };
        Self {
            facts,
            stance,
            stock,
            work: facts.occupation.as_deref().map(work),
            place: facts.place.as_deref().map(place),
            age: facts.age.map(|age| age.to_string()),
            dimensions: stance.worst_first().into_iter().map(known).collect(),
            required,
        }
    }

    /// Five to nine sentences: who I am, where I stand, why, what it means for the dimensions
    /// that I feel most strongly about and for what the domain requires, the other side, the last
    /// word. At least one of them names what was asked.
    pub fn narrative(&self) -> String {
        self.told().join()
    }

    /// The narrative in its parts.
    pub fn told(&self) -> Told {
        let chance = self.facts.chance.with(b"narrative");
        let level = self.stance.level();
        let in_favour = self.leans_to(chance);
        let reasons = self.reasons();
        let dimensions = &self.dimensions;
        let concedes = chance.with(b"concedes").happens(0.6);
        let most_told = if self.required.is_empty() { 3 } else { 1 };
        let told_dimensions = dimensions.len().min(1 + chance.with(b"dimensions").below(most_told));
        let missing = SENTENCES.start().saturating_sub(3 + told_dimensions + usize::from(concedes));
        let told_reasons = reasons.len().min(missing.max(1 + chance.with(b"reasons").below(2)));
        let fillers = missing.saturating_sub(told_reasons);

        let mut told = Told::default();
        let mut say = |templates: &Templates, dimension: Option<&str>, chance: Chance, nth| {
            let mut text = String::with_capacity(128);
            templates.say(&self.fills(dimension, chance), chance, nth, &mut text);
            told.sentences.push(text);
        };
        let opening = (&self.stock.openings, chance.with(b"opening"));
        let stance = (self.stock.stances.level(level), chance.with(b"stance"));
        let stance_first = chance.with(b"order").happens(0.25);
        let start = if stance_first { [stance, opening] } else { [opening, stance] };
        for (templates, chance) in start {
            say(templates, None, chance, 0);
        }
        let first = chance.with(b"first reason").below(reasons.len());
        for (nth, reason) in reasons.iter().cycle().skip(first).take(told_reasons).enumerate() {
            let chance = chance.with(b"reason").with_number(nth as u64);
            say(reason.side(in_favour), None, chance, 0);
        }
        // One draw and a step, here and for the fillers, so that no text comes twice.
        let chance_of_dimension = chance.with(b"dimension");
        let mut spoken_of = Vec::new();
        for (nth, dimension) in strongest(dimensions).take(told_dimensions).enumerate() {
            let themed = chance.with(dimension.label.as_bytes());
            say(self.about(dimension, themed), Some(&dimension.label), chance_of_dimension, nth);
            spoken_of.push(dimension.label.as_str());
        }
        let named = told.sentences.join(" ");
        let mut say = |templates: &Templates, dimension: Option<&str>, chance: Chance, nth| {
            let mut text = String::with_capacity(128);
            templates.say(&self.fills(dimension, chance), chance, nth, &mut text);
            told.sentences.push(text);
        };
        let unnamed = self.required.iter().filter(|topic| !topic.is_named(&named));
        for (nth, topic) in unnamed.enumerate() {
            let known = dimensions.iter().find(|dimension| dimension.label == topic.name);
            if let Some(dimension) = known
                && !spoken_of.contains(&dimension.label.as_str())
            {
                spoken_of.push(&dimension.label);
            }
            // In the words that name it: those of a theme may not.
            let templates = self.stock.dimensions.of(known.map_or(3.0, |known| known.opinion));
            say(templates, Some(&topic.name), chance_of_dimension, told_dimensions + nth);
        }
        if concedes {
            say(self.stock.concessions.side(in_favour), None, chance.with(b"concession"), 0);
        }
        for nth in 0..fillers {
            say(&self.stock.fillers, None, chance.with(b"filler"), nth);
        }
        say(self.stock.closings.level(level), None, chance.with(b"closing"), 0);
        told.stance = usize::from(!stance_first);
        told.dimensions = spoken_of.into_iter().map(str::to_owned).collect();
        if !self.facts.topic.phrases.is_empty() && !self.names_the_question(&told.sentences) {
            let mut text = String::new();
            let chance = chance.with(b"on topic");
            self.stock.on_topic.say(&self.fills(None, chance), chance, 0, &mut text);
            told.sentences[usize::from(stance_first)] = text;
        }
        told
    }

    /// Whether what was asked is named; true where no thing can be taken from the question.
    pub fn names_the_question(&self, sentences: &[String]) -> bool {
        let phrases = &self.facts.topic.phrases;
        let names = |sentence: &String| phrases.iter().any(|phrase| sentence.contains(phrase));
        phrases.is_empty() || sentences.iter().any(names)
    }

    /// A sentence on something that the persona is asked about, by its score, 1 to 5, where it
    /// has one. `nth` tells apart what is said in one go.
    pub fn on(&self, topic: &str, score: Option<i64>, nth: usize) -> String {
        let chance = self.facts.chance.with(b"asked again");
        let templates = self.stock.dimensions.of(score.map_or(3.0, |score| score as f64));
        let mut text = String::new();
        templates.say(&self.fills(Some(topic), chance), chance, nth, &mut text);
        text
    }

    /// One to three phrases about the worst dimensions.
    pub fn concerns(&self) -> Vec<String> {
        self.about_the_worst(
            b"concern",
            |theme| &theme.concerns,
            &self.stock.concerns,
            &self.stock.general_concerns,
        )
    }

    /// One to three phrases that would mend the worst dimensions.
    pub fn improvements(&self) -> Vec<String> {
        self.about_the_worst(
            b"improvement",
            |theme| &theme.improvements,
            &self.stock.improvements,
            &self.stock.general_improvements,
        )
    }

    fn about_the_worst(
        &self,
        kind: &[u8],
        of_theme: impl Fn(&'static Theme) -> &'static Templates,
        of_any: &'static Templates,
        of_none: &'static Templates,
    ) -> Vec<String> {
        let chance = self.facts.chance.with(kind);
        let dimensions = &self.dimensions;
        let bad = dimensions.iter().filter(|dimension| dimension.opinion < 2.5).count();
        let mut phrases: Vec<String> = Vec::new();
        for dimension in dimensions.iter().take(bad.clamp(1, 3)) {
            let chance = chance.with(dimension.label.as_bytes());
            let templates = match dimension.theme {
                Some(theme) if chance.with(b"themed").happens(0.7) => of_theme(theme),
                _ => of_any,
            };
            phrases.push(templates.phrase(&self.fills(Some(&dimension.label), chance), chance));
        }
        if phrases.is_empty() || chance.with(b"more").happens(0.25) {
            phrases.push(of_none.phrase(&self.fills(None, chance), chance));
        }
        phrases
    }

    /// Whether the words are those of somebody in favour; in the middle, either.
    fn leans_to(&self, chance: Chance) -> bool {
        match self.stance.level() {
            ..3 => false,
            3 => chance.with(b"side").happens(0.5),
            _ => true,
        }
    }

    fn about(&self, dimension: &Dimension, chance: Chance) -> &'static Templates {
        let themed = dimension.theme.filter(|_| chance.with(b"themed").happens(0.45));
        match (dimension.opinion.round() as i64, themed) {
            (..=2, Some(theme)) => &theme.low,
            (4.., Some(theme)) => &theme.high,
            _ => self.stock.dimensions.of(dimension.opinion),
        }
    }

    /// What there is to say about this kind of person.
    fn reasons(&self) -> Vec<&'static BySide> {
        let (facts, reasons) = (self.facts, &self.stock.reasons);
        let of_age = match facts.age {
            Some(..30) => Some(&reasons.young),
            Some(62..) => Some(&reasons.old),
            _ => None,
        };
        [
            facts.tenure.map(|tenure| match tenure {
                Tenure::Rents => &reasons.rents,
                Tenure::Owns => &reasons.owns,
            }),
            facts.has_car.map(|drives| if drives { &reasons.drives } else { &reasons.no_car }),
            facts.household.and_then(|household| match household {
                Household::WithChildren => Some(&reasons.children),
                Household::Alone => Some(&reasons.alone),
                Household::WithOthers => None,
            }),
            facts.income.and_then(|income| match income {
                Income::Low => Some(&reasons.low_income),
                Income::High => Some(&reasons.high_income),
                Income::Middle => None,
            }),
            of_age,
            self.work.as_ref().filter(|work| work.has_colleagues).map(|_| &reasons.works),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn fills<'b>(&'b self, dimension: Option<&'b str>, chance: Chance) -> Fills<'b> {
        let phrases = &self.facts.topic.phrases;
        let topic = phrases.get(chance.with(b"topic").below(phrases.len()));
        Fills {
            work: self.work.as_ref().map(|work| work.phrase.as_str()),
            place: self.place.as_deref(),
            age: self.age.as_deref(),
            topic: Some(topic.map_or("this proposal", String::as_str)),
            dimension,
        }
    }
}

/// The worst, the best, then what is left from the worst on.
fn strongest(dimensions: &[Dimension]) -> impl Iterator<Item = &Dimension> {
    let worst = dimensions.first();
    let best = if dimensions.len() > 1 { dimensions.last() } else { None };
    let between = dimensions.get(1..dimensions.len().saturating_sub(1)).unwrap_or_default();
    worst.into_iter().chain(best).chain(between)
}

/// An occupation with its article, or a phrase for those who have none.
pub fn work(occupation: &str) -> Work {
    let words: Vec<String> = occupation.split_whitespace().map(lower_unless_acronym).collect();
    let text = words.join(" ");
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let starts = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
    let phrase = if lower == "retired" || lower == "retiree" || starts(&["retired from"]) {
        "a retired person".to_owned()
    } else if says(&["unemployed", "not working", "jobless", "job seeker", "looking for"]) {
        "somebody between jobs".to_owned()
    } else if says(&["home duties", "stay-at-home", "stay at home", "homemaker"]) {
        "somebody who runs a home".to_owned()
    } else if starts(&["on "]) {
        format!("somebody {text}")
    } else if starts(&["a ", "an "]) {
        text
    } else {
        let vowel = starts(&["a", "e", "i", "o", "u"]) && !starts(&["uni", "eu"]);
        format!("{} {text}", if vowel { "an" } else { "a" })
    };
    let no_job = ["retire", "between jobs", "runs a home", "student", "carer for", "pension"];
    Work { has_colleagues: !no_job.iter().any(|word| phrase.contains(word)), phrase }
}

/// "Nurse" is "nurse" in the middle of a sentence; "IT" stays "IT".
fn lower_unless_acronym(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next();
    if first.is_some_and(char::is_uppercase) && chars.all(|c| !c.is_uppercase()) {
        word.to_lowercase()
    } else {
        word.to_owned()
    }
}

/// A kind of place, or the name of one, as it stands after "in".
fn place(place: &str) -> String {
    match place.to_lowercase().as_str() {
        "urban" | "city" | "inner city" | "inner-city" => "the city".to_owned(),
        "suburban" | "suburb" | "suburbs" => "the suburbs".to_owned(),
        "outer suburb" | "outer suburbs" => "the outer suburbs".to_owned(),
        "rural" | "remote" | "country" => "the country".to_owned(),
        "regional" | "regional town" | "town" => "a country town".to_owned(),
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{
        form::Form,
        remembered::Remembered,
        request::{Message, Role},
    };
    use std::collections::HashSet;

    fn grid(keys: &[&str]) -> Form {
        let field = |key: &&str| (key.to_string(), Form::Integer { least: 1, most: 5 });
        Form::Object(keys.iter().map(field).collect())
    }

    fn facts(persona: &str) -> Facts {
        let message = |role, text: &str| Message { role, text: text.to_owned() };
        let question = "Should the council stop requiring car spaces in new apartment buildings?";
        Facts::read(
            &[message(Role::Instructions, question), message(Role::User, persona)],
            Chance::new(1),
            &Remembered::default(),
        )
    }

    fn sentences(text: &str) -> usize {
        text.split_inclusive(['.', '?', '!']).filter(|part| part.len() > 1).count()
    }

    #[test]
    fn two_hundred_personas_do_not_read_alike() {
        let form = grid(&["support_level", "housing", "transport", "work_life_balance"]);
        let jobs = ["Nurse", "IT manager", "retired", "electrician", "student", "unemployed"];
        let mut narratives = HashSet::new();
        let mut said = std::collections::HashMap::new();
        for i in 0..200 {
            let of = |name: &str| Chance::new(5).with(name.as_bytes()).with_number(i);
            let persona = format!(
                "Id: {i}\nAge: {}\nOccupation: {}\nSuburb: {}\nTenure: {}\nCar: {}\nHousehold: {}",
                18 + of("age").below(60),
                jobs[of("job").below(jobs.len())],
                ["Footscray", "Kew", "Werribee", "Box Hill"][of("place").below(4)],
                ["rents", "owns"][of("tenure").below(2)],
                ["yes", "no"][of("car").below(2)],
                ["alone", "couple with children", "share house"][of("household").below(3)],
            );
            let facts = facts(&persona);
            let stance = Stance::of(&facts, Some(&form), Chance::new(1));
            let text = Speaker::new(&facts, &stance, &[]).narrative();
            assert!(SENTENCES.contains(&sentences(&text)), "{text}");
            assert!(!text.contains(['{', '_']) && !text.contains("  "), "{text}");
            for sentence in text.split_inclusive(". ") {
                *said.entry(sentence.trim().to_owned()).or_insert(0) += 1;
            }
            narratives.insert(text);
        }
        assert_eq!(narratives.len(), 200);
        let (sentence, most) = said.iter().max_by_key(|(_, count)| **count).unwrap();
        assert!(*most <= 24, "{most} times: {sentence}");
        assert!(said.len() > 350, "{}", said.len());
    }

    #[test]
    fn a_narrative_names_the_persona_and_the_question() {
        let form = grid(&["housing"]);
        let named: HashSet<&str> = (18..90)
            .flat_map(|age| {
                let facts = facts(&format!("Age: {age}\nJob: Nurse\nTown: Kew\nTenure: rents"));
                let stance = Stance::of(&facts, Some(&form), Chance::new(1));
                let text = Speaker::new(&facts, &stance, &[]).narrative();
                ["a nurse", "Kew", "car spaces", "new apartment buildings", "rent", "housing"]
                    .into_iter()
                    .filter(move |word| text.contains(word))
            })
            .collect();
        assert_eq!(named.len(), 6, "{named:?}");
    }

    #[test]
    fn concerns_and_improvements_match_the_worst_dimensions() {
        let facts = facts("Age: 40");
        let dimension = |key: &str, opinion| (key.to_owned(), opinion);
        let dimensions =
            vec![dimension("noise", 1.2), dimension("lighting", 4.8), dimension("shade", 2.0)];
        let stance = Stance { support: 3.0, dimensions };
        let speaker = Speaker::new(&facts, &stance, &[]);
        for phrases in [speaker.concerns(), speaker.improvements()] {
            assert!(phrases[0].contains("noise") && phrases[1].contains("shade"), "{phrases:?}");
            assert!(phrases.iter().all(|phrase| !phrase.contains("lighting")), "{phrases:?}");
        }
    }

    #[test]
    fn a_persona_without_facts_still_says_five_sentences() {
        let nobody = Facts::read(&[], Chance::new(1), &Remembered::default());
        let stance = Stance::of(&nobody, None, Chance::new(1));
        let speaker = Speaker::new(&nobody, &stance, &[]);
        let text = speaker.narrative();
        assert!(SENTENCES.contains(&sentences(&text)), "{text}");
        assert_eq!(speaker.concerns().len(), 1);
    }

    #[test]
    fn occupations_and_places_stand_well_in_a_sentence() {
        for (occupation, phrase) in [
            ("Nurse", "a nurse"),
            ("IT Manager", "an IT manager"),
            ("University lecturer", "a university lecturer"),
            ("Retired", "a retired person"),
            ("On a disability pension", "somebody on a disability pension"),
            ("Retired teacher", "a retired teacher"),
            ("Electrician", "an electrician"),
            ("Looking for work", "somebody between jobs"),
        ] {
            assert_eq!(work(occupation).phrase, phrase);
        }
        assert_eq!(place("Rural"), "the country");
        assert_eq!(place("Box Hill"), "Box Hill");
    }
}
