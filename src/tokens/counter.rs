//! Counting with a model's vocabulary.

use crate::model::Tokens;
use serde_json::Value;
use std::fmt;
use tiktoken::{CoreBpe, encoding, model_to_encoding};

/// Counts tokens as a model does. It takes about 0.1 s and 24 MiB to make, which are free again
/// when it is dropped; make one, off the threads that ask.
pub struct TokenCounter {
    vocabulary: CoreBpe,
    name: Vocabulary,
    exact: bool,
}

/// The vocabularies that are part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vocabulary {
    /// Of OpenAI's models since gpt-4o.
    O200k,
    Cl100k,
}

impl Vocabulary {
    /// That of a model; `None` where it is another, or not known.
    fn of(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model);
        match model_to_encoding(name) {
            Some("cl100k_base") => Some(Self::Cl100k),
            Some("o200k_base" | "o200k_harmony") => Some(Self::O200k),
            _ => None,
        }
    }
}

/// What the chat format puts around a message: its marks and its role.
const AROUND_MESSAGE: u64 = 4;

/// What opens the reply.
const REPLY: u64 = 3;

impl TokenCounter {
    /// Loads the vocabulary of a model, such as `gpt-4o-mini`, `openai/gpt-4o-mini` or
    /// `ft:gpt-4o-mini:name`. For a model whose vocabulary is not known it is that of OpenAI's
    /// newer models, and [`Self::is_exact`] says so.
    pub fn for_model(model: &str) -> Self {
        let known = Vocabulary::of(model);
        let name = known.unwrap_or(Vocabulary::O200k);
        let vocabulary = match name {
            Vocabulary::O200k => encoding::o200k_base(),
            Vocabulary::Cl100k => encoding::cl100k_base(),
        };
        Self { vocabulary, name, exact: known.is_some() }
    }

    /// Whether the vocabulary is the model's own.
    pub const fn is_exact(&self) -> bool {
        self.exact
    }

    /// Whether it is the own one of another model too.
    pub fn is_exact_for(&self, model: &str) -> bool {
        Vocabulary::of(model) == Some(self.name)
    }

    /// A text alone.
    pub fn text(&self, text: &str) -> Tokens {
        Tokens(self.vocabulary.count(text) as u64)
    }

    /// A message with that text, as part of a request.
    pub fn message(&self, text: &str) -> Tokens {
        Tokens(self.text(text).0 + AROUND_MESSAGE)
    }

    /// What every request of a run begins with: the system prompt, the JSON schema of the answer
    /// (`{name, strict, schema}`), and what opens the reply.
    ///
    /// Providers turn the schema into words for the model and charge for them; how is known of
    /// OpenAI's open models only, and stands in for the others here. So this part may be off by
    /// some tens of tokens where the messages are exact.
    pub fn shared(&self, system: &str, answer_schema: &Value) -> Tokens {
        let name = answer_schema["name"].as_str().unwrap_or_default();
        let schema = &answer_schema["schema"];
        let format = format!("\n\n# Response Formats\n\n## {name}\n\n{schema}");
        Tokens(self.message(system).0 + self.text(&format).0 + REPLY)
    }
}

/// What a request takes by any vocabulary at the most, without loading one: no token is less than
/// a byte. `texts` are its prompts, and its schema as text.
pub fn at_most(texts: &[&str]) -> Tokens {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    Tokens(bytes as u64 + MARKS)
}

/// More than all that goes around the texts of a request.
const MARKS: u64 = 200;

impl fmt::Debug for TokenCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCounter").field("exact", &self.exact).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Counts that OpenAI's own library gives.
    #[test]
    fn texts_are_counted_as_the_model_does() {
        let newer = TokenCounter::for_model("gpt-4o-mini");
        let older = TokenCounter::for_model("gpt-4");
        for (text, o200k, cl100k) in [
            ("", 0, 0),
            ("hello world", 2, 2),
            ("tiktoken is great!", 6, 6),
            ("antidisestablishmentarianism", 6, 6),
            ("2 + 2 = 4", 7, 7),
            ("お誕生日おめでとう", 8, 9),
            // Only the words of a profile, never the end of it.
            ("<|endoftext|>", 7, 7),
        ] {
            assert_eq!(
                (newer.text(text), older.text(text)),
                (Tokens(o200k), Tokens(cl100k)),
                "{text}"
            );
        }
        assert!(newer.is_exact() && older.is_exact());
    }

    #[test]
    fn a_model_is_known_by_any_of_its_names() {
        for (model, exact) in [
            ("gpt-4.1-nano-2025-04-14", true),
            ("openai/gpt-5-mini", true),
            ("ft:gpt-4o-mini:acme::abc", true),
            ("gpt-35-turbo", true),
            ("o4-mini", true),
            ("claude-sonnet-4-5", false),
            ("meta-llama/Llama-3.1-8B-Instruct", false),
            ("our-deployment", false),
            ("", false),
        ] {
            assert_eq!(TokenCounter::for_model(model).is_exact(), exact, "{model}");
        }
        let newer = TokenCounter::for_model("our-deployment");
        for (model, exact) in [("gpt-4o-mini", true), ("gpt-4", false), ("our-deployment", false)] {
            assert_eq!(newer.is_exact_for(model), exact, "{model}");
        }
    }

    #[test]
    fn a_request_is_more_than_its_texts() {
        let counter = TokenCounter::for_model("gpt-4o");
        assert_eq!(counter.message("hello world"), Tokens(6));
        let schema = json!({"name": "answer", "strict": true, "schema": {"type": "object"}});
        let shared = counter.shared("hello world", &schema);
        let words = counter.text("# Response Formats answer {\"type\":\"object\"}");
        assert!(shared.0 >= 6 + 3 + words.0 && shared.0 <= 6 + 3 + words.0 + 10, "{shared:?}");
    }

    #[test]
    fn no_request_takes_more_than_its_bytes() {
        for model in ["gpt-4o", "gpt-4"] {
            let counter = TokenCounter::for_model(model);
            for text in
                ["", "hello world", "お誕生日おめでとう", "\u{0}\u{1}\u{2}", "🦀🦀", "a1b2c3"]
            {
                let name = "n".repeat(64);
                let schema = json!({"name": name, "strict": true, "schema": {"type": text}});
                let all = counter.shared(text, &schema).0 + counter.message(text).0;
                let most = at_most(&[text, text, &schema.to_string()]);
                assert!(all <= most.0, "{all} of {most:?}: {text}");
            }
        }
    }
}
