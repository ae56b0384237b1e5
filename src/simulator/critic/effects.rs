//! What a narrative expects of each dimension: complaints and hopes, by the words for them.

use super::text::{Words, clauses, sentences};

/// What is said of one dimension.
#[derive(Debug, PartialEq)]
pub struct Expected<'t> {
    pub complains: bool,
    pub quote: &'t str,
}

impl Expected<'_> {
    /// The score that goes with it, where the answer's own does not.
    pub fn score(&self, current: i64) -> Option<i64> {
        match self.complains {
            true if current >= 4 => Some(2),
            false if current <= 2 => Some(4),
            _ => None,
        }
    }
}

/// Words by which dimensions are spoken of without their names. A dimension belongs to the first
/// group that has a word of its name in the first list.
const GROUPS: &[(&[&str], &[&str])] = &[
    (
        &["housing", "home", "homes", "rent"],
        &[
            "home|homes|house|houses|housing",
            "rent|rents",
            "apartment*",
            "flat|flats",
            "landlord*",
            "tenant*",
        ],
    ),
    (
        &["transport", "traffic", "parking", "mobility", "transit", "commute"],
        &[
            "transport",
            "traffic",
            "bus|buses|train|trains|tram|trams",
            "parking|parked|park",
            "congest*",
            "commut*",
            "getting around",
            "road|roads",
            "cars",
            "cycling",
            "streets ~ lined",
        ],
    ),
    (
        &["community", "social", "neighbourhood", "neighborhood", "neighbors", "belonging"],
        &[
            "communit*",
            "neighbour*|neighbor*",
            "people together",
            "life on the street",
            "a place loses",
            "know each other",
        ],
    ),
    (
        &["environment", "environmental", "climate", "green", "nature", "sustainability", "air"],
        &["environment*", "climate", "trees", "air", "green", "nature", "pollution", "emissions"],
    ),
    (
        &["economy", "economic", "business", "businesses", "jobs", "employment", "growth"],
        &["econom*", "business*", "shops", "jobs", "trade"],
    ),
    (
        &[
            "cost",
            "costs",
            "affordability",
            "price",
            "prices",
            "financial",
            "budget",
            "tax",
            "money",
        ],
        &["cost|costs", "price*", "money", "bills", "budget*", "tax|taxes"],
    ),
    (&["health", "wellbeing", "mental", "care"], &["health", "wellbeing", "stress", "clinics"]),
    (
        &["education", "school", "schools", "learning"],
        &["education", "school|schools", "classroom*"],
    ),
    (&["safety", "crime", "security", "risk"], &["safe|safer|safety", "crime", "danger*"]),
    (&["privacy", "data", "trust", "surveillance"], &["privacy", "data", "trust"]),
];

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    /// Reads like an expectation and is none.
    Nothing,
    Bad,
    Good,
}
use Mark::{Bad, Good, Nothing};

/// What is said of an effect; what comes first is read first, and its words are not read again.
const MARKS: &[(&str, Mark)] = &[
    ("gains and ~ losses", Nothing),
    ("little change", Nothing),
    ("no worse", Nothing),
    ("better and ~ worse", Nothing),
    ("used to be", Nothing),
    ("hope to", Nothing),
    ("who are|is worried", Nothing),
    ("for the better", Good),
    ("for the worse", Bad),
    (
        "not|never|no|hardly|nobody ~ better|improve*|easier|cheaper|safer|quicker|benefit*|gain*",
        Bad,
    ),
    ("doubt ~ better|improve*|easier|cheaper|safer|jobs|benefit*", Bad),
    ("less of a struggle", Good),
    ("less|fewer traffic|congestion|cars|noise|pollution|crime|stress", Good),
    ("less safe", Bad),
    ("more crowded|expensive|traffic|congestion|noise|pollution|cars|parked|stress", Bad),
    ("higher rents|rent|prices|costs|bills", Bad),
    ("lower rents|rent|prices|costs|bills", Good),
    ("fewer homes|houses|flats|jobs|buses|trains", Bad),
    ("more homes|houses|flats|jobs|buses|trains|trees", Good),
    ("not ~ worry|fear", Nothing),
    ("i|we ~ fear|worry|dread", Bad),
    ("worr* me|us", Bad),
    ("am|are ~ afraid|worried|scared", Bad),
    ("worse|worst|worsen*", Bad),
    ("loss|lose|loses|losing", Bad),
    ("step back|backwards", Bad),
    ("do|can not believe|trust ~ promises", Bad),
    ("nobody has been able", Bad),
    ("keeps|keep me awake", Bad),
    ("low mark|score", Bad),
    ("nightmare*|chaos|gridlock|jam|jams|jammed|mess|disaster|catastrophe", Bad),
    ("full as it|they", Bad),
    ("no cheaper", Bad),
    ("crowded|overcrowded|packed|clogged|congested", Bad),
    ("suffer*|harm*|hurt*|damage*|ruin*|destroy*|kill*|wreck*|decline*", Bad),
    ("push* ~ out", Bad),
    ("driv* ~ out|up", Bad),
    ("go|goes|going up", Bad),
    ("unaffordable|unsafe|dangerous", Bad),
    ("impossible to", Bad),
    ("drift*|fall*|falling apart", Bad),
    ("know each other even less", Bad),
    ("streets ~ lined", Bad),
    ("step forward", Good),
    ("best part|thing", Good),
    ("getting|get|be|become|far|much better", Good),
    ("improve|improves|improved|improvement|improving", Good),
    ("benefit*|gain|gains", Good),
    ("high mark|score", Good),
    ("real difference", Good),
    ("good|great|wonderful|fantastic for", Good),
    ("easier|quicker|faster|cheaper|calmer|safer|cleaner|quieter|greener|healthier", Good),
    ("bring* ~ together", Good),
    ("already be worth", Good),
    ("have|has asked for", Good),
    ("hopes are", Good),
    ("i|we hope", Good),
    ("could find a home", Good),
    ("pressure off", Good),
    ("relief|thrive|flourish", Good),
    ("feel like one", Good),
    ("would be worth a lot", Good),
];

