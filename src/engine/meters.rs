//! The numbers of a run that the limiter does not count: failures, latency, pace, tokens.

use super::ledger::Books;
use crate::{
    limiter::{EndpointReading, Limiter},
    model::{
        AnalysisMeter, Answer, Attempt, Failure, FailureKind, Judge, PersonaIndex, Score, Step,
        StepEvent, UnixMillis, Usd,
    },
    protocol::{
        BatchMeters, CallSize, Distribution, EndpointMeters, FailureTally, LatencySummary, Meters,
        MoneyMeter, RateMeter, RateSample, ScoreMeter, SlotMeter, TokenTotals,
    },
};
use hdrhistogram::Histogram;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// The pace is taken over this many seconds.
const PACE_SECONDS: usize = 60;

/// Latency is counted from 1 ms to an hour with two digits: 3 per cent off at most, in 20 kB.
const LATENCY_MAX_MS: u64 = 3_600_000;

/// A clock that stands still while a run is over but still looked at.
enum RunClock {
    Running { since: Instant, before: Duration },
    Stopped(Duration),
}

/// Counts what happens in a run.
pub(super) struct RunMeters {
    clock: RunClock,
    latency: Histogram<u32>,
    failures: BTreeMap<FailureKind, FailureTally>,
    tokens: TokenTotals,
    /// Attempts whose tokens the provider counted.
    counted: u64,
    terms: Terms,
    last_success: Option<UnixMillis>,
    /// Interviews that ended in each of the last seconds, the current one last.
    ended: VecDeque<u32>,
    failures_this_second: u32,
    failed_since_success: u64,
    /// Calls that were answered without being sent.
    from_cache: u64,
    /// Verdicts that were taken over from answers like them.
    similar: u64,
    /// Of the answers on disk.
    pub distribution: Distribution,
    /// Of answers that are not on disk yet: there are only so many of them.
    unsaved: HashMap<PersonaIndex, Numbers>,
}

/// What the distribution counts of an answer.
struct Numbers {
    weight: Option<f64>,
    scores: Vec<Option<Score>>,
}

/// What does not change during a run, and readings need.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    pub output_cap: u32,
    pub cap_is_charged: bool,
    /// Every endpoint has a price.
    pub priced: bool,
}

/// What the supervisor knows at the moment of a reading.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub limiter: &'a Limiter,
    pub books: Books,
    /// Interviews that are over, and those that are not.
    pub over: u32,
    pub left: u32,
    pub unsaved: u32,
    pub nothing_since: Option<UnixMillis>,
    pub analysis: Option<AnalysisMeter>,
    pub batches: &'a BatchMeters,
}

