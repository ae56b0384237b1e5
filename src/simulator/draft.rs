//! The reply to a request that was let in: the answer, or what went wrong with it.

use super::{
    FaultKind,
    answer::{cut, malformed},
    chance::Chance,
    fault_kind::{BadDelivery, Symptom},
    kind::Kind,
    limits::{Denial, Metered},
    reply::{Completion, Delivery, Reply, Said},
    request::ChatRequest,
    speed::Speed,
    stock::Stock,
};
use std::time::Duration;

/// A slow body drips for so many times the median latency, and not less than the least.
const DRIPS_FOR: (u32, Duration) = (10, Duration::from_secs(2));

/// All that the reply is made of.
pub struct Draft<'a> {
    pub kind: Kind,
    pub request: &'a ChatRequest,
    pub answer: &'a str,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub attempt: Chance,
    pub speed: Speed,
}

impl Draft<'_> {
    pub fn whole(&self) -> Reply {
        self.completion(Said::Content(self.answer), "stop")
    }

    /// Stopped by the output cap.
    pub fn cut_off(&self, tokens: u64) -> Reply {
        let chars = usize::try_from(tokens.saturating_mul(4)).unwrap_or(usize::MAX);
        self.completion(Said::Content(cut(self.answer, chars)), "length")
    }

    /// The reply of a fault, and the output tokens that it cost.
    pub fn failing(&self, fault: FaultKind) -> (Reply, u64) {
        match fault.symptom() {
            Symptom::Error { status, error, should_retry } => {
                let reply = Reply::error(self.kind, status, &error);
                (self.early(Reply { should_retry, ..reply }), 0)
            }
            Symptom::Body { status, content_type, body } => {
                let reply = Reply::new(status, body.as_bytes().to_vec());
                (self.early(Reply { content_type, ..reply }), 0)
            }
            Symptom::Limited { code } => (self.rate_limited(code), 0),
            Symptom::TooLarge => (self.too_large(), 0),
            Symptom::Malformed => {
                let content = malformed(self.answer, self.attempt);
                let reply = self.completion(Said::Content(&content), "stop");
                (reply, tokens(&content))
            }
            Symptom::Refusal => self.refusal(),
            Symptom::ContentFilter => (self.filtered(), 0),
            Symptom::Cutoff => {
                let share = 0.3 + 0.5 * self.attempt.with(b"cutoff").unit();
                let kept = (self.output_tokens as f64 * share) as u64;
                (self.cut_off(kept), kept)
            }
            Symptom::Delivered(how) => {
                let delivery = match how {
                    BadDelivery::Never => Delivery::Never,
                    BadDelivery::Dropped => Delivery::Dropped,
                    BadDelivery::Reset => Delivery::Reset,
                    BadDelivery::Truncated => Delivery::Truncated,
                    BadDelivery::Dripped => {
                        let (times, least) = DRIPS_FOR;
                        Delivery::Dripped(self.speed.latency.saturating_mul(times).max(least))
                    }
                };
                (Reply { delivery, ..self.whole() }, self.output_tokens)
            }
        }
    }

    fn rate_limited(&self, code: &str) -> Reply {
        let chance = self.attempt.with(b"429");
        let metered = if chance.happens(0.5) { Metered::Requests } else { Metered::Tokens };
        let (limit, requested) = match metered {
            Metered::Requests => (500, 1),
            Metered::Tokens => (200_000, self.prompt_tokens + self.output_tokens),
        };
        let wait = Duration::from_millis(250 + chance.with(b"wait").below(750) as u64);
        let denial = Denial::Later { metered, limit, used: limit, requested, wait };
        Reply::denied(self.kind, &denial, code, &self.request.model)
    }

    fn too_large(&self) -> Reply {
        let requested = self.prompt_tokens + self.output_tokens;
        let limit = u32::try_from(requested.saturating_sub(1)).unwrap_or(u32::MAX);
        let denial = Denial::TooLarge { limit, requested };
        Reply::denied(self.kind, &denial, "rate_limit_exceeded", &self.request.model)
    }

    /// What is no answer comes sooner than an answer would.
    fn early(&self, reply: Reply) -> Reply {
        Reply { after: self.speed.of(0.0, self.attempt), ..reply }
    }

    /// Declined by the model, or held back by its filter.
    fn refusal(&self) -> (Reply, u64) {
        let chance = self.attempt.with(b"refusal");
        if chance.happens(0.25) {
            return (self.filtered(), 0);
        }
        let refusals = &Stock::get().refusals;
        let text = refusals.get(chance.with(b"text").below(refusals.len()));
        let text = text.map_or("I'm sorry, I can't help with that.", String::as_str);
        (self.completion(Said::Refusal(text), "stop"), tokens(text))
    }

    /// Held back by a filter, which Azure says with a status of its own.
    fn filtered(&self) -> Reply {
        if self.kind == Kind::Azure {
            return self.early(Reply::new(400, AZURE_FILTER.as_bytes().to_vec()));
        }
        self.completion(Said::Content(""), "content_filter")
    }

    fn completion(&self, said: Said<'_>, finish_reason: &'static str) -> Reply {
        let (Said::Content(text) | Said::Refusal(text)) = said;
        let completion_tokens = tokens(text);
        let reply = Reply::completion(&Completion {
            id: self.attempt.bits(),
            model: &self.request.model,
            said,
            finish_reason,
            prompt_tokens: self.prompt_tokens,
            completion_tokens,
        });
        Reply { after: self.speed.of(completion_tokens as f64, self.attempt), ..reply }
    }
}

const AZURE_FILTER: &str = r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"violence":{"filtered":true,"severity":"medium"}}}}}"#;

/// Tokens as the simulator counts them: a quarter of the characters.
pub fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}
