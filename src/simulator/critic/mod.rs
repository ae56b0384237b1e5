//! A critic that judges by rules, over the profile and the answer that it is sent and nothing else.
//!
//! - `claims`: what the narrative says of its speaker, against the profile
//! - `side`: where the narrative stands, against the support level
//! - `effects`: complaints and hopes, against the score of their dimension
//! - relevance, here: a stance, and words of the question
//!
//! It believes the profile over the narrative and the narrative over the numbers, and mends as
//! little as it can. `text` is how it reads. A model judges better; what this one is for is that a
//! rehearsal finds, mends and misses things for reasons that can be looked up.

mod claims;
mod effects;
mod side;
mod text;

use super::{
    chance::Chance,
    character::is_support,
    conduct::Conduct,
    facts::Facts,
    form::Form,
    stock::Stock,
    task::{Given, Scope},
};
use serde_json::{Map, Value, json};
use text::{Words, same_stem};

/// What a critic found.
#[derive(Debug, Default, PartialEq)]
pub struct Finding {
    pub off_topic: bool,
    pub issues: Vec<String>,
    /// New values by the name of their field.
    pub corrections: Vec<(String, Value)>,
}

/// Judges an answer.
pub fn judge(scope: Scope, facts: &Facts, given: &Given) -> Finding {
    let mut finding = Finding::default();
    if scope.relevance
        && let Some(issue) = misses(given.narrative(), facts)
    {
        // Whoever missed the question is asked again: there is nothing yet to be consistent with.
        finding.off_topic = true;
        finding.issues.push(issue);
        return finding;
    }
    if scope.consistency {
        contradictions(facts, given, &mut finding);
    }
    finding
}

fn contradictions(facts: &Facts, given: &Given, finding: &mut Finding) {
    let mut narrative = given.narrative().to_owned();
    for claim in claims::false_claims(given.narrative(), facts) {
        let (claims, profile) = (claim.claims, &claim.profile);
        finding.issues.push(format!(
            "The narrative claims {claims} (\"{}\"), but the profile has {profile}.",
            claim.sentence
        ));
        let instead = if narrative.contains(&claim.instead) { "" } else { &claim.instead };
        narrative = narrative.replacen(claim.sentence, instead, 1).replace("  ", " ");
    }
    if !finding.issues.is_empty() {
        finding.corrections.push(("narrative".to_owned(), narrative.trim().into()));
    }
    let numbers = given.numbers();
    let names: Vec<String> = numbers.iter().map(|(key, _)| key.replace('_', " ")).collect();
    for (&(key, number), name) in numbers.iter().zip(&names) {
        let (right, issue) = if is_support(key) {
            let Some(stand) = side::stand(given.narrative()) else { continue };
            let speaks = match stand.side {
                side::Side::Against => "against the proposal",
                side::Side::Torn => "as somebody who is torn",
                side::Side::For => "in favour of the proposal",
            };
            let issue = format!(
                "The narrative speaks {speaks} (\"{}\"), but {key} is {number}.",
                stand.quote
            );
            (stand.level(number), issue)
        } else {
            let phrases = &facts.topic.phrases;
            let expected = effects::expected(given.narrative(), name, &names, phrases);
            let Some(expected) = expected else { continue };
            let what = if expected.complains { "complains of" } else { "hopes for" };
            let issue = format!(
                "The narrative {what} {name} (\"{}\"), but {key} is {number}.",
                expected.quote
            );
            (expected.score(number), issue)
        };
        if let Some(right) = right {
            finding.issues.push(issue);
            finding.corrections.push((key.to_owned(), right.into()));
        }
    }
}

/// Words of a question that say nothing about what it is about.
const HOLLOW: &[&str] = &[
    "should",
    "would",
    "could",
    "does",
    "will",
    "must",
    "what",
    "about",
    "your",
    "with",
    "from",
    "that",
    "this",
    "have",
    "more",
    "less",
    "make",
    "made",
    "stop",
    "start",
    "number",
    "amount",
    "allow",
    "require",
    "requiring",
    "council",
    "city",
    "government",
    "people",
    "think",
    "support",
    "into",
    "than",
    "their",
    "there",
    "they",
    "when",
    "where",
    "which",
    "being",
    "every",
    "new",
];

