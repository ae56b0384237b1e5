//! Slots are never exceeded, and a slot is held by requests in flight alone.

use super::*;
use crate::model::{Failure, FailureKind, LimitName, LimitSetBy, QuotaSaid};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

fn set_slots(limiter: &Limiter, to: u32) {
    limiter.set_limit(None, LimitName::Slots, Some(to), LimitSetBy::User, "a test").unwrap();
}

#[tokio::test(start_paused = true)]
async fn growth_holds_at_once_and_a_shrink_as_calls_end() {
    let running = start(&[limits(2, None, None)]);
    let (limiter, end_one) = (running.limiter.clone(), Arc::new(tokio::sync::Notify::new()));
    for persona in 0..10 {
        let (limiter, end_one) = (limiter.clone(), Arc::clone(&end_one));
        tokio::spawn(async move {
            let permit = limiter.permit(request(persona, 1)).await;
            end_one.notified().await;
            permit.settle(Tokens(1));
        });
    }
    sleep(millis(1)).await;
    let now = || {
        let reading = running.reading();
        (reading.held, reading.target, reading.waiting)
    };
    assert_eq!(now(), (2, 2, 8));
    set_slots(&limiter, 6);
    sleep(millis(1)).await;
    assert_eq!(now(), (6, 6, 4));
    set_slots(&limiter, 3);
    for held in [6, 5, 4, 3] {
        sleep(millis(1)).await;
        assert_eq!(now(), (held, 3, 4));
        end_one.notify_one();
    }
    sleep(millis(1)).await;
    assert_eq!(now(), (3, 3, 3), "below the new target, an end lets the next one go");
    assert_eq!(limiter.slots_total(), 3);
}

/// What a server asks of one call when it has too much, it means for all.
#[tokio::test(start_paused = true)]
async fn a_server_that_has_too_much_is_left_alone_for_a_bounded_time() {
    let overloaded = |retry_after: Option<u64>| Failure {
        retry_after: retry_after.map(Duration::from_secs),
        ..Failure::new(FailureKind::Overloaded, "a test")
    };
    for (asked, least, most) in [(None, 0, 0), (Some(20), 20, 22), (Some(3_600), 30, 30)] {
        let running = start(&[limits(10, None, None)]);
        let (mut permit, _) = running.timed(1).await;
        permit.sent();
        let failure = overloaded(asked);
        let outcome = Outcome::Overloaded { failure: &failure };
        permit.learned(&Feedback { outcome, said: QuotaSaid::default() });
        drop(permit);
        assert_eq!(running.reading().paused_until.is_some(), asked.is_some());
        let (_permit, waited) = running.timed(1).await;
        let span = Duration::from_secs(least)..=Duration::from_secs(most) + millis(2);
        assert!(span.contains(&waited), "{asked:?}: {waited:?}");
        assert_eq!(running.reading().paused_until, None);
    }

    // Another endpoint takes over, whether it shares the quota or not.
    let of_group = |name: &str| EndpointSpec {
        group: Some("project".to_owned()),
        ..EndpointSpec::new(name, "model", limits(5, Some(6_000), None))
    };
    let running = start_with(vec![of_group("one"), of_group("two")]);
    let mut permit = running.limiter.permit(request(0, 1)).await;
    permit.sent();
    let (busy, failure) = (permit.endpoint(), overloaded(Some(20)));
    let outcome = Outcome::Overloaded { failure: &failure };
    permit.learned(&Feedback { outcome, said: QuotaSaid::default() });
    for _ in 0..20 {
        let (permit, waited) = running.timed(1).await;
        assert!(permit.endpoint() != busy && waited < millis(100), "{waited:?}");
    }
}

