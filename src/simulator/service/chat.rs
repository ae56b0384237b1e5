//! Chat completions: one asked for alone, with all that may stand in its way, or as a line of a
//! batch.

use super::{Asker, Live, Service};
use crate::simulator::{
    accounts::KeyId,
    answer::answer,
    draft::{Draft, tokens},
    error_body::ApiError,
    fault_kind::server_error,
    options::Charge,
    refusals,
    reply::Reply,
    request::{BadRequest, ChatRequest},
    stats::Ending,
    task::Task,
};
use tokio::time::Instant;

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{FaultKind, Options};
    use serde_json::json;
    use std::time::Duration;

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
