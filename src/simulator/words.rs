//! Words that a user chooses from a list, and what is said where none of them was meant.

/// A word that is not in its list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{word}\"{}; known are {known}", suggestion(.nearest.as_deref()))]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    nearest: Option<String>,
    known: String,
}

impl UnknownWord {
    /// What to say about `word`, which is none of `known`.
    pub fn new(what: &'static str, word: &str, known: &[&str]) -> Self {
        let likeness = |of: &str| strsim::normalized_damerau_levenshtein(word, of);
        let nearest = known
            .iter()
            .map(|of| (likeness(of), *of))
            // At least half of it must be right.
            .filter(|&(likeness, _)| likeness >= 0.5)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.to_owned());
        Self { what, word: word.to_owned(), nearest, known: known.join(", ") }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean \"{name}\"?")).unwrap_or_default()
}

/// Finds what a word stands for.
///
/// # Errors
/// With the nearest word and the whole list.
pub fn choose<T: Copy>(
    what: &'static str,
    word: &str,
    list: &[(&'static str, T)],
) -> Result<T, UnknownWord> {
    let found = list.iter().find(|(name, _)| *name == word);
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let known: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
        UnknownWord::new(what, word, &known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_in_the_list_is_answered_with_the_list() {
        let list = [("honest", 1), ("lying", 2)];
        assert_eq!(choose("header", "lying", &list), Ok(2));
        assert_eq!(
            choose("header", "liyng", &list).unwrap_err().to_string(),
            "unknown header \"liyng\", did you mean \"lying\"?; known are honest, lying"
        );
        assert_eq!(
            choose("header", "x", &list).unwrap_err().to_string(),
            "unknown header \"x\"; known are honest, lying"
        );
    }
}
