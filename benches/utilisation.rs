//! How much of a provider's quota is used, and how many 429s that costs. Prints three tables:
//!
//! ```text
//! cargo bench --bench utilisation
//! ```
//!
//! The limiter as the program runs it, dispatcher and all, asks the simulator's limits on tokio's
//! paused clock: an hour takes about a second, and every run is the same. There is no HTTP, but a
//! network of 20 ms with jitter either way, answers that take 0.2 to 2 s, and callers that back
//! off as the engine does. The same callers go through a limiter that does not adapt, and through
//! the scheme that this one replaces.
//!
//! Words on the command line pick the tables: `steady`, `change`, `tokens`.

#[path = "utilisation/client.rs"]
mod client;
#[path = "utilisation/provider.rs"]
mod provider;

use client::Scheme;
use provider::{Headers, Provider, Rates};
use std::{env, sync::Arc, time::Duration};
use tokio::runtime::Builder;
use voxpop::simulator::LimitShape;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const PER_MINUTE: [u32; 3] = [60, 600, 6_000];

/// What is measured begins here: until then a limiter may find its way.
const SETTLED: Duration = Duration::from_secs(10);

/// Five minutes of all of it, five of half, five of all of it again.
const PHASE: Duration = Duration::from_secs(300);

const fn shapes_of(span: Duration) -> [LimitShape; 3] {
    [
        LimitShape::TokenBucket { burst: span },
        LimitShape::FixedWindow { window: span },
        LimitShape::SlidingLog { window: span },
    ]
}

const LIMIT_REQ: LimitShape = LimitShape::LimitReq { burst: 5, delay: true };

const BY_THE_MINUTE: [LimitShape; 3] = shapes_of(MINUTE);
const BY_THE_SECOND: [LimitShape; 3] = shapes_of(SECOND);

fn name(shape: LimitShape) -> String {
    let by = |span: Duration| if span == MINUTE { "a minute" } else { "a second" };
    match shape {
        LimitShape::TokenBucket { burst } => format!("token bucket of {}", by(burst)),
        LimitShape::FixedWindow { window } => format!("fixed window of {}", by(window)),
        LimitShape::SlidingLog { window } => format!("sliding log of {}", by(window)),
        LimitShape::LimitReq { burst, .. } => format!("nginx limit_req, burst {burst}"),
    }
}

/// One run: who sends how to which provider.
#[derive(Clone, Copy)]
struct Case {
    shape: LimitShape,
    rates: Rates,
    headers: Headers,
    scheme: Scheme,
}

/// Runs a case on a clock of its own, with the provider's rates multiplied at each of `changes`.
fn run(case: Case, changes: &[(Duration, f64)], span: Duration) -> Arc<Provider> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    // The limiter's jitter is drawn from the thread's generator.
    fastrand::seed(1);
    runtime.expect("a runtime starts").block_on(async {
        let Case { shape, rates, headers, scheme } = case;
        let provider = Arc::new(Provider::new(shape, rates, headers));
        let callers = client::start(scheme, rates, &provider);
        for (at, factor) in changes {
            provider::sleep_to(&provider, *at).await;
            provider.set_rates(rates.times(*factor));
        }
        provider::sleep_to(&provider, span).await;
        drop(callers);
        provider
    })
}

/// The share of `per_minute` that was let in.
fn utilisation(provider: &Provider, per_minute: f64, from: Duration, to: Duration) -> f64 {
    provider.admitted(from, to) as f64 / (per_minute * (to - from).as_secs_f64() / 60.0)
}

/// The seconds after `from` at which a span begins that holds 90 % of `per_minute`: of 10 s, and
/// where requests are rare, long enough for 20 of them. `None` where that never comes.
fn back_after(provider: &Provider, per_minute: f64, from: Duration, to: Duration) -> Option<f64> {
    let span = (10 * SECOND).max(MINUTE.mul_f64(20.0 / per_minute));
    let tenths = (to - span - from).as_millis() / 100;
    (0..=tenths as u32).map(|tenth| from + tenth * SECOND / 10).find_map(|begin| {
        let used = utilisation(provider, per_minute, begin, begin + span);
        (used >= 0.9).then(|| (begin - from).as_secs_f64())
    })
}

const STEADY: [(&str, Scheme, Headers); 5] = [
    ("this limiter, headers", Scheme::Adaptive, Headers::Honest),
    ("this limiter, no headers", Scheme::Adaptive, Headers::Absent),
    ("this limiter, limit unknown", Scheme::Unknown, Headers::Absent),
    ("fixed setting", Scheme::Fixed, Headers::Absent),
    ("the source's scheme", Scheme::Source, Headers::Absent),
];

