//! From a request to its reply: the whole provider but for the network.

use super::{
    FaultKind, Faults, Options,
    answer::{answer, cut, malformed},
    chance::Chance,
    limits::{Denial, Gauges, Metered, RateLimits},
    reply::{ApiError, Completion, Delivery, Reply, Said},
    request::ChatRequest,
    stats::{Counts, Ending},
    stock::Stock,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The models that `GET /v1/models` lists. Any other name is served as well.
const MODELS: [&str; 3] = ["gpt-4o-mini", "gpt-4o", "simulator"];

/// The output, in tokens, that takes the median latency: about what an answer with a grid of
/// three dimensions has.
const TYPICAL_OUTPUT: f64 = 200.0;

/// The part of the latency that does not grow with the output.
const FIXED_SHARE: f64 = 0.35;

/// The deviation of the latency's logarithm.
const LATENCY_SIGMA: f64 = 0.35;

/// A provider that has started.
pub struct Service {
    seed: Chance,
    latency: Duration,
    faults: Faults,
    key: Option<String>,
    limits: Mutex<RateLimits>,
    /// How often each content has been let in, by its hash, so that a retry has luck of its
    /// own. 36 MB for a million different requests; not kept where nothing depends on luck.
    seen: Mutex<HashMap<u64, u32>>,
    pub counts: Arc<Counts>,
}

impl Service {
    /// Starts with full buckets.
    pub fn new(options: Options, now: Instant) -> Self {
        let Options { requests_per_minute, tokens_per_minute, burst, .. } = options;
        Self {
            seed: Chance::new(options.seed),
            latency: options.latency,
            faults: options.faults,
            key: options.key,
            limits: Mutex::new(RateLimits::new(requests_per_minute, tokens_per_minute, burst, now)),
            seen: Mutex::default(),
            counts: Arc::default(),
        }
    }

    /// `POST /v1/chat/completions`. `authorization` is the header of that name.
    pub fn chat(&self, authorization: Option<&str>, body: &[u8], now: Instant) -> Reply {
        if let Some(refused) = self.refuse_key(authorization) {
            return refused;
        }
        let reply = match ChatRequest::parse(body) {
            Ok(request) => self.complete(&request, body, now),
            Err(bad) => {
                self.counts.ended(Ending::BadRequest);
                let error = ApiError {
                    param: bad.param,
                    code: bad.code,
                    ..ApiError::invalid_request(&bad.message)
                };
                Reply::error(400, &error)
            }
        };
        Reply { gauges: self.gauges(now), ..reply }
    }

    /// `GET /v1/models`.
    pub fn models(&self, authorization: Option<&str>, now: Instant) -> Reply {
        if let Some(refused) = self.refuse_key(authorization) {
            return refused;
        }
        self.counts.ended(Ending::ModelsListed);
        let model = |id: &str| {
            serde_json::json!({
                "id": id, "object": "model", "created": 1_721_172_741, "owned_by": "simulator",
            })
        };
        let list = serde_json::json!({ "object": "list", "data": MODELS.map(model) });
        Reply { gauges: self.gauges(now), ..Reply::new(200, list.to_string().into_bytes()) }
    }

    /// A request that no path and method takes, or that is too long to be read.
    pub fn wrong(&self, status: u16, message: &str, now: Instant) -> Reply {
        self.counts.ended(Ending::BadRequest);
        let reply = Reply::error(status, &ApiError::invalid_request(message));
        Reply { gauges: self.gauges(now), ..reply }
    }

    fn refuse_key(&self, authorization: Option<&str>) -> Option<Reply> {
        let key = self.key.as_deref()?;
        let given = authorization.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
        let (message, code) = match given {
            Some(given) if given == key => return None,
            Some(given) => {
                let message = format!(
                    "Incorrect API key provided: {}. You can find your API key at \
                     https://platform.openai.com/account/api-keys.",
                    masked(given)
                );
                (message, Some("invalid_api_key"))
            }
            None => {
                let message = "You didn't provide an API key. You need to provide your API key \
                               in an Authorization header using Bearer auth (i.e. Authorization: \
                               Bearer YOUR_KEY).";
                (message.to_owned(), None)
            }
        };
        self.counts.ended(Ending::KeyRefused);
        Some(Reply::error(401, &ApiError { code, ..ApiError::invalid_request(&message) }))
    }

    fn complete(&self, request: &ChatRequest, body: &[u8], now: Instant) -> Reply {
        let answer = answer(request, self.seed);
        let prompt_tokens = request.messages.iter().map(|message| tokens(&message.text)).sum();
        let wanted_tokens = tokens(&answer);
        let output_tokens = wanted_tokens.min(request.output_cap.unwrap_or(u64::MAX));
        let admitted = self
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(prompt_tokens + output_tokens, now);
        if let Err(denial) = admitted {
            self.counts.ended(match denial {
                Denial::Later { metered: Metered::Requests, .. } => Ending::LimitedByRequests,
                Denial::Later { metered: Metered::Tokens, .. } | Denial::TooLarge { .. } => {
                    Ending::LimitedByTokens
                }
            });
            return Reply::denied(&denial, &request.model);
        }
        let draft = Draft {
            request,
            answer: &answer,
            prompt_tokens,
            output_tokens,
            attempt: self.attempt(body),
            latency: self.latency,
        };
        let (reply, ending, used) = match self.faults.strike(draft.attempt.with(b"fault")) {
            Some(kind) => {
                let (reply, used) = draft.failing(kind);
                (reply, Ending::Fault(kind), used)
            }
            None if output_tokens < wanted_tokens => {
                (draft.cut_off(output_tokens), Ending::CutOff, output_tokens)
            }
            None => (draft.whole(), Ending::Answered, output_tokens),
        };
        self.counts.ended(ending);
        self.counts.used(prompt_tokens, used);
        reply
    }

    /// The branch of chance of one attempt: the seed, the content, and how often it has come.
    fn attempt(&self, body: &[u8]) -> Chance {
        let content = self.seed.with(b"content").with(body);
        if self.faults.is_empty() && self.latency.is_zero() {
            return content;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.entry(content.bits()).or_insert(0);
        *times += 1;
        content.with_number(u64::from(*times))
    }

    fn gauges(&self, now: Instant) -> Gauges {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).gauges(now)
    }
}

/// All that a reply to a request that was let in is made of.
struct Draft<'a> {
    request: &'a ChatRequest,
    answer: &'a str,
    prompt_tokens: u64,
    output_tokens: u64,
    attempt: Chance,
    latency: Duration,
}

