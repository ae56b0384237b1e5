//! Turning the knobs of a run that is under way.

use super::*;
use crate::model::{LimitChange, LimitError, LimitName, LimitSetBy};

fn set(
    running: &Running,
    limit: LimitName,
    to: Option<u32>,
) -> Result<Vec<LimitChange>, SetLimitError> {
    running.limiter.set_limit(None, limit, to, LimitSetBy::User, "a test")
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_holds_for_the_one_who_is_waiting() {
    use LimitName::RequestsPerMinute;
    let mut running = start(&[limits(10, Some(6), None)]);
    running.use_up(1).await;
    let limiter = running.limiter.clone();
    let waiting = tokio::spawn(async move { limiter.permit(request(1, 1)).await.sent() });
    sleep(millis(1_000)).await;
    let told = running.head_waits.try_recv();
    assert_eq!(told, Ok(HeadWaited { persona: PersonaIndex(1), on: Constraint::Requests }));
    let asked = Instant::now();
    set(&running, RequestsPerMinute, Some(6_000)).unwrap();
    waiting.await.unwrap();
    assert!(asked.elapsed() <= millis(10), "up: {:?}", asked.elapsed());

    running.use_up(100).await;
    set(&running, RequestsPerMinute, Some(60)).unwrap();
    let (mut permit, waited) = running.timed(1).await;
    permit.sent();
    assert!(waited <= millis(1_001), "down, without a stall: {waited:?}");
    let (mut permit, waited) = running.timed(1).await;
    permit.sent();
    assert!(waited.abs_diff(millis(1_000)) <= millis(2), "down: {waited:?}");

    set(&running, RequestsPerMinute, None).unwrap();
    let asked = Instant::now();
    running.use_up(1_000).await;
    assert!(asked.elapsed().is_zero(), "no limit");
    set(&running, RequestsPerMinute, Some(60)).unwrap();
    running.use_up(5).await;
    assert!(asked.elapsed().abs_diff(millis(4_000)) <= millis(5), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_rate_changed_under_load_is_reached_from_then_on() {
    let running = start(&[limits(1_000, Some(600_000), None)]);
    let shape = |_: &mut fastrand::Rng| Shape { reserved: 1, used: 1, latency: millis(20) };
    let limiter = running.limiter.clone();
    tokio::spawn(async move {
        for (minute, rate) in [(1, 600), (2, 1_200), (3, 300)] {
            tokio::time::sleep_until(running.started + minute * 10 * millis(1_000)).await;
            let limit = LimitName::RequestsPerMinute;
            limiter.set_limit(None, limit, Some(rate), LimitSetBy::User, "a test").unwrap();
        }
    });
    let sent = load(&running, 300, Duration::from_secs(40), shape).await;
    let count = |from: u64, to: u64| {
        let span = Duration::from_secs(from)..Duration::from_secs(to);
        sent.iter().filter(|sent| span.contains(&sent.at)).count()
    };
    assert!(count(0, 10) >= 99_500);
    for (from, asked) in [(10, 100), (20, 200), (30, 50)] {
        let reached = count(from, from + 10);
        assert!(reached.abs_diff(asked) <= 2, "{reached} of {asked} from {from} s on");
    }
}

#[tokio::test(start_paused = true)]
async fn every_change_is_reported_and_only_changes_are() {
    let running = start(&[limits(5, Some(60), None), limits(5, Some(90), None)]);
    let changes = set(&running, LimitName::RequestsPerMinute, Some(60)).unwrap();
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.endpoint, change.from, change.to), (EndpointIndex(1), Some(90), Some(60)));
    assert_eq!((change.set_by, change.reason.as_str()), (LimitSetBy::User, "a test"));
    let changes = running.limiter.set_limit(
        Some(EndpointIndex(0)),
        LimitName::TokensPerMinute,
        Some(9),
        LimitSetBy::Header,
        "x-ratelimit-limit-tokens",
    );
    assert_eq!(changes.unwrap().len(), 1);
    assert_eq!(running.limiter.limits(EndpointIndex(0)), Some(limits(5, Some(60), Some(9))));
    assert_eq!(running.limiter.limits(EndpointIndex(1)), Some(limits(5, Some(60), None)));
    assert_eq!(running.limiter.limits(EndpointIndex(2)), None);

    let readings = running.limiter.meters();
    assert_eq!(readings[0].requests.configured, None);
    assert_eq!(readings[1].requests.configured, None, "what is in force is what was set last");
    assert_eq!(readings[1].requests.limit, Some(PerMinute::clamped(60)));
}

#[tokio::test(start_paused = true)]
async fn limits_that_cannot_be_are_refused_and_change_nothing() {
    let running = start(&[limits(5, Some(60), None)]);
    let unlimited = set(&running, LimitName::Slots, None);
    assert_eq!(unlimited, Err(SetLimitError::UnlimitedSlots));
    for (limit, to) in [
        (LimitName::Slots, 0),
        (LimitName::Slots, Slots::MAX + 1),
        (LimitName::RequestsPerMinute, 0),
        (LimitName::TokensPerMinute, PerMinute::MAX + 1),
    ] {
        let refused = set(&running, limit, Some(to));
        assert!(matches!(
            refused,
            Err(SetLimitError::Limit(LimitError::TooSmall { .. } | LimitError::TooLarge { .. }))
        ));
    }
    let missing = running.limiter.set_limit(
        Some(EndpointIndex(1)),
        LimitName::Slots,
        Some(1),
        LimitSetBy::User,
        "a test",
    );
    assert_eq!(missing.unwrap_err().to_string(), "there is no endpoint 1; the last one is 0");
    assert_eq!(running.limiter.limits(EndpointIndex(0)), Some(limits(5, Some(60), None)));
}

#[tokio::test(start_paused = true)]
async fn a_paused_line_hands_out_nothing_and_goes_on_where_it_was() {
    let mut running = start(&[limits(2, None, None)]);
    let in_flight = running.limiter.permit(request(0, 1)).await;
    running.limiter.pause();
    let limiter = running.limiter.clone();
    let waiting = tokio::spawn(async move { limiter.permit(request(1, 1)).await.waits() });
    sleep(millis(5_000)).await;
    assert!(!waiting.is_finished());
    let told = running.head_waits.try_recv();
    assert_eq!(told, Ok(HeadWaited { persona: PersonaIndex(1), on: Constraint::Pause }));
    in_flight.settle(Tokens(1));
    sleep(millis(5_000)).await;
    assert_eq!((running.held(), running.reading().waiting), (0, 1));
    running.limiter.resume();
    let waits = waiting.await.unwrap();
    let queued = millis(10_000);
    assert_eq!(waits, PermitWaits { queued, ..PermitWaits::default() });
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_an_endpoint_is_honoured_in_full_and_only_extended() {
    let mut running = start(&[limits(10, Some(6_000), None), limits(1, None, None)]);
    let first = EndpointIndex(0);
    running.limiter.pause_endpoint(first, millis(20_000));
    let at_once = running.limiter.permit(request(1, 1)).await;
    assert_eq!(at_once.endpoint(), EndpointIndex(1), "the other one goes on");

    let limiter = running.limiter.clone();
    let waiting = tokio::spawn(async move {
        let permit = limiter.permit(request(2, 1)).await;
        (permit.endpoint(), permit.waits(), Instant::now())
    });
    sleep(millis(4_000)).await;
    let shown = running.reading().paused_until;
    assert!(shown.is_some());
    running.limiter.pause_endpoint(first, millis(1));
    assert_eq!(running.reading().paused_until, shown, "a shorter one changes nothing");
    running
        .limiter
        .set_limit(
            Some(first),
            LimitName::RequestsPerMinute,
            Some(600_000),
            LimitSetBy::User,
            "a pause is not a debt that a higher rate pays sooner",
        )
        .unwrap();
    running.limiter.pause_endpoint(first, millis(26_000));
    let (endpoint, waits, at) = waiting.await.unwrap();
    assert_eq!(endpoint, first);
    let paused = at - running.started;
    assert!(paused.abs_diff(millis(30_000)) <= millis(2) && paused >= millis(30_000));
    assert_eq!(waits.waited_for_rate, paused);
    assert_eq!(running.reading().paused_until, None);
    let told = running.head_waits.try_recv();
    assert_eq!(told, Ok(HeadWaited { persona: PersonaIndex(2), on: Constraint::Pause }));

    running.limiter.pause_endpoint(first, Duration::MAX);
    running.limiter.pause_endpoint(EndpointIndex(7), Duration::MAX);
    drop(at_once);
    assert_eq!(running.limiter.permit(request(3, 1)).await.endpoint(), EndpointIndex(1));
}

#[tokio::test(start_paused = true)]
async fn a_freed_slot_elsewhere_ends_the_wait_for_a_rate() {
    let running = start(&[limits(10, Some(1), None), limits(1, None, None)]);
    running.use_up(1).await;
    let free = running.limiter.permit(request(0, 1)).await;
    assert_eq!(free.endpoint(), EndpointIndex(1));
    let limiter = running.limiter.clone();
    let waiting = tokio::spawn(async move { limiter.permit(request(2, 1)).await.endpoint() });
    sleep(millis(100)).await;
    drop(free);
    assert_eq!(waiting.await.unwrap(), EndpointIndex(1));
    assert_eq!(running.started.elapsed(), millis(100));
}

#[tokio::test(start_paused = true)]
async fn unlimited_endpoints_share_by_their_slots() {
    let running = start(&[limits(30, None, None), limits(10, None, None)]);
    let mut permits = Vec::new();
    for persona in 0..20 {
        permits.push(running.limiter.permit(request(persona, 1)).await);
    }
    let held: Vec<_> = running.limiter.meters().iter().map(|reading| reading.held).collect();
    assert_eq!(held, [15, 5]);
}