/// Words that mean what a word of the question means.
const SYNONYMS: &[(&str, &str)] = &[
    ("car", "parking|park|vehicle|vehicles|garage"),
    ("apartment", "flat|flats|unit|units|tower|towers"),
    ("housing", "home|homes|house|houses"),
    ("tram", "trams|transit"),
    ("work", "job|office"),
];

/// Words of an opinion, where no words of a side were found: who has one has answered.
const OPINION: &[&str] = &[
    "should",
    "good|bad|better|worse|cheaper|fair|unfair|wrong|right|fine",
    "i|we think|want|need|prefer|doubt|worry|hope",
    "would rather|mean|help|hurt|make",
];

/// Why the narrative does not answer the question; `None` where it does.
fn misses(narrative: &str, facts: &Facts) -> Option<String> {
    if side::declines(narrative) {
        return Some("The narrative declines to answer.".to_owned());
    }
    if side::stand(narrative).is_none() && !Words::of(narrative).say_any(OPINION) {
        return Some("The narrative does not say where this person stands.".to_owned());
    }
    let said = Words::of(narrative);
    let asked = Words::of(&facts.topic.question);
    let mut asked =
        asked.0.iter().filter(|word| word.len() > 2 && !HOLLOW.contains(&word.as_str()));
    let mut some = false;
    let spoken_of = asked.any(|word| {
        let topical = !super::topic::is_small(word);
        some |= topical;
        let meant = |(of, others): &&(&str, &str)| same_stem(of, word) && said.say(others);
        topical
            && (said.0.iter().any(|other| same_stem(word, other))
                || SYNONYMS.iter().any(|s| meant(&s)))
    });
    // Of a question that gives nothing to name, an answer can only say "this proposal".
    let can_be_named = !facts.topic.phrases.is_empty();
    (some && can_be_named && !spoken_of)
        .then(|| format!("The narrative says nothing of what was asked: {}?", facts.topic.question))
}

/// A verdict in words: the fields of the form, filled in.
pub fn verdict(
    scope: Scope,
    facts: &Facts,
    given: &Given,
    form: Option<&Form>,
    conduct: &Conduct,
    chance: Chance,
) -> String {
    if chance.with(b"nonsense").happens(conduct.critic_nonsense.get()) {
        let nonsense = &Stock::get().no_verdicts;
        return nonsense[chance.with(b"words").below(nonsense.len())].clone();
    }
    let mut finding = judge(scope, facts, given);
    if conduct.critic_disagrees {
        finding.off_topic = scope.relevance;
        finding.issues.push("It does not convince me that this person would say so.".to_owned());
    }
    let mut corrections = corrections(&finding, given, form);
    if scope.consistency && chance.with(b"invents").happens(conduct.critic_invents.get()) {
        corrections.insert("credibility".to_owned(), json!(5));
        corrections.insert("tone".to_owned(), json!("more cheerful"));
    }
    let mut fields = Map::new();
    if scope.relevance {
        fields.insert("addresses_question".to_owned(), (!finding.off_topic).into());
    }
    fields.insert("issues".to_owned(), finding.issues.into());
    if scope.consistency {
        fields.insert("corrections".to_owned(), corrections.into());
    }
    Value::Object(fields).to_string()
}

/// Every field that the form has, null where nothing is to change.
fn corrections(finding: &Finding, given: &Given, form: Option<&Form>) -> Map<String, Value> {
    let of_form = match form {
        Some(Form::Object(fields)) => fields.iter().find_map(|(key, form)| match form {
            Form::Object(inner) if key == "corrections" => {
                Some(inner.iter().map(|(key, _)| key.clone()).collect())
            }
            _ => None,
        }),
        _ => None,
    };
    let keys: Vec<String> = of_form.unwrap_or_else(|| {
        let numbers = given.numbers();
        let names = numbers.iter().map(|(key, _)| (*key).to_owned());
        std::iter::once("narrative".to_owned()).chain(names).collect()
    });
    let value = |key: &String| finding.corrections.iter().find(|(name, _)| name == key);
    keys.iter()
        .map(|key| (key.clone(), value(key).map_or(Value::Null, |(_, value)| value.clone())))
        .collect()
}
