//! What one call takes at the most, and whether a budget pays for it.

use crate::{
    config::{Config, EndpointSettings},
    error::Problem,
    forecast::one_call_at_most,
    model::{Persona, Survey, Tokens, Usd},
    prompt::{self, Form, PromptError, Prompts},
    tokens::{self, TokenCounter},
};

/// The persona with most to tell, found while all are read: its prompt is the longest.
#[derive(Default)]
pub(super) struct Longest {
    persona: Option<Persona>,
    length: usize,
}

impl Longest {
    pub(super) fn offer(&mut self, persona: &Persona) {
        let attributes = persona.attributes.iter();
        let length = attributes.map(|a| a.name.len() + a.value.len()).sum();
        if self.persona.is_none() || length > self.length {
            self.length = length;
            self.persona = Some(persona.clone());
        }
    }

    /// Its prompt; empty where nobody was read.
    fn prompt(&self, prompts: &Prompts) -> Result<String, PromptError> {
        self.persona.as_ref().map_or_else(|| Ok(String::new()), |persona| prompts.user(persona))
    }
}

/// The largest call of a run.
pub(super) struct OneCall {
    /// What its prompt begins with, as all others do.
    pub shared: Tokens,
    pub prompt: Tokens,
    pub output_cap: u32,
    counter: TokenCounter,
}

impl OneCall {
    /// Counts with the vocabulary of the first endpoint's model.
    pub(super) fn counted(
        config: &Config,
        prompts: &Prompts,
        longest: &Longest,
    ) -> Result<Self, PromptError> {
        let counter = TokenCounter::for_model(&config.survey.model);
        let shared =
            counter.shared(prompts.system(Form::Answer), &prompt::answer_schema(&config.survey));
        let own = counter.message(&longest.prompt(prompts)?);
        Ok(Self {
            shared,
            prompt: Tokens(shared.0 + own.0),
            output_cap: config.survey.max_output_tokens,
            counter,
        })
    }

    /// Whether the model's own vocabulary has counted.
    pub(super) fn is_exact_for(&self, model: &str) -> bool {
        self.counter.is_exact_for(model)
    }

    /// What it costs at an endpoint; `None` where the price is not known.
    pub(super) fn costs_at(&self, endpoint: &EndpointSettings) -> Option<Usd> {
        Some(one_call_at_most(endpoint.price.as_ref()?, self.prompt, self.output_cap))
    }

    /// What it costs there in a batch, where that is less.
    pub(super) fn costs_in_batch_at(&self, endpoint: &EndpointSettings) -> Option<Usd> {
        let price = endpoint.price.filter(|price| price.batch_percent < 100)?;
        let cost = one_call_at_most(&price.in_batch(), self.prompt, self.output_cap);
        (endpoint.kind.has_batches() && cost > Usd::ZERO).then_some(cost)
    }
}

/// Refuses a budget that pays for no call at any endpoint: such a run would stop before it began.
/// Where it pays for one at some of them only, the others are a warning each.
pub(super) fn check_budget(
    config: &Config,
    prompts: &Prompts,
    longest: &Longest,
) -> Result<Vec<String>, Problem> {
    let Some(budget) = config.budget else { return Ok(Vec::new()) };
    let bound = bound(&config.survey, prompts, longest).map_err(Problem::input)?;
    let surely_paid = |endpoint: &EndpointSettings| {
        let cap = config.survey.max_output_tokens;
        endpoint.price.is_none_or(|price| one_call_at_most(&price, bound, cap) <= budget)
    };
    // Counting takes longer than a run has until its first request.
    if config.endpoints.iter().all(surely_paid) {
        return Ok(Vec::new());
    }
    let call = OneCall::counted(config, prompts, longest).map_err(Problem::input)?;
    let costs = config.endpoints.iter().map(|e| (e, call.costs_at(e).unwrap_or_default()));
    let dear: Vec<_> = costs.filter(|(_, cost)| *cost > budget).collect();
    let cheapest = dear.iter().min_by_key(|(_, cost)| *cost);
    match cheapest {
        Some((endpoint, cost)) if dear.len() == config.endpoints.len() => {
            Err(Problem::input(config.budget_error(format!(
                "is ${}, less than the ${} that one call may cost: {} tokens of prompt and an answer \
                 of up to {} at {}; raise it to that or more, or lower max_output_tokens",
                budget.exact(),
                cost.exact(),
                call.prompt.0,
                call.output_cap,
                endpoint.name,
            ))))
        }
        _ => Ok(dear
            .iter()
            .map(|(endpoint, cost)| {
                format!(
                    "one call to {} may cost ${}, more than the whole budget of ${}: nobody can be \
                     asked there",
                    endpoint.name,
                    cost.exact(),
                    budget.exact()
                )
            })
            .collect()),
    }
}

/// More tokens than the prompt can have by any vocabulary.
fn bound(survey: &Survey, prompts: &Prompts, longest: &Longest) -> Result<Tokens, PromptError> {
    let schema = prompt::answer_schema(survey).to_string();
    Ok(tokens::at_most(&[prompts.system(Form::Answer), &schema, &longest.prompt(prompts)?]))
}
