//! Rates that nobody has stated, or that are changed by hand, and what adaptation makes of them.

use super::{
    adaptation::{SECOND, SERVED, adapting, ask_strict, guessed_rates, learned, spec, too_many},
    *,
};
use crate::model::{Failure, FailureKind, Guessed, LimitName, LimitSetBy, PerMinute, QuotaSaid};

/// Nobody states a limit, and the first 429 comes when there is next to nothing to guess it by.
#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_states_is_found_shown_as_found_and_outgrown() {
    let running = adapting(vec![spec("one", limits(200, None, None))]);
    let permit = running.sent().await;
    sleep(60 * SECOND).await;
    learned(&permit, Outcome::Limited { failure: &too_many(None) });
    drop(permit);
    let reading = running.reading();
    assert!(reading.requests.limit.is_some() && reading.requests.found, "{reading:?}");
    assert_eq!(reading.requests.configured, None, "nobody has set it");
    let changes = running.limiter.take_changes();
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((change.from, change.set_by), (None, LimitSetBy::Adaptation));
    assert!(change.reason.ends_with("a guess, by what was let in"), "{}", change.reason);

    let kind = FailureKind::RateLimitedRequests;
    let strict = ask_strict(&running, 50.0, kind);
    sleep(4 * MINUTE).await;
    let before = strict.lock().unwrap().let_in;
    sleep(MINUTE).await;
    let (let_in, denied) = {
        let strict = strict.lock().unwrap();
        ((strict.let_in - before) / 3_000.0, strict.denied)
    };
    assert!(let_in > 0.9, "{let_in} of what the provider serves, {:?}", running.reading());
    assert!(denied < 100, "{denied} turned down on the way");

    running.limiter.set_adaptation(false);
    assert_eq!(running.limiter.limits(EndpointIndex(0)), Some(limits(200, None, None)));
}

#[tokio::test(start_paused = true)]
async fn a_guess_rests_on_the_last_minute_and_not_on_a_moment() {
    let running = adapting(vec![spec("one", limits(200, None, None))]);
    for _ in 0..400 {
        running.sent().await.learned(&Feedback { outcome: SERVED, said: QuotaSaid::default() });
        sleep(millis(100)).await;
    }
    sleep(16 * SECOND).await;
    let permit = running.sent().await;
    learned(&permit, Outcome::Limited { failure: &too_many(None) });
    let reading = running.reading();
    let limit = reading.requests.limit.unwrap().get();
    assert!((250..=400).contains(&limit), "65 % of 400 in the last minute: {reading:?}");
}

/// Both rates follow one factor, and each is set alone.
#[tokio::test(start_paused = true)]
async fn a_rate_set_by_hand_leaves_the_other_one_alone() {
    use LimitName::{RequestsPerMinute, TokensPerMinute};
    for (set, other, to) in
        [(RequestsPerMinute, TokensPerMinute, 200), (TokensPerMinute, RequestsPerMinute, 20_000)]
    {
        let running = adapting(vec![spec("one", limits(50, Some(600), Some(60_000)))]);
        let cut = async || {
            let permit = running.sent().await;
            sleep(millis(50)).await;
            learned(&permit, Outcome::Limited { failure: &too_many(None) });
        };
        for _ in 0..4 {
            cut().await;
        }
        let in_force = |limit| {
            let limits = running.limiter.limits(EndpointIndex(0)).unwrap();
            limits.get(limit).unwrap()
        };
        let held = in_force(other);
        let (factor, before) = (running.reading().adaptation, in_force(set));
        assert!(factor < 0.7, "{factor}");
        running.limiter.take_changes();

        let changes =
            running.limiter.set_limit(None, set, Some(to), LimitSetBy::User, "a test").unwrap();
        let [change] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((change.limit, change.from, change.to), (set, Some(before), Some(to)));
        assert_eq!((in_force(set), in_force(other)), (to, held), "{set:?}");
        assert_eq!(running.reading().adaptation, factor, "what was learned stays");
        assert!(running.limiter.take_changes().is_empty(), "nothing else has moved");

        // Both go on following what comes back, and every move has an author and a reason.
        cut().await;
        assert!(in_force(set) < to && in_force(other) < held);
        let changes = running.limiter.take_changes();
        assert_eq!(changes.len(), 2, "{changes:?}");
        for change in changes {
            assert_eq!(change.set_by, LimitSetBy::Adaptation);
            assert!(!change.reason.is_empty());
            assert_eq!(change.to, Some(in_force(change.limit)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_guess_set_by_hand_leaves_what_was_found_of_the_other_one() {
    let spec = EndpointSpec {
        guessed: Guessed {
            requests_per_minute: true,
            tokens_per_minute: true,
            ..Guessed::default()
        },
        ..spec("one", limits(1_000, Some(60), Some(60_000)))
    };
    let running = adapting(vec![spec]);
    let shape = |_: &mut fastrand::Rng| Shape { reserved: 10, used: 10, latency: millis(300) };
    load(&running, 200, 20 * SECOND, shape).await;
    let found = running.reading();
    assert!(found.adaptation > 4.0, "{found:?}");
    for (limit, to) in [(LimitName::RequestsPerMinute, 300), (LimitName::TokensPerMinute, 50_000)] {
        let before = running.limiter.limits(EndpointIndex(0)).unwrap();
        running.limiter.set_limit(None, limit, Some(to), LimitSetBy::User, "a test").unwrap();
        let mut expected = before;
        expected.set(limit, Some(to));
        assert_eq!(running.limiter.limits(EndpointIndex(0)), Some(expected));
    }
    assert_eq!(running.reading().adaptation, 1.0, "all is known");
}

/// Nobody was let in, so nobody was turned away either.
#[tokio::test(start_paused = true)]
async fn calls_that_break_are_no_sign_of_room() {
    let guess = || guessed_rates(spec("one", limits(200, Some(50), None)));
    let running = adapting(vec![guess()]);
    let failure = Failure::new(FailureKind::Connection, "refused");
    for _ in 0..50 {
        learned(&running.sent().await, Outcome::Broken { failure: &failure });
        sleep(SECOND).await;
    }
    assert_eq!(running.reading().requests.limit.map(PerMinute::get), Some(50));
    let running = adapting(vec![guess()]);
    for _ in 0..50 {
        learned(&running.sent().await, SERVED);
        sleep(SECOND).await;
    }
    assert!(running.reading().requests.limit.is_some_and(|limit| limit.get() > 50));
}
