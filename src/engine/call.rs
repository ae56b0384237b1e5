//! One call: a question to a model until it is answered, retries, repairs and all.
//!
//! ```text
//! cache -> nothing is sent
//!   | where it has no reply
//! permit (slot + rate, on some endpoint) -> money -> exchange -> what it taught -> decision
//!   ^------------- waits without a permit: backs off, or for money to come back <-----'
//! ```

use super::{
    attempt_log,
    endpoint::{Endpoint, Templates},
    fact::{Ending, Fact},
    interview::Interviewer,
    ledger::Reservation,
    retry::{self, Decision, Progress},
    stages::Asked,
    waiting::{Clearance, settle_uncounted, total},
};
use crate::{
    cache::{CacheKey, CachedReply},
    limiter::{Avoided, Feedback, Outcome, Permit, PermitRequest, Priority},
    model::{
        Attempt, AttemptTiming, EndpointIndex, Failure, FailureKind, Fate, PersonaIndex, Stage,
        Tokens, UnixMillis, Usage,
    },
    prompt::AnswerError,
    provider::{Completion, Exchange, Question, Repair, Unanswered},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Within this time after an answer, a 403 is about one text and not about the key.
const LATELY: Duration = Duration::from_secs(30);

/// So many 403s without an answer between them are not about a text.
const FORBIDDEN_IN_A_ROW: u32 = 3;

/// Reads a reply: what comes of it, or what is wrong with it.
pub(super) type Read<'a, T> = &'a (dyn Fn(&str) -> Result<T, AnswerError> + Sync);

/// A call under way.
pub(super) struct Call<'a, T> {
    pub interviewer: &'a Interviewer,
    /// Whom it is about: a persona, or a piece of the run as a whole.
    pub persona: PersonaIndex,
    pub asked: &'a Asked,
    read: Read<'a, T>,
    /// Attempts made so far, over all runs of the interview.
    pub attempts: &'a mut u32,
    /// Whether any of them was sent.
    pub sent: &'a mut bool,
    progress: Progress,
    output_cap: u32,
    /// An answer that was no use, and what was wrong with it.
    to_repair: Option<(String, String)>,
    /// What the request as it is now is known by; empty where nobody looked it up.
    keys: Vec<CacheKey>,
}

/// An attempt as it went, with what it gave.
struct Tried<T> {
    attempt: Box<Attempt>,
    /// What came of it; `None` where it failed.
    given: Option<T>,
    /// The endpoint does not know a part of the request and has another way to be asked.
    other_dialect: bool,
    /// The body is what the model said, and not what a server or a proxy did.
    is_the_models: bool,
}

impl<'a, T> Call<'a, T> {
    pub(super) fn new(
        interviewer: &'a Interviewer,
        persona: PersonaIndex,
        asked: &'a Asked,
        read: Read<'a, T>,
        attempts: &'a mut u32,
        sent: &'a mut bool,
    ) -> Self {
        let output_cap = interviewer.stages.survey.max_output_tokens;
        let progress = Progress::default();
        Self {
            interviewer,
            persona,
            asked,
            read,
            attempts,
            sent,
            progress,
            output_cap,
            to_repair: None,
            keys: Vec::new(),
        }
    }

    /// The same with a cap of its own on the reply.
    pub(super) const fn with_cap(mut self, output_cap: u32) -> Self {
        self.output_cap = output_cap;
        self
    }

    /// With room for so many answers in one reply.
    pub(super) const fn with_room_for(mut self, answers: u32) -> Self {
        self.output_cap = self.output_cap.saturating_mul(answers);
        self
    }

