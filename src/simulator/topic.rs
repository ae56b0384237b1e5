//! What a survey is about, in words that can stand in a sentence.

use super::{
    remembered::Remembered,
    request::{Message, Role},
};
use std::{convert::Infallible, mem, sync::Arc};

/// The question and the phrases taken from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// The question without its question mark; empty where the messages ask none.
    pub question: String,
    /// Noun phrases of the question, such as "car spaces".
    pub phrases: Vec<String>,
}

/// Words that end a phrase.
const SMALL_WORDS: &[&str] = &[
    "a", "about", "above", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "below", "between", "both", "but", "by", "can", "could",
    "did", "do", "does", "doing", "each", "even", "ever", "every", "for", "from", "had", "has",
    "have", "he", "her", "his", "how", "i", "if", "in", "instead", "into", "is", "it", "its",
    "just", "less", "many", "may", "might", "more", "most", "much", "must", "my", "no", "not",
    "of", "off", "on", "only", "or", "other", "our", "out", "over", "per", "rather", "shall",
    "she", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there",
    "they", "this", "those", "through", "to", "too", "towards", "under", "up", "upon", "us", "was",
    "we", "were", "what", "when", "where", "whether", "which", "who", "why", "will", "with",
    "within", "without", "would", "you", "your",
];

/// Words that say nothing about the topic when a phrase ends in them.
const HOLLOW_WORDS: &[&str] = &[
    "number", "amount", "level", "kind", "type", "way", "lot", "set", "idea", "use", "part",
    "people", "everyone", "anyone", "proposal", "plan", "question", "opinion", "view",
];

/// First words after which the first run holds the sentence's subject and verb, up to a word in
/// "ing" if it has one: "Should [the council stop requiring] car spaces ... ".
const ASKING_WORDS: &[&str] =
    &["should", "would", "could", "do", "does", "did", "will", "can", "how", "what", "why", "must"];

/// Whether a word, in lower case, ends a phrase.
pub fn is_small(word: &str) -> bool {
    SMALL_WORDS.contains(&word)
}

impl Topic {
    /// Finds the question: in the instructions, or else in what the user says.
    pub fn of(messages: &[Message], topics: &Remembered<Self>) -> Arc<Self> {
        let instructions = messages.iter().filter(|message| message.role == Role::Instructions);
        let user = messages.iter().filter(|message| message.role == Role::User);
        let question = instructions.chain(user).find_map(|message| question(&message.text));
        let question = question.unwrap_or_default();
        let make = || {
            Ok::<_, Infallible>(Self { question: question.to_owned(), phrases: phrases(question) })
        };
        topics.get(question, make).unwrap_or_else(|never| match never {})
    }
}

/// The question that has a line most to itself, and of such the first. Instructions may ask in
/// passing, as in "What would this person say? Be honest."; the survey's question stands apart.
fn question(text: &str) -> Option<&str> {
    let best = text
        .lines()
        .filter_map(asked)
        .reduce(|best, next| if next.stands_apart > best.stands_apart { next } else { best });
    best.map(|asked| asked.question)
}

struct Asked<'a> {
    question: &'a str,
    stands_apart: u8,
}

/// The first question of a line.
fn asked(line: &str) -> Option<Asked<'_>> {
    let mark = line.find('?')?;
    let before = &line[..mark];
    let ends_sentence = |&(at, c): &(usize, char)| match c {
        ':' | '"' | '“' | '*' | '_' | '>' => true,
        '.' | '!' | ';' => before[at + 1..].starts_with(char::is_whitespace),
        _ => false,
    };
    let ends = before.char_indices().rev().find(ends_sentence);
    let start = ends.map_or(0, |(at, c)| at + c.len_utf8());
    let question = before[start..].trim();
    let decoration = |c: char| c.is_whitespace() || "\"“”*_>#-".contains(c);
    let before = before[..start].trim_matches(decoration);
    let after = line[mark + 1..].trim_matches(decoration);
    let ends_line = after.is_empty() || after.ends_with('?');
    let starts_line = before.is_empty() || before.ends_with(':');
    let stands_apart = u8::from(ends_line) + u8::from(ends_line && starts_line);
    (question.split(' ').count() > 2).then_some(Asked { question, stands_apart })
}

