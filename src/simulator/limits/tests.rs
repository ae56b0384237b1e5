//! What holds for every way to count, and what is peculiar to each.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const BUCKET: LimitShape = LimitShape::TokenBucket { burst: MINUTE };
const WINDOW: LimitShape = LimitShape::FixedWindow { window: MINUTE };
const LOG: LimitShape = LimitShape::SlidingLog { window: MINUTE };

const fn limit_req(burst: u32) -> LimitShape {
    LimitShape::LimitReq { burst, delay: true }
}

/// How many of `for_so_long` at one attempt a millisecond are let in, by the second.
fn let_in(limits: &mut RateLimits, now: &mut Instant, for_so_long: Duration) -> Vec<u32> {
    let mut by_second = Vec::new();
    for _ in 0..for_so_long.as_secs() {
        let mut admitted = 0;
        for _ in 0..1000 {
            admitted += u32::from(limits.admit(10, *now).is_ok());
            *now += Duration::from_millis(1);
        }
        by_second.push(admitted);
    }
    by_second
}

fn later(limits: &mut RateLimits, tokens: u64, now: Instant) -> (Metered, Duration) {
    match limits.admit(tokens, now) {
        Err(Denial::Later { metered, wait, .. }) => (metered, wait),
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_knocks_without_rest_gets_the_rate_and_no_more_than_one_burst() {
    let mut now = Instant::now();
    for (shape, first, all) in [
        (LimitShape::TokenBucket { burst: SECOND }, 19, 610),
        (BUCKET, 609, 1_200),
        (LimitShape::FixedWindow { window: SECOND }, 10, 600),
        (WINDOW, 600, 600),
        (LimitShape::SlidingLog { window: SECOND }, 10, 600),
        (LOG, 600, 600),
        (limit_req(0), 10, 600),
        (limit_req(5), 15, 605),
    ] {
        let mut limits = RateLimits::new(shape, Some(600), None, now);
        let by_second = let_in(&mut limits, &mut now, MINUTE);
        let sum: u32 = by_second.iter().sum();
        assert!(by_second[0].abs_diff(first) <= 1, "{shape}: {by_second:?}");
        assert!(sum.abs_diff(all) <= 2, "{shape}: {sum} {by_second:?}");
    }
}

#[test]
fn who_waits_as_long_as_it_was_told_is_let_in_and_not_a_millisecond_sooner() {
    let mut now = Instant::now();
    let short = Duration::from_millis(1700);
    for shape in [
        BUCKET,
        LimitShape::TokenBucket { burst: short },
        WINDOW,
        LimitShape::FixedWindow { window: short },
        LOG,
        LimitShape::SlidingLog { window: short },
        limit_req(0),
        limit_req(5),
    ] {
        for per_minute in [1, 7, 60, 3_500, 10_007] {
            let tokens = Some(90_000);
            let mut limits = RateLimits::new(shape, Some(per_minute), tokens, now);
            while limits.admit(3, now).is_ok() {}
            for _ in 0..20 {
                let (metered, wait) = later(&mut limits, 3, now);
                assert_eq!(metered, Metered::Requests);
                now += wait - Duration::from_millis(1);
                assert!(limits.admit(3, now).is_err(), "{shape} {per_minute} {wait:?}");
                now += Duration::from_millis(1);
                let mut admitted = 0;
                while limits.admit(3, now).is_ok() {
                    admitted += 1;
                }
                assert!(admitted > 0, "{shape} {per_minute} {wait:?}");
            }
        }
    }
}

#[test]
fn no_window_of_a_sliding_log_holds_more_than_its_share_while_a_fixed_one_may() {
    let mut now = Instant::now();
    // All at the end of one minute, all at the beginning of the next.
    for (shape, second) in [(LOG, 0), (WINDOW, 60)] {
        let mut limits = RateLimits::new(shape, Some(60), None, now);
        now += Duration::from_secs(59);
        assert_eq!(let_in(&mut limits, &mut now, SECOND), [60], "{shape}");
        assert_eq!(let_in(&mut limits, &mut now, SECOND), [second], "{shape}");
    }
}

#[test]
fn a_window_that_no_whole_number_fits_keeps_the_rate() {
    let mut now = Instant::now();
    for shape in [
        LimitShape::FixedWindow { window: SECOND },
        LimitShape::SlidingLog { window: SECOND },
        LimitShape::TokenBucket { burst: SECOND },
    ] {
        for per_minute in [20, 90, 500] {
            let mut limits = RateLimits::new(shape, Some(per_minute), None, now);
            let sum: u32 = let_in(&mut limits, &mut now, 4 * MINUTE).iter().sum();
            let over = f64::from(sum) / f64::from(4 * per_minute);
            assert!((0.97..1.03).contains(&over), "{shape} {per_minute}: {sum}");
        }
    }
}

#[test]
fn the_token_limit_is_named_when_it_is_the_one_that_binds() {
    let mut now = Instant::now();
    for (shape, wait, full_in) in [
        (BUCKET, 5, 40),
        // Two seconds have passed of the minute.
        (WINDOW, 58, 58),
        (LOG, 60, 60),
    ] {
        let mut limits = RateLimits::new(shape, Some(600), Some(6_000), now);
        now += 2 * SECOND;
        assert_eq!(limits.admit(4_000, now), Ok(()));
        let later = Denial::Later {
            metered: Metered::Tokens,
            limit: 6_000,
            used: 4_000,
            requested: 2_500,
            wait: wait * SECOND,
        };
        assert_eq!(limits.admit(2_500, now), Err(later), "{shape}");
        let never = Denial::TooLarge { limit: 6_000, requested: 6_001 };
        assert_eq!(limits.admit(6_001, now), Err(never), "{shape}");
        // The two that were denied paid nothing.
        let gauges = limits.gauges(now);
        assert_eq!(gauges.requests.unwrap().remaining, 599, "{shape}");
        let expected = Gauge { limit: 6_000, remaining: 2_000, full_in: full_in * SECOND };
        assert_eq!(gauges.tokens, Some(expected), "{shape}");
    }
}

#[test]
fn a_large_request_in_a_short_window_is_let_in_and_paid_for_afterwards() {
    let mut now = Instant::now();
    // 100 tokens a second; 700 are the share of seven seconds.
    for (shape, wait) in [
        (LimitShape::TokenBucket { burst: SECOND }, 7),
        (LimitShape::FixedWindow { window: SECOND }, 7),
        (LimitShape::SlidingLog { window: SECOND }, 7),
    ] {
        let mut limits = RateLimits::new(shape, None, Some(6_000), now);
        for _ in 0..3 {
            assert_eq!(limits.admit(700, now), Ok(()), "{shape}");
            assert_eq!(later(&mut limits, 700, now), (Metered::Tokens, wait * SECOND), "{shape}");
            now += wait * SECOND;
        }
    }
}

#[test]
fn capacity_can_change_while_the_limits_are_in_use() {
    let mut now = Instant::now();
    for shape in [
        LimitShape::TokenBucket { burst: SECOND },
        LimitShape::FixedWindow { window: SECOND },
        LimitShape::SlidingLog { window: SECOND },
        limit_req(0),
    ] {
        let mut limits = RateLimits::new(shape, Some(600), Some(1_000_000), now);
        let_in(&mut limits, &mut now, 5 * SECOND);
        for (rate, a_second) in [(300, 5), (1_200, 20), (600, 10)] {
            limits.set_rates(Some(rate), Some(1_000_000), now);
            assert_eq!(limits.gauges(now).requests.unwrap().limit, rate);
            let by_second = let_in(&mut limits, &mut now, 6 * SECOND);
            let steady = &by_second[1..];
            assert!(steady.iter().all(|n| n.abs_diff(a_second) <= 1), "{shape}: {by_second:?}");
        }
        limits.set_rates(None, None, now);
        assert_eq!(limits.gauges(now), Gauges::default());
        assert_eq!(let_in(&mut limits, &mut now, SECOND), [1000]);
        limits.set_rates(Some(600), None, now);
        assert!(let_in(&mut limits, &mut now, SECOND)[0] <= 20);
    }
}

#[test]
fn a_window_after_one_that_became_too_small_counts_from_nought() {
    let mut now = Instant::now();
    let mut limits = RateLimits::new(WINDOW, Some(600), None, now);
    now += 30 * SECOND;
    assert_eq!(let_in(&mut limits, &mut now, SECOND)[0], 600);
    limits.set_rates(Some(300), None, now);
    assert_eq!(later(&mut limits, 1, now), (Metered::Requests, 29 * SECOND));
    now += 29 * SECOND;
    assert_eq!(let_in(&mut limits, &mut now, SECOND)[0], 300);
}

#[test]
fn limit_req_counts_as_nginx_does() {
    let mut now = Instant::now();
    // 100 a second is 100 thousandths a millisecond; a burst of 5 is 5,000.
    let mut limits = RateLimits::new(limit_req(5), Some(6_000), Some(10), now);
    let held = |limits: &mut RateLimits, now| limits.admit_held(1_000_000, now);
    let ms = Duration::from_millis;
    for nth in 0..6 {
        assert_eq!(held(&mut limits, now), Ok(ms(10 * nth)));
    }
    assert_eq!(later(&mut limits, 0, now), (Metered::Requests, ms(10)));
    now += ms(3);
    assert_eq!(later(&mut limits, 0, now), (Metered::Requests, ms(7)));
    assert_eq!(limits.gauges(now).requests.unwrap().remaining, 0);
    now += ms(7);
    assert_eq!(held(&mut limits, now), Ok(ms(50)));
    // A part of a millisecond does not count yet.
    now += Duration::from_micros(9_900);
    assert_eq!(later(&mut limits, 0, now), (Metered::Requests, ms(1)));
    now += Duration::from_micros(100);
    assert_eq!(held(&mut limits, now), Ok(ms(50)));
    now += MINUTE;
    assert_eq!(limits.gauges(now).requests.unwrap().remaining, 6);

    let nodelay = LimitShape::LimitReq { burst: 5, delay: false };
    let mut limits = RateLimits::new(nodelay, Some(6_000), None, now);
    for _ in 0..6 {
        assert_eq!(held(&mut limits, now), Ok(Duration::ZERO));
    }
    assert!(held(&mut limits, now).is_err());

    // At 3 a minute 50 thousandths leak a second: less than 20 ms leak nothing at all, and
    // where a request is let in in between, they are lost.
    let mut limits = RateLimits::new(limit_req(100), Some(3), None, now);
    for _ in 0..101 {
        assert!(held(&mut limits, now).is_ok());
        now += ms(19);
    }
    assert_eq!(later(&mut limits, 0, now).1, ms(20_000 - 19));
}