impl RunMeters {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            counted: 0,
            clock: RunClock::Running { since: Instant::now(), before: Duration::ZERO },
            latency: Histogram::new_with_bounds(1, LATENCY_MAX_MS, 2)
                .expect("the bounds are in order and two digits are allowed"),
            failures: BTreeMap::new(),
            tokens: TokenTotals::default(),
            last_success: None,
            ended: VecDeque::from([0]),
            failures_this_second: 0,
            failed_since_success: 0,
            from_cache: 0,
            similar: 0,
            distribution: Distribution::default(),
            unsaved: HashMap::new(),
        }
    }

    /// How long the run has been going on, without the time that it was over.
    pub(super) fn elapsed(&self) -> Duration {
        match self.clock {
            RunClock::Running { since, before } => before + since.elapsed(),
            RunClock::Stopped(elapsed) => elapsed,
        }
    }

    /// The run is over.
    pub(super) fn stop_clock(&mut self) {
        self.clock = RunClock::Stopped(self.elapsed());
    }

    /// The run goes on after all. Its pace is taken anew: what ended before it was over says
    /// nothing of it.
    pub(super) fn restart_clock(&mut self) {
        self.clock = RunClock::Running { since: Instant::now(), before: self.elapsed() };
        self.ended = VecDeque::from([0]);
    }

    /// How long it has been going on since it last began to.
    fn running(&self) -> Duration {
        match self.clock {
            RunClock::Running { since, .. } => since.elapsed(),
            RunClock::Stopped(elapsed) => elapsed,
        }
    }

    pub(super) const fn last_success(&self) -> Option<UnixMillis> {
        self.last_success
    }

    /// Attempts that failed since one gave an answer.
    pub(super) const fn failed_since_success(&self) -> u64 {
        self.failed_since_success
    }

    /// Counts an attempt. One that was not sent says nothing of any provider.
    pub(super) fn attempted(&mut self, attempt: &Attempt) {
        if attempt.from_cache {
            self.from_cache += 1;
            return;
        }
        if let Some(usage) = &attempt.usage {
            self.tokens.prompt += usage.prompt_tokens;
            self.tokens.completion += usage.completion_tokens;
            self.tokens.cached += usage.cached_tokens;
            // One that was not run says nothing about how large calls are.
            self.counted += u64::from(usage.prompt_tokens > 0);
        }
        match &attempt.failure {
            // A line of a batch was on no wire, and its hours in a queue are no latency.
            None if attempt.timing.on_the_wire.is_zero() => {
                self.last_success = Some(UnixMillis::now());
                self.failed_since_success = 0;
            }
            None => {
                let ms = u64::try_from(attempt.timing.on_the_wire.as_millis()).unwrap_or(u64::MAX);
                self.latency.saturating_record(ms.max(1));
                self.last_success = Some(UnixMillis::now());
                self.failed_since_success = 0;
            }
            Some(failure) => {
                self.failures_this_second += 1;
                self.failed_since_success += 1;
                let wire_ms = i64::try_from(attempt.timing.on_the_wire.as_millis()).unwrap_or(0);
                let at = UnixMillis(attempt.sent_at.0 + wire_ms);
                let tally = self.tally(failure, attempt.persona);
                tally.attempts += 1;
                tally.last_at = at;
                tally.last_persona = attempt.persona;
                tally.last_message.clone_from(&failure.message);
            }
        }
    }

    /// Counts what happened in an interview.
    pub(super) fn stepped(&mut self, steps: &[Step]) {
        let borrowed = |step: &&Step| {
            matches!(step.event, StepEvent::Judged { by: Judge::Similar { .. }, .. })
        };
        self.similar += steps.iter().filter(borrowed).count() as u64;
    }

    /// Counts a persona that failed for good.
    pub(super) fn failed(&mut self, failure: &Failure, persona: PersonaIndex) {
        self.tally(failure, persona).personas += 1;
    }

    /// Those who failed for good are asked again.
    pub(super) fn forget_failed(&mut self) {
        for tally in self.failures.values_mut() {
            tally.personas = 0;
        }
    }

    fn tally(&mut self, failure: &Failure, persona: PersonaIndex) -> &mut FailureTally {
        self.failures.entry(failure.kind).or_insert_with(|| FailureTally {
            kind: failure.kind,
            attempts: 0,
            personas: 0,
            last_at: UnixMillis::now(),
            last_persona: persona,
            last_message: failure.message.clone(),
        })
    }

    /// Takes in an answer, to be counted when it is on disk.
    pub(super) fn answered(&mut self, persona: PersonaIndex, weight: Option<f64>, answer: &Answer) {
        let dimensions = self.distribution.scores.iter().skip(1);
        let score = |meter: &ScoreMeter| {
            answer.impacts.iter().find(|(key, _)| *key == meter.key).map(|(_, score)| *score)
        };
        let scores = std::iter::once(Some(answer.support_level)).chain(dimensions.map(score));
        self.unsaved.insert(persona, Numbers { weight, scores: scores.collect() });
    }

    /// Counts an interview that is over and on disk.
    pub(super) fn ended(&mut self, persona: PersonaIndex) {
        if let Some(Numbers { weight, scores }) = self.unsaved.remove(&persona) {
            self.distribution.count(weight, scores);
        }
        if let Some(now) = self.ended.back_mut() {
            *now += 1;
        }
    }

    /// A second has passed.
    pub(super) fn sample(&mut self, limiter: &Limiter) -> RateSample {
        self.ended.push_back(0);
        if self.ended.len() > PACE_SECONDS {
            self.ended.pop_front();
        }
        let readings = limiter.meters();
        // Charts are drawn: a rate of 16 million a minute may be off by one.
        #[expect(clippy::cast_possible_truncation, reason = "a chart needs no more")]
        let sum = |rate: fn(&EndpointReading) -> f64| readings.iter().map(rate).sum::<f64>() as f32;
        RateSample {
            requests: sum(|reading| reading.requests.now),
            tokens: sum(|reading| reading.tokens.now),
            in_flight: readings.iter().map(|reading| reading.held).sum(),
            failures: std::mem::take(&mut self.failures_this_second),
        }
    }

    /// All numbers now.
    pub(super) fn read(&self, now: &Moment<'_>) -> Meters {
        let Moment { limiter, books, over, left, unsaved, nothing_since, analysis, batches } = *now;
        let per_minute = self.per_minute();
        Meters {
            elapsed: self.elapsed(),
            endpoints: limiter.meters().into_iter().map(endpoint_meters).collect(),
            money: self.terms.priced.then(|| money(&books, over, left)),
            nothing_since,
            adapting: limiter.is_adapting(),
            finished_per_minute: per_minute,
            // Batches come back in one piece, and nobody knows when.
            remaining: (per_minute > 0.0 && batches.open().next().is_none())
                .then(|| Duration::try_from_secs_f64(f64::from(left) / per_minute * 60.0).ok())
                .flatten(),
            unsaved,
            analysis,
            batches: batches.clone(),
            ..self.totals()
        }
    }

    /// What adds up over a run, without what is true of this moment only.
    pub(super) fn totals(&self) -> Meters {
        let mut failures: Vec<_> = self.failures.values().cloned().collect();
        failures.sort_by_key(|tally| std::cmp::Reverse(tally.attempts));
        Meters {
            failures,
            latency: LatencySummary {
                count: self.latency.len(),
                p50: self.quantile(0.5),
                p90: self.quantile(0.9),
                p99: self.quantile(0.99),
            },
            tokens: self.tokens,
            calls: self.call_size(),
            last_success: self.last_success,
            from_cache: self.from_cache,
            similar: self.similar,
            distribution: self.distribution.clone(),
            ..Meters::default()
        }
    }

    /// Interviews that ended a minute. The current second is not over, so its part is counted by
    /// the clock and not as a whole one.
    fn per_minute(&self) -> f64 {
        let seconds = self.running().as_secs_f64().clamp(1.0, 60.0);
        f64::from(self.ended.iter().sum::<u32>()) * 60.0 / seconds
    }

    fn call_size(&self) -> CallSize {
        let mean =
            |sum: u64| if self.counted == 0 { 0.0 } else { sum as f64 / self.counted as f64 };
        CallSize {
            prompt: mean(self.tokens.prompt),
            output: mean(self.tokens.completion),
            output_cap: self.terms.output_cap,
            cap_is_charged: self.terms.cap_is_charged,
        }
    }

    fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_millis(self.latency.value_at_quantile(quantile))
    }
}

