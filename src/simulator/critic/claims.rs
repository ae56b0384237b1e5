//! What a narrative claims of its speaker, against the profile.

use super::text::{Words, sentences};
use crate::simulator::{
    facts::{Facts, Household, Tenure},
    narrative::work,
};

/// A sentence that the profile rules out.
#[derive(Debug, PartialEq, Eq)]
pub struct FalseClaim<'t> {
    pub sentence: &'t str,
    /// What it claims, and what the profile has.
    pub claims: &'static str,
    pub profile: String,
    /// The sentence that can stand in its place.
    pub instead: String,
}

/// Words that make a claim a memory, a wish or a condition.
const HEDGES: &[&str] = &[
    "if",
    "wish",
    "used to",
    "once",
    "when i was|were|had|rented|owned",
    "would like|love",
    "hope to",
    "want to",
    "someday",
    "one day",
    "afford to",
    "dream*",
    "saving|save",
    "could",
    "would have",
    "my parents|mother|father|sister|brother|daughter|son|friend|friends|boss",
    "as though",
    "imagine",
];

const OWNS: &[&str] = &[
    "i|we own our|my|a|the|this ~ home|house|flat|apartment|unit|place|townhouse",
    "i|we bought ~ home|house|flat|apartment|unit|place|townhouse|here",
    "my|our mortgage",
    "the mortgage leaves us|me",
    "i|we ~ paying off ~ home|house|mortgage|flat|apartment",
    "paying off a|my|our home|house|flat",
    "as an|a owner|homeowner",
    "as a home owner",
    "as owners|homeowners",
    "am|are a homeowner|homeowners",
    "i|we have a mortgage",
];
const RENTS: &[&str] = &[
    "i|we rent",
    "i|we just|only|still|currently rent",
    "my|our rent|landlord|landlords|lease",
    "as a renter|tenant",
    "as renters|tenants",
    "am|are ~ renter|renters|tenant|tenants|renting",
    "i|we have rented here|for",
    "do not|never own a|my|our|any home|house|place|flat|property",
];
const HAS_CAR: &[&str] = &[
    "my|our car|cars",
    "i|we drive",
    "i|we have a|one|two ~ car|cars",
    "i|we own a|one|two ~ car|cars",
    "i|we need the|a car",
    "i|we depend on the|a car",
];
const NO_CAR: &[&str] = &[
    "do not have|own a|any car|cars",
    "have|own no car|cars",
    "without a car i|we",
    "gave|given up driving|my|our|the car",
    "sold my|our|the car",
];
const NOT_A_CAR: &[&str] = &["sold|gave|given|without ~ car", "not ~ drive|car", "no car|cars"];
const CHILDREN: &[&str] = &[
    "my|our ~ children|kids|child|kid|son|sons|daughter|daughters|toddler|baby",
    "as a ~ parent|mother|father|mum|mom|dad",
    "with children|kids ~ at home",
    "i|we have ~ children|kids",
];
const CHILDREN_AT_HOME: &[&str] = &[
    "with children|kids ~ at home",
    "my|our children|kids|son|daughter ~ to|at|from school|kindergarten",
    "my|our toddler|baby",
];
const NO_CHILDREN: &[&str] = &[
    "have|has no children|kids",
    "do not have ~ children|kids",
    "no children|kids of my|our own",
    "am|are childless",
    "someone|somebody|person|people without children|kids",
];
const RETIRED: &[&str] =
    &["i am ~ retired", "since i|we retired", "as a retired|pensioner", "now that i am retired"];

/// The sentences of the narrative that the profile rules out, each once.
pub fn false_claims<'t>(narrative: &'t str, facts: &Facts) -> Vec<FalseClaim<'t>> {
    sentences(narrative).into_iter().filter_map(|sentence| claim(sentence, facts)).collect()
}

