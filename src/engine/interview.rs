//! One persona's way through the survey, as one task.
//!
//! It holds a slot only while its request is on the wire: waiting for rate happens in the
//! dispatcher's line, and backing off happens here, without a permit.

use super::{
    fact::{Ending, Fact},
    retry::{self, Decision, Progress},
};
use crate::{
    config::RetryBounds,
    limiter::{Limiter, OutputEstimate, Permit, PermitRequest, Priority},
    model::{
        Answer, Attempt, AttemptTiming, Failure, FailureKind, Fate, Persona, PersonaIndex, Stage,
        Survey, Tokens, UnixMillis, Usage,
    },
    prompt::{self, Prompts},
    provider::{Client, Exchange, RequestTemplate},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;

/// What all interviews of a run share.
pub(super) struct Interviewer {
    pub run: String,
    pub survey: Survey,
    pub prompts: Prompts,
    pub bounds: RetryBounds,
    pub limiter: Limiter,
    pub output: OutputEstimate,
    /// One for each endpoint, in the limiter's order.
    pub endpoints: Vec<Endpoint>,
    pub facts: UnboundedSender<Fact>,
    /// The run is draining: nobody starts another attempt.
    pub stopping: AtomicBool,
}

/// How to ask on one endpoint.
pub(super) struct Endpoint {
    pub client: Client,
    pub template: RequestTemplate,
}

/// A persona from the queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub persona: Persona,
    /// Attempts made before, in this run or an earlier part of it.
    pub attempts: u32,
}

/// Tells of an interview whose task panicked: its persona must not be in progress for ever.
struct CrashReport<'a> {
    interviewer: &'a Interviewer,
    persona: PersonaIndex,
    attempts: u32,
}

impl Drop for CrashReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let failure = Failure::new(
                FailureKind::Cancelled,
                "the interview crashed: this is a fault of voxpop, please report it",
            );
            self.interviewer.tell(Fact::Ended {
                persona: self.persona,
                last: None,
                attempts: self.attempts,
                ending: Ending::Settled(Fate::Failed(failure)),
            });
        }
    }
}

/// A provider that asks for so long a wait is worth a line in the log.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// An attempt as it went, with what it gave.
struct Tried {
    attempt: Box<Attempt>,
    answer: Option<Answer>,
}

impl Interviewer {
    /// Holds the interview, and tells how it ended.
    pub(super) async fn hold(&self, queued: Queued) {
        let index = queued.persona.index;
        let mut attempts = queued.attempts;
        let _crash = CrashReport { interviewer: self, persona: index, attempts };
        let (last, ending) = match self.prompts.user(&queued.persona) {
            Ok(prompt) => self.ask(index, &prompt, &mut attempts).await,
            Err(error) => {
                let failure = Failure::new(FailureKind::BadRequest, error.to_string());
                (None, Ending::Settled(Fate::Failed(failure)))
            }
        };
        self.tell(Fact::Ended { persona: index, last, attempts, ending });
    }

    /// The answer stage: one call, with its retries.
    async fn ask(
        &self,
        persona: PersonaIndex,
        prompt: &str,
        attempts: &mut u32,
    ) -> (Option<Box<Attempt>>, Ending) {
        let mut progress = Progress { failed: 0, failed_once_kinds: 0, spent: Duration::ZERO };
        loop {
            let priority = if progress.failed == 0 { Priority::New } else { Priority::FollowUp };
            let tokens = self.tokens_wanted(prompt);
            let permit = self
                .limiter
                .permit(PermitRequest { persona, priority, tokens, most: tokens })
                .await;
            *attempts += 1;
            let tried = self.attempt(persona, *attempts, prompt, permit).await;
            let Some(failure) = tried.attempt.failure.clone() else {
                let fate = match tried.answer {
                    Some(answer) => Fate::Answered(answer),
                    None => Fate::Failed(Failure::new(FailureKind::Malformed, "no answer")),
                };
                return (Some(tried.attempt), Ending::Settled(fate));
            };
            progress.failed += 1;
            if matches!(failure.kind, FailureKind::CutOff | FailureKind::Malformed) {
                progress.failed_once_kinds += 1;
            }
            progress.spent += tried.attempt.timing.on_the_wire;
            let decision = retry::decide(&failure, &progress, &self.bounds, fastrand::f64());
            let ending = match decision {
                Decision::RetryIn(_) if self.stopping.load(Ordering::Acquire) => Ending::GaveBack,
                Decision::RetryIn(wait) => {
                    progress.spent += wait;
                    self.back_off(persona, tried.attempt, wait).await;
                    continue;
                }
                Decision::FailPersona => Ending::Settled(Fate::Failed(failure)),
                Decision::KeepRefusal => Ending::Settled(Fate::Refused { reason: failure.message }),
                Decision::PauseRun => Ending::ProviderRefused(failure),
                Decision::GiveBack => Ending::GaveBack,
            };
            return (Some(tried.attempt), ending);
        }
    }