/// The projection takes what an interview has cost so far for what the others will.
fn money(books: &Books, over: u32, left: u32) -> MoneyMeter {
    let Books { budget, spent, reserved } = *books;
    let all = u128::from(over) + u128::from(left);
    let projected = (u128::from(spent.picos()) * all).checked_div(u128::from(over));
    let projected =
        projected.map(|picos| Usd::from_picos(u64::try_from(picos).unwrap_or(u64::MAX)));
    MoneyMeter { spent, reserved, projected, budget }
}

fn endpoint_meters(reading: EndpointReading) -> EndpointMeters {
    let rate = |rate: crate::limiter::RateReading| RateMeter {
        now: rate.now,
        last_minute: rate.last_minute,
        limit: rate.limit,
        configured: rate.configured,
        found: rate.found,
    };
    EndpointMeters {
        name: reading.name,
        model: reading.model,
        slots: SlotMeter {
            held: reading.held,
            target: reading.target,
            waiting: reading.waiting,
            configured: reading.configured_slots,
        },
        requests: rate(reading.requests),
        tokens: rate(reading.tokens),
        paused_until: reading.paused_until,
        group: reading.group,
        service: reading.service,
        answered: reading.answered,
        failed: reading.failed,
        adaptation: reading.adaptation,
        first_byte: reading.first_byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_that_goes_on_has_a_pace_of_its_own() {
        let mut meters = RunMeters::new(Terms::default());
        tokio::time::advance(Duration::from_secs(600)).await;
        (0..50).for_each(|n| meters.ended(PersonaIndex(n)));
        assert!((meters.per_minute() - 50.0).abs() < 1e-9);
        meters.stop_clock();
        tokio::time::advance(Duration::from_secs(3_600)).await;
        meters.restart_clock();
        assert!(meters.per_minute() < 1e-9, "{}", meters.per_minute());
        tokio::time::advance(Duration::from_secs(6)).await;
        meters.ended(PersonaIndex(50));
        assert!((meters.per_minute() - 10.0).abs() < 1e-9, "{}", meters.per_minute());
        assert_eq!(meters.elapsed(), Duration::from_secs(606));
    }
}
