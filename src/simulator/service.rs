//! From a request to its reply: the whole provider but for the network.

use super::{
    Options,
    accounts::{Accounts, KeyId, KeyProblem, Rates, Refusal},
    answer::answer,
    batch,
    chance::Chance,
    change::{Change, ChangeError},
    draft::{Draft, tokens},
    embeddings::EmbeddingRequest,
    error_body::ApiError,
    fault_kind::server_error,
    faults::Faults,
    form::Form,
    kind::{KeyHeader, Kind},
    limits::{Denial, Metered},
    options::Charge,
    outage::Outage,
    refusals,
    remembered::Remembered,
    reply::Reply,
    request::{BadRequest, ChatRequest},
    slots::Slots,
    speed::Speed,
    stats::{Counts, Ending},
    task::Task,
    topic::Topic,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The models that `GET /v1/models` lists. Any other name is served as well.
const MODELS: [&str; 3] = ["gpt-4o-mini", "gpt-4o", "simulator"];

/// How many changes are remembered.
const CHANGES_KEPT: usize = 1000;

/// A provider that has started.
pub struct Service {
    /// What never changes: the rest of the options is the state it began with.
    pub options: Options,
    pub started_at: Instant,
    seed: Chance,
    live: Mutex<Live>,
    accounts: Mutex<Accounts>,
    slots: Arc<Slots>,
    pub outage: Outage,
    /// How often each content has been let in, by its hash, so that a retry has luck of its
    /// own. 36 MB for a million different requests; not kept where nothing depends on luck.
    seen: Mutex<HashMap<u64, u32>>,
    forms: Remembered<Form>,
    topics: Remembered<Topic>,
    changes: Mutex<Vec<Made>>,
    pub counts: Arc<Counts>,
    pub files: batch::Files,
    pub batches: batch::Registry,
}

/// What can change from one request to the next.
#[derive(Clone, Copy)]
pub struct Live {
    pub faults: Faults,
    pub speed: Speed,
}

/// A change that was made, and when, counted from the start.
#[derive(Clone, Debug)]
pub struct Made {
    pub at: Duration,
    pub change: Change,
    pub by: By,
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Schedule,
    Command,
}

/// What stands around a request's body.
#[derive(Clone, Copy, Default)]
pub struct Asker<'a> {
    /// The key, from whichever header this server looks at.
    pub key: Option<&'a str>,
    /// The model, where the URL names it.
    pub deployment: Option<&'a str>,
}

/// What a request is answered with, and what that takes.
struct Work {
    answer: String,
    prompt_tokens: u64,
    /// Of the whole answer.
    wanted_tokens: u64,
    /// As many of them as the request's output cap lets through.
    output_tokens: u64,
}

fn prompt_tokens(request: &ChatRequest) -> u64 {
    request.messages.iter().map(|message| tokens(&message.text)).sum()
}

impl Service {
    /// Starts with everything unused.
    pub fn new(options: Options, now: Instant) -> Self {
        let rates = Rates {
            requests_per_minute: options.requests_per_minute,
            tokens_per_minute: options.tokens_per_minute,
            capacity: 1.0,
        };
        let (keys, quota) = (options.keys.clone(), options.quota);
        let speed =
            Speed { latency: options.latency, tokens_per_second: options.tokens_per_second };
        Self {
            started_at: now,
            seed: Chance::new(options.seed),
            live: Mutex::new(Live { faults: options.faults, speed }),
            accounts: Mutex::new(Accounts::new(keys, options.limit_shape, rates, quota, now)),
            slots: Arc::new(Slots::new(options.slots, options.queue)),
            outage: Outage::default(),
            seen: Mutex::default(),
            forms: Remembered::default(),
            topics: Remembered::default(),
            changes: Mutex::default(),
            counts: Arc::default(),
            files: batch::Files::default(),
            batches: batch::Registry::default(),
            options,
        }
    }

    const fn kind(&self) -> Kind {
        self.options.kind
    }

    /// A chat completion.
    pub fn chat(&self, asker: Asker<'_>, body: &[u8], now: Instant) -> Reply {
        let key = match self.enter(asker.key) {
            Ok(key) => key,
            Err(refusal) => return *refusal,
        };
        let reply = match self.read(body, asker.deployment) {
            Ok(request) => self.complete(key, &request, body, now),
            Err(bad) => {
                self.counts.ended(Ending::BadRequest);
                self.bad_request(&bad)
            }
        };
        Reply { gauges: self.accounts().gauges(key, now), ..reply }
    }

    /// A line of a batch: answered as a request is, but from a pool of its own, without a limit,
    /// a line before the slots or a latency. What would break a connection breaks nothing.
    pub fn batched(&self, key: KeyId, body: &[u8]) -> Reply {
        let request = match self.read(body, None) {
            Ok(request) => request,
            Err(bad) => return self.bad_request(&bad),
        };
        if self.accounts().is_out_of_quota(key) {
            return refusals::no_quota(self.kind());
        }
        self.served(key, &request, body, &self.work(&request, &Task::of(&request))).0
    }

