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
use provider::{Headers, Log, Provider, Rates};
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

/// How much later the changes come in each run: where in its minute they meet a provider, and in
/// which mood a limiter, is a matter of chance.
const LATER: [Duration; 4] = [
    Duration::from_secs(7),
    Duration::from_secs(22),
    Duration::from_secs(37),
    Duration::from_secs(52),
];

const fn shapes_of(span: Duration) -> [LimitShape; 3] {
    [
        LimitShape::TokenBucket { burst: span },
        LimitShape::FixedWindow { window: span },
        LimitShape::SlidingLog { window: span },
    ]
}

const LIMIT_REQ: LimitShape = LimitShape::LimitReq { burst: 5, delay: true };

const BY_THE_MINUTE: [LimitShape; 3] = shapes_of(MINUTE);
/// The same, stricter: some providers enforce a limit a minute by the second.
const BY_THE_SECOND: [LimitShape; 3] = shapes_of(SECOND);

fn shapes() -> impl Iterator<Item = LimitShape> {
    BY_THE_MINUTE.into_iter().chain([LIMIT_REQ]).chain(BY_THE_SECOND)
}

fn name(shape: LimitShape) -> String {
    let by = |span: Duration| if span == MINUTE { "a minute" } else { "a second" };
    match shape {
        LimitShape::TokenBucket { burst } => format!("token bucket of {}", by(burst)),
        LimitShape::FixedWindow { window } => format!("fixed window of {}", by(window)),
        LimitShape::SlidingLog { window } => format!("sliding log of {}", by(window)),
        LimitShape::LimitReq { burst, .. } => format!("nginx limit_req, burst {burst}"),
    }
}

/// Who sends, and what the provider tells them.
type Client = (&'static str, Scheme, Headers);

const TOLD: Client = ("this limiter, headers", Scheme::Preset, Headers::Honest);
const SET: Client = ("this limiter, no headers", Scheme::Set, Headers::Absent);
const UNKNOWN: Client = ("this limiter, limit unknown", Scheme::Unknown, Headers::Absent);
const LIED_TO: Client = ("this limiter, headers that lie", Scheme::Preset, Headers::Lying);
const FIXED: Client = ("fixed setting", Scheme::Fixed, Headers::Absent);
const SOURCE: Client = ("the source's scheme", Scheme::Source, Headers::Absent);

/// One run: who sends to which provider.
#[derive(Clone, Copy)]
struct Case {
    shape: LimitShape,
    rates: Rates,
    client: Client,
}

/// Runs a case on a clock of its own, with the provider's rates multiplied at each of `changes`.
/// What became of it, and what could have become of it from each of the changes on.
fn run(case: Case, changes: &[(Duration, f64)], span: Duration) -> (Log, Vec<Log>) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    // The limiter's jitter is drawn from the thread's generator.
    fastrand::seed(1);
    runtime.expect("a runtime starts").block_on(async {
        let Case { shape, rates, client: (_, scheme, headers) } = case;
        let provider = Arc::new(Provider::new(shape, rates, headers));
        let callers = client::start(scheme, rates, &provider);
        let mut ideals = Vec::new();
        for (at, factor) in changes {
            provider::sleep_to(&provider, *at).await;
            let rates = rates.times(*factor);
            provider.set_rates(rates);
            ideals.push(provider.ideal(rates, PHASE));
        }
        provider::sleep_to(&provider, span).await;
        drop(callers);
        (provider.log(), ideals)
    })
}

/// A part of a run, with what the limit was in it.
#[derive(Clone, Copy)]
struct Part {
    per_minute: f64,
    from: Duration,
    to: Duration,
}

impl Part {
    /// The share of the quota that was let in.
    fn used(self, log: &Log) -> f64 {
        let quota = self.per_minute * (self.to - self.from).as_secs_f64() / 60.0;
        log.admitted(self.from, self.to) as f64 / quota
    }

    /// The seconds from its begin to that of the first span in it of which 90 % are used: of
    /// 10 s, and where cells are rare, long enough for 20 of them. `None` where there is none.
    fn back_after(self, log: &Log) -> Option<f64> {
        let span = (10 * SECOND).max(MINUTE.mul_f64(20.0 / self.per_minute));
        let tenths = (self.to - span - self.from).as_millis() / 100;
        (0..=tenths as u32).map(|tenth| tenth * SECOND / 10).find_map(|after| {
            let from = self.from + after;
            let used = Self { from, to: from + span, ..self }.used(log);
            (used >= 0.9).then_some(after.as_secs_f64())
        })
    }
}

