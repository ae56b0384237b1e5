//! From who somebody is to what they think: a stance, before it is put into words.

use super::{
    chance::Chance,
    facts::{Facts, Household, Income, Tenure},
    form::Form,
};

/// What a persona thinks. Opinions lie on the grid's scale, 1 (worst) to 5 (best), and are
/// rounded only where they are written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Stance {
    pub support: f64,
    /// Each dimension of the form with its opinion, in the form's order.
    pub dimensions: Vec<(String, f64)>,
}

/// How far a unit of lean moves an opinion on the scale of 1 to 5. Together with the spreads
/// below it was chosen so that a mixed group of 500 uses every level, and none for more than
/// half of the group.
const SUPPORT_SPREAD: f64 = 1.55;
const DIMENSION_SPREAD: f64 = 1.3;

impl Stance {
    /// The stance of this persona on every number that the form asks for.
    pub fn of(facts: &Facts, form: Option<&Form>, seed: Chance) -> Self {
        let question = seed.with(b"question").with(facts.topic.question.as_bytes());
        let own = lean(facts, question) + 0.5 * facts.chance.with(b"lean").normal();
        let mut keys = Vec::new();
        if let Some(form) = form {
            collect_dimensions(form, "", &mut keys);
        }
        // What all personas think of one dimension next to the others; it cancels out, so that
        // the seed does not decide the whole vote.
        let shift = |key: &str| 0.45 * question.with(key.as_bytes()).signed();
        let mean_shift = keys.iter().map(|key| shift(key)).sum::<f64>() / keys.len().max(1) as f64;
        let mut sum = 0.0;
        let dimensions: Vec<(String, f64)> = keys
            .iter()
            .map(|&key| {
                let group = [facts.tenure.map_or(0, |tenure| 1 + tenure as u8)];
                let of_group = question.with(key.as_bytes()).with(&group);
                let of_one = facts.chance.with(key.as_bytes());
                let opinion = 0.75 * own + shift(key) - mean_shift
                    + 0.2 * of_group.signed()
                    + 0.55 * of_one.normal();
                sum += opinion;
                (key.to_owned(), on_scale(opinion, DIMENSION_SPREAD))
            })
            .collect();
        // Support follows the mean of the dimensions: who sees mostly harm is not in favour.
        let support = match dimensions.len() {
            0 => own,
            count => 0.4 * own + 0.7 * sum / count as f64,
        };
        Self { support: on_scale(support, SUPPORT_SPREAD), dimensions }
    }

    /// The support as a level of the grid, 1 to 5.
    pub fn level(&self) -> usize {
        self.support.round() as usize
    }

    /// The opinion on a dimension.
    pub fn on(&self, key: &str) -> Option<f64> {
        self.dimensions.iter().find(|(name, _)| name == key).map(|&(_, opinion)| opinion)
    }

    /// The dimensions from the worst to the best.
    pub fn worst_first(&self) -> Vec<(&str, f64)> {
        let mut sorted: Vec<_> =
            self.dimensions.iter().map(|(key, opinion)| (key.as_str(), *opinion)).collect();
        sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
        sorted
    }
}

/// A lean (0 is neither way) as a place on the scale.
fn on_scale(lean: f64, spread: f64) -> f64 {
    (3.0 + spread * lean).clamp(1.0, 5.0)
}

/// Where people like this one lean, before they differ from each other: more than 0 is in
/// favour. The directions are those of a typical city question, put to people who live there;
/// what matters is that groups differ and that a cross-tab finds it.
fn lean(facts: &Facts, question: Chance) -> f64 {
    let mut lean = 0.15 * question.with(b"mood").signed();
    lean += match facts.tenure {
        Some(Tenure::Rents) => 0.5,
        Some(Tenure::Owns) => -0.4,
        None => 0.0,
    };
    lean += facts.age.map_or(0.0, |age| (45.0 - f64::from(age)).clamp(-35.0, 35.0) / 35.0 * 0.35);
    lean += match facts.income {
        Some(Income::Low) => 0.15,
        Some(Income::High) => -0.15,
        Some(Income::Middle) | None => 0.0,
    };
    lean += match facts.has_car {
        Some(true) => -0.15,
        Some(false) => 0.35,
        None => 0.0,
    };
    lean += match facts.household {
        Some(Household::WithChildren) => -0.15,
        Some(Household::Alone) => 0.1,
        Some(Household::WithOthers) | None => 0.0,
    };
    for (named, weight) in [(&facts.occupation, 0.25), (&facts.place, 0.25)] {
        if let Some(named) = named {
            lean += weight * question.with(named.to_lowercase().as_bytes()).signed();
        }
    }
    lean
}