fn steady() {
    println!("Quota used and share of 429s, from the tenth second on, 20 minutes (60/min: an hour)");
    heading(PER_MINUTE.map(|n| format!("{n}/min")), 18);
    for shape in BY_THE_MINUTE.into_iter().chain([LIMIT_REQ]).chain(BY_THE_SECOND) {
        println!("{}", name(shape));
        for (label, scheme, headers) in STEADY {
            print!("  {label:<28}");
            for per_minute in PER_MINUTE {
                let case = Case { shape, rates: Rates::requests(per_minute), headers, scheme };
                let minutes = if per_minute == 60 { 60 } else { 20 };
                let end = SETTLED + minutes * MINUTE;
                let provider = run(case, &[], end);
                let used = utilisation(&provider, f64::from(per_minute), SETTLED, end);
                let denied = provider.denied(SETTLED, end);
                print!(" {:>7.2} % {:>6.2} %", used * 100.0, denied * 100.0);
            }
            println!();
        }
    }
}

const CHANGE: [(&str, Scheme, Headers); 5] = [
    ("this limiter, headers", Scheme::Adaptive, Headers::Honest),
    ("this limiter, no headers", Scheme::Adaptive, Headers::Absent),
    ("this limiter, headers that lie", Scheme::Adaptive, Headers::Lying),
    ("fixed setting", Scheme::Fixed, Headers::Absent),
    ("the source's scheme", Scheme::Source, Headers::Absent),
];

fn change() {
    println!("\nCapacity halved after 5 minutes and doubled after 5 more, 15 minutes in all: seconds");
    println!("until 90 % of it are used again after each change, quota used in the three parts, 429s");
    println!("in all");
    heading(PER_MINUTE.map(|n| format!("{n}/min")), 40);
    for shape in BY_THE_MINUTE.into_iter().chain([LIMIT_REQ]).chain(BY_THE_SECOND) {
        println!("{}", name(shape));
        for (label, scheme, headers) in CHANGE {
            print!("  {label:<30}");
            for per_minute in PER_MINUTE {
                let case = Case { shape, rates: Rates::requests(per_minute), headers, scheme };
                let provider = run(case, &[(PHASE, 0.5), (2 * PHASE, 1.0)], 3 * PHASE);
                let full = f64::from(per_minute);
                let parts = [
                    (full, SETTLED, PHASE),
                    (full / 2.0, PHASE, 2 * PHASE),
                    (full, 2 * PHASE, 3 * PHASE),
                ];
                for (per_minute, from, to) in &parts[1..] {
                    match back_after(&provider, *per_minute, *from, *to) {
                        Some(after) => print!(" {after:>5.1}"),
                        None => print!(" {:>5}", "-"),
                    }
                }
                print!(" |");
                for (per_minute, from, to) in parts {
                    print!(" {:>3.0}", utilisation(&provider, per_minute, from, to) * 100.0);
                }
                print!(" | {:>5.2} %   ", provider.denied(SETTLED, 3 * PHASE) * 100.0);
            }
            println!();
        }
    }
}

fn tokens() {
    println!("\nTokens bind: 6,000,000 tokens/min, requests of 400 to 800; quota used and share of 429s");
    let rates = Rates { requests: None, tokens: Some(6_000_000) };
    for shape in [BY_THE_MINUTE[0], BY_THE_SECOND[0]] {
        println!("{}", name(shape));
        for (label, scheme, headers) in STEADY {
            if scheme == Scheme::Unknown {
                continue;
            }
            let end = SETTLED + 10 * MINUTE;
            let provider = run(Case { shape, rates, headers, scheme }, &[], end);
            let used = utilisation(&provider, 6e6, SETTLED, end);
            let denied = provider.denied(SETTLED, end);
            println!("  {label:<28} {:>7.2} % {:>6.2} %", used * 100.0, denied * 100.0);
        }
    }
}

fn heading(columns: [String; 3], width: usize) {
    let columns: String = columns.iter().map(|column| format!("{column:>width$}")).collect();
    println!("{:30}{columns}", "");
}

fn main() {
    let asked: Vec<_> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let tables: [(&str, fn()); 3] = [("steady", steady), ("change", change), ("tokens", tokens)];
    for (table, print) in tables {
        if asked.is_empty() || asked.iter().any(|word| word == table) {
            print();
        }
    }
}
