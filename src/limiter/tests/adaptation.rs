//! What the limiter makes of what comes back: 429s, headers, failures and late first bytes.

use super::*;
use crate::model::{
    Failure, FailureKind, Guessed, LimitName, LimitSetBy, QuotaSaid, Service, WindowSaid,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const SERVED: Outcome<'_> = Outcome::Served { first_byte: Duration::from_millis(300) };

pub(super) fn spec(name: &str, limits: Limits) -> EndpointSpec {
    EndpointSpec::new(name, "model", limits)
}

pub(super) fn guessed_rates(spec: EndpointSpec) -> EndpointSpec {
    let guessed = Guessed { slots: false, requests_per_minute: true, tokens_per_minute: true };
    EndpointSpec { guessed, ..spec }
}

/// A limiter that adapts.
pub(super) fn adapting(specs: Vec<EndpointSpec>) -> Running {
    let running = start_with(specs);
    running.limiter.set_adaptation(true);
    running.limiter.take_changes();
    running
}

pub(super) fn failure(kind: FailureKind, retry_after: Option<Duration>) -> Failure {
    Failure { retry_after, ..Failure::new(kind, "a test") }
}

pub(super) fn too_many(retry_after: Option<Duration>) -> Failure {
    failure(FailureKind::RateLimitedRequests, retry_after)
}

pub(super) fn learned(permit: &Permit, outcome: Outcome<'_>) {
    permit.learned(&Feedback { outcome, said: QuotaSaid::default() });
}

fn said(limit: u32, remaining: u64, reset: Duration) -> QuotaSaid {
    let requests =
        WindowSaid { limit: Some(limit), remaining: Some(remaining), reset: Some(reset) };
    QuotaSaid { requests, tokens: WindowSaid::default() }
}

impl Running {
    pub(super) async fn sent(&self) -> Permit {
        let mut permit = self.limiter.permit(request(0, 1)).await;
        permit.sent();
        permit
    }

    fn factor(&self) -> f64 {
        self.reading().adaptation
    }
}

/// Waits until so; a test that never gets there has failed.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        sleep(millis(10)).await;
    }
    panic!("it never came to this: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_429_cuts_once_for_all_that_was_in_flight() {
    let running = adapting(vec![spec("one", limits(10, Some(60_000), None))]);
    let mut in_flight = Vec::new();
    for _ in 0..8 {
        in_flight.push(running.sent().await);
    }
    sleep(millis(50)).await;
    let failure = too_many(None);
    for permit in &in_flight {
        learned(permit, Outcome::Limited { failure: &failure });
    }
    let once = running.factor();
    assert!((0.95..1.0).contains(&once), "{once}");
    let changes = running.limiter.take_changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (changes[0].limit, changes[0].from, changes[0].to, changes[0].set_by),
        (LimitName::RequestsPerMinute, Some(60_000), Some(59_100), LimitSetBy::Adaptation)
    );
    drop(in_flight);

    sleep(millis(1)).await;
    let later = running.sent().await;
    sleep(millis(50)).await;
    learned(&later, Outcome::Limited { failure: &failure });
    assert!(running.factor() < once * 0.95, "the next one of a streak cuts deeper");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_honoured_in_full_adapting_or_not() {
    for on in [true, false] {
        let running = adapting(vec![spec("one", limits(10, Some(6_000), None))]);
        running.limiter.set_adaptation(on);
        let first = running.sent().await;
        let second = running.sent().await;
        let wait = 30 * SECOND;
        learned(&first, Outcome::Limited { failure: &too_many(Some(wait)) });
        learned(&second, Outcome::Limited { failure: &too_many(Some(SECOND)) });
        assert!(running.reading().paused_until.is_some());
        let (_permit, waited) = running.timed(1).await;
        assert!(waited >= wait && waited <= wait + wait / 10 + millis(2), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_hold_at_once_and_old_ones_not_at_all() {
    let spec = guessed_rates(spec("one", limits(1_000, Some(60), None)));
    let running = adapting(vec![spec]);
    let (first, second) = (running.sent().await, running.sent().await);
    let (said_first, said_later) = (said(600, 599, SECOND), said(6_000, 5_999, SECOND));
    second.learned(&Feedback { outcome: SERVED, said: said_later });
    first.learned(&Feedback { outcome: SERVED, said: said_first });
    assert_eq!(running.reading().requests.limit, Some(PerMinute::clamped(6_000)));
    let changes = running.limiter.take_changes();
    let of_headers: Vec<_> =
        changes.iter().filter(|change| change.set_by == LimitSetBy::Header).collect();
    assert_eq!(of_headers.len(), 1, "{changes:?}");
    assert_eq!(of_headers[0].to, Some(6_000));
    learned(&first, Outcome::Limited { failure: &too_many(None) });
    assert_eq!(running.factor(), 1.0, "it was sent before anybody knew");
    let asked = Instant::now();
    running.use_up(990).await;
    let took = asked.elapsed();
    assert!(took.abs_diff(10 * SECOND) <= millis(200), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn where_others_have_used_all_of_it_everybody_waits() {
    let used_up = |reset| Feedback { outcome: SERVED, said: said(600, 0, reset) };
    let running = adapting(vec![spec("one", limits(100, Some(600), None))]);
    for _ in 0..40 {
        running.sent().await.learned(&Feedback { outcome: SERVED, said: said(600, 9, SECOND) });
        sleep(millis(500)).await;
    }
    let permit = running.sent().await;
    sleep(millis(200)).await;
    permit.learned(&used_up(millis(900)));
    let (_permit, waited) = running.timed(1).await;
    assert!(waited.abs_diff(millis(700)) <= millis(2), "since it was sent: {waited:?}");

    // Where our own requests use all of it, their pace is the answer.
    let running = adapting(vec![spec("one", limits(100, Some(600), None))]);
    for _ in 0..300 {
        let (mut permit, waited) = running.timed(1).await;
        permit.sent();
        assert!(waited <= millis(103), "{waited:?}");
        permit.learned(&used_up(SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_a_group_share_a_quota_and_what_is_learned_of_it() {
    let of_group = |name: &str| EndpointSpec {
        group: Some("project".to_owned()),
        ..spec(name, limits(1_000, Some(600), None))
    };
    let alone = spec("alone", limits(1_000, Some(600), None));
    let running = adapting(vec![of_group("one"), of_group("two"), alone]);
    let shape = |_: &mut fastrand::Rng| Shape { reserved: 1, used: 1, latency: millis(500) };
    let sent = load(&running, 100, MINUTE, shape).await;
    let count = |index| sent.iter().filter(|s| s.endpoint == EndpointIndex(index)).count();
    let (group, alone) = (count(0) + count(1), count(2));
    assert!(group.abs_diff(594) <= 3 && alone.abs_diff(594) <= 3, "{group} and {alone}");
    assert!(count(0) > 200 && count(1) > 200, "{} and {}", count(0), count(1));

    let mut permits = Vec::new();
    while permits.last().map(Permit::endpoint) != Some(EndpointIndex(1)) {
        permits.push(running.sent().await);
    }
    let permit = permits.pop().unwrap();
    learned(&permit, Outcome::Limited { failure: &too_many(Some(SECOND)) });
    let readings = running.limiter.meters();
    assert!(readings[0].adaptation < 1.0 && readings[0].adaptation == readings[1].adaptation);
    assert!(readings[0].paused_until.is_some() && readings[1].paused_until.is_some());
    assert!(readings[2].adaptation == 1.0 && readings[2].paused_until.is_none());
    let changes = running.limiter.take_changes();
    assert_eq!(changes.len(), 1, "a quota changes once: {changes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_learned_of_one_model_of_a_group_says_nothing_of_another() {
    let of = |name: &str, model: &str| EndpointSpec {
        group: Some("project".to_owned()),
        model: model.to_owned(),
        ..guessed_rates(spec(name, limits(100, Some(60), None)))
    };
    let running = adapting(vec![of("one", "small"), of("two", "large"), of("three", "small")]);
    let headers = |endpoint: EndpointIndex| said([600, 90, 600][endpoint.as_usize()], 9, SECOND);
    let mut asked = [0; 3];
    for _ in 0..60 {
        let permit = running.sent().await;
        asked[permit.endpoint().as_usize()] += 1;
        permit.learned(&Feedback { outcome: SERVED, said: headers(permit.endpoint()) });
    }
    assert!(asked[0] > 3 && asked[1] > 3, "{asked:?}");
    let rates: Vec<_> =
        running.limiter.meters().iter().map(|r| r.requests.limit.unwrap().get()).collect();
    assert_eq!(rates, [600, 90, 600]);
    let of_headers = running.limiter.take_changes();
    let of_headers = of_headers.iter().filter(|c| c.set_by == LimitSetBy::Header).count();
    assert_eq!(of_headers, 2, "neither wipes what the other one says");

    // The money is the project's, whatever the model.
    let broke = failure(FailureKind::QuotaExhausted, None);
    assert_eq!(running.limiter.take_out(EndpointIndex(0), &broke, true), 0);
    running.limiter.put_back();
    let later = too_many(Some(Duration::from_secs(86_400)));
    assert_eq!(running.limiter.take_out(EndpointIndex(0), &later, true), 1);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_is_passed_over_and_comes_back_by_one_request() {
    let both = [limits(4, None, None), limits(4, None, None)];
    let running = adapting(vec![spec("ill", both[0]), spec("well", both[1])]);
    let broken = failure(FailureKind::Connection, None);
    let ill = EndpointIndex(0);
    let mut failures = 0;
    while failures < 3 {
        let permit = running.sent().await;
        if permit.endpoint() == ill {
            learned(&permit, Outcome::Broken { failure: &broken });
            failures += 1;
        } else {
            learned(&permit, SERVED);
        }
    }
    let is_cooling = || matches!(running.reading().service, Service::CoolingDown { .. });
    assert!(is_cooling());
    for _ in 0..20 {
        assert_eq!(running.sent().await.endpoint(), EndpointIndex(1));
    }

    // Its pause is over: one request, however many slots there are.
    sleep(2 * SECOND).await;
    let take_all = async || {
        let mut permits = Vec::new();
        while let Ok(permit) =
            tokio::time::timeout(millis(1), running.limiter.permit(request(0, 1))).await
        {
            permits.push(permit);
        }
        permits
    };
    let mut permits = take_all().await;
    let of_ill = |permits: &[Permit]| permits.iter().filter(|p| p.endpoint() == ill).count();
    assert_eq!((permits.len(), of_ill(&permits)), (5, 1));

    let place = permits.iter().position(|permit| permit.endpoint() == ill).unwrap();
    let mut probe = permits.swap_remove(place);
    probe.sent();
    learned(&probe, Outcome::Broken { failure: &broken });
    drop(probe);
    assert!(is_cooling());
    assert_eq!(of_ill(&take_all().await), 0);

    sleep(4 * SECOND).await;
    let mut probe = running.sent().await;
    assert_eq!(probe.endpoint(), ill);
    probe.sent();
    learned(&probe, SERVED);
    drop(probe);
    assert_eq!(running.reading().service, Service::InService);
    assert_eq!(of_ill(&take_all().await), 4, "all of its slots again");
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_holds_what_was_set() {
    let spec = EndpointSpec {
        guessed: Guessed { slots: true, requests_per_minute: true, tokens_per_minute: true },
        ..spec("one", limits(5, Some(600), None))
    };
    let running = adapting(vec![spec]);
    let changes = running.limiter.take_changes();
    assert!(changes.is_empty(), "{changes:?}");
    let permit = running.sent().await;
    permit.learned(&Feedback { outcome: SERVED, said: said(60, 59, SECOND) });
    assert_eq!(running.reading().requests.limit, Some(PerMinute::clamped(60)));

    running.limiter.set_adaptation(false);
    assert!(!running.limiter.is_adapting());
    assert_eq!(running.limiter.limits(EndpointIndex(0)), Some(limits(5, Some(600), None)));
    running.limiter.take_changes();
    let overloaded = failure(FailureKind::Overloaded, None);
    permit.learned(&Feedback { outcome: SERVED, said: said(90, 0, SECOND) });
    learned(&permit, Outcome::Limited { failure: &too_many(None) });
    learned(&permit, Outcome::Overloaded { failure: &overloaded });
    drop(permit);
    let shape = |_: &mut fastrand::Rng| Shape { reserved: 1, used: 1, latency: millis(450) };
    let sent = load(&running, 20, MINUTE, shape).await;
    assert!(sent.len().abs_diff(600) <= 3, "all of it, without the margin: {}", sent.len());
    assert_eq!(running.limiter.limits(EndpointIndex(0)), Some(limits(5, Some(600), None)));
    assert!(running.limiter.take_changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn slots_that_were_guessed_grow_and_an_overload_cuts_them() {
    let spec = EndpointSpec {
        guessed: Guessed { slots: true, ..Guessed::default() },
        ..spec("one", limits(4, None, None))
    };
    let running = adapting(vec![spec]);
    let callers: Vec<_> = (0..200)
        .map(|caller| {
            let limiter = running.limiter.clone();
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(caller);
                loop {
                    let mut permit = limiter.permit(request(0, 1)).await;
                    permit.sent();
                    sleep(millis(rng.u64(300..1_100))).await;
                    learned(&permit, SERVED);
                    permit.settle(Tokens(1));
                }
            })
        })
        .collect();
    until("more slots", || running.reading().target >= 40).await;
    let permit = running.sent().await;
    let before = running.reading().target;
    let overloaded = failure(FailureKind::Overloaded, None);
    learned(&permit, Outcome::Overloaded { failure: &overloaded });
    drop(permit);
    let after = running.reading().target;
    assert!(after.abs_diff(before * 4 / 5) <= 1, "{before} became {after}");
    let changes = running.limiter.take_changes();
    let last = changes.last().unwrap();
    assert_eq!((last.limit, last.to), (LimitName::Slots, Some(after)));
    until("fewer in flight", || running.held() <= after).await;
    for caller in callers {
        caller.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_was_set_is_a_ceiling_while_the_other_one_is_found_out_about() {
    let spec = EndpointSpec {
        guessed: Guessed { requests_per_minute: true, ..Guessed::default() },
        ..spec("one", limits(1_000, Some(60), Some(6_000)))
    };
    let running = adapting(vec![spec]);
    let shape = |_: &mut fastrand::Rng| Shape { reserved: 10, used: 10, latency: millis(300) };
    load(&running, 200, MINUTE, shape).await;
    let reading = running.reading();
    assert_eq!(reading.tokens.limit, Some(PerMinute::clamped(6_000)));
    assert!(reading.requests.limit > Some(PerMinute::clamped(500)), "{reading:?}");
    assert!(reading.tokens.now <= 6_000.0 * 1.02, "{reading:?}");
}

/// A provider that lets in so many units a second, and no more than a second's worth at once.
pub(super) struct Strict {
    per_second: f64,
    level: f64,
    at: Instant,
    pub(super) denied: u32,
    pub(super) let_in: f64,
}

impl Strict {
    fn admit(&mut self, units: f64) -> Result<(), Duration> {
        let now = Instant::now();
        let gained = (now - self.at).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(self.per_second);
        self.at = now;
        if self.level < units {
            self.denied += 1;
            return Err(Duration::from_secs_f64((units - self.level) / self.per_second));
        }
        self.level -= units;
        self.let_in += units;
        Ok(())
    }
}

/// Keeps callers wanting `running`'s only endpoint, behind which there is a [`Strict`] provider.
pub(super) fn ask_strict(
    running: &Running,
    per_second: f64,
    kind: FailureKind,
) -> Arc<Mutex<Strict>> {
    let strict =
        Strict { per_second, level: per_second, at: Instant::now(), denied: 0, let_in: 0.0 };
    let strict = Arc::new(Mutex::new(strict));
    for caller in 0..60 {
        let (limiter, strict) = (running.limiter.clone(), Arc::clone(&strict));
        tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(caller);
            loop {
                let used = rng.u64(50..=150);
                let units = if kind == FailureKind::RateLimitedTokens { used as f64 } else { 1.0 };
                let mut permit = limiter.permit(request(0, 100)).await;
                permit.sent();
                sleep(millis(rng.u64(20..30))).await;
                let verdict = strict.lock().unwrap().admit(units);
                match verdict {
                    Ok(()) => {
                        sleep(millis(rng.u64(200..1_500))).await;
                        learned(&permit, SERVED);
                        permit.settle(Tokens(used));
                    }
                    Err(wait) => {
                        let failure = failure(kind, Some(wait));
                        learned(&permit, Outcome::Limited { failure: &failure });
                        drop(permit);
                        sleep(wait + millis(rng.u64(0..500))).await;
                    }
                }
            }
        });
    }
    strict
}

#[tokio::test(start_paused = true)]
async fn a_capacity_that_falls_and_comes_back_is_found() {
    for (kind, limits, per_second) in [
        (FailureKind::RateLimitedRequests, limits(60, Some(600), None), 10.0),
        (FailureKind::RateLimitedTokens, limits(60, None, Some(60_000)), 1_000.0),
    ] {
        let running = adapting(vec![spec("one", limits)]);
        let strict = ask_strict(&running, per_second, kind);
        let let_in_during = async |seconds: u32| {
            let before = strict.lock().unwrap().let_in;
            sleep(seconds * SECOND).await;
            let strict = strict.lock().unwrap();
            (strict.let_in - before) / (strict.per_second * f64::from(seconds))
        };
        let used = let_in_during(60).await;
        assert!(used > 0.97 && running.factor() == 1.0, "{kind}: {used}");
        assert_eq!(strict.lock().unwrap().denied, 0, "{kind}");

        strict.lock().unwrap().per_second = per_second / 2.0;
        sleep(30 * SECOND).await;
        let used = let_in_during(120).await;
        assert!(used > 0.93, "{kind}: {used} of half");
        let denied = strict.lock().unwrap().denied;
        assert!(denied < 35, "{kind}: {denied} in 750 and more");

        strict.lock().unwrap().per_second = per_second;
        sleep(30 * SECOND).await;
        let used = let_in_during(60).await;
        assert!(used > 0.95, "{kind}: {used} of all of it again");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_endpoints_on_probation_is_served_as_soon_as_one_is_well() {
    let running =
        adapting(vec![spec("one", limits(5, None, None)), spec("two", limits(5, None, None))]);
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(running.sent().await);
    }
    // Three failures in a row each, while two calls of each are still on their way.
    let broken = failure(FailureKind::ServerError, None);
    let mut failed = [0, 0];
    held.retain(|permit| {
        let count = &mut failed[permit.endpoint().as_usize()];
        *count += 1;
        if *count <= 3 {
            learned(permit, Outcome::Broken { failure: &broken });
        }
        *count > 3
    });
    assert_eq!(held.len(), 4);
    sleep(5 * SECOND).await;
    let limiter = running.limiter.clone();
    let waiting = tokio::spawn(async move { limiter.permit(request(7, 1)).await });
    sleep(SECOND).await;
    assert!(!waiting.is_finished(), "both are on probation and busy");
    let old = held.pop().unwrap();
    let endpoint = old.endpoint();
    learned(&old, SERVED);
    old.settle(Tokens(1));
    let permit = tokio::time::timeout(SECOND, waiting).await.expect("it is served").unwrap();
    assert_eq!(permit.endpoint(), endpoint);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_mends_need_not_wait_for_what_the_provider_asked() {
    let running = adapting(vec![spec("one", limits(5, None, None))]);
    let permit = running.sent().await;
    let later = too_many(Some(Duration::from_secs(86_400)));
    learned(&permit, Outcome::Limited { failure: &later });
    running.limiter.take_out(EndpointIndex(0), &later, true);
    drop(permit);
    assert_eq!(running.limiter.put_back(), 1);
    let asked = running.limiter.permit(request(1, 1));
    drop(tokio::time::timeout(SECOND, asked).await.expect("it is asked again"));
}