fn steady() {
    println!(
        "Quota used and share of 429s, from the tenth second on, 20 minutes (60/min: an hour)"
    );
    heading(18);
    for shape in shapes() {
        println!("{}", name(shape));
        for client in [TOLD, SET, UNKNOWN, FIXED, SOURCE] {
            print!("  {:<30}", client.0);
            for per_minute in PER_MINUTE {
                let minutes = if per_minute == 60 { 60 } else { 20 };
                let part = Part {
                    per_minute: f64::from(per_minute),
                    from: SETTLED,
                    to: SETTLED + minutes * MINUTE,
                };
                let case = Case { shape, rates: Rates::requests(per_minute), client };
                let (log, _) = run(case, &[], part.to);
                let denied = log.denied(part.from, part.to);
                print!(" {:>7.2} % {:>6.2} %", part.used(&log) * 100.0, denied * 100.0);
            }
            println!();
        }
    }
}

/// What a change of capacity did to a run.
struct Changed {
    /// See [`Part::back_after`], for both changes, and how soon it could have been.
    back: [Option<f64>; 2],
    earliest: [Option<f64>; 2],
    /// The quota used: before, between and after.
    used: [f64; 3],
    denied: f64,
}

impl Changed {
    fn measure(case: Case, full: f64, later: Duration) -> Self {
        let [half, whole] = [PHASE + later, 2 * PHASE + later];
        let end = whole + PHASE;
        let (log, ideals) = run(case, &[(half, 0.5), (whole, 1.0)], end);
        let part = |per_minute, from, to| Part { per_minute, from, to };
        let parts =
            [part(full, SETTLED, half), part(full / 2.0, half, whole), part(full, whole, end)];
        Self {
            back: [parts[1].back_after(&log), parts[2].back_after(&log)],
            earliest: [parts[1].back_after(&ideals[0]), parts[2].back_after(&ideals[1])],
            used: parts.map(|part| part.used(&log)),
            denied: log.denied(SETTLED, end),
        }
    }

    fn print(runs: &[Self]) {
        print_worst(runs.iter().map(|run| run.back));
        for part in 0..3 {
            print!(" {:>3.0}", 100.0 * mean(runs.iter().map(|run| run.used[part])));
        }
        print!(" {:>6.2} %", 100.0 * mean(runs.iter().map(|run| run.denied)));
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}

fn print_worst(backs: impl Iterator<Item = [Option<f64>; 2]>) {
    let worse = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
    let worst = backs.reduce(|a, b| [worse(a[0], b[0]), worse(a[1], b[1])]);
    for back in worst.into_iter().flatten() {
        match back {
            Some(seconds) => print!(" {seconds:>5.1}"),
            None => print!(" {:>5}", "never"),
        }
    }
    print!(" ");
}

fn change() {
    println!(
        "\nCapacity halved after 5 minutes and doubled after 5 more. Seconds until 90 % of it are used\n\
         again after either change, the worst of {} runs; quota used before, between and after, and\n\
         share of 429s in all, the means. \"The earliest possible\" is of a client that knows all,\n\
         in the place of the first one: a provider may let nobody in for a while.",
        LATER.len()
    );
    heading(34);
    for shape in shapes() {
        println!("{}", name(shape));
        let case = |per_minute, client| Case { shape, rates: Rates::requests(per_minute), client };
        let runs = |per_minute, client| {
            LATER.map(|later| {
                Changed::measure(case(per_minute, client), f64::from(per_minute), later)
            })
        };
        let told = PER_MINUTE.map(|per_minute| runs(per_minute, TOLD));
        print!("  {:<30}", "(the earliest possible)");
        for runs in &told {
            print_worst(runs.iter().map(|run| run.earliest));
            print!("{:21}", "");
        }
        print!("\n  {:<30}", TOLD.0);
        told.iter().for_each(|runs| Changed::print(runs));
        println!();
        for client in [SET, LIED_TO, FIXED, SOURCE] {
            print!("  {:<30}", client.0);
            for per_minute in PER_MINUTE {
                Changed::print(&runs(per_minute, client));
            }
            println!();
        }
    }
}

fn tokens() {
    println!(
        "\nTokens bind: 6,000,000 a minute, requests of 400 to 800 that reserve 600 and settle. Quota\n\
         used and share of 429s, 20 minutes; then the same as in the table before."
    );
    let rates = Rates { requests: None, tokens: Some(6_000_000) };
    for shape in [BY_THE_MINUTE[0], BY_THE_SECOND[0]] {
        println!("{}", name(shape));
        for client in [TOLD, SET, FIXED, SOURCE] {
            let case = Case { shape, rates, client };
            let part = Part { per_minute: 6e6, from: SETTLED, to: SETTLED + 20 * MINUTE };
            let (log, _) = run(case, &[], part.to);
            let denied = log.denied(part.from, part.to);
            print!("  {:<30}", client.0);
            print!(" {:>7.2} % {:>6.2} %", part.used(&log) * 100.0, denied * 100.0);
            Changed::print(&LATER.map(|later| Changed::measure(case, 6e6, later)));
            println!();
        }
    }
}

fn heading(width: usize) {
    let columns = PER_MINUTE.map(|per_minute| format!("{:>width$}", format!("{per_minute}/min")));
    println!("{:32}{}", "", columns.concat());
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
