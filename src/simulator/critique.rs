//! The critic of a survey's question: rules over the words of the question that it is sent.

use super::{
    form::Form,
    remembered::Remembered,
    request::{ChatRequest, Message, Role},
    topic::Topic,
};
use serde_json::{Value, json};

/// Whether the form is that of a question's critique, whatever else is in it.
pub fn is_wanted(form: &Form) -> bool {
    let Form::Object(fields) = form else { return false };
    let has = |name: &str| fields.iter().any(|(key, _)| key == name);
    has("findings") && has("rewrite") && has("domain")
}

/// Words that nobody uses without training, with plain ones.
const JARGON: &[(&str, &str)] = &[
    ("utilise", "use"),
    ("utilize", "use"),
    ("leverage", "use"),
    ("stakeholders", "people affected"),
    ("modal shift", "change from cars to other transport"),
    ("densification", "building more homes in the same space"),
    ("value capture", "a charge on land that gains in value"),
    ("upzoning", "allowing taller buildings"),
    ("frictionless", "easy"),
    ("synergies", "gains from working together"),
    ("kpis", "targets"),
    ("okrs", "targets"),
    ("llm", "AI text program"),
    ("api", "interface for programs"),
    ("tod", "homes near stations"),
];

/// Words that say what to think of the thing that follows.
const LOADED: &[&str] = &[
    "obviously",
    "clearly",
    "surely",
    "of course",
    "finally",
    "much-needed",
    "common-sense",
    "long-overdue",
    "wasteful",
    "outdated",
    "harmful",
    "dangerous",
    "ridiculous",
    "innovative",
    "amazing",
    "world-class",
    "hard-working",
    "so-called",
];

/// Openings that suggest the answer.
const LEADING_OPENINGS: &[&str] = &[
    "don't you",
    "do you not",
    "wouldn't you",
    "shouldn't",
    "isn't it",
    "aren't you",
    "don't we",
    "do you agree that",
    "would you agree that",
    "given that",
    "experts agree",
    "as everyone knows",
];

/// Words that people take to mean different things.
const VAGUE: &[&str] = &[
    "regularly",
    "often",
    "soon",
    "many",
    "significant",
    "significantly",
    "appropriate",
    "reasonable",
    "adequate",
    "better",
    "fair",
    "affordable",
    "modern",
    "some",
];

/// Fields by the words that they speak in, the first that has most.
const DOMAINS: &[(&str, &[&str], [&str; 3])] = &[
    (
        "civic-policy",
        &[
            "council",
            "city",
            "government",
            "tax",
            "parking",
            "public",
            "buildings",
            "transport",
            "residents",
            "road",
            "roads",
            "tram",
            "housing",
            "law",
            "park",
            "parks",
            "streets",
        ],
        ["Housing", "Transport", "Community"],
    ),
    (
        "product-design",
        &["app", "product", "feature", "button", "screen", "design", "interface", "subscription"],
        ["Usability", "Trust", "Cost"],
    ),
    (
        "employee-engagement",
        &[
            "employees",
            "staff",
            "office",
            "manager",
            "managers",
            "work",
            "week",
            "company",
            "team",
            "meetings",
            "remote",
        ],
        ["Workload", "Growth", "Culture"],
    ),
    (
        "marketing-copy",
        &["slogan", "ad", "advert", "headline", "brand", "campaign", "message", "tagline"],
        ["Clarity", "Brand", "Emotion"],
    ),
    (
        "technology-adoption",
        &["technology", "device", "smart", "digital", "online", "electric", "robot", "software"],
        ["Convenience", "Privacy", "Cost"],
    ),
    (
        "ai-adoption",
        &["ai", "chatbot", "chatbots", "algorithm", "machine", "assistant", "assistants"],
        ["Trust", "Jobs", "Quality"],
    ),
];

/// The critique of the question in the request, as JSON.
pub fn critique(request: &ChatRequest, topics: &Remembered<Topic>) -> Value {
    let question = question(&request.messages, topics);
    let lower = question.to_lowercase();
    let mut findings = Vec::new();
    let mut rewrite = question.clone();
    for (word, plain) in JARGON {
        if let Some(at) = word_at(&lower, word) {
            let passage = question.get(at..at + word.len()).unwrap_or(word).to_owned();
            let why = format!("not everybody knows this: it means {plain}");
            findings.push(finding("jargon", &passage, &why));
            rewrite = replace_word(&rewrite, word, plain);
        }
    }
    for opening in LEADING_OPENINGS {
        if lower.contains(opening) {
            findings.push(finding("leading", opening, "it says which answer is expected"));
        }
    }
    for word in LOADED {
        if let Some(at) = word_at(&lower, word) {
            let passage = question.get(at..at + word.len()).unwrap_or(word).to_owned();
            findings.push(finding("leading", &passage, "it says what to think of it"));
            rewrite = replace_word(&rewrite, word, "");
        }
    }
    if let Some((first, second)) = two_in_one(&lower) {
        let passage = format!("{first} and {second}");
        let why = "somebody may want the one and not the other";
        findings.push(finding("double_barrelled", &passage, why));
        if let Some(at) = rewrite.to_lowercase().find(&format!(" and {second}")) {
            let end = at + " and ".len() + second.len();
            if rewrite.is_char_boundary(at) && rewrite.is_char_boundary(end) {
                rewrite.replace_range(at..end, "");
            }
        }
    }
    for word in VAGUE {
        if let Some(at) = word_at(&lower, word) {
            let passage = question.get(at..at + word.len()).unwrap_or(word).to_owned();
            findings.push(finding(
                "ambiguous",
                &passage,
                "people take it to mean different things",
            ));
        }
    }
    let (domain, impacts) = domain(&lower);
    json!({
        "findings": findings,
        "rewrite": neutral(&rewrite),
        "domain": domain,
        "support": "Support for the proposal",
        "impacts": impacts,
    })
}

