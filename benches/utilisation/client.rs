//! The clients: callers that want to send all the time, through this limiter or as the source did.

use crate::provider::{Provider, Rates};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, sleep},
};
use voxpop::{
    limiter::{Avoided, EndpointSpec, Feedback, Limiter, Outcome, PermitRequest, Priority},
    model::{Guessed, Limits, PerMinute, PersonaIndex, Slots, Tokens},
};

/// How requests are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// This limiter, with the limits set.
    Set,
    /// This limiter, with half the limits as a first guess that headers put right.
    Preset,
    /// This limiter, with 60 requests a minute as a first guess.
    Unknown,
    /// This limiter, adaptation off.
    Fixed,
    /// A semaphore that is held all through, a lock, and a minimum spacing behind it.
    Source,
}

/// Requests are of this size on average, and up to a third larger or smaller.
const TOKENS: u64 = 600;

/// How many requests are to be sent, and how many of them at once.
#[derive(Clone, Copy)]
struct Crowd {
    callers: u32,
    slots: u32,
}

impl Crowd {
    /// Half as many slots again as Little's law asks for at 0.8 s a request, and more callers.
    fn of(rates: Rates) -> Self {
        let tokens = rates.tokens.map(|tokens| tokens / TOKENS as u32);
        let per_minute = [rates.requests, tokens].into_iter().flatten().min().unwrap_or(60);
        let slots = 5 + per_minute * 12 / 600;
        Self { callers: slots * 3, slots }
    }
}

/// Starts callers that go on until the set is dropped.
pub fn start(scheme: Scheme, rates: Rates, provider: &Arc<Provider>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let crowd = Crowd::of(rates);
    match scheme {
        Scheme::Source => {
            let source = Arc::new(Source::new(rates, crowd.slots));
            for caller in 0..crowd.callers {
                let (source, provider) = (Arc::clone(&source), Arc::clone(provider));
                tasks.spawn(async move { source.call(&provider, rng_of(caller)).await });
            }
        }
        Scheme::Set | Scheme::Preset | Scheme::Unknown | Scheme::Fixed => {
            let (waits, mut head_waits) = mpsc::unbounded_channel();
            let (limiter, dispatcher) = Limiter::new(vec![endpoint(scheme, rates, crowd)], waits);
            limiter.set_adaptation(scheme != Scheme::Fixed);
            tasks.spawn(dispatcher.run());
            tasks.spawn(async move { while head_waits.recv().await.is_some() {} });
            for caller in 0..crowd.callers {
                let (limiter, provider) = (limiter.clone(), Arc::clone(provider));
                tasks.spawn(async move { call(caller, &limiter, &provider).await });
            }
        }
    }
    tasks
}

fn endpoint(scheme: Scheme, rates: Rates, crowd: Crowd) -> EndpointSpec {
    let slots = Slots::clamped(i64::from(crowd.slots));
    let (rates, guessed) = match scheme {
        Scheme::Preset => (rates.times(0.5), true),
        Scheme::Unknown => (Rates::requests(60), true),
        Scheme::Set | Scheme::Fixed | Scheme::Source => (rates, false),
    };
    let limit = |rate: Option<u32>| rate.map(|rate| PerMinute::clamped(i64::from(rate)));
    let limits = Limits {
        slots,
        requests_per_minute: limit(rates.requests),
        tokens_per_minute: limit(rates.tokens),
    };
    let guessed =
        Guessed { slots: false, requests_per_minute: guessed, tokens_per_minute: guessed };
    EndpointSpec { guessed, ..EndpointSpec::new("endpoint", "model", limits) }
}

fn rng_of(caller: u32) -> fastrand::Rng {
    fastrand::Rng::with_seed(u64::from(caller))
}

fn size(rng: &mut fastrand::Rng) -> u64 {
    rng.u64(TOKENS * 2 / 3..=TOKENS * 4 / 3)
}

/// The wait after so many failed attempts, as the engine waits: exponential with full jitter, not
/// below what was asked for.
fn back_off(failed: u32, retry_after: Duration, rng: &mut fastrand::Rng) -> Duration {
    let span =
        (Duration::from_millis(500) * 2_u32.pow(failed.min(16))).min(Duration::from_secs(30));
    let random = rng.f64();
    span.mul_f64(random).max(retry_after.mul_f64(1.0 + 0.1 * random))
}

/// One call after the other through the limiter. What a request will use is not known before: the
/// mean is reserved, and settled when it is over.
async fn call(caller: u32, limiter: &Limiter, provider: &Provider) {
    let mut rng = rng_of(caller);
    loop {
        let (tokens, mut failed) = (size(&mut rng), 0);
        loop {
            let request = PermitRequest {
                avoided: Avoided::default(),
                persona: PersonaIndex(caller),
                priority: Priority::New,
                tokens: Tokens(TOKENS),
                most: Tokens(TOKENS * 4 / 3),
            };
            let mut permit = limiter.permit(request).await;
            permit.sent();
            let reply = provider.exchange(tokens, &mut rng).await;
            let said = reply.said;
            match reply.outcome {
                Ok(first_byte) => {
                    permit.learned(&Feedback { outcome: Outcome::Served { first_byte }, said });
                    permit.settle(Tokens(tokens));
                    break;
                }
                Err(failure) => {
                    permit.learned(&Feedback {
                        outcome: Outcome::Limited { failure: &failure },
                        said,
                    });
                    drop(permit);
                    let retry_after = failure.retry_after.unwrap_or_default();
                    sleep(back_off(failed, retry_after, &mut rng)).await;
                    failed += 1;
                }
            }
        }
    }
}

/// The source's scheme: a slot is taken first and held through the spacing, the exchange and the
/// back-off; whoever spaces holds a lock.
struct Source {
    slots: Semaphore,
    last: Mutex<Instant>,
    spacing: Duration,
}

impl Source {
    fn new(rates: Rates, slots: u32) -> Self {
        let tokens = rates.tokens.map(|tokens| tokens / TOKENS as u32);
        let per_minute = [rates.requests, tokens].into_iter().flatten().min().unwrap_or(60);
        Self {
            slots: Semaphore::new(slots as usize),
            last: Mutex::new(Instant::now()),
            spacing: Duration::from_secs(60) / per_minute,
        }
    }

    async fn call(&self, provider: &Provider, mut rng: fastrand::Rng) {
        loop {
            let tokens = size(&mut rng);
            let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
            for failed in 0.. {
                self.space().await;
                match provider.exchange(tokens, &mut rng).await.outcome {
                    Ok(_) => break,
                    Err(failure) => {
                        let retry_after = failure.retry_after.unwrap_or_default();
                        sleep(back_off(failed, retry_after, &mut rng)).await;
                    }
                }
            }
        }
    }

    async fn space(&self) {
        let mut last = self.last.lock().await;
        let since = last.elapsed();
        if since < self.spacing {
            sleep(self.spacing - since).await;
        }
        *last = Instant::now();
    }
}
