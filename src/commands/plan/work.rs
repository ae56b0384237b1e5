//! The work of a plan: an answer of every persona, what its reviews add, and the summary.

use super::sample::Sample;
use crate::{
    config::Config,
    engine::SummaryCalls,
    error::Problem,
    forecast::{OutputTokens, Work},
    model::{ReviewMode, SummaryMode, Survey, Tokens},
    prompt::{Form, Prompts},
    tokens::TokenCounter,
};

/// What a verdict usually takes: mostly a few words, sometimes a corrected narrative.
const VERDICT: OutputTokens = OutputTokens { low: 30, high: 120, cap: 0 };

/// What the findings of a digest or a summary usually take, and beside them each answer of a group.
const FINDINGS: OutputTokens = OutputTokens { low: 200, high: 600, cap: 0 };
const INSIGHT: OutputTokens = OutputTokens { low: 25, high: 60, cap: 0 };

/// The work by what it is for. Follow-ups, mending and second looks come on top where an answer
/// wants them: nobody can know how often.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub answers: Work,
    pub reviews: Option<Work>,
    /// `None` where it takes no call.
    pub summary: Option<Work>,
}

impl Parts {
    /// What personas are asked, and critics about them.
    pub(super) fn interviews(&self) -> Work {
        self.reviews.map_or(self.answers, |reviews| self.answers.and(reviews))
    }

    pub(super) fn all(&self) -> Work {
        let interviews = self.interviews();
        self.summary.map_or(interviews, |summary| interviews.and(summary))
    }

    /// The requests that are largest, with whose they are.
    pub(super) fn largest(&self) -> (&'static str, Work) {
        let parts = [
            ("", Some(self.answers)),
            (" of a critic", self.reviews),
            (" of the summary", self.summary),
        ];
        let parts = parts.into_iter().filter_map(|(whose, work)| Some((whose, work?)));
        parts
            .max_by_key(|(_, work)| work.prompt_each() + work.output.cap)
            .unwrap_or(("", self.answers))
    }
}

/// The critics that look at every answer at the least once.
pub(super) const fn critics(review: ReviewMode) -> &'static [Form] {
    match review {
        ReviewMode::Off => &[],
        ReviewMode::Fused => &[Form::Review],
        ReviewMode::Separate => &[Form::Consistency, Form::Relevance],
    }
}

/// The prompts of the sample stand for all. A critic is shown the profile, as the persona is, and
/// an answer of middle length; so many personas are asked in one request.
pub(super) fn parts(
    config: &Config,
    prompts: &Prompts,
    sample: &Sample,
    counter: &TokenCounter,
    pack: u8,
) -> Result<Parts, Problem> {
    let survey = &config.survey;
    let counted = Counted { survey, prompts, sample, counter };
    let personas = u64::from(sample.of);
    let answer = OutputTokens::usual(survey.max_output_tokens);
    let middle = (answer.low + answer.high) / 2;
    let own = counted.alone()?;
    let answers = match u64::from(pack) {
        pack if pack > 1 && personas > 1 => {
            let requests = personas.div_ceil(pack);
            let shared = counted.shared(Form::Packed);
            Work {
                requests,
                prompt_tokens: Tokens((requests * shared).saturating_add(counted.packed(pack)?)),
                shared_tokens: Tokens(shared),
                output: answer.times(pack.min(personas)),
            }
        }
        _ => {
            let shared = counted.shared(Form::Answer);
            Work {
                requests: personas,
                prompt_tokens: Tokens((personas * shared).saturating_add(own)),
                shared_tokens: Tokens(shared),
                output: answer,
            }
        }
    };
    let critics = critics(survey.review.mode);
    let of_critic = |form: &Form| {
        let shared = counted.shared(*form);
        Work {
            requests: personas,
            prompt_tokens: Tokens((personas * (shared + middle)).saturating_add(own)),
            shared_tokens: Tokens(shared),
            output: OutputTokens { cap: answer.cap, ..VERDICT },
        }
    };
    let summary = (survey.summary.mode == SummaryMode::Model && personas > 0)
        .then(|| counted.summary(SummaryCalls::of(personas), personas, middle));
    Ok(Parts { answers, reviews: critics.iter().map(of_critic).reduce(Work::and), summary })
}

/// What the sample counts.
struct Counted<'a> {
    survey: &'a Survey,
    prompts: &'a Prompts,
    sample: &'a Sample,
    counter: &'a TokenCounter,
}

impl Counted<'_> {
    /// What the requests of a form begin with.
    fn shared(&self, form: Form) -> u64 {
        let schema = form.schema(self.survey).unwrap_or_default();
        self.counter.shared(self.prompts.system(form), &schema).0
    }

    /// What is told of all personas, each in a message of its own.
    fn alone(&self) -> Result<u64, Problem> {
        let mut tokens = 0;
        for persona in &self.sample.personas {
            let prompt = self.prompts.user(persona).map_err(Problem::input)?;
            tokens += self.counter.message(&prompt).0;
        }
        Ok(self.of_all(tokens))
    }

    /// What is told of all personas, so many in a message.
    fn packed(&self, pack: u64) -> Result<u64, Problem> {
        let mut tokens = 0;
        for pack in self.sample.personas.chunks(usize::try_from(pack).unwrap_or(usize::MAX)) {
            let personas: Vec<_> = pack.iter().collect();
            let prompt = self.prompts.packed(&personas).map_err(Problem::input)?;
            tokens += self.counter.message(&prompt).0;
        }
        Ok(self.of_all(tokens))
    }

    /// Of everybody, where the sample has so many.
    fn of_all(&self, tokens: u64) -> u64 {
        let sampled = self.sample.personas.len().max(1) as u128;
        let tokens = u128::from(tokens) * u128::from(self.sample.of) / sampled;
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// Digests of all answers, and what is made of the digests: each is read once.
    fn summary(&self, calls: SummaryCalls, answers: u64, answer: u64) -> Work {
        let SummaryCalls { digests, of_digests, .. } = calls;
        let requests = digests + of_digests;
        let shared = digests * self.shared(Form::Digest) + of_digests * self.shared(Form::Summary);
        let findings = (FINDINGS.low + FINDINGS.high) / 2;
        let digests_read = if of_digests > 0 { requests - 1 } else { 0 };
        let output = |findings, insight| (requests * findings + answers * insight) / requests;
        Work {
            requests,
            prompt_tokens: Tokens(shared + answers * answer + digests_read * findings),
            shared_tokens: Tokens(shared / requests),
            output: OutputTokens {
                low: output(FINDINGS.low, INSIGHT.low),
                high: output(FINDINGS.high, INSIGHT.high),
                cap: calls.most_output(self.survey.max_output_tokens).div_ceil(requests),
            },
        }
    }
}