impl Draft<'_> {
    fn whole(&self) -> Reply {
        self.completion(Said::Content(self.answer), "stop")
    }

    /// Stopped by the output cap.
    fn cut_off(&self, tokens: u64) -> Reply {
        let chars = usize::try_from(tokens.saturating_mul(4)).unwrap_or(usize::MAX);
        self.completion(Said::Content(cut(self.answer, chars)), "length")
    }

    /// The reply of a fault, and the output tokens that it cost.
    fn failing(&self, kind: FaultKind) -> (Reply, u64) {
        let delivered = |delivery| (Reply { delivery, ..self.whole() }, self.output_tokens);
        match kind {
            FaultKind::RateLimited => (self.rate_limited(), 0),
            FaultKind::ServerError => {
                let message = "The server had an error while processing your request. Sorry about \
                               that!";
                (self.broken(500, message), 0)
            }
            FaultKind::Overloaded => {
                (self.broken(503, "The engine is currently overloaded, please try again later."), 0)
            }
            FaultKind::Malformed => {
                let content = malformed(self.answer, self.attempt);
                let reply = self.completion(Said::Content(&content), "stop");
                (reply, tokens(&content))
            }
            FaultKind::Refusal => self.refusal(),
            FaultKind::Cutoff => {
                let share = 0.3 + 0.5 * self.attempt.with(b"cutoff").unit();
                let kept = (self.output_tokens as f64 * share) as u64;
                (self.cut_off(kept), kept)
            }
            FaultKind::Hang => delivered(Delivery::Never),
            FaultKind::Reset => delivered(Delivery::Reset),
            FaultKind::Truncated => delivered(Delivery::Truncated),
            FaultKind::Slow => {
                let over = (self.latency * 10).max(Duration::from_secs(2));
                delivered(Delivery::Dripped(over))
            }
        }
    }

    fn rate_limited(&self) -> Reply {
        let chance = self.attempt.with(b"429");
        let metered = if chance.happens(0.5) { Metered::Requests } else { Metered::Tokens };
        let (limit, requested) = match metered {
            Metered::Requests => (500, 1),
            Metered::Tokens => (200_000, self.prompt_tokens + self.output_tokens),
        };
        let wait = Duration::from_millis(250 + chance.with(b"wait").below(750) as u64);
        let denial = Denial::Later { metered, limit, used: limit, requested, wait };
        Reply::denied(&denial, &self.request.model)
    }

    /// An error of the server's own, which comes sooner than an answer would.
    fn broken(&self, status: u16, message: &str) -> Reply {
        let error = ApiError { message, r#type: "server_error", param: None, code: None };
        Reply { after: self.latency_of(0.0), ..Reply::error(status, &error) }
    }

    /// Declined by the model, or held back by its filter.
    fn refusal(&self) -> (Reply, u64) {
        let chance = self.attempt.with(b"refusal");
        if chance.happens(0.25) {
            return (self.completion(Said::Content(""), "content_filter"), 0);
        }
        let refusals = &Stock::get().refusals;
        let text = refusals.get(chance.with(b"text").below(refusals.len()));
        let text = text.map_or("I'm sorry, I can't help with that.", String::as_str);
        (self.completion(Said::Refusal(text), "stop"), tokens(text))
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
        Reply { after: self.latency_of(completion_tokens as f64), ..reply }
    }

    /// Lognormal about the median, growing with the output.
    fn latency_of(&self, output_tokens: f64) -> Duration {
        if self.latency.is_zero() {
            return Duration::ZERO;
        }
        let size = FIXED_SHARE + (1.0 - FIXED_SHARE) * output_tokens / TYPICAL_OUTPUT;
        let luck = (LATENCY_SIGMA * self.attempt.with(b"latency").normal()).exp();
        self.latency.mul_f64(size * luck)
    }
}

