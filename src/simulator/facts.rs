//! Who a request asks, and about what: the facts that can be read from its messages.
//!
//! A prompt template may write a persona in many ways, so the reading is tolerant: lines of
//! "Name: value", with or without bullets and Markdown, names by the words that they contain.

use super::{
    chance::Chance,
    remembered::Remembered,
    request::{Message, Role},
    topic::Topic,
};
use std::sync::Arc;

/// How a persona lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    Rents,
    Owns,
}

/// How much a persona earns, next to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Income {
    Low,
    Middle,
    High,
}

/// Who lives with a persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Household {
    Alone,
    WithChildren,
    WithOthers,
}

/// What is known of a persona and of the question. Everything may be missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub age: Option<u8>,
    pub occupation: Option<String>,
    pub place: Option<String>,
    pub tenure: Option<Tenure>,
    pub income: Option<Income>,
    pub has_car: Option<bool>,
    pub household: Option<Household>,
    /// Whether there are children; `None` where the profile does not say.
    pub has_children: Option<bool>,
    pub topic: Arc<Topic>,
    /// The branch of chance that is this persona's own: the same facts, the same person, also
    /// when a later message asks again.
    pub chance: Chance,
}

/// A value longer than this is a text about the persona and not a fact to repeat in a sentence.
const LONGEST_FACT: usize = 48;

impl Facts {
    /// Reads the messages of a request.
    pub fn read(messages: &[Message], seed: Chance, topics: &Remembered<Topic>) -> Self {
        let topic = Topic::of(messages, topics);
        let of = |role| move |message: &&Message| message.role == role;
        let user = || messages.iter().filter(of(Role::User));
        let with_lines = |message: &Message| {
            let lines = lines(&message.text);
            (!lines.is_empty()).then_some(lines)
        };
        let lines = user()
            .find_map(with_lines)
            .or_else(|| messages.iter().filter(of(Role::Instructions)).find_map(with_lines))
            .unwrap_or_default();
        let mut chance = seed.with(b"persona").with(topic.question.as_bytes());
        for (name, value) in &lines {
            chance = chance.with(name.as_bytes()).with(value.as_bytes());
        }
        if lines.is_empty() {
            let text = user().next().map_or("", |message| message.text.as_str());
            chance = chance.with(text.as_bytes());
        }
        let mut facts = Self {
            age: None,
            occupation: None,
            place: None,
            tenure: None,
            income: None,
            has_car: None,
            household: None,
            has_children: None,
            topic,
            chance,
        };
        for (name, value) in &lines {
            facts.learn(name, value);
        }
        facts
    }

    /// Takes in one line. The first line that tells something wins.
    fn learn(&mut self, name: &str, value: &str) {
        let Some(subject) = subject(name) else { return };
        let lower = value.to_lowercase();
        // "Looking for work, laid off from a factory": the first part says enough.
        let short = || {
            let part = value.split([',', ';', '(']).next().unwrap_or_default().trim();
            (!part.is_empty() && part.len() <= LONGEST_FACT).then(|| part.to_owned())
        };
        match subject {
            Subject::Income => self.income = self.income.or_else(|| income(&lower)),
            Subject::Age => {
                let age = first_number(&lower).and_then(|age| u8::try_from(age).ok());
                self.age = self.age.or(age);
            }
            Subject::Car => self.has_car = self.has_car.or_else(|| Some(!says_no(&lower))),
            Subject::Tenure => self.tenure = self.tenure.or_else(|| tenure(&lower)),
            Subject::Children => {
                let has = !says_no(&lower);
                if has {
                    self.household = Some(Household::WithChildren);
                }
                self.has_children = Some(has);
            }
            Subject::Household => {
                self.household = self.household.or_else(|| Some(household(&lower)));
                let said = match self.household {
                    Some(Household::WithChildren) => Some(true),
                    _ if says_childless(&lower) => Some(false),
                    _ => None,
                };
                self.has_children = self.has_children.or(said);
            }
            Subject::Occupation => self.occupation = self.occupation.take().or_else(short),
            Subject::Place => {
                let named = || short().filter(|place| place.chars().any(char::is_alphabetic));
                self.place = self.place.take().or_else(named);
            }
        }
    }
}

/// What a line tells. Of several the first counts: "household income" is about income.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Income,
    Age,
    Car,
    Tenure,
    Children,
    Household,
    Occupation,
    Place,
}