/// What stands between the tags, or else the one question that there is.
fn question(messages: &[Message], topics: &Remembered<Topic>) -> String {
    let user = || messages.iter().filter(|message| message.role == Role::User);
    let tagged = user().find_map(|message| {
        let (_, after) = message.text.split_once("<question>")?;
        Some(after.split_once("</question>")?.0.trim().to_owned())
    });
    tagged.unwrap_or_else(|| {
        let only: Vec<_> =
            user().map(|m| Message { role: Role::User, text: m.text.clone() }).collect();
        format!("{}?", Topic::of(&only, topics).question)
    })
}

fn finding(fault: &str, passage: &str, why: &str) -> Value {
    json!({ "fault": fault, "passage": passage, "why": why })
}

/// Where a word stands by itself.
fn word_at(lower: &str, word: &str) -> Option<usize> {
    let bounds = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    lower.match_indices(word).map(|(at, _)| at).find(|&at| {
        bounds(lower[..at].chars().next_back()) && bounds(lower[at + word.len()..].chars().next())
    })
}

fn replace_word(text: &str, word: &str, with: &str) -> String {
    let lower = text.to_lowercase();
    // Lower case may have other lengths in a few scripts: then the text stays.
    match word_at(&lower, word) {
        Some(at) if lower.len() == text.len() && text.is_char_boundary(at) => {
            format!("{}{with}{}", &text[..at], &text[at + word.len()..])
        }
        _ => text.to_owned(),
    }
}

/// Two verbs of doing with an "and" between them: two proposals.
fn two_in_one(lower: &str) -> Option<(String, String)> {
    const DOING: &[&str] = &[
        "ban",
        "build",
        "stop",
        "raise",
        "lower",
        "cut",
        "introduce",
        "remove",
        "add",
        "close",
        "open",
        "replace",
        "require",
        "allow",
        "offer",
        "move",
        "reduce",
        "increase",
        "make",
        "plant",
        "charge",
        "pay",
        "spend",
        "use",
        "abolish",
        "limit",
        "widen",
        "redesign",
    ];
    let trimmed = lower.trim_end_matches(['?', '.', ' ']);
    for (at, _) in trimmed.match_indices(" and ") {
        let after = trimmed[at + 5..].split([',', '.', ';']).next().unwrap_or_default();
        let first = after.split_whitespace().next().unwrap_or_default();
        let before: Vec<_> = trimmed[..at].split_whitespace().collect();
        let verb = before.iter().rposition(|word| DOING.contains(word));
        if let (true, Some(verb)) = (DOING.contains(&first), verb) {
            return Some((before[verb..].join(" "), after.trim().to_owned()));
        }
    }
    None
}

/// A question that does not say which answer is expected.
fn neutral(question: &str) -> String {
    let words: Vec<_> = question.split_whitespace().collect();
    let mut text = words.join(" ").replace(" ?", "?").replace(" ,", ",");
    for opening in LEADING_OPENINGS {
        let lower = text.to_lowercase();
        if lower.len() == text.len()
            && let Some(rest) = lower.strip_prefix(opening)
        {
            let rest = text[text.len() - rest.len()..].trim_start_matches([',', ' ']);
            let rest = rest
                .strip_prefix("think that ")
                .or_else(|| rest.strip_prefix("think "))
                .unwrap_or(rest);
            let rest = rest.trim_end_matches('?').trim();
            text = format!("Do you support or oppose that {rest}?");
            break;
        }
    }
    text
}

fn domain(lower: &str) -> (&'static str, Vec<&'static str>) {
    let words: Vec<_> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let hits = |known: &[&str]| words.iter().filter(|word| known.contains(word)).count();
    let best = DOMAINS.iter().map(|(name, known, impacts)| (hits(known), *name, impacts));
    let best = best.filter(|(hits, ..)| *hits > 0).reduce(|a, b| if b.0 > a.0 { b } else { a });
    best.map_or(("unknown", Vec::new()), |(_, name, impacts)| (name, impacts.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(question: &str) -> Value {
        let text = format!("<question>\n{question}\n</question>\nCheck it.");
        let request = ChatRequest {
            model: "m".into(),
            messages: vec![Message { role: Role::User, text }],
            wanted: super::super::request::Wanted::Json,
            output_cap: None,
        };
        critique(&request, &Remembered::default())
    }

    fn faults(critique: &Value) -> Vec<&str> {
        let findings = critique["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["fault"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_good_question_comes_back_as_it_is() {
        let question = "Should the council stop requiring a minimum number of car spaces in new \
                        apartment buildings?";
        let critique = of(question);
        assert_eq!(faults(&critique), Vec::<&str>::new());
        assert_eq!(critique["rewrite"], question);
        assert_eq!(critique["domain"], "civic-policy");
    }

    #[test]
    fn each_fault_is_found_by_the_words_of_the_question() {
        for (question, fault, rewrite) in [
            (
                "Should the city ban cars and build a tram line?",
                "double_barrelled",
                "Should the city ban cars?",
            ),
            ("Should we leverage the park?", "jargon", "Should we use the park?"),
            (
                "Don't you think that the outdated office should close?",
                "leading",
                "Do you support or oppose that the office should close?",
            ),
            ("Should buses run regularly?", "ambiguous", "Should buses run regularly?"),
        ] {
            let critique = of(question);
            assert!(faults(&critique).contains(&fault), "{question}: {critique}");
            assert_eq!(critique["rewrite"], rewrite, "{question}");
        }
        assert_eq!(of("Is it so?")["domain"], "unknown");
        assert_eq!(of("Should an AI assistant answer?")["domain"], "ai-adoption");
    }
}