    /// What a line of a batch is answered with that fails for no fault of its own.
    pub fn batched_failure(&self) -> Reply {
        Reply::error(self.kind(), 500, &server_error())
    }

    /// The prompt tokens of a request, or about as many where it is no request.
    pub fn prompt_tokens(&self, body: &[u8]) -> u64 {
        self.read(body, None).map_or(body.len() as u64 / 4, |request| prompt_tokens(&request))
    }

    /// The vectors of texts.
    pub fn embeddings(&self, asker: Asker<'_>, body: &[u8], now: Instant) -> Reply {
        let key = match self.enter(asker.key) {
            Ok(key) => key,
            Err(refusal) => return *refusal,
        };
        let request = match EmbeddingRequest::parse(body) {
            Ok(request) => request,
            Err(message) => return self.wrong(400, &message),
        };
        let prompt_tokens = request.texts.iter().map(|text| tokens(text)).sum();
        let reply = match self.accounts().admit(key, prompt_tokens, now) {
            Err(refusal) => self.refused(refusal, &request.model),
            Ok(held) => {
                self.counts.ended(Ending::Embedded);
                let chance = self.attempt(body, true).with(b"embeddings");
                let reply = if chance.happens(self.options.embeddings_failed) {
                    Reply::error(self.kind(), 500, &server_error())
                } else {
                    Reply::new(200, request.reply(prompt_tokens).to_string().into_bytes())
                };
                Reply { after: held.saturating_add(self.live().speed.of(0.0, chance)), ..reply }
            }
        };
        Reply { gauges: self.accounts().gauges(key, now), ..reply }
    }

    fn read(&self, body: &[u8], deployment: Option<&str>) -> Result<ChatRequest, BadRequest> {
        ChatRequest::parse(body, deployment, self.options.dialect, &self.forms)
    }

    fn bad_request(&self, bad: &BadRequest) -> Reply {
        let error = ApiError {
            param: bad.param,
            code: bad.code,
            ..ApiError::invalid_request(&bad.message)
        };
        Reply::error(self.kind(), 400, &error)
    }

    /// The list of models.
    pub fn models(&self, asker: Asker<'_>, now: Instant) -> Reply {
        let key = match self.enter(asker.key) {
            Ok(key) => key,
            Err(refusal) => return *refusal,
        };
        self.counts.ended(Ending::ModelsListed);
        let model = |id: &str| {
            serde_json::json!({
                "id": id, "object": "model", "created": 1_721_172_741, "owned_by": "simulator",
            })
        };
        let list = serde_json::json!({ "object": "list", "data": MODELS.map(model) });
        let reply = Reply::new(200, list.to_string().into_bytes());
        Reply { gauges: self.accounts().gauges(key, now), ..reply }
    }

    /// A request that no path and method takes, or that is too long to be read.
    pub fn wrong(&self, status: u16, message: &str) -> Reply {
        if self.outage.is_on() {
            return self.unreachable();
        }
        self.counts.ended(Ending::BadRequest);
        Reply::error(self.kind(), status, &ApiError::invalid_request(message))
    }

    /// Lets a client in, whatever it is about to ask for.
    ///
    /// # Errors
    /// The reply that it gets while the provider is down, or to a key that is not served.
    pub fn enter(&self, given: Option<&str>) -> Result<KeyId, Box<Reply>> {
        if self.outage.is_on() {
            return Err(Box::new(self.unreachable()));
        }
        self.key(given).map_err(|problem| Box::new(self.key_refused(problem, given)))
    }

    fn unreachable(&self) -> Reply {
        self.counts.ended(Ending::WhileDown);
        Reply::dropped()
    }

    fn key(&self, given: Option<&str>) -> Result<KeyId, KeyProblem> {
        match (self.kind().key_header(), given) {
            (KeyHeader::ApiKey, None) => Err(KeyProblem::Missing),
            _ => self.accounts().find(given),
        }
    }

    fn key_refused(&self, problem: KeyProblem, given: Option<&str>) -> Reply {
        self.counts.ended(Ending::KeyRefused);
        refusals::key_refused(self.kind(), problem, given)
    }

    fn complete(&self, key: KeyId, request: &ChatRequest, body: &[u8], now: Instant) -> Reply {
        let task = Task::of(request);
        let work = self.work(request, &task);
        let charged = match self.options.charge {
            Charge::Output => work.output_tokens,
            Charge::Cap => request.output_cap.unwrap_or(work.output_tokens),
        };
        let admitted = self.accounts().admit(key, work.prompt_tokens.saturating_add(charged), now);
        let held = match admitted {
            Ok(held) => held,
            Err(refusal) => return self.refused(refusal, &request.model),
        };
        let Ok(place) = self.slots.join() else {
            self.counts.ended(Ending::QueueFull);
            return refusals::queue_full(self.kind());
        };
        self.counts.asked(&task);
        let (reply, ending) = self.served(key, request, body, &work);
        self.counts.ended(ending);
        Reply { after: reply.after.saturating_add(held), place: Some(place), ..reply }
    }