    async fn back_off(&self, persona: PersonaIndex, attempt: Box<Attempt>, wait: Duration) {
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let until = UnixMillis(UnixMillis::now().0.saturating_add(wait_ms));
        self.tell(Fact::BackedOff { attempt, until });
        tokio::time::sleep(wait).await;
        self.tell(Fact::RejoinedLine { persona });
    }

    /// What a request is expected to use, with about four characters a token for the prompt.
    fn tokens_wanted(&self, prompt: &str) -> Tokens {
        let characters = self.prompts.system().len() + prompt.len();
        self.output.reserve(Stage::Answer, Tokens(characters as u64 / 4))
    }

    async fn attempt(
        &self,
        persona: PersonaIndex,
        number: u32,
        prompt: &str,
        mut permit: Permit,
    ) -> Tried {
        let index = permit.endpoint();
        let endpoint = &self.endpoints[index.as_usize()];
        self.tell(Fact::Sent { persona });
        let sent_at = UnixMillis::now();
        let waits = permit.waits();
        permit.sent();
        let Exchange { status, request_id, usage, on_the_wire, result } = endpoint
            .client
            .exchange(endpoint.template.body(prompt), &self.request_id(persona, number))
            .await;
        let failure = result.as_ref().err().map(|unanswered| &unanswered.failure);
        self.settle(permit, status, usage.as_ref(), failure);

        let parsing = Instant::now();
        let read = match result {
            Ok(completion) => match prompt::read_answer(&self.survey, &completion.content) {
                Ok(answer) => Ok(answer),
                Err(error) => {
                    let failure = Failure::new(FailureKind::Malformed, error.to_string());
                    Err((failure, Some(completion.content)))
                }
            },
            Err(unanswered) => Err((unanswered.failure, unanswered.body)),
        };
        let timing = AttemptTiming {
            queued: waits.queued,
            waited_for_slot: waits.waited_for_slot,
            waited_for_rate: waits.waited_for_rate,
            on_the_wire,
            parsed: parsing.elapsed(),
        };
        let (answer, failure, body) = match read {
            Ok(answer) => (Some(answer), None, None),
            Err((failure, body)) => (None, Some(failure), body),
        };
        let attempt = Box::new(Attempt {
            persona,
            stage: Stage::Answer,
            number,
            endpoint: index,
            sent_at,
            timing,
            status,
            request_id,
            usage,
            failure,
            body,
        });
        log(&attempt);
        Tried { attempt, answer }
    }

    /// Gives the slot back, and the limiter what the exchange taught.
    fn settle(
        &self,
        permit: Permit,
        status: Option<u16>,
        usage: Option<&Usage>,
        failure: Option<&Failure>,
    ) {
        let endpoint = permit.endpoint();
        if let Some(failure) = failure
            && let Some(wait) = failure.retry_after
            && matches!(
                failure.kind,
                FailureKind::RateLimitedRequests | FailureKind::RateLimitedTokens
            )
        {
            if wait >= LONG_WAIT {
                tracing::warn!(
                    "the provider asks to wait {} s: nothing is sent until then",
                    wait.as_secs()
                );
            }
            self.limiter.pause_endpoint(endpoint, wait);
        }
        match usage {
            Some(usage) => {
                self.output.observe(Stage::Answer, Tokens(usage.completion_tokens));
                permit.settle(Tokens(usage.prompt_tokens + usage.completion_tokens));
            }
            // Nobody was there to count a token.
            None if status.is_none()
                && failure.is_some_and(|f| f.kind == FailureKind::Connection) =>
            {
                permit.settle(Tokens(0));
            }
            // Without a count the reservation stands: a failed request counts as well.
            None => drop(permit),
        }
    }

    fn request_id(&self, persona: PersonaIndex, number: u32) -> String {
        format!("{}-{persona}-{number}", self.run)
    }

    /// The supervisor outlives every interview but for the moment in which a run is torn down;
    /// what is said then interests nobody.
    fn tell(&self, fact: Fact) {
        let _ = self.facts.send(fact);
    }
}

/// An event with what every line about an attempt has. Times are in microseconds.
macro_rules! attempt_event {
    ($level:ident, $attempt:expr, $($rest:tt)+) => {
        tracing::$level!(
            persona = $attempt.persona.0,
            stage = $attempt.stage.as_str(),
            attempt = $attempt.number,
            endpoint = $attempt.endpoint.0,
            status = $attempt.status,
            queued_us = micros($attempt.timing.queued),
            slot_us = micros($attempt.timing.waited_for_slot),
            rate_us = micros($attempt.timing.waited_for_rate),
            wire_us = micros($attempt.timing.on_the_wire),
            parsed_us = micros($attempt.timing.parsed),
            request_id = $attempt.request_id.as_deref(),
            $($rest)+
        )
    };
}

/// Every attempt leaves a line in the log. Answers go to the file only; failures are also shown
/// on the dashboard.
fn log(attempt: &Attempt) {
    match &attempt.failure {
        None => attempt_event!(debug, attempt, "answered"),
        Some(failure) => attempt_event!(
            warn,
            attempt,
            retry_after_us = failure.retry_after.map(micros),
            "persona {} {failure}",
            attempt.persona
        ),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