    /// Asks until there is an end: what came of it, or why nothing did.
    pub(super) async fn ask(mut self) -> (Option<Box<Attempt>>, Result<T, Ending>) {
        loop {
            if let Some((attempt, given)) = self.kept().await {
                return (Some(attempt), Ok(given));
            }
            let Clearance { permit, money } = match self.clearance().await {
                Ok(clearance) => clearance,
                Err(ending) => return (None, Err(ending)),
            };
            *self.attempts += 1;
            *self.sent = true;
            let endpoint = permit.endpoint();
            let Tried { attempt, given, other_dialect, is_the_models } =
                self.attempt(permit, money).await;
            let failure = match (given, attempt.failure.clone()) {
                (Some(given), _) => return (Some(attempt), Ok(given)),
                (None, Some(failure)) => failure,
                (None, None) => unreachable!("an attempt gave something or has failed"),
            };
            self.progress.spent += attempt.timing.on_the_wire;
            if other_dialect {
                if self.is_left_off() {
                    return (Some(attempt), Err(Ending::GaveBack));
                }
                self.interviewer.again(attempt);
                continue;
            }
            self.progress.failed += 1;
            if self.is_the_endpoints_fault(&attempt) {
                if !self.take_out(endpoint, &failure) {
                    return (Some(attempt), Err(Ending::ProviderRefused(failure)));
                }
                self.interviewer.again(attempt);
                continue;
            }
            let bounds = &self.interviewer.bounds;
            let decision = retry::decide(&failure, &self.progress, bounds, fastrand::f64());
            let ending = match decision {
                Decision::RetryIn(_) | Decision::Rejoin | Decision::Repair | Decision::RaiseCap
                    if self.is_left_off() =>
                {
                    Ending::GaveBack
                }
                Decision::RetryIn(wait) => {
                    self.progress.spent += wait;
                    self.interviewer.back_off(attempt, wait).await;
                    continue;
                }
                Decision::Rejoin => {
                    self.interviewer.again(attempt);
                    continue;
                }
                Decision::Repair => {
                    self.progress.repaired = true;
                    // What is not the model's own words is asked for again as it was.
                    let reply = attempt.body.clone().filter(|_| is_the_models);
                    self.to_repair = reply.map(|reply| (reply, failure.message));
                    self.keys.clear();
                    self.interviewer.again(attempt);
                    continue;
                }
                Decision::RaiseCap => {
                    self.progress.cap_raised = true;
                    self.output_cap = retry::raised(self.output_cap);
                    self.keys.clear();
                    self.interviewer.again(attempt);
                    continue;
                }
                Decision::AskElsewhere if self.is_about_one_text(&attempt) => {
                    Ending::Settled(Fate::Failed(failure))
                }
                Decision::AskElsewhere => {
                    if !self.take_out(endpoint, &failure) {
                        Ending::ProviderRefused(failure)
                    } else if self.is_left_off() {
                        Ending::GaveBack
                    } else {
                        self.interviewer.again(attempt);
                        continue;
                    }
                }
                Decision::FailPersona => Ending::Settled(Fate::Failed(failure)),
                Decision::KeepRefusal => Ending::Settled(Fate::Refused { reason: failure.message }),
                Decision::GiveBack => Ending::GaveBack,
            };
            return (Some(attempt), Err(ending));
        }
    }

    /// What the same request was answered before, as the attempt that it takes the place of. A
    /// request is looked up once, and again where it has become another one. It takes no permit
    /// and no money, and tells nothing of an endpoint.
    pub(super) async fn kept(&mut self) -> Option<(Box<Attempt>, T)> {
        let interviewer = self.interviewer;
        let caching = interviewer.caching.as_ref().filter(|_| self.keys.is_empty())?;
        let Asked { form, repeat, .. } = *self.asked;
        self.keys = caching.keys(&interviewer.endpoints, form, &self.question(), repeat);
        let (endpoint, reply) = caching.look_up(&self.keys).await?;
        let parsing = Instant::now();
        // One that cannot be read any more is as good as none.
        let given = (self.read)(&reply.content).ok()?;
        *self.attempts += 1;
        let timing = AttemptTiming { parsed: parsing.elapsed(), ..AttemptTiming::default() };
        let attempt = Box::new(Attempt {
            persona: self.persona,
            stage: self.stage(),
            number: *self.attempts,
            endpoint,
            sent_at: UnixMillis::now(),
            timing,
            status: None,
            request_id: None,
            usage: None,
            failure: None,
            body: None,
            from_cache: true,
        });
        attempt_log::log(&attempt);
        Some((attempt, given))
    }

