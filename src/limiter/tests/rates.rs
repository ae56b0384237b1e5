//! Rates are reached and never passed.

use super::*;

const ONE_TOKEN: Shape = Shape { reserved: 1, used: 1, latency: Duration::ZERO };

/// The share of `asked` that `got` is.
fn share(got: u64, asked: f64) -> f64 {
    got as f64 / asked
}

/// No span of any length holds more cells than its rate and `burst`.
fn assert_never_above(sent: &[(Duration, u64)], per_minute: u32, burst: f64) {
    let per_second = f64::from(per_minute) / 60.0;
    // For every i <= j: cells i..=j <= rate * (tj - ti) + burst. With g = cells before - rate * t
    // this is g(j) + cells(j) - min g(i <= j) <= burst.
    let (mut before, mut least) = (0.0, f64::INFINITY);
    for (at, cells) in sent {
        let drained = per_second * at.as_secs_f64();
        least = f64::min(least, before - drained);
        before += *cells as f64;
        let above = before - drained - least;
        assert!(above <= burst + 1e-3, "{above} cells above the rate at {at:?}, burst {burst}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_reached_and_never_passed() {
    for (per_minute, seconds, burst) in
        [(7, 300, 2.0), (60, 300, 2.0), (7_000, 300, 2.0), (50_000, 60, 6.0), (600_000, 10, 51.0)]
    {
        let running = start(&[limits(400, Some(per_minute), None)]);
        let span = Duration::from_secs(seconds);
        let sent = load(&running, 100, span, |_| ONE_TOKEN).await;
        let asked = f64::from(per_minute) * span.as_secs_f64() / 60.0;
        let reached = share(sent.len() as u64, asked);
        assert!((0.995..=1.001).contains(&reached), "{per_minute}/min: {reached}");

        let cells: Vec<_> = sent.iter().map(|sent| (sent.at, 1)).collect();
        assert_never_above(&cells, per_minute, burst);
        let first_minute = sent.iter().filter(|sent| sent.at < MINUTE).count();
        assert!(first_minute <= per_minute as usize, "{first_minute} in the first minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_rate_is_reached_by_what_was_really_used() {
    let per_minute = 300_000;
    let running = start(&[limits(100, None, Some(per_minute))]);
    let shape = |rng: &mut fastrand::Rng| Shape {
        reserved: rng.u64(500..1_500),
        used: rng.u64(300..1_200),
        latency: millis(rng.u64(500..2_500)),
    };
    let sent = load(&running, 200, 5 * MINUTE, shape).await;
    let used: u64 = sent.iter().map(|sent| sent.used).sum();
    let reached = share(used, 5.0 * f64::from(per_minute));
    // At the end, what is in flight is reserved and not yet corrected: a few calls of 1,700.
    assert!((0.995..=1.005).contains(&reached), "{reached}");
}

#[tokio::test(start_paused = true)]
async fn a_token_rate_is_never_passed_but_for_one_request() {
    let per_minute = 60_000;
    let running = start(&[limits(100, None, Some(per_minute))]);
    let shape = |rng: &mut fastrand::Rng| {
        let tokens = rng.u64(1..=5_000);
        Shape { reserved: tokens, used: tokens, latency: millis(100) }
    };
    let sent = load(&running, 50, 5 * MINUTE, shape).await;
    let cells: Vec<_> = sent.iter().map(|sent| (sent.at, sent.used)).collect();
    assert_never_above(&cells, per_minute, 5_000.0 + 6.0);
    let used: u64 = sent.iter().map(|sent| sent.used).sum();
    assert!(share(used, 5.0 * f64::from(per_minute)) >= 0.995);
}

#[tokio::test(start_paused = true)]
async fn of_two_rates_the_tighter_one_rules() {
    let tokens_bind = start(&[limits(100, Some(6_000), Some(60_000))]);
    let shape = |_: &mut fastrand::Rng| Shape { reserved: 1_000, used: 1_000, latency: millis(50) };
    let sent = load(&tokens_bind, 50, 5 * MINUTE, shape).await;
    assert!((298..=301).contains(&sent.len()), "{}", sent.len());

    let requests_bind = start(&[limits(100, Some(600), Some(660_000))]);
    let sent = load(&requests_bind, 50, 5 * MINUTE, shape).await;
    assert!((2_985..=3_001).contains(&sent.len()), "{}", sent.len());
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_requests_costs_no_tokens() {
    let running = start(&[limits(10, Some(6), Some(60_000))]);
    running.use_up(1).await;
    let limiter = running.limiter.clone();
    tokio::spawn(async move {
        loop {
            sleep(millis(1_000)).await;
            limiter.resume(); // has the dispatcher look again
        }
    });
    let (_permit, waited) = running.timed(30_000).await;
    assert!(waited.abs_diff(millis(10_000)) <= millis(2), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn several_endpoints_each_reach_their_rates() {
    let rates = [(Some(600), None), (Some(3_000), None), (Some(60), None), (None, Some(120_000))];
    let endpoints = rates.map(|(requests, tokens)| limits(1_000, requests, tokens));
    let running = start(&endpoints);
    let shape = |rng: &mut fastrand::Rng| Shape {
        reserved: 1_000,
        used: 1_000,
        latency: millis(rng.u64(500..2_500)),
    };
    let sent = load(&running, 2_000, 5 * MINUTE, shape).await;
    for (index, per_minute) in (0..).zip([600.0, 3_000.0, 60.0, 120.0]) {
        let count = sent.iter().filter(|sent| sent.endpoint == EndpointIndex(index)).count();
        let reached = share(count as u64, 5.0 * per_minute);
        assert!((0.995..=1.003).contains(&reached), "endpoint {index}: {reached}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_request_is_not_starved_by_small_ones() {
    let running = start(&[limits(100, None, Some(6_000))]);
    let large = |limiter: Limiter, tokens: u64| async move {
        for _ in 0.. {
            limiter.permit(request(0, tokens)).await.sent();
        }
    };
    for _ in 0..20 {
        tokio::spawn(large(running.limiter.clone(), 50));
        tokio::spawn(large(running.limiter.clone(), 1));
    }
    sleep(5 * MINUTE).await;
    // In turns, 51 tokens a pair: 100 tokens a second.
    let reading = running.reading().requests;
    assert!(reading.last_minute.abs_diff(2 * 6_000 / 51) <= 4, "{reading:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unused_permit_gives_its_rate_back() {
    let running = start(&[limits(10, Some(60), Some(60_000))]);
    running.use_up(1).await;
    for _ in 0..5 {
        let (unused, waited) = running.timed(30_000).await;
        assert!((990..=1_001).contains(&waited.as_millis()) || waited.is_zero(), "{waited:?}");
        drop(unused);
    }
    let reading = running.reading();
    assert_eq!((reading.requests.last_minute, reading.tokens.last_minute), (1, 1));
    let (mut used, waited) = running.timed(30_000).await;
    assert!(waited.is_zero(), "what the unused ones had reserved is there: {waited:?}");
    used.sent();
    drop(used);
    let (_permit, waited) = running.timed(1).await;
    assert!(waited >= millis(29_900), "what was sent counts, settled or not: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn settling_corrects_the_reservation_both_ways() {
    let running = start(&[limits(10, None, Some(60_000))]);
    for (used, next_after) in [(2_000, 2_000), (10_000, 10_000), (30_000, 30_000), (0, 0)] {
        let (permit, _) = running.timed(10_000).await;
        permit.settle(Tokens(used));
        let (next, waited) = running.timed(1).await;
        assert!(waited.abs_diff(millis(next_after)) <= millis(8), "{used}: {waited:?}");
        next.settle(Tokens(0));
    }
    assert_eq!(running.reading().tokens.last_minute, 42_000);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_out_before_a_limit_existed_is_not_refunded_to_it() {
    let running = start(&[limits(10, None, None)]);
    let (early, _) = running.timed(1_000_000).await;
    sleep(millis(1)).await;
    let set = running.limiter.set_limit(
        None,
        crate::model::LimitName::TokensPerMinute,
        Some(60_000),
        crate::model::LimitSetBy::User,
        "a test",
    );
    assert_eq!(set.unwrap().len(), 1);
    let (mut permit, _) = running.timed(10_000).await;
    permit.sent();
    early.settle(Tokens(0));
    let (_permit, waited) = running.timed(1).await;
    assert!(waited >= millis(9_990), "{waited:?}");
}
