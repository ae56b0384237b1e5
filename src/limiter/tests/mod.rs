//! The limiter as a whole, on tokio's paused clock: minutes pass in milliseconds, and every run
//! of a test is the same.

mod adaptation;
mod control;
mod found;
mod order;
mod rates;
mod slots;

use super::*;
use crate::model::{EndpointIndex, Limits, PerMinute, PersonaIndex, Slots, Tokens};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

const MINUTE: Duration = Duration::from_secs(60);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn limits(slots: u32, requests: Option<u32>, tokens: Option<u32>) -> Limits {
    let rate = |rate: Option<u32>| rate.map(|rate| PerMinute::clamped(i64::from(rate)));
    Limits {
        slots: Slots::clamped(i64::from(slots)),
        requests_per_minute: rate(requests),
        tokens_per_minute: rate(tokens),
    }
}

/// A limiter whose dispatcher runs.
struct Running {
    limiter: Limiter,
    head_waits: mpsc::UnboundedReceiver<HeadWaited>,
    dispatcher: JoinHandle<()>,
    started: Instant,
}

fn start(endpoints: &[Limits]) -> Running {
    let specs = endpoints
        .iter()
        .enumerate()
        .map(|(number, limits)| EndpointSpec::new(format!("endpoint {number}"), "model", *limits));
    start_with(specs.collect())
}

fn start_with(specs: Vec<EndpointSpec>) -> Running {
    let (waits, head_waits) = mpsc::unbounded_channel();
    let (limiter, dispatcher) = Limiter::new(specs, waits);
    let dispatcher = tokio::spawn(dispatcher.run());
    Running { limiter, head_waits, dispatcher, started: Instant::now() }
}

fn request(persona: u32, tokens: u64) -> PermitRequest {
    PermitRequest {
        persona: PersonaIndex(persona),
        priority: Priority::New,
        tokens: Tokens(tokens),
        most: Tokens(tokens),
        avoided: Avoided::default(),
    }
}

impl Running {
    fn held(&self) -> u32 {
        self.limiter.meters().iter().map(|endpoint| endpoint.held).sum()
    }

    fn reading(&self) -> EndpointReading {
        self.limiter.meters().swap_remove(0)
    }

    /// Asks for one permit and says how long it took.
    async fn timed(&self, tokens: u64) -> (Permit, Duration) {
        let asked = Instant::now();
        let permit = self.limiter.permit(request(0, tokens)).await;
        (permit, asked.elapsed())
    }

    /// Uses up `requests` permits, one after the other.
    async fn use_up(&self, requests: u32) {
        for _ in 0..requests {
            let mut permit = self.limiter.permit(request(0, 1)).await;
            permit.sent();
        }
    }
}

/// One request that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Duration,
    endpoint: EndpointIndex,
    used: u64,
}

/// What each request of a load is like.
#[derive(Clone, Copy)]
struct Shape {
    reserved: u64,
    used: u64,
    latency: Duration,
}

/// Keeps `callers` calls wanting permits for `span`, and returns what was sent, in order.
async fn load(
    running: &Running,
    callers: u32,
    span: Duration,
    shape: impl Fn(&mut fastrand::Rng) -> Shape + Copy + Send + Sync + 'static,
) -> Vec<Sent> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let started = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|caller| {
            let (limiter, log) = (running.limiter.clone(), Arc::clone(&log));
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(u64::from(caller));
                loop {
                    let Shape { reserved, used, latency } = shape(&mut rng);
                    let mut permit = limiter.permit(request(caller, reserved)).await;
                    let (at, endpoint) = (started.elapsed(), permit.endpoint());
                    permit.sent();
                    log.lock().unwrap().push(Sent { at, endpoint, used });
                    sleep(latency).await;
                    permit.settle(Tokens(used));
                }
            })
        })
        .collect();
    sleep(span).await;
    for caller in callers {
        caller.abort();
    }
    let mut log = log.lock().unwrap();
    log.retain(|sent| sent.at < span);
    log.clone()
}