    /// A permit, and the money for what it allows.
    async fn clearance(&self) -> Result<Clearance, Ending> {
        let interviewer = self.interviewer;
        let prompt = self.prompt_tokens();
        // Of a pack, only the first has attempts: a critic's call is no new interview's.
        let begins = matches!(self.asked.stage, Stage::Answer | Stage::Packed);
        let first = self.progress.failed == 0 && *self.attempts == 0 && begins;
        let request = PermitRequest {
            persona: self.persona,
            priority: if first { Priority::New } else { Priority::FollowUp },
            tokens: interviewer.output.reserve(self.stage(), prompt),
            most: Tokens(prompt.0 + u64::from(self.output_cap)),
            avoided: Avoided::default(),
        };
        let most = |at: EndpointIndex| self.endpoint(at).most(self.at_most(), self.output_cap);
        interviewer.clearance(self.asked.stage, request, most).await
    }

    async fn attempt(&self, mut permit: Permit, mut money: Reservation) -> Tried<T> {
        let interviewer = self.interviewer;
        let index = permit.endpoint();
        let endpoint = self.endpoint(index);
        interviewer.tell(Fact::Sent { persona: self.persona });
        let sent_at = UnixMillis::now();
        let waits = permit.waits();
        permit.sent();
        money.sent();
        let templates = endpoint.templates();
        let body = templates.of(self.asked.form).body(&self.question());
        let exchange = endpoint.client.exchange(body, &self.request_id()).await;
        let failure = exchange.result.as_ref().err().map(|unanswered| &unanswered.failure);
        permit.learned(&Feedback { outcome: outcome(&exchange, failure), said: exchange.said });
        self.settle(endpoint, permit, money, &exchange);

        let Exchange { status, request_id, usage, on_the_wire, result, .. } = exchange;
        let parsing = Instant::now();
        let mut other_dialect = false;
        let is_the_models = result.is_ok();
        // Of its dialect says nothing who was asked for plain text.
        if is_the_models && !self.asked.form.is_plain_text() {
            endpoint.answered();
        }
        let read = match result {
            Ok(Completion { content }) => match (self.read)(&content) {
                Ok(given) => {
                    self.keep(index, content, usage);
                    Ok(given)
                }
                Err(error) => {
                    let failure = Failure::new(FailureKind::Malformed, error.to_string());
                    Err((failure, Some(content)))
                }
            },
            Err(unanswered) => {
                other_dialect = speaks_otherwise(endpoint, &templates, &unanswered);
                Err((unanswered.failure, unanswered.body))
            }
        };
        let timing = AttemptTiming {
            queued: waits.queued,
            waited_for_slot: waits.waited_for_slot,
            waited_for_rate: waits.waited_for_rate,
            on_the_wire,
            parsed: parsing.elapsed(),
        };
        let (given, failure, body) = match read {
            Ok(given) => (Some(given), None, None),
            Err((failure, body)) => (None, Some(failure), body),
        };
        let attempt = Box::new(Attempt {
            persona: self.persona,
            stage: self.stage(),
            number: *self.attempts,
            endpoint: index,
            sent_at,
            timing,
            status,
            request_id,
            usage,
            failure,
            body,
            from_cache: false,
        });
        attempt_log::log(&attempt);
        Tried { attempt, given, other_dialect, is_the_models }
    }

    /// Keeps a reply for whoever asks the same again.
    fn keep(&self, endpoint: EndpointIndex, content: String, usage: Option<Usage>) {
        if let Some(caching) = &self.interviewer.caching {
            let reply = CachedReply { content, usage };
            caching.keep(&self.keys, endpoint, reply);
        }
    }

    /// Gives the slot back and settles tokens and money by what the provider counted.
    fn settle(&self, endpoint: &Endpoint, permit: Permit, money: Reservation, of: &Exchange) {
        let interviewer = self.interviewer;
        if let Some(usage) = &of.usage {
            interviewer.output.observe(self.stage(), Tokens(usage.completion_tokens));
            if self.to_repair.is_none() {
                let prompt = Tokens(usage.prompt_tokens);
                interviewer.prompt_tokens.observe(self.length(), prompt);
            }
            permit.settle(total(usage));
            money.settle(endpoint.cost(usage));
            return;
        }
        let failure = of.result.as_ref().err().map(|unanswered| unanswered.failure.kind);
        settle_uncounted(permit, money, of.status, failure);
    }