/// Tokens as the simulator counts them: a quarter of the characters.
fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}

/// A key as OpenAI's message shows it: enough to recognise it, too little to use it.
fn masked(key: &str) -> String {
    let count = key.chars().count();
    if count < 12 {
        return "***".to_owned();
    }
    let end: String = key.chars().skip(count - 4).collect();
    format!("{}***{end}", cut(key, 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(age: usize) -> Vec<u8> {
        let score = json!({"type": "integer"});
        let texts = json!({"type": "array", "items": {"type": "string"}});
        let schema = json!({"type": "object", "properties": {
            "narrative": {"type": "string"},
            "survey": {"type": "object", "properties": {
                "support_level": score, "housing": score, "transport": score, "community": score,
                "key_concerns": texts, "suggested_improvements": texts,
            }},
        }});
        json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "Should the city close the market street to cars?"},
                {"role": "user", "content": format!("Age: {age}\nTenure: rents\nJob: Nurse\nTown: Kew")},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
        })
        .to_string()
        .into_bytes()
    }

    fn service(options: Options) -> Service {
        Service::new(options, Instant::now())
    }

    #[test]
    fn the_latency_lies_around_its_median_and_is_repeated_for_a_seed() {
        let median = Duration::from_secs(1);
        let latencies = || {
            let service = service(Options { latency: median, ..Options::default() });
            let of = |age| service.chat(None, &body(age), Instant::now()).after.as_secs_f64();
            (0..1000).map(of).collect::<Vec<_>>()
        };
        let mut sorted = latencies();
        assert_eq!(sorted, latencies());
        sorted.sort_by(f64::total_cmp);
        let (p10, p50, p90) = (sorted[100], sorted[500], sorted[900]);
        assert!((0.9..1.1).contains(&p50), "{p50}");
        // A lognormal with a deviation of 0.35 has these at 0.64 and 1.57 of its median; the
        // output's length spreads them a little more.
        assert!((0.5..0.7).contains(&p10) && (1.45..2.0).contains(&p90), "{p10} {p90}");
    }

    #[test]
    fn a_longer_output_takes_longer() {
        let service = service(Options { latency: Duration::from_secs(1), ..Options::default() });
        let of = |cap: u64| {
            let mut total = Duration::ZERO;
            for age in 0..100 {
                let mut value: serde_json::Value = serde_json::from_slice(&body(age)).unwrap();
                value["max_completion_tokens"] = cap.into();
                total += service.chat(None, value.to_string().as_bytes(), Instant::now()).after;
            }
            total
        };
        assert!(of(1000) > of(20) * 3 / 2);
    }

    #[test]
    fn every_request_is_counted_once_and_its_tokens_are_paid() {
        let service = service(Options {
            faults: "500=20%,429=20%,malformed=20%".parse().unwrap(),
            requests_per_minute: Some(50),
            ..Options::default()
        });
        let now = Instant::now();
        let mut replies = [0; 6];
        for age in 0..80 {
            let reply = service.chat(None, &body(age), now);
            replies[usize::from(reply.status / 100)] += 1;
            let remaining = reply.gauges.requests.unwrap().remaining;
            assert_eq!(remaining as usize, 50usize.saturating_sub(age + 1));
        }
        let stats = service.counts.now();
        assert_eq!(stats.limited_by_requests, 30);
        assert_eq!(stats.answered + stats.all_faults(), 50);
        assert_eq!(stats.faults(FaultKind::ServerError), replies[5]);
        assert_eq!(stats.answered + stats.faults(FaultKind::Malformed), replies[2]);
        assert!(stats.prompt_tokens > 50 * 10 && stats.completion_tokens > stats.answered * 100);
    }

    #[test]
    fn a_key_is_masked_until_nobody_can_use_it() {
        assert_eq!(masked("sk-0123456789abcdef"), "sk-***cdef");
        assert_eq!(masked("short"), "***");
    }
}