/// What a line of this name tells, by the words of the name.
fn subject(name: &str) -> Option<Subject> {
    let of_word = |word| {
        Some(match word {
            "income" | "salary" | "earnings" | "wage" => Subject::Income,
            "age" | "aged" => Subject::Age,
            "car" | "cars" | "vehicle" | "vehicles" | "drives" | "driver" => Subject::Car,
            "tenure" | "housing" | "home" | "dwelling" | "ownership" | "rents" | "rent" => {
                Subject::Tenure
            }
            "children" | "kids" | "dependents" | "dependants" => Subject::Children,
            "household" | "family" | "living" | "marital" => Subject::Household,
            "occupation" | "job" | "profession" | "work" | "employment" | "role" => {
                Subject::Occupation
            }
            "suburb" | "place" | "city" | "town" | "village" | "location" | "neighbourhood"
            | "neighborhood" | "district" | "area" | "lives" | "residence" | "region"
            | "county" | "state" => Subject::Place,
            _ => return None,
        })
    };
    name.split(' ').filter_map(of_word).min()
}

/// The lines of the form "Name: value", names in lower case with single spaces.
fn lines(text: &str) -> Vec<(String, String)> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<(String, String)> {
    let trimmed = line.trim_matches(|c: char| c.is_whitespace() || "-*#>|•`,\"".contains(c));
    let (name, value) = trimmed.split_once(':')?;
    let mut words = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_alphanumeric() {
            words.extend(c.to_lowercase());
        } else if !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
    }
    words.truncate(words.trim_end().len());
    let value = value.trim_matches(|c: char| c.is_whitespace() || "*`\",".contains(c));
    let is_name = !words.is_empty()
        && words.split(' ').count() <= 4
        && words.len() <= 40
        && !["question", "survey question", "topic", "domain", "survey"].contains(&words.as_str());
    (is_name && !value.is_empty() && !value.starts_with("//")).then(|| (words, value.to_owned()))
}

/// The first number of a text: "25-34" is 25, "$85,000" is 85000, "85k" is 85000.
fn first_number(text: &str) -> Option<u64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut number = 0u64;
    let mut rest = text[start..].chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '0'..='9' => {
                number = number.saturating_mul(10).saturating_add(u64::from(c as u8 - b'0'));
            }
            ',' | ' ' if rest.peek().is_some_and(char::is_ascii_digit) => {}
            'k' => return Some(number.saturating_mul(1000)),
            _ => break,
        }
    }
    Some(number)
}

/// Whether a word of the value starts with one of these; the value is in lower case.
fn mentions(value: &str, starts: &[&str]) -> bool {
    let mut words = value.split(|c: char| !c.is_alphanumeric());
    words.any(|word| starts.iter().any(|start| word.starts_with(start)))
}

/// An income in words, in money a year, or in money a week.
fn income(value: &str) -> Option<Income> {
    if mentions(value, &["low", "under", "below", "pension", "benefit"]) {
        return Some(Income::Low);
    }
    if mentions(value, &["high", "over", "above", "wealthy", "upper"]) {
        return Some(Income::High);
    }
    if mentions(value, &["mid", "average", "median", "medium", "moderate"]) {
        return Some(Income::Middle);
    }
    let amount = first_number(value)?;
    let weekly = mentions(value, &["week"]);
    let a_year = if weekly { amount.saturating_mul(52) } else { amount };
    Some(match a_year {
        0..45_000 => Income::Low,
        45_000..100_000 => Income::Middle,
        _ => Income::High,
    })
}

fn tenure(value: &str) -> Option<Tenure> {
    if mentions(value, &["rent", "tenant", "lease", "lodger", "social", "public"]) {
        Some(Tenure::Rents)
    } else if mentions(value, &["own", "mortgage", "paying"]) {
        Some(Tenure::Owns)
    } else {
        None
    }
}

fn household(value: &str) -> Household {
    let children = ["child", "kid", "bab", "toddler", "teen", "daughter"];
    let exactly = |known: &[&str]| value.split(' ').any(|word| known.contains(&word));
    let without = exactly(&["no", "not", "without", "0", "childless", "left", "adult", "grown"]);
    if !without && (mentions(value, &children) || exactly(&["son", "sons", "parent"])) {
        return Household::WithChildren;
    }
    if mentions(value, &["alone", "single", "solo", "widow", "divorced"]) {
        return Household::Alone;
    }
    match first_number(value) {
        Some(0 | 1) => Household::Alone,
        Some(4..) => Household::WithChildren,
        _ => Household::WithOthers,
    }
}

/// Whether a household is said to have no children; one that children have left is not.
fn says_childless(value: &str) -> bool {
    ["no children", "no kids", "without children", "without kids", "childless"]
        .iter()
        .any(|words| value.contains(words))
}

