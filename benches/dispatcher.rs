//! What the dispatcher reaches on the real clock, and what a permit costs. Prints two tables:
//!
//! ```text
//! cargo bench --bench dispatcher
//! ```
//!
//! Callers want permits all the time; they, the dispatcher and whoever listens to the waits share
//! the threads of one runtime. Run it on a quiet machine: the burst makes good for 5 ms of being
//! kept from a core, and what is beyond them is lost.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Builder, sync::mpsc, task::JoinSet};
use voxpop::{
    limiter::{Avoided, EndpointSpec, Limiter, PermitRequest, Priority},
    model::{Limits, PerMinute, PersonaIndex, Slots, Tokens},
};

const SPAN: Duration = Duration::from_secs(3);

/// A load on one endpoint.
#[derive(Clone, Copy)]
struct Load {
    threads: usize,
    callers: u32,
    slots: u32,
    per_second: Option<u32>,
    /// How long a permit is kept; zero lets others run once.
    latency: Duration,
}

struct Measured {
    permits: u64,
    elapsed: Duration,
    cpu: Duration,
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.permits as f64 / self.elapsed.as_secs_f64()
    }
}

/// CPU time of this process's threads, to the nanosecond. Linux alone tells it so; elsewhere the
/// tables show zero.
fn cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

async fn run(load: Load) -> Measured {
    let limits = Limits {
        slots: Slots::clamped(i64::from(load.slots)),
        requests_per_minute: load.per_second.map(|n| PerMinute::clamped(60 * i64::from(n))),
        tokens_per_minute: None,
    };
    let endpoint = EndpointSpec::new("endpoint", "model", limits);
    let (waits, mut head_waits) = mpsc::unbounded_channel();

    let (cpu, started) = (cpu_time(), Instant::now());
    let (limiter, dispatcher) = Limiter::new(vec![endpoint], waits);
    let mut tasks = JoinSet::new();
    tasks.spawn(dispatcher.run());
    tasks.spawn(async move { while head_waits.recv().await.is_some() {} });
    let permits = Arc::new(AtomicU64::new(0));
    for caller in 0..load.callers {
        let (limiter, permits) = (limiter.clone(), Arc::clone(&permits));
        tasks.spawn(async move {
            let request = PermitRequest {
                persona: PersonaIndex(caller),
                priority: Priority::New,
                tokens: Tokens(1_000),
                most: Tokens(1_000),
                avoided: Avoided::default(),
            };
            while started.elapsed() < SPAN {
                let mut permit = limiter.permit(request).await;
                permit.sent();
                if started.elapsed() < SPAN {
                    permits.fetch_add(1, Ordering::Relaxed);
                }
                match load.latency {
                    Duration::ZERO => tokio::task::yield_now().await,
                    latency => tokio::time::sleep(latency).await,
                }
                permit.settle(Tokens(900));
            }
        });
    }
    tokio::time::sleep_until((started + SPAN).into()).await;
    let cpu = cpu_time().saturating_sub(cpu);
    tasks.shutdown().await;
    Measured { permits: permits.load(Ordering::Relaxed), elapsed: SPAN, cpu }
}

fn measure(load: Load) -> Measured {
    let mut runtime = match load.threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(load.threads).enable_time().build();
    runtime.expect("a runtime starts").block_on(async move {
        // Spawned, so that a runtime of several threads keeps all of it on its own.
        tokio::spawn(run(load)).await.expect("the load runs to its end")
    })
}

fn main() {
    println!("{:>10} {:>12} {:>9} {:>8}", "asked/s", "reached/s", "share", "core");
    for per_second in [100, 1_000, 10_000] {
        let measured = measure(Load {
            threads: 1,
            callers: 2_000,
            slots: 2_000,
            per_second: Some(per_second),
            latency: Duration::from_millis(100),
        });
        let reached = measured.per_second();
        println!(
            "{per_second:>10} {reached:>12.1} {:>7.2} % {:>6.1} %",
            100.0 * reached / f64::from(per_second),
            100.0 * measured.cpu.as_secs_f64() / measured.elapsed.as_secs_f64(),
        );
    }

    println!("\nno rate limit, no latency");
    println!(
        "{:>8} {:>8} {:>8} {:>12} {:>14}",
        "threads", "callers", "slots", "permits/s", "CPU a permit"
    );
    for (threads, callers, slots) in
        [(1, 200, 200), (1, 10_000, 200), (1, 2, 1), (2, 200, 200), (2, 10_000, 200), (2, 2, 1)]
    {
        let load = Load { threads, callers, slots, per_second: None, latency: Duration::ZERO };
        let measured = measure(load);
        println!(
            "{threads:>8} {callers:>8} {slots:>8} {:>12.0} {:>11.2} µs",
            measured.per_second(),
            measured.cpu.as_secs_f64() * 1e6 / measured.permits as f64,
        );
    }
}
