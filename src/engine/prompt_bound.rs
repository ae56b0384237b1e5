//! How many tokens a prompt has at the most: what a budget rests on.

use crate::{
    model::{Survey, Tokens},
    prompt::{Form, Prompts},
    tokens::{TokenCounter, at_most},
};
use serde_json::Value;

/// What is sent of the reply's shape; a null where nothing is, which is no less.
fn schema(form: Form, survey: &Survey) -> Value {
    form.schema(survey).unwrap_or_default()
}

/// A bound that no prompt of the run passes.
pub(super) enum PromptBound {
    /// Nobody asks for it.
    NotNeeded,
    /// Counted with the model's own vocabulary, which takes microseconds, and a twentieth more:
    /// what providers put around the texts is not published.
    Counted { counter: Box<TokenCounter>, shared: [Tokens; Form::COUNT] },
    /// A token is at least a byte.
    Bytes { shared: [Tokens; Form::COUNT] },
}

impl PromptBound {
    /// For the prompts of a survey, asked of this model. Loading a vocabulary takes a tenth of a
    /// second, so only a run with a budget does.
    pub(super) fn new(budget: bool, model: &str, survey: &Survey, prompts: &Prompts) -> Self {
        if !budget {
            return Self::NotNeeded;
        }
        let counter = TokenCounter::for_model(model);
        if counter.is_exact() {
            let count = |form: Form| counter.shared(prompts.system(form), &schema(form, survey));
            let shared = Form::ALL.map(count);
            Self::Counted { counter: Box::new(counter), shared }
        } else {
            let bytes =
                |form: Form| at_most(&[prompts.system(form), &schema(form, survey).to_string()]);
            Self::Bytes { shared: Form::ALL.map(bytes) }
        }
    }

    /// The bound for one persona's part of a call.
    pub(super) fn of(&self, form: Form, user_prompt: &str) -> Tokens {
        let at = form.ordinal();
        match self {
            Self::NotNeeded => Tokens(0),
            Self::Counted { counter, shared } => {
                let counted = shared[at].0 + counter.message(user_prompt).0;
                Tokens(counted + counted / 20)
            }
            Self::Bytes { shared } => Tokens(shared[at].0 + user_prompt.len() as u64),
        }
    }
}
