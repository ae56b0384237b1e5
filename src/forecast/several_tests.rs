//! Several endpoints: what each carries, and what all of them take.

use super::*;
use crate::model::{LimitName, PerMinute, SharedQuota, Slots, Usd};
use std::num::NonZeroU32;

/// `requests` of 1,000 tokens each: 750 of the prompt and 250 of the answer.
fn work(requests: u64) -> Work {
    Work {
        requests,
        prompt_tokens: Tokens(requests * 750),
        shared_tokens: Tokens(700),
        output: OutputTokens::usual(600),
    }
}

/// An endpoint whose answers take 2 s.
fn endpoint(slots: u32, requests: Option<u32>, tokens: Option<u32>) -> Sharer {
    let rate = |limit: u32| PerMinute::clamped(limit.into());
    Sharer {
        terms: Terms {
            limits: Limits {
                slots: Slots::clamped(slots.into()),
                requests_per_minute: requests.map(rate),
                tokens_per_minute: tokens.map(rate),
            },
            latency: Duration::from_secs(2),
            price: Some(Price::FREE),
            charges_cap: false,
        },
        weight: NonZeroU32::MIN,
        quota: None,
    }
}

fn in_group(weight: u32, endpoint: Sharer) -> Sharer {
    let weight = NonZeroU32::new(weight).unwrap();
    Sharer { quota: SharedQuota::of(Some("project"), "model"), weight, ..endpoint }
}

fn priced(input: &str, endpoint: Sharer) -> Sharer {
    let usd = |text: &str| text.parse::<Usd>().unwrap();
    let price =
        Price { input: usd(input), cached_input: usd(input), output: Usd::ZERO, ..Price::FREE };
    Sharer { terms: Terms { price: Some(price), ..endpoint.terms }, ..endpoint }
}

#[test]
fn one_endpoint_carries_all_as_if_it_were_alone() {
    for only in [
        endpoint(50, Some(600), Some(1_000_000)),
        endpoint(50, Some(600), Some(300_000)),
        endpoint(3, Some(600), None),
        endpoint(7, None, None),
        in_group(5, endpoint(50, Some(3), None)),
        in_group(5, endpoint(1, Some(6_000), None)),
    ] {
        for requests in [0, 1, 40, 6_001] {
            let alone = Forecast::of(&work(requests), &only.terms);
            let together = Together::of(&work(requests), std::slice::from_ref(&only));
            assert_eq!(together.each, [alone], "{requests} {only:?}");
            assert_eq!(together.all, alone, "{requests} {only:?}");
        }
    }
}

#[test]
fn each_carries_what_its_limits_let_through() {
    use Binds::Limit;
    use LimitName::{RequestsPerMinute, Slots, TokensPerMinute};
    type Part = (u64, Binds, Option<u64>);
    let check = |what, requests, endpoints: &[Sharer], parts: &[Part], seconds: f64| {
        let together = Together::of(&work(requests), endpoints);
        let found: Vec<Part> =
            together.each.iter().map(|f| (f.requests, f.binds, f.slots_wanted)).collect();
        assert_eq!(found, parts, "{what}");
        let time = together.all.time.as_secs_f64();
        assert!((time - seconds).abs() < 2.5, "{what}: {time}");
    };
    // 600, 300 and 60 a minute.
    check(
        "three limits",
        9_600,
        &[
            endpoint(50, Some(600), None),
            endpoint(50, Some(600), Some(300_000)),
            endpoint(2, Some(600), None),
        ],
        &[
            (6_000, Limit(RequestsPerMinute), Some(20)),
            (3_000, Limit(TokensPerMinute), Some(10)),
            (600, Limit(Slots), Some(20)),
        ],
        600.0,
    );
    // Two keys of one project add nothing; three parts in four go to the first one.
    check(
        "a group by weight",
        6_000,
        &[in_group(3, endpoint(50, Some(600), None)), in_group(1, endpoint(50, Some(600), None))],
        &[(4_500, Limit(RequestsPerMinute), Some(15)), (1_500, Limit(RequestsPerMinute), Some(5))],
        600.0,
    );
    // The first has slots for 60 a minute only; the other takes the rest of the quota.
    check(
        "a member short of slots",
        6_000,
        &[in_group(3, endpoint(2, Some(600), None)), in_group(1, endpoint(50, Some(600), None))],
        &[(600, Limit(Slots), Some(15)), (5_400, Limit(RequestsPerMinute), Some(18))],
        600.0,
    );
    check(
        "a group and one alone",
        12_000,
        &[
            in_group(1, endpoint(50, Some(600), None)),
            endpoint(50, Some(600), None),
            in_group(1, endpoint(50, Some(600), None)),
        ],
        &[
            (3_000, Limit(RequestsPerMinute), Some(10)),
            (6_000, Limit(RequestsPerMinute), Some(20)),
            (3_000, Limit(RequestsPerMinute), Some(10)),
        ],
        600.0,
    );
    check(
        "a group without a rate",
        400,
        &[in_group(1, endpoint(10, None, None)), in_group(9, endpoint(30, None, None))],
        &[(100, Limit(Slots), None), (300, Limit(Slots), None)],
        20.0,
    );
    // One of each for as long as it takes.
    check(
        "slow beside fast",
        10,
        &[endpoint(1, Some(3), None), endpoint(100, None, None)],
        &[(0, Binds::Latency, Some(1)), (10, Binds::Latency, None)],
        2.0,
    );
}