/// The names of the numbers in a form, support aside: those are its dimensions.
fn collect_dimensions<'a>(form: &'a Form, key: &'a str, into: &mut Vec<&'a str>) {
    match form {
        Form::Object(fields) => {
            for (key, field) in fields {
                collect_dimensions(field, key, into);
            }
        }
        Form::Integer { .. } | Form::Number { .. } if !is_support(key) && !into.contains(&key) => {
            into.push(key);
        }
        _ => {}
    }
}

/// Whether a field asks for the overall verdict and not for one dimension.
pub fn is_support(key: &str) -> bool {
    let key = key.to_lowercase();
    ["support", "overall", "approval", "agreement"].iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::request::{Message, Role};

    fn people() -> Vec<(Tenure, Stance)> {
        let one_to_five = || Form::Integer { least: 1, most: 5 };
        let fields = ["support_level", "housing", "transport", "community"];
        let form = Form::Object(fields.map(|key| (key.to_owned(), one_to_five())).into());
        let places = ["Footscray", "Brunswick", "Toorak", "Werribee", "Kew"];
        let jobs = ["nurse", "electrician", "teacher", "accountant", "chef", "student", "retired"];
        (0..500u64)
            .map(|i| {
                let rents = Chance::new(9).with_number(i).happens(0.5);
                let text = format!(
                    "Age: {}\nOccupation: {}\nSuburb: {}\nTenure: {}\nIncome: {}\nCar: {}",
                    18 + i * 7 % 65,
                    jobs[(i % 7) as usize],
                    places[(i % 5) as usize],
                    if rents { "rents" } else { "owns" },
                    20_000 + i * 977 % 130_000,
                    if i % 3 == 0 { "no" } else { "yes" },
                );
                let question = Message {
                    role: Role::Instructions,
                    text: "Should the council close the market street to cars?".to_owned(),
                };
                let persona = Message { role: Role::User, text };
                let facts = Facts::read(&[question, persona], Chance::new(1));
                let tenure = facts.tenure.unwrap();
                (tenure, Stance::of(&facts, Some(&form), Chance::new(1)))
            })
            .collect()
    }

    #[test]
    fn five_hundred_people_are_a_believable_group() {
        let people = people();
        let mut levels = [0; 6];
        for (_, stance) in &people {
            levels[stance.level()] += 1;
        }
        assert!(levels[1..].iter().all(|&count| (10..250).contains(&count)), "{levels:?}");
        for dimension in 0..3 {
            let mut scores = [0; 6];
            for (_, stance) in &people {
                scores[stance.dimensions[dimension].1.round() as usize] += 1;
            }
            assert!(scores[1..].iter().all(|&count| count >= 5), "{scores:?}");
        }
    }

    #[test]
    fn groups_differ_and_support_follows_the_dimensions() {
        let people = people();
        let mean = |of: Tenure| {
            let group: Vec<f64> =
                people.iter().filter(|(tenure, _)| *tenure == of).map(|(_, s)| s.support).collect();
            group.iter().sum::<f64>() / group.len() as f64
        };
        let (rents, owns) = (mean(Tenure::Rents), mean(Tenure::Owns));
        assert!(rents > owns + 0.5, "{rents} {owns}");
        let near = people.iter().filter(|(_, stance)| {
            let sum: f64 = stance.dimensions.iter().map(|(_, opinion)| opinion).sum();
            (sum / 3.0 - stance.support).abs() < 1.0
        });
        assert!(near.count() > 450);
    }
}