fn claim<'t>(sentence: &'t str, facts: &Facts) -> Option<FalseClaim<'t>> {
    let words = Words::of(sentence);
    let says = |patterns: &[&str]| patterns.iter().any(|pattern| is_claimed(&words, pattern));
    let found = |claims, profile: &str, instead: &str| {
        Some(FalseClaim {
            sentence,
            claims,
            profile: profile.to_owned(),
            instead: instead.to_owned(),
        })
    };
    match facts.tenure {
        Some(Tenure::Rents) if says(OWNS) => {
            return found("a home of one's own", "a rented home", "I rent the home I live in.");
        }
        Some(Tenure::Owns) if says(RENTS) && !words.say("rent|renting ~ out") => {
            return found("a rented home", "a home that is owned", "I own the home I live in.");
        }
        _ => {}
    }
    match facts.has_car {
        Some(false) if says(HAS_CAR) && !words.say_any(NOT_A_CAR) => {
            return found("a car", "no car", "I have no car and get around without one.");
        }
        Some(true) if says(NO_CAR) => {
            return found("no car", "a car", "I have a car and use it.");
        }
        _ => {}
    }
    match (facts.has_children, facts.household) {
        (Some(false), _) if says(CHILDREN) && !words.say_any(NO_CHILDREN) => {
            return found("children", "no children", "There are no children in our household.");
        }
        (None, Some(Household::Alone)) if says(CHILDREN_AT_HOME) => {
            return found("children at home", "somebody who lives alone", "I live on my own.");
        }
        (Some(true), _) if says(NO_CHILDREN) => {
            return found("no children", "children", "I have children at home.");
        }
        _ => {}
    }
    if let (Some(age), Some(said)) = (facts.age, age_in(&words))
        && said.abs_diff(u64::from(age)) > 2
    {
        let profile = format!("age {age}");
        let instead = sentence.replacen(&said.to_string(), &age.to_string(), 1);
        return found("another age", &profile, &instead);
    }
    if let Some(occupation) = &facts.occupation {
        let lower = occupation.to_lowercase();
        if says(RETIRED) && !["retire", "pension"].iter().any(|word| lower.contains(word)) {
            let instead = format!("I am {}.", work(occupation).phrase);
            return found("retirement", occupation, &instead);
        }
    }
    None
}

/// Whether it is said, and not hoped, remembered or supposed.
fn is_claimed(words: &Words, pattern: &str) -> bool {
    let Some((_, end)) = words.find(pattern) else { return false };
    let so_far = Words(words.0[..end].to_vec());
    !so_far.say_any(HEDGES)
}

/// The age that a speaker gives: "I am 34", "at 34 I", "aged 34".
fn age_in(words: &Words) -> Option<u64> {
    words.0.windows(2).enumerate().find_map(|(at, pair)| {
        let number = pair[1].parse().ok().filter(|number| (16..=110).contains(number))?;
        let before = at.checked_sub(1).map(|at| words.0[at].as_str());
        let after = words.0.get(at + 2).map(String::as_str);
        let is_age = match pair[0].as_str() {
            "am" => {
                before == Some("i") && !matches!(after, Some("percent" | "per" | "minutes" | "km"))
            }
            "at" => at == 0 && after == Some("i"),
            "aged" | "being" => true,
            _ => {
                after == Some("years")
                    && words.0.get(at + 3).is_some_and(|word| word == "old")
                    && words.say("i am")
            }
        };
        is_age.then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{
        chance::Chance,
        remembered::Remembered,
        request::{Message, Role},
    };

    fn facts(profile: &str) -> Facts {
        let message = Message { role: Role::User, text: profile.to_owned() };
        Facts::read(&[message], Chance::new(1), &Remembered::default())
    }

    #[test]
    fn what_the_profile_rules_out_is_found_in_anybodys_words() {
        let renter = facts(
            "Age: 34\nOccupation: nurse\nTenure: rents\nCar: no car\n\
                            Household: couple, no children",
        );
        let owner = facts(
            "Age: 67\nTenure: owns outright\nCar: one car\n\
                           Household: couple with two children (3 and 5)",
        );
        for (facts, text, wrong) in [
            (&renter, "We bought our flat in 2010.", true),
            (&renter, "My mortgage is killing me.", true),
            (&renter, "As a homeowner I pay rates.", true),
            (&renter, "I'd like to own a house one day.", false),
            (&renter, "If we owned our home it would be different.", false),
            (&renter, "I don't own a place and my landlord knows it.", false),
            (&renter, "I drive my car to work.", true),
            (&renter, "I sold my car last year.", false),
            (&renter, "My kids walk to school.", true),
            (&renter, "I'm 52 and tired of it.", true),
            (&renter, "At 34 I want to see things move.", false),
            (&renter, "I am 100 percent sure.", false),
            (&renter, "Since I retired I have had more time.", true),
            (&owner, "My landlord raised the rent again.", true),
            (&owner, "I used to rent, and I remember it well.", false),
            (&owner, "We don't have a car.", true),
            (&owner, "We have no children.", true),
            (&owner, "Our children would love it.", false),
            (&owner, "I own my house and drive my car.", false),
            (&owner, "I rent out the flat downstairs.", false),
        ] {
            assert_eq!(!false_claims(text, facts).is_empty(), wrong, "{text}");
        }
    }

    #[test]
    fn a_profile_that_is_silent_contradicts_nothing() {
        let nobody = facts("Name: Kim");
        let text = "I own my house. My car is old. My kids love it. I am 50. I am retired.";
        assert_eq!(false_claims(text, &nobody), []);
    }
}
