//! The work of a plan: an answer of every persona, and what its reviews add.

use super::sample::Sample;
use crate::{
    config::Config,
    error::Problem,
    forecast::{OutputTokens, Work},
    model::{ReviewMode, Tokens},
    prompt::{Form, Prompts},
    tokens::TokenCounter,
};

/// What a verdict usually takes: mostly a few words, sometimes a corrected narrative.
const VERDICT: OutputTokens = OutputTokens { low: 30, high: 120, cap: 0 };

/// The calls that every persona takes at the least: follow-ups, mending and a second look come on
/// top where an answer wants them.
pub(super) const fn forms(review: ReviewMode) -> &'static [Form] {
    match review {
        ReviewMode::Off => &[Form::Answer],
        ReviewMode::Fused => &[Form::Answer, Form::Review],
        ReviewMode::Separate => &[Form::Answer, Form::Consistency, Form::Relevance],
    }
}

/// The prompts of the sample stand for all. A critic is shown the profile, as the persona is, and
/// an answer of middle length.
pub(super) fn work(
    config: &Config,
    prompts: &Prompts,
    sample: &Sample,
    counter: &TokenCounter,
) -> Result<Work, Problem> {
    let survey = &config.survey;
    let forms = forms(survey.review.mode);
    let calls = forms.len() as u64;
    let personas = u64::from(sample.of);
    let answer = OutputTokens::usual(survey.max_output_tokens);
    let mut own = 0;
    for persona in &sample.personas {
        own += counter.message(&prompts.user(persona).map_err(Problem::input)?).0;
    }
    let own = u128::from(own) * u128::from(personas) / (sample.personas.len().max(1) as u128);
    let own = u64::try_from(own).unwrap_or(u64::MAX);
    let shared: u64 = forms
        .iter()
        .map(|form| {
            counter.shared(prompts.system(*form), &form.schema(survey).unwrap_or_default()).0
        })
        .sum();
    let judged = (calls - 1) * (answer.low + answer.high) / 2;
    let average = |answer: u64, verdict: u64| (answer + (calls - 1) * verdict) / calls;
    Ok(Work {
        requests: personas * calls,
        prompt_tokens: Tokens(
            (personas * (shared + judged)).saturating_add(own.saturating_mul(calls)),
        ),
        shared_tokens: Tokens(shared / calls),
        output: OutputTokens {
            low: average(answer.low, VERDICT.low),
            high: average(answer.high, VERDICT.high),
            cap: answer.cap,
        },
    })
}
