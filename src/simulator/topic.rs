//! What a survey is about, in words that can stand in a sentence.

use super::request::{Message, Role};

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

impl Topic {
    /// Finds the question: in the instructions, or else in what the user says.
    pub fn of(messages: &[Message]) -> Self {
        let instructions = messages.iter().filter(|message| message.role == Role::Instructions);
        let user = messages.iter().filter(|message| message.role == Role::User);
        let question = instructions.chain(user).find_map(|message| question(&message.text));
        question.map_or_else(Self::default, |question| Self {
            question: question.to_owned(),
            phrases: phrases(question),
        })
    }
}

/// The first sentence that ends in a question mark.
fn question(text: &str) -> Option<&str> {
    let before = &text[..text.find('?')?];
    let ends_sentence = |&(at, c): &(usize, char)| match c {
        '\n' | ':' | '"' | '“' | '*' | '_' => true,
        '.' | '!' | ';' => before[at + 1..].starts_with(char::is_whitespace),
        _ => false,
    };
    let start =
        before.char_indices().rev().find(ends_sentence).map_or(0, |(at, c)| at + c.len_utf8());
    let question = before[start..].trim();
    (question.split(' ').count() > 2).then_some(question)
}

/// Runs of words between small words, with the article before them (after the phrase extraction
/// of RAKE: Rose, Engel, Cramer and Cowley, 2010).
fn phrases(question: &str) -> Vec<String> {
    let mut runs: Vec<Vec<&str>> = vec![Vec::new()];
    let mut article = None;
    for word in question.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let lower = bare.to_lowercase();
        let run = runs.last_mut().expect("there is always an open run");
        if SMALL_WORDS.contains(&lower.as_str()) {
            if !run.is_empty() {
                runs.push(Vec::new());
            }
            article = matches!(lower.as_str(), "a" | "an" | "the").then_some(bare);
            continue;
        }
        if run.is_empty() {
            run.extend(article.take());
        }
        run.push(bare);
        if word.ends_with([',', ';', ')']) {
            runs.push(Vec::new());
            article = None;
        }
    }
    let first_word = question.split(' ').next().unwrap_or_default().to_lowercase();
    if ASKING_WORDS.contains(&first_word.as_str())
        && runs.iter().filter(|run| !run.is_empty()).count() > 1
        && let Some(first) = runs.iter_mut().find(|run| !run.is_empty())
    {
        let verb = first.iter().position(|word| word.ends_with("ing"));
        first.drain(..verb.map_or(first.len(), |at| at + 1));
    }
    runs.into_iter()
        .filter(|run| {
            let last = run.last().map(|word| word.to_lowercase()).unwrap_or_default();
            (1..=5).contains(&run.len()) && last.len() > 2 && !HOLLOW_WORDS.contains(&last.as_str())
        })
        .map(|run| run.join(" "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases_of(text: &str) -> Vec<String> {
        Topic::of(&[Message { role: Role::User, text: text.to_owned() }]).phrases
    }

    #[test]
    fn a_question_gives_the_things_that_it_is_about() {
        for (question, phrases) in [
            (
                "You answer a survey. Question: Should the council stop requiring a minimum number \
                 of car spaces in new apartment buildings? Answer in JSON.",
                vec!["car spaces", "new apartment buildings"],
            ),
            (
                "Should we build a new tram line to the airport?",
                vec!["a new tram line", "the airport"],
            ),
            (
                "# Survey\n\nDo you support a four-day working week?\n",
                vec!["a four-day working week"],
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