/// The rule of the experiment that this limiter replaces: a slot taken first, and held through
/// the wait for rate, left 40 of 60 slots idle and showed them as taken.
#[tokio::test(start_paused = true)]
async fn nothing_holds_a_slot_while_it_waits_for_rate() {
    let running = start(&[limits(60, Some(600), Some(200_000))]);
    let in_flight = Arc::new(AtomicU32::new(0));
    for persona in 0..200 {
        let (limiter, in_flight) = (running.limiter.clone(), Arc::clone(&in_flight));
        tokio::spawn(async move {
            loop {
                let mut permit = limiter.permit(request(persona, 300)).await;
                permit.sent();
                in_flight.fetch_add(1, Ordering::Relaxed);
                sleep(millis(500)).await;
                in_flight.fetch_sub(1, Ordering::Relaxed);
                permit.settle(Tokens(300));
            }
        });
    }
    let (mut sum, samples) = (0, 6_000);
    for _ in 0..samples {
        sleep(millis(10)).await;
        let held = running.held();
        assert_eq!(held, in_flight.load(Ordering::Relaxed));
        sum += held;
    }
    let mean = f64::from(sum) / f64::from(samples);
    assert!((mean - 5.0).abs() < 0.1, "10 requests a second of 0.5 s each: {mean}");
}

/// The same with real threads: no wake-up is lost and no slot, whoever gives up when.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_race_lose_no_slot_and_no_wake_up() {
    let slots = 3;
    let running = start(&[limits(slots, None, Some(1_000_000_000))]);
    let in_flight = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..40)
        .map(|caller| {
            let (limiter, in_flight) = (running.limiter.clone(), Arc::clone(&in_flight));
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(u64::from(caller));
                for _ in 0..500 {
                    let asked = limiter.permit(request(caller, 1));
                    let patience = Duration::from_micros(rng.u64(0..300));
                    let permit = match rng.bool() {
                        true => asked.await,
                        false => match tokio::time::timeout(patience, asked).await {
                            Ok(permit) => permit,
                            Err(_) => continue,
                        },
                    };
                    assert!(in_flight.fetch_add(1, Ordering::SeqCst) < slots);
                    tokio::task::yield_now().await;
                    in_flight.fetch_sub(1, Ordering::SeqCst);
                    match rng.u8(0..3) {
                        0 => permit.settle(Tokens(2)),
                        _ => drop(permit),
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        tokio::time::timeout(MINUTE, caller).await.expect("a wake-up was lost").unwrap();
    }
    let reading = running.reading();
    assert_eq!((reading.held, reading.waiting), (0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Resize(u32),
    Cancel(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u32..12).prop_map(Step::Resize),
        (0_usize..64).prop_map(Step::Cancel),
        (0_u64..50).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slots_are_never_exceeded_and_none_is_lost(
        first in 1_u32..12,
        latencies in proptest::collection::vec(0_u64..40, 64),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let running = start(&[limits(first, None, None)]);
            // What may be held: the target, or after a shrink what was held then.
            let ceiling = Arc::new(AtomicU32::new(first));
            let calls: Vec<_> = latencies
                .into_iter()
                .map(|latency| {
                    let (limiter, ceiling) = (running.limiter.clone(), Arc::clone(&ceiling));
                    tokio::spawn(async move {
                        let permit = limiter.permit(request(0, 1)).await;
                        let held = limiter.meters()[0].held;
                        assert!(held <= ceiling.load(Ordering::Relaxed), "{held} held");
                        sleep(millis(latency)).await;
                        drop(permit);
                        let reading = &limiter.meters()[0];
                        ceiling.store(reading.held.max(reading.target), Ordering::Relaxed);
                    })
                })
                .collect();
            for step in steps {
                match step {
                    Step::Resize(to) => {
                        set_slots(&running.limiter, to);
                        ceiling.store(running.held().max(to), Ordering::Relaxed);
                    }
                    Step::Cancel(call) => calls[call].abort(),
                    Step::Pass(time) => sleep(millis(time)).await,
                }
            }
            for call in calls {
                let ended = tokio::time::timeout(MINUTE, call).await.expect("a slot was lost");
                if let Err(error) = ended {
                    assert!(error.is_cancelled(), "{error}");
                }
            }
            let reading = running.reading();
            assert_eq!((reading.held, reading.waiting), (0, 0));
        });
    }
}