/// Whether a value says that there is none.
fn says_no(value: &str) -> bool {
    let mut words =
        value.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty());
    words.next().is_some_and(|first| {
        matches!(first, "no" | "none" | "0" | "false" | "n" | "never" | "nil" | "without")
    }) || words.any(|word| matches!(word, "not" | "no" | "without" | "doesn't"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Facts {
        let message = Message { role: Role::User, text: text.to_owned() };
        Facts::read(&[message], Chance::new(1), &Remembered::default())
    }

    #[test]
    fn facts_are_read_however_the_prompt_writes_them() {
        for text in [
            "You are this person.\nAge: 34\nOccupation: Nurse\nSuburb: St. Kilda\nTenure: rents\n\
             Income: $38,500\nCar: no\nHousehold: lives alone",
            "- **Age:** 34\n- **Occupation:** Nurse\n- **Suburb**: St. Kilda\n* Housing tenure: Renting\n\
             * Household income: 30k\n* Cars owned: 0\n* household_size: 1",
            "age: 34 years\r\noccupation: Nurse\r\nplace: St. Kilda\r\nhousing_status: tenant\r\n\
             personal-income: low\r\nhas_car: false\r\nLiving arrangements: Single",
        ] {
            let facts = read(text);
            assert_eq!(facts.age, Some(34), "{text}");
            assert_eq!(facts.occupation.as_deref(), Some("Nurse"), "{text}");
            assert_eq!(facts.place.as_deref(), Some("St. Kilda"), "{text}");
            assert_eq!(facts.tenure, Some(Tenure::Rents), "{text}");
            assert_eq!(facts.income, Some(Income::Low), "{text}");
            assert_eq!(facts.has_car, Some(false), "{text}");
            assert_eq!(facts.household, Some(Household::Alone), "{text}");
        }
    }

    #[test]
    fn values_have_many_spellings() {
        let household = |value: &str| read(&format!("Household: {value}")).household;
        assert_eq!(household("couple with two children"), Some(Household::WithChildren));
        assert_eq!(household("couple, no children"), Some(Household::WithOthers));
        assert_eq!(household("3"), Some(Household::WithOthers));
        assert_eq!(household("single person"), Some(Household::Alone));
        assert_eq!(household("single parent, one son"), Some(Household::WithChildren));
        assert_eq!(household("couple, children have left home"), Some(Household::WithOthers));
        assert_eq!(household("lives with parents"), Some(Household::WithOthers));
        let children = |line: &str| read(line).has_children;
        assert_eq!(children("Household: couple with two children"), Some(true));
        assert_eq!(children("Household: couple, no children"), Some(false));
        assert_eq!(children("Household: couple, children have left home"), None);
        assert_eq!(children("Children: none"), Some(false));
        let tenure = |value: &str| read(&format!("Tenure: {value}")).tenure;
        assert_eq!(tenure("Owner with a mortgage"), Some(Tenure::Owns));
        assert_eq!(tenure("lives with parents"), None);
        let income = |value: &str| read(&format!("Income: {value}")).income;
        assert_eq!(income("$120,000"), Some(Income::High));
        assert_eq!(income("$1,200 a week"), Some(Income::Middle));
        assert_eq!(read("Cars: 2").has_car, Some(true));
        assert_eq!(read("Car: does not drive").has_car, Some(false));
        assert_eq!(read("Age: 25-34").age, Some(25));
        let occupation = |value: &str| read(&format!("Occupation: {value}")).occupation;
        let laid_off =
            occupation("looking for work, laid off from a car parts factory in the west");
        assert_eq!(laid_off.as_deref(), Some("looking for work"));
    }

    #[test]
    fn prose_and_strange_bytes_are_no_facts() {
        for text in
            ["", ":", "::::", "Please answer as this person would, in JSON: thank you", "🦀: "]
        {
            assert_eq!(lines(text), []);
        }
        assert_eq!(read(&format!("Occupation: {}", "x".repeat(400))).occupation, None);
        assert_eq!(read("Age: 99999999999999999999999").age, None);
    }

    #[test]
    fn a_later_message_does_not_make_another_person() {
        let message = |role, text: &str| Message { role, text: text.to_owned() };
        let first = [
            message(Role::Instructions, "Should trams be free?"),
            message(Role::User, "Age: 34\nTenure: rents"),
        ];
        let mut repair = Vec::from(first);
        let read = |messages: &[Message], seed| {
            Facts::read(messages, Chance::new(seed), &Remembered::default())
        };
        let once = read(&repair, 1);
        repair.push(message(Role::Other, "not json"));
        repair.push(message(Role::User, "Error: that was not JSON. Please answer again."));
        assert_eq!(read(&repair, 1), once);
        assert_ne!(read(&repair, 2).chance, once.chance);
    }
}
