//! Rates that nobody has stated, or that are changed by hand, and what adaptation makes of them.

use super::{
    adaptation::{SECOND, SERVED, adapting, ask_strict, learned, spec, too_many},
    *,
};
use crate::model::{FailureKind, LimitSetBy, QuotaSaid};

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