/// Words between two small words, with the article before them.
#[derive(Default)]
struct Run<'a> {
    words: Vec<&'a str>,
    /// It follows "be" and has no article: it says something of a thing, as "free" does in
    /// "Should trams be free", and is none.
    is_statement: bool,
}

/// Runs of words between small words (after the phrase extraction of RAKE: Rose, Engel, Cramer
/// and Cowley, 2010), without those that hold the sentence's verb or say nothing.
fn phrases(question: &str) -> Vec<String> {
    let mut runs = runs(question);
    let first_word = question.split(' ').next().unwrap_or_default().to_lowercase();
    let is_passive = runs.get(1).is_some_and(|second| second.is_statement);
    if ASKING_WORDS.contains(&first_word.as_str()) && !is_passive {
        let is_all = runs.len() == 1;
        if let Some(Run { words, .. }) = runs.first_mut() {
            let verb = words.iter().position(|word| word.ends_with("ing"));
            // Where nothing else follows, a run without such a word is all there is to speak of.
            let nothing = if is_all { 0 } else { words.len() };
            words.drain(..verb.map_or(nothing, |at| at + 1));
        }
    }
    let says_something = |run: &Run<'_>| {
        let last = run.words.last().map(|word| word.to_lowercase()).unwrap_or_default();
        let length = (1..=5).contains(&run.words.len()) && last.len() > 2;
        length && !run.is_statement && !HOLLOW_WORDS.contains(&last.as_str())
    };
    runs.into_iter().filter(says_something).map(|run| run.words.join(" ")).collect()
}

fn runs(question: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut open = Run::default();
    let mut article = None;
    for word in question.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let lower = bare.to_lowercase();
        if SMALL_WORDS.contains(&lower.as_str()) {
            runs.push(mem::take(&mut open));
            open.is_statement = matches!(lower.as_str(), "be" | "being" | "been");
            article = matches!(lower.as_str(), "a" | "an" | "the").then_some(bare);
            continue;
        }
        if open.words.is_empty() {
            open.words.extend(article.take());
        }
        open.words.push(bare);
        if word.ends_with([',', ';', ')']) {
            runs.push(mem::take(&mut open));
        }
    }
    runs.push(open);
    runs.retain(|run| !run.words.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases_of(text: &str) -> Vec<String> {
        let message = Message { role: Role::User, text: text.to_owned() };
        Topic::of(&[message], &Remembered::default()).phrases.clone()
    }

    #[test]
    fn a_question_gives_the_things_that_it_is_about() {
        for (question, phrases) in [
            (
                "You answer a survey. Question: Should the council stop requiring a minimum number \
                 of car spaces in new apartment buildings? Answer in JSON.",
                vec!["car spaces", "new apartment buildings"],
            ),
            ("Should the council stop requiring car spaces?", vec!["car spaces"]),
            (
                "Should we build a new tram line to the airport?",
                vec!["a new tram line", "the airport"],
            ),
            (
                "# Survey\n\nDo you support a four-day working week?\n",
                vec!["a four-day working week"],
            ),
            (
                "Be this person. What would it cost in this life? Be honest.\n\n# The question\n\n\
                 Should trams be free on weekends?\n\nWhy do you think so? Say it.",
                vec!["trams", "weekends"],
            ),
            (
                "Is it an honest answer? Think.\n**Question:** Is nuclear power right?",
                vec!["nuclear power right"],
            ),
            (
                "What would they say? Think.\nWe have too few. Should we plant new trees in parks?",
                vec!["parks"],
            ),
            ("Should the city stop building roads in parks?", vec!["roads", "parks"]),
            ("Is nuclear power right for Australia?", vec!["nuclear power right", "Australia"]),
            ("No question at all.", vec![]),
            ("???", vec![]),
        ] {
            assert_eq!(phrases_of(question), phrases, "{question}");
        }
    }
}
