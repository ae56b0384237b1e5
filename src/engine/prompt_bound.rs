//! How many tokens a prompt has at the most: what a budget rests on.

use crate::{
    model::{Survey, Tokens},
    prompt::{self, Prompts},
    tokens::{TokenCounter, at_most},
};

/// A bound that no prompt of the run passes.
pub(super) enum PromptBound {
    /// Nobody asks for it.
    NotNeeded,
    /// Counted with the model's own vocabulary, which takes microseconds, and a twentieth more:
    /// what providers put around the texts is not published.
    Counted { counter: Box<TokenCounter>, shared: Tokens },
    /// A token is at least a byte.
    Bytes { shared: Tokens },
}

impl PromptBound {
    /// For the prompts of a survey, asked of this model. Loading a vocabulary takes a tenth of a
    /// second, so only a run with a budget does.
    pub(super) fn new(budget: bool, model: &str, survey: &Survey, prompts: &Prompts) -> Self {
        if !budget {
            return Self::NotNeeded;
        }
        let schema = prompt::answer_schema(survey);
        let counter = TokenCounter::for_model(model);
        if counter.is_exact() {
            let shared = counter.shared(prompts.system(), &schema);
            Self::Counted { counter: Box::new(counter), shared }
        } else {
            Self::Bytes { shared: at_most(&[prompts.system(), &schema.to_string()]) }
        }
    }

    /// The bound for one persona.
    pub(super) fn of(&self, user_prompt: &str) -> Tokens {
        match self {
            Self::NotNeeded => Tokens(0),
            Self::Counted { counter, shared } => {
                let counted = shared.0 + counter.message(user_prompt).0;
                Tokens(counted + counted / 20)
            }
            Self::Bytes { shared } => Tokens(shared.0 + user_prompt.len() as u64),
        }
    }
}
