//! From a request to its reply: the whole provider but for the network.

use super::{
    Options,
    accounts::{Accounts, KeyId, KeyProblem, Rates, Refusal},
    answer::answer,
    chance::Chance,
    change::{Change, ChangeError},
    draft::{Draft, tokens},
    error_body::ApiError,
    faults::Faults,
    form::Form,
    kind::{KeyHeader, Kind},
    limits::{Denial, Metered},
    options::Charge,
    outage::Outage,
    pace::Pace,
    refusals,
    remembered::Remembered,
    reply::Reply,
    request::ChatRequest,
    slots::Slots,
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
}

/// What can change from one request to the next.
#[derive(Clone, Copy)]
pub struct Live {
    pub faults: Faults,
    pub pace: Pace,
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

impl Service {
    /// Starts with everything unused.
    pub fn new(options: Options, now: Instant) -> Self {
        let rates = Rates {
            requests_per_minute: options.requests_per_minute,
            tokens_per_minute: options.tokens_per_minute,
            capacity: 1.0,
        };
        let (keys, quota) = (options.keys.clone(), options.quota);
        let pace = Pace { latency: options.latency, tokens_per_second: options.tokens_per_second };
        Self {
            started_at: now,
            seed: Chance::new(options.seed),
            live: Mutex::new(Live { faults: options.faults, pace }),
            accounts: Mutex::new(Accounts::new(keys, options.limit_shape, rates, quota, now)),
            slots: Arc::new(Slots::new(options.slots, options.queue)),
            outage: Outage::default(),
            seen: Mutex::default(),
            forms: Remembered::default(),
            topics: Remembered::default(),
            changes: Mutex::default(),
            counts: Arc::default(),
            options,
        }
    }

    const fn kind(&self) -> Kind {
        self.options.kind
    }

    /// A chat completion.
    pub fn chat(&self, asker: Asker<'_>, body: &[u8], now: Instant) -> Reply {
        if self.outage.is_on() {
            return self.unreachable();
        }
        let key = match self.key(asker.key) {
            Ok(key) => key,
            Err(problem) => return self.key_refused(problem, asker.key),
        };
        let dialect = self.options.dialect;
        let reply = match ChatRequest::parse(body, asker.deployment, dialect, &self.forms) {
            Ok(request) => self.complete(key, &request, body, now),
            Err(bad) => {
                self.counts.ended(Ending::BadRequest);
                let error = ApiError {
                    param: bad.param,
                    code: bad.code,
                    ..ApiError::invalid_request(&bad.message)
                };
                Reply::error(self.kind(), 400, &error)
            }
        };
        Reply { gauges: self.accounts().gauges(key, now), ..reply }
    }

    /// The list of models.
    pub fn models(&self, asker: Asker<'_>, now: Instant) -> Reply {
        if self.outage.is_on() {
            return self.unreachable();
        }
        let key = match self.key(asker.key) {
            Ok(key) => key,
            Err(problem) => return self.key_refused(problem, asker.key),
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
        let answer = answer(request, &task, self.seed, &self.options.conduct, &self.topics);
        let prompt_tokens: u64 = request.messages.iter().map(|m| tokens(&m.text)).sum();
        let wanted_tokens = tokens(&answer);
        let output_tokens = wanted_tokens.min(request.output_cap.unwrap_or(u64::MAX));
        let charged = match self.options.charge {
            Charge::Output => output_tokens,
            Charge::Cap => request.output_cap.unwrap_or(output_tokens),
        };
        let admitted = self.accounts().admit(key, prompt_tokens.saturating_add(charged), now);
        let held = match admitted {
            Ok(held) => held,
            Err(refusal) => return self.refused(refusal, request),
        };
        let Ok(place) = self.slots.join() else {
            self.counts.ended(Ending::QueueFull);
            return refusals::queue_full(self.kind());
        };
        self.counts.asked(&task);
        let Live { faults, pace } = self.live();
        let nothing_fails = faults.is_empty();
        let draft = Draft {
            kind: self.kind(),
            request,
            answer: &answer,
            prompt_tokens,
            output_tokens,
            attempt: self.attempt(body, !nothing_fails || !pace.is_instant()),
            pace,
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
        self.counts.ended(ending);
        self.counts.used(prompt_tokens, used);
        self.accounts().used(key, prompt_tokens, used);
        Reply { after: reply.after.saturating_add(held), place: Some(place), ..reply }
    }

    fn refused(&self, refusal: Refusal, request: &ChatRequest) -> Reply {
        match refusal {
            Refusal::Limit(denial) => {
                self.counts.ended(match denial {
                    Denial::Later { metered: Metered::Requests, .. } => Ending::LimitedByRequests,
                    Denial::Later { metered: Metered::Tokens, .. } | Denial::TooLarge { .. } => {
                        Ending::LimitedByTokens
                    }
                });
                Reply::denied(self.kind(), &denial, "rate_limit_exceeded", &request.model)
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
            Change::Latency(latency) => self.live_mut().pace.latency = *latency,
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

    /// The faults and the pace as they are now.
    pub fn live(&self) -> Live {
        *self.live_mut()
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