    /// Whether it is this persona alone that is refused: a gateway may forbid (403) one text while
    /// it serves the others. Several in a row are about the key.
    fn is_about_one_text(&self, attempt: &Attempt) -> bool {
        attempt.status == Some(403)
            && self.endpoint(attempt.endpoint).forbade() < FORBIDDEN_IN_A_ROW
            && self.interviewer.limiter.has_served_within(attempt.endpoint, LATELY)
    }

    /// Whether nobody would fare better there: nobody has ever been answered, and what came back
    /// is about the address, the model or the account, and not about the question.
    fn is_the_endpoints_fault(&self, attempt: &Attempt) -> bool {
        let of_the_endpoint = matches!(attempt.status, Some(300..=399 | 402 | 404 | 405));
        of_the_endpoint && !self.endpoint(attempt.endpoint).has_answered()
    }

    /// Takes the endpoint out of service. True where another one is left.
    fn take_out(&self, endpoint: EndpointIndex, failure: &Failure) -> bool {
        let whole_group = matches!(
            failure.kind,
            FailureKind::QuotaExhausted
                | FailureKind::RateLimitedRequests
                | FailureKind::RateLimitedTokens
        );
        let left = self.interviewer.limiter.take_out(endpoint, failure, whole_group);
        if left > 0 {
            tracing::warn!("{} is out of service: {failure}", self.endpoint(endpoint).name);
        }
        left > 0
    }

    fn is_left_off(&self) -> bool {
        self.interviewer.leaves_off(self.asked.stage)
    }

    fn endpoint(&self, index: EndpointIndex) -> &'a Endpoint {
        &self.interviewer.endpoints[index.as_usize()]
    }

    const fn stage(&self) -> Stage {
        if self.to_repair.is_some() { Stage::Repair } else { self.asked.stage }
    }

    fn question(&self) -> Question<'_> {
        Question {
            user_prompt: &self.asked.prompt,
            output_cap: self.output_cap,
            repair: self.repair(),
        }
    }

    fn repair(&self) -> Option<Repair<'_>> {
        self.to_repair.as_ref().map(|(reply, problem)| Repair { reply, problem })
    }

    /// The bytes of all that is said, for an estimate of its tokens.
    fn length(&self) -> usize {
        self.interviewer.stages.prompts.system(self.asked.form).len() + self.asked.prompt.len()
    }

    fn prompt_tokens(&self) -> Tokens {
        let repeated = self.to_repair.as_ref().map_or(0, |(reply, _)| reply.len());
        self.interviewer.prompt_tokens.estimate(self.length() + repeated)
    }

    /// No less than the prompt has, for money to rest on.
    fn at_most(&self) -> Tokens {
        let Tokens(prompt) = self.interviewer.prompt_bound.of(self.asked.form, &self.asked.prompt);
        // What is repeated is the model's own text, and a token is at least a byte.
        let repeated = self.repair().map_or(0, Repair::at_most);
        Tokens(prompt + repeated as u64)
    }

    fn request_id(&self) -> String {
        format!("{}-{}-{}", self.interviewer.run, self.persona, self.attempts)
    }
}

/// What an exchange says of its endpoint's load and health.
fn outcome<'e>(exchange: &Exchange, failure: Option<&'e Failure>) -> Outcome<'e> {
    let first_byte = exchange.first_byte.unwrap_or_default();
    let Some(failure) = failure else { return Outcome::Served { first_byte } };
    match failure.kind {
        FailureKind::RateLimitedRequests | FailureKind::RateLimitedTokens => {
            Outcome::Limited { failure }
        }
        FailureKind::Overloaded | FailureKind::Timeout => Outcome::Overloaded { failure },
        FailureKind::ServerError | FailureKind::Connection => Outcome::Broken { failure },
        FailureKind::CutOff | FailureKind::Refused | FailureKind::Malformed => {
            Outcome::Served { first_byte }
        }
        FailureKind::QuotaExhausted
        | FailureKind::KeyRefused
        | FailureKind::BadRequest
        | FailureKind::TooLarge
        | FailureKind::Cancelled => Outcome::NothingLearned,
    }
}

/// Whether the endpoint turned down a part of the request that can be left out.
pub(super) fn speaks_otherwise(
    endpoint: &Endpoint,
    asked: &Arc<Templates>,
    unanswered: &Unanswered,
) -> bool {
    unanswered.unsupported.is_some_and(|part| endpoint.learn(asked, part))
}