    fn work(&self, request: &ChatRequest, task: &Task) -> Work {
        let answer = answer(request, task, self.seed, &self.options.conduct, &self.topics);
        let wanted_tokens = tokens(&answer);
        let output_tokens = wanted_tokens.min(request.output_cap.unwrap_or(u64::MAX));
        Work { answer, prompt_tokens: prompt_tokens(request), wanted_tokens, output_tokens }
    }

    /// The reply to a request that was let in, paid for.
    fn served(
        &self,
        key: KeyId,
        request: &ChatRequest,
        body: &[u8],
        work: &Work,
    ) -> (Reply, Ending) {
        let Work { ref answer, prompt_tokens, wanted_tokens, output_tokens } = *work;
        let Live { faults, speed } = self.live();
        let nothing_fails = faults.is_empty();
        let draft = Draft {
            kind: self.kind(),
            request,
            answer,
            prompt_tokens,
            output_tokens,
            attempt: self.attempt(body, !nothing_fails || !speed.is_instant()),
            speed,
        };
        let strike = || faults.strike(draft.attempt.with(b"fault"));
        let (reply, ending, used) = match (!nothing_fails).then(strike).flatten() {
            Some(kind) => {
                let (reply, used) = draft.failing(kind);
                (reply, Ending::Fault(kind), used)
            }
            None if output_tokens < wanted_tokens => {
                (draft.cut_off(output_tokens), Ending::CutOff, output_tokens)
            }
            None => (draft.whole(), Ending::Answered, output_tokens),
        };
        self.counts.used(prompt_tokens, used);
        self.accounts().used(key, prompt_tokens, used);
        (reply, ending)
    }

    fn refused(&self, refusal: Refusal, model: &str) -> Reply {
        match refusal {
            Refusal::Limit(denial) => {
                self.counts.ended(match denial {
                    Denial::Later { metered: Metered::Requests, .. } => Ending::LimitedByRequests,
                    Denial::Later { metered: Metered::Tokens, .. } | Denial::TooLarge { .. } => {
                        Ending::LimitedByTokens
                    }
                });
                Reply::denied(self.kind(), &denial, "rate_limit_exceeded", model)
            }
            Refusal::NoQuota => {
                self.counts.ended(Ending::OutOfQuota);
                refusals::no_quota(self.kind())
            }
        }
    }

    /// The branch of chance of one attempt: the seed, the content, and how often it has come.
    fn attempt(&self, body: &[u8], depends_on_luck: bool) -> Chance {
        let content = self.seed.with(b"content").with(body);
        if !depends_on_luck {
            return content;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.entry(content.bits()).or_insert(0);
        *times += 1;
        content.with_number(u64::from(*times))
    }

    /// Makes a change, from now on.
    ///
    /// # Errors
    /// Where this provider cannot make it.
    pub fn change(&self, change: Change, by: By, now: Instant) -> Result<(), ChangeError> {
        self.options.can_change(&change)?;
        let set_rates = |set: &dyn Fn(&mut Rates)| {
            let mut accounts = self.accounts();
            let mut rates = accounts.rates();
            set(&mut rates);
            accounts.set_rates(rates, now);
        };
        match &change {
            Change::Faults(faults) => self.live_mut().faults = **faults,
            Change::Latency(latency) => self.live_mut().speed.latency = *latency,
            Change::Capacity(factor) => set_rates(&|rates| rates.capacity = *factor),
            Change::RequestsPerMinute(rate) => {
                set_rates(&|rates| rates.requests_per_minute = *rate)
            }
            Change::TokensPerMinute(rate) => set_rates(&|rates| rates.tokens_per_minute = *rate),
            Change::Slots(slots) => self.slots.set_limit(*slots),
            Change::Quota(quota) => self.accounts().change_quota(*quota),
            Change::Refuse(key) => self.accounts().refuse(key, true),
            Change::Accept(key) => self.accounts().refuse(key, false),
            Change::Down => self.outage.set(true),
            Change::Up => self.outage.set(false),
        }
        let at = now.saturating_duration_since(self.started_at);
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == CHANGES_KEPT {
            changes.remove(0);
        }
        changes.push(Made { at, change, by });
        Ok(())
    }

    /// The last changes that were made, the oldest first.
    pub fn changes(&self) -> Vec<Made> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The faults and the speed as they are now.
    pub fn live(&self) -> Live {
        *self.live_mut()
    }

    /// A branch of the seed.
    pub fn chance(&self, of: &[u8]) -> Chance {
        self.seed.with(of)
    }

    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    pub fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::FaultKind;
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
            let of = |age| {
                service.chat(Asker::default(), &body(age), Instant::now()).after.as_secs_f64()
            };
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
                total += service
                    .chat(Asker::default(), value.to_string().as_bytes(), Instant::now())
                    .after;
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
            let reply = service.chat(Asker::default(), &body(age), now);
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
}