#[test]
fn a_provider_that_charges_the_cap_lets_fewer_through() {
    let mut only = endpoint(50, None, Some(135_000));
    let rate = |only: &Sharer| {
        let minutes = Forecast::of(&work(13_501), &only.terms).time.as_secs_f64() / 60.0;
        (13_500.0 / minutes).round()
    };
    assert!((rate(&only) - 135.0).abs() < 1.0);
    only.terms.charges_cap = true;
    assert!((rate(&only) - 100.0).abs() < 1.0);
}

#[test]
fn costs_add_up_by_what_each_carries() {
    let two = [
        priced("1", endpoint(50, Some(600), None)),
        priced("3", endpoint(50, Some(200), None)),
        endpoint(50, Some(200), None),
    ];
    let together = Together::of(&work(10_000), &two);
    let requests: Vec<_> = together.each.iter().map(|part| part.requests).collect();
    assert_eq!(requests, [6_000, 2_000, 2_000]);
    // 4.5 million tokens at a dollar, 1.5 at three, 1.5 at nothing.
    assert_eq!(together.all.cost.unwrap().cap, "9".parse().unwrap());

    let mut unknown = two.clone();
    unknown[1].terms.price = None;
    assert_eq!(Together::of(&work(10_000), &unknown).all.cost, None);
    // Nobody asks there, so it does not matter.
    unknown[1].terms.limits.requests_per_minute = Some(PerMinute::clamped(1));
    unknown[1].terms.limits.slots = Slots::clamped(1);
    assert!(Together::of(&work(3), &unknown).all.cost.is_some());
}

#[test]
fn the_rates_of_a_group_count_once() {
    let rates = |endpoints: &[Sharer]| {
        let sum = LimitSum::of(endpoints);
        (sum.slots, sum.requests_per_minute, sum.tokens_per_minute)
    };
    let grouped = || in_group(1, endpoint(10_000, Some(600), Some(90_000)));
    let alone = || endpoint(5, Some(50), None);
    assert_eq!(rates(&[grouped()]), (10_000, Some(600), Some(90_000)));
    assert_eq!(rates(&[grouped(), grouped()]), (20_000, Some(600), Some(90_000)));
    assert_eq!(rates(&[grouped(), alone(), grouped()]), (20_005, Some(650), None));
}

proptest::proptest! {
    /// Whatever the endpoints are like, nobody is left out and nobody is asked twice, and more
    /// endpoints never make the run slower than the first one alone by more than a round of answers.
    #[test]
    fn parts_add_up(
        limits in proptest::collection::vec((1..60_u32, 0..3_u8, 1..2_000_u32, 1..9_u32), 1..8),
        requests in 0..5_000_u64,
    ) {
        let endpoints: Vec<_> = limits
            .iter()
            .map(|(slots, kind, rate, weight)| match kind {
                0 => endpoint(*slots, None, None),
                1 => endpoint(*slots, Some(*rate), Some(1_000_000)),
                _ => in_group(*weight, endpoint(*slots, Some(90), None)),
            })
            .collect();
        let together = Together::of(&work(requests), &endpoints);
        proptest::prop_assert_eq!(together.each.iter().map(|f| f.requests).sum::<u64>(), requests);
        let alone = Forecast::of(&work(requests), &endpoints[0].terms).time;
        let slack = Duration::from_secs(62);
        proptest::prop_assert!(together.all.time <= alone + slack, "{together:?} {alone:?}");
    }
}
