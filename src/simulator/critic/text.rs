//! A narrative as critics read it: sentences, clauses of them, words, and patterns over words.

/// The sentences of a text, as they stand there.
pub fn sentences(text: &str) -> Vec<&str> {
    let ends = |&(at, c): &(usize, char)| {
        let after = &text[at + c.len_utf8()..];
        c == '\n'
            || (matches!(c, '.' | '!' | '?')
                && (after.is_empty() || after.starts_with([' ', '\n'])))
    };
    let mut from = 0;
    let mut found = Vec::new();
    for (at, c) in text.char_indices().filter(ends) {
        found.push(text[from..at + c.len_utf8()].trim());
        from = at + c.len_utf8();
    }
    found.push(text[from..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// The parts of a sentence that may say different things.
pub fn clauses(sentence: &str) -> Vec<Words> {
    let words = Words::of(sentence);
    let parts = words.0.split(|word| {
        matches!(
            word.as_str(),
            ";" | "but" | "although" | "though" | "however" | "while" | "whereas"
        )
    });
    parts.filter(|part| !part.is_empty()).map(|part| Words(part.to_vec())).collect()
}

/// Words in lower case, short forms written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Words {
    pub fn of(text: &str) -> Self {
        let text = text.to_lowercase().replace(['’', '`'], "'");
        let mut words = Vec::new();
        for word in text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '—' | '/'))
        {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            if !bare.is_empty() {
                write_out(bare, &mut words);
            }
            if word.ends_with([';', ':']) {
                words.push(";".to_owned());
            }
        }
        Self(words)
    }

    /// Whether the pattern matches somewhere.
    pub fn say(&self, pattern: &str) -> bool {
        self.find(pattern).is_some()
    }

    /// Whether any of the patterns matches somewhere.
    pub fn say_any(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| self.say(pattern))
    }

    /// Where the pattern matches first: from where to where.
    pub fn find(&self, pattern: &str) -> Option<(usize, usize)> {
        (0..self.0.len()).find_map(|start| {
            let end = matched(&self.0[start..], Some(pattern))?;
            Some((start, start + end))
        })
    }

    /// Takes words out, so that nothing else is read into them.
    pub fn blank(&mut self, (from, to): (usize, usize)) {
        for word in &mut self.0[from..to] {
            "_".clone_into(word);
        }
    }
}

fn write_out(word: &str, into: &mut Vec<String>) {
    let (stem, tail) = match word {
        "cannot" => ("can", Some("not")),
        "can't" => ("can", Some("not")),
        "won't" => ("will", Some("not")),
        "shan't" => ("shall", Some("not")),
        _ => match word.rsplit_once('\'') {
            Some((stem, "t")) => (stem.strip_suffix('n').unwrap_or(stem), Some("not")),
            Some((stem, "m")) => (stem, Some("am")),
            Some((stem, "re")) => (stem, Some("are")),
            Some((stem, "ve")) => (stem, Some("have")),
            Some((stem, "ll")) => (stem, Some("will")),
            Some((stem, "d")) => (stem, Some("would")),
            Some((stem @ ("it" | "that" | "this" | "there" | "he" | "she" | "what"), "s")) => {
                (stem, Some("is"))
            }
            Some((stem, "s" | "")) => (stem, None),
            _ => (word, None),
        },
    };
    into.push(stem.to_owned());
    into.extend(tail.map(str::to_owned));
}

/// How many words a `~` may stand for.
const LONGEST_GAP: usize = 3;

/// How many words the pattern takes from the start of `words`; `None` where it does not match.
///
/// A token is a word, the beginning of one (`worr*`), some of both (`i|we`), or `~`: up to three
/// words, whatever they are.
fn matched(words: &[String], pattern: Option<&str>) -> Option<usize> {
    let Some(pattern) = pattern else { return Some(0) };
    let (token, rest) = match pattern.split_once(' ') {
        Some((token, rest)) => (token, Some(rest)),
        None => (pattern, None),
    };
    if token == "~" {
        let gap = 0..=LONGEST_GAP.min(words.len());
        return gap.into_iter().find_map(|gap| Some(gap + matched(&words[gap..], rest)?));
    }
    let (word, after) = words.split_first()?;
    let is = |choice: &str| match choice.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == choice,
    };
    token.split('|').any(is).then(|| matched(after, rest))?.map(|taken| taken + 1)
}

/// Endings of word forms, with the length that must be left without them.
const ENDINGS: &[(&str, usize)] =
    &[("ings", 3), ("ing", 3), ("ies", 3), ("ed", 3), ("es", 4), ("s", 3), ("y", 4), ("e", 4)];

/// Whether two words are forms of one.
pub fn same_stem(one: &str, other: &str) -> bool {
    let stem = |word: &str| -> String {
        for (end, shortest) in ENDINGS {
            if let Some(stem) = word.strip_suffix(end)
                && stem.chars().count() >= *shortest
            {
                return stem.to_owned();
            }
        }
        word.to_owned()
    };
    one == other || stem(one) == stem(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_words_and_not_letters() {
        let words = Words::of("I'm really not against it; we can't wait, honestly.");
        assert!(words.say("am ~ against") && words.say("can not wait") && words.say("really|just"));
        assert!(words.say("hon*") && !words.say("gain*") && !words.say("against wait"));
        assert_eq!(words.find("not against"), Some((3, 5)));
        assert_eq!(clauses("I rent, but it's fine; so what?").len(), 3);
    }

    #[test]
    fn sentences_keep_their_words() {
        let text = "Yes! I live in St. Kilda.\nSo what? It costs 3.5 million";
        assert_eq!(
            sentences(text).join("|"),
            "Yes!|I live in St.|Kilda.|So what?|It costs 3.5 million"
        );
        assert!(same_stem("apartments", "apartment") && same_stem("parked", "parking"));
        assert!(!same_stem("car", "care"));
    }
}
