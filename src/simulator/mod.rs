//! An OpenAI-compatible provider on loopback, with limits and faults: for demos, for rehearsing
//! a run for nothing, and for tests. It shares no code with the client, so that the two cannot
//! make the same mistake.
//!
//! A request comes in through `server` (HTTP; `wire` is the connection under it) and is
//! answered by `service`, in this order:
//!
//! 1. `outage`: nobody is there while the provider is down
//! 2. `accounts`: whose key it is, then `request`: what OpenAI would refuse with a 400 is refused
//! 3. `answer`: `task` sees what is asked. `facts` reads who is asked and `topic` about what;
//!    `character` makes a stance of that; `narrative` puts it into words from `stock`, with the
//!    topics that its domain has `required`; the `form` that the JSON schema describes, or that the
//!    prompt shows (`sketch`), is filled in, with a `slip` where `conduct` has one. `again` is what
//!    a persona says when it is asked once more, `critic` what is said of an answer; `critique`
//!    judges a survey's question, `packed` asks several at once and `talk` goes on with a
//!    conversation; `digest` is what it makes of many answers at once
//! 4. `accounts` again: the quota, and `limits` of requests and of tokens, for a group of keys
//! 5. `slots`: how many are served at once, and the line before them
//! 6. `faults`: what goes wrong with this attempt, if anything; `fault_kind` is the list of it
//!    and `draft` the reply that comes of it, as soon as `speed` allows
//! 7. `delivery`: headers (`rate_headers`, `retry_after`) and bytes
//!
//! `batch` takes files and batches, whose lines `service` answers without 4 and 5, and
//! `embeddings` makes vectors of texts.
//!
//! `kind` says in what the servers differ, and `error_body` how each writes an error. `change` is
//! what may change while it runs, by schedule or through `control`.
//!
//! All luck comes from `chance`: the same seed and the same requests give the same answers,
//! faults and latencies, in whatever order they arrive. `reply` holds the bodies and `stats`
//! the counts.

mod accounts;
mod again;
mod answer;
mod batch;
mod chance;
mod change;
mod character;
mod conduct;
mod control;
mod critic;
mod critique;
mod delivery;
mod digest;
mod draft;
mod embeddings;
mod error_body;
mod facts;
mod fault_kind;
mod faults;
mod form;
mod kind;
mod limits;
mod narrative;
mod options;
mod outage;
mod packed;
mod rate_headers;
mod refusals;
mod remembered;
mod reply;
mod request;
mod required;
mod retry_after;
mod server;
mod service;
mod sketch;
mod slip;
mod slots;
mod speed;
mod stats;
mod stock;
mod talk;
mod task;
#[cfg(test)]
mod tests;
mod time;
mod topic;
mod wire;
mod words;

pub use accounts::{Key, KeyError, KeyStats};
pub use batch::{BatchOptions, BatchStats};
pub use change::{Change, ChangeError, Quota, Scheduled};
pub use conduct::{Conduct, Share, ShareError};
pub use fault_kind::FaultKind;
pub use faults::{Faults, FaultsError};
pub use kind::Kind;
pub use limits::{Denial, Gauge, Gauges, LimitShape, LimitShapeError, Metered, RateLimits};
pub use options::{Charge, Options, SimulatorError};
pub use rate_headers::RateHeaders;
pub use request::{Dialect, Support};
pub use retry_after::{RetryAfter, RetryAfterError, RetryForm};
pub use stats::{AskedFor, Stats};
pub use words::UnknownWord;

use service::{By, Service};
use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};
use tokio::{
    net::TcpListener,
    runtime,
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// Reads a share of something: `2%` or `0.02`.
///
/// # Errors
/// With how to write it.
pub fn parse_share(text: &str) -> Result<f64, String> {
    faults::share(text.trim()).ok_or_else(|| "give a share, such as 2% or 0.02".to_owned())
}

/// A provider that runs on a thread and a runtime of its own, so that it takes no turn from the
/// engine's. It stops, connections and all, when it is dropped.
pub struct Simulator {
    address: SocketAddr,
    service: Arc<Service>,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts to listen on 127.0.0.1; connections are accepted when this returns. It may be
    /// called inside a runtime, which it holds up for less than a millisecond.
    ///
    /// # Errors
    /// Options that contradict themselves, a port that cannot be had, or a machine out of threads
    /// or files.
    pub fn start(options: Options) -> Result<Self, SimulatorError> {
        options.check()?;
        let port = options.port;
        let service = Arc::new(Service::new(options, Instant::now()));
        let (stop, stopped) = oneshot::channel();
        let (bound, wait_until_bound) = mpsc::sync_channel(1);
        let for_thread = Arc::clone(&service);
        let thread = thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || run(port, for_thread, &bound, stopped))
            .map_err(SimulatorError::Thread)?;
        let address = wait_until_bound
            .recv()
            .map_err(|_| SimulatorError::Thread(io::Error::other("it ended at once")))??;
        Ok(Self { address, service, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens: `http://127.0.0.1:PORT/v1`, or as its kind of server has it.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address, self.service.options.kind.base_path())
    }

    /// Where it takes changes while it runs, `POST`ed one a line.
    pub fn do_url(&self) -> String {
        format!("http://{}{}", self.address, control::DO)
    }

    /// Where it shows its counts.
    pub fn stats_url(&self) -> String {
        format!("http://{}{}", self.address, control::STATS)
    }

    /// Makes a change, from now on.
    ///
    /// # Errors
    /// Where this provider cannot make it.
    pub fn change(&self, change: Change) -> Result<(), ChangeError> {
        self.service.change(change, By::Command, Instant::now())
    }

    /// What it has counted so far.
    pub fn stats(&self) -> Stats {
        self.service.counts.now()
    }

    /// What it has counted of batches so far.
    pub fn batch_stats(&self) -> BatchStats {
        self.service.batches.stats()
    }

    /// What one of its keys has used so far.
    pub fn key_stats(&self, key: &str) -> Option<KeyStats> {
        let accounts = self.service.accounts();
        accounts.stats().find(|(name, ..)| *name == key).map(|(.., stats)| stats)
    }
}

/// The thread: says where it listens, and serves until it is told to stop.
fn run(
    port: u16,
    service: Arc<Service>,
    bound: &mpsc::SyncSender<Result<SocketAddr, SimulatorError>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = bound.send(Err(SimulatorError::Thread(source)));
            return;
        }
    };
    runtime.block_on(async {
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        match listening.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                let _ = bound.send(Ok(address));
                tokio::select! {
                    _ = stopped => {}
                    () = keep_to_the_schedule(&service) => {}
                    _ = server::serve(listener, Arc::clone(&service)) => {}
                }
            }
            Err(source) => {
                let _ = bound.send(Err(SimulatorError::Listen { port, source }));
            }
        }
    });
}

/// Makes the changes of the schedule, each at its time, and never ends.
async fn keep_to_the_schedule(service: &Service) {
    let mut schedule = service.options.schedule.clone();
    schedule.sort_by_key(|scheduled| scheduled.at);
    for Scheduled { at, change } in schedule {
        sleep_until(service.started_at + at).await;
        service
            .change(change, By::Schedule, Instant::now())
            .expect("the whole schedule was checked before the start");
    }
    pending().await
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
