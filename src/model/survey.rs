//! The survey: what is asked, and the grid that an answer fills in.

use super::{PromptTemplates, Review, Summarizing};
use serde::{Deserialize, Serialize};

/// The question put to every persona, with all that shapes an answer. Limits and keys are not
/// part of it: the same survey can be run anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    pub name: String,
    pub question: String,
    pub domain: String,
    pub grid: Grid,
    pub model: String,
    pub temperature: f64,
    /// The cap on an answer's length, in tokens, reasoning included.
    pub max_output_tokens: u32,
    /// Templates that take the place of the built-in prompts.
    #[serde(default, skip_serializing_if = "PromptTemplates::is_empty")]
    pub prompts: PromptTemplates,
    /// Runs from before there were critics have none.
    #[serde(default)]
    pub review: Review,
    /// How many personas are asked in one call; they see one another.
    #[serde(default = "alone")]
    pub pack: u8,
    #[serde(default)]
    pub summary: Summarizing,
}

const fn alone() -> u8 {
    1
}

/// The numbers an answer gives: one support level and one score a dimension, each 1 to 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// What the support level means, such as "Support for the proposal".
    pub support: String,
    pub impacts: Vec<Dimension>,
}

/// One impact dimension of the grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Dimension {
    /// As people read it: "Public transport".
    pub label: String,
    /// As it goes over the wire: "public_transport".
    pub key: String,
}

impl Dimension {
    /// The names that an answer uses itself.
    pub const RESERVED: [&'static str; 4] =
        ["narrative", "support_level", "key_concerns", "suggested_improvements"];

    /// Whether it has a key that neither an answer nor any of the others has.
    pub fn can_stand_beside(&self, others: &[Self]) -> bool {
        let key = self.key.as_str();
        let taken = Self::RESERVED.contains(&key) || others.iter().any(|other| other.key == key);
        !key.is_empty() && !taken
    }
}

impl From<String> for Dimension {
    fn from(label: String) -> Self {
        Self { key: snake_case(&label), label }
    }
}

impl From<Dimension> for String {
    fn from(dimension: Dimension) -> Self {
        dimension.label
    }
}

/// Lower case, with one underscore for every run of other characters: "Work-life balance"
/// becomes "work_life_balance". Letters of any script are kept.
pub fn snake_case(label: &str) -> String {
    let mut key = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_alphanumeric() {
            key.extend(c.to_lowercase());
        } else if !key.is_empty() && !key.ends_with('_') {
            key.push('_');
        }
    }
    key.truncate(key.trim_end_matches('_').len());
    key
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn dimensions_are_keyed_in_snake_case() {
        for (label, key) in [
            ("Housing", "housing"),
            ("Work-life  balance", "work_life_balance"),
            (" Cost (per year) ", "cost_per_year"),
            ("Größe", "größe"),
        ] {
            assert_eq!(snake_case(label), key);
        }
    }
}