/// What the narrative expects of a dimension; `None` where it says nothing of it, or both.
///
/// `dimensions` are the names of all of them, as words; `question` the phrases of the question,
/// whose words speak of the question and not of a dimension.
pub fn expected<'t>(
    narrative: &'t str,
    dimension: &str,
    dimensions: &[String],
    question: &[String],
) -> Option<Expected<'t>> {
    let (mut bad, mut good) = (None, None);
    for sentence in sentences(narrative) {
        for words in clauses(sentence) {
            if !speaks_of(&words, dimension, dimensions, question) {
                continue;
            }
            match effect(words) {
                Bad => bad = bad.or(Some(sentence)),
                Good => good = good.or(Some(sentence)),
                Nothing => {}
            }
        }
    }
    match (bad, good) {
        (Some(quote), None) => Some(Expected { complains: true, quote }),
        (None, Some(quote)) => Some(Expected { complains: false, quote }),
        _ => None,
    }
}

/// Whether a clause speaks of a dimension: by its name, or by words for it where it names none.
fn speaks_of(words: &Words, dimension: &str, dimensions: &[String], question: &[String]) -> bool {
    let named = |name: &str| !name.is_empty() && words.say(name);
    if named(dimension) {
        return true;
    }
    if dimensions.iter().any(|other| named(other)) {
        return false;
    }
    let mut words = words.clone();
    for phrase in question {
        if let Some(place) = words.find(&phrase.to_lowercase()) {
            words.blank(place);
        }
    }
    let of_name = |name: &&str| dimension.split(' ').any(|word| word == *name);
    let group = GROUPS.iter().find(|(names, _)| names.iter().any(&of_name));
    group.is_some_and(|(_, synonyms)| words.say_any(synonyms))
}

/// What a clause expects; nothing where it expects both.
fn effect(mut words: Words) -> Mark {
    let (mut bad, mut good) = (false, false);
    for (pattern, mark) in MARKS {
        while let Some(place) = words.find(pattern) {
            words.blank(place);
            bad |= *mark == Bad;
            good |= *mark == Good;
        }
    }
    match (bad, good) {
        (true, false) => Bad,
        (false, true) => Good,
        _ => Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_and_hopes_go_with_their_dimension() {
        let all = ["housing", "public transport", "community"].map(str::to_owned);
        let question = ["car spaces".to_owned(), "new apartment buildings".to_owned()];
        let of = |text: &str, dimension: &str| {
            expected(text, dimension, &all, &question).map(|found| found.complains)
        };
        let text = "The buses are full as it is, but rents could get cheaper for once.";
        assert_eq!(of(text, "public transport"), Some(true));
        assert_eq!(of(text, "housing"), Some(false));
        assert_eq!(of(text, "community"), None);
        for (text, complains) in [
            ("Parking's already a nightmare on our street.", Some(true)),
            ("I worry about traffic.", Some(true)),
            ("Less traffic would be lovely.", Some(false)),
            ("I take the bus to work.", None),
            ("On public transport the gains and the losses seem to cancel out.", None),
            ("For housing, new apartment buildings could make a real difference.", None),
        ] {
            assert_eq!(of(text, "public transport"), complains, "{text}");
        }
    }
}
