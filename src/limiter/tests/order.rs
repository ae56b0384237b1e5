//! Who goes first, what a call that gives up leaves behind, and what is said about waiting.

use super::*;
use futures_util::FutureExt;

/// Asks in the given order and returns the personas in the order in which they were served, one
/// slot at a time.
async fn served(running: &Running, asked: &[PermitRequest]) -> Vec<u32> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = asked
        .iter()
        .map(|&request| {
            let (limiter, order) = (running.limiter.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let permit = limiter.permit(request).await;
                order.lock().unwrap().push(request.persona.0);
                drop(permit);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let order = order.lock().unwrap();
    order.clone()
}

#[tokio::test(start_paused = true)]
async fn follow_ups_go_first_and_each_kind_in_the_order_of_asking() {
    let running = start(&[limits(1, None, None)]);
    running.limiter.pause();
    let asked: Vec<_> = (0..20)
        .map(|persona| {
            let priority = if persona % 3 == 0 { Priority::FollowUp } else { Priority::New };
            PermitRequest { priority, ..request(persona, 1) }
        })
        .collect();
    let limiter = running.limiter.clone();
    tokio::spawn(async move {
        sleep(millis(5)).await;
        limiter.resume();
    });
    let expected: Vec<u32> = (0..20)
        .filter(|persona| persona % 3 == 0)
        .chain((0..20).filter(|persona| persona % 3 != 0))
        .collect();
    assert_eq!(served(&running, &asked).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gives_up_leaves_nothing_behind() {
    let running = start(&[limits(1, Some(600), None)]);
    let holder = running.limiter.permit(request(0, 1)).await;
    let mut calls: Vec<_> = (1..=5_000)
        .map(|persona| {
            let limiter = running.limiter.clone();
            tokio::spawn(async move {
                let permit = limiter.permit(request(persona, 1)).await;
                permit.settle(Tokens(1));
                persona
            })
        })
        .collect();
    sleep(millis(1)).await;
    assert_eq!(running.reading().waiting, 5_000);
    for call in &calls[10..60] {
        call.abort();
    }
    sleep(millis(1)).await;
    assert_eq!(running.reading().waiting, 4_950, "they stand in the line and do not count");
    let last = calls.split_off(4_998);
    for call in calls {
        call.abort();
    }
    sleep(millis(1)).await;
    assert_eq!(running.reading().waiting, 2);
    holder.settle(Tokens(1));
    for (call, persona) in last.into_iter().zip(4_999..) {
        assert_eq!(call.await.unwrap(), persona);
    }
    let reading = running.reading();
    assert_eq!((reading.held, reading.waiting, reading.requests.last_minute), (0, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn the_next_in_line_does_not_wait_for_a_dead_head() {
    let mut running = start(&[limits(1, None, None)]);
    let holder = running.limiter.permit(request(0, 1)).await;
    let limiter = running.limiter.clone();
    let head = tokio::spawn(async move { drop(limiter.permit(request(1, 1)).await) });
    let limiter = running.limiter.clone();
    let next = tokio::spawn(async move { limiter.permit(request(2, 1)).await.waits() });
    sleep(millis(10)).await;
    head.abort();
    sleep(millis(20)).await;
    drop(holder);
    let waits = next.await.unwrap();
    let (queued, waited_for_slot) = (millis(10), millis(20));
    assert_eq!(waits, PermitWaits { queued, waited_for_slot, waited_for_rate: Duration::ZERO });
    for persona in [1, 2] {
        let expected = HeadWaited { persona: PersonaIndex(persona), on: Constraint::Slot };
        assert_eq!(running.head_waits.try_recv(), Ok(expected));
    }
    assert!(running.head_waits.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_nobody_takes_comes_back_whole() {
    let running = start(&[limits(1, Some(60), Some(60_000))]);
    {
        let mut asked = Box::pin(running.limiter.permit(request(0, 30_000)));
        assert!((&mut asked).now_or_never().is_none());
        sleep(millis(1)).await;
        assert_eq!(running.held(), 1, "handed out, and not yet looked at");
    }
    assert_eq!(running.held(), 0);
    assert_eq!(running.reading().requests.last_minute, 0);
    let (_permit, waited) = running.timed(1).await;
    assert!(waited.is_zero(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_a_permit_add_up_and_each_is_told_once() {
    let mut running = start(&[limits(1, Some(60), Some(60_000))]);
    let (mut first, _) = running.timed(3_000).await;
    first.sent();
    let ask = |persona| {
        let limiter = running.limiter.clone();
        tokio::spawn(async move {
            let asked = Instant::now();
            let mut permit = limiter.permit(request(persona, 10)).await;
            permit.sent();
            (permit.waits(), asked.elapsed())
        })
    };
    let (second, third) = (ask(2), ask(3));
    sleep(millis(500)).await;
    drop(first);
    let (waits, elapsed) = second.await.unwrap();
    assert_eq!(waits.queued, Duration::ZERO);
    assert_eq!(waits.waited_for_slot, millis(500));
    assert!(waits.waited_for_rate.abs_diff(millis(2_500)) <= millis(6), "{waits:?}");
    assert_eq!(waits.waited_for_slot + waits.waited_for_rate, elapsed);

    let (waits, elapsed) = third.await.unwrap();
    assert!(waits.queued.abs_diff(millis(3_000)) <= millis(6), "{waits:?}");
    assert_eq!(waits.queued + waits.waited_for_slot + waits.waited_for_rate, elapsed);

    let told: Vec<_> = std::iter::from_fn(|| running.head_waits.try_recv().ok())
        .map(|told| (told.persona.0, told.on))
        .collect();
    let expected = [(2, Constraint::Slot), (2, Constraint::Tokens), (3, Constraint::Slot)];
    assert_eq!(told[..3], expected);
    assert_eq!(told[3..], [(3, Constraint::Tokens)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_overtaken_is_queued_again() {
    let running = start(&[limits(1, None, None)]);
    let holder = running.limiter.permit(request(0, 1)).await;
    let ask = |request: PermitRequest| {
        let limiter = running.limiter.clone();
        tokio::spawn(async move {
            let permit = limiter.permit(request).await;
            sleep(millis(30)).await;
            permit.waits()
        })
    };
    let overtaken = ask(request(1, 1));
    sleep(millis(10)).await;
    let follow_up = ask(PermitRequest { priority: Priority::FollowUp, ..request(2, 1) });
    sleep(millis(20)).await;
    drop(holder);
    assert_eq!(follow_up.await.unwrap().waited_for_slot, millis(20));
    let waits = overtaken.await.unwrap();
    assert_eq!((waits.waited_for_slot, waits.queued), (millis(10 + 30), millis(20)));
}

#[tokio::test(start_paused = true)]
async fn the_dispatcher_ends_with_the_last_handle() {
    let Running { limiter, dispatcher, .. } = start(&[limits(1, None, None)]);
    let permit = limiter.permit(request(0, 1)).await;
    let clone = limiter.clone();
    drop(limiter);
    drop(permit);
    let permit = clone.permit(request(1, 1)).await;
    assert!(!dispatcher.is_finished());
    drop(clone);
    dispatcher.await.unwrap();
    drop(permit);
}
