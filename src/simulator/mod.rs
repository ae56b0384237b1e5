//! An OpenAI-compatible provider on loopback, with limits and faults: for demos, for rehearsing
//! a run for nothing, and for tests. It shares no code with the client, so that the two cannot
//! make the same mistake.
//!
//! A request comes in through [`server`] (HTTP; [`wire`] is the connection under it) and is
//! answered by [`service`], in this order:
//!
//! 1. the key, then [`request`]: what OpenAI would refuse with a 400 is refused
//! 2. [`answer`]: [`facts`] reads who is asked and [`topic`] about what; [`character`] makes a
//!    stance of that; [`narrative`] puts it into words from [`stock`]; the [`form`] that the
//!    JSON schema describes is filled in
//! 3. [`limits`]: a token bucket for requests and one for tokens
//! 4. [`faults`]: what goes wrong with this attempt, if anything
//!
//! All luck comes from [`chance`]: the same seed and the same requests give the same answers,
//! faults and latencies, in whatever order they arrive. [`reply`] holds the bodies and [`stats`]
//! the counts.

mod answer;
mod chance;
mod character;
mod facts;
mod faults;
mod form;
mod limits;
mod narrative;
mod options;
mod reply;
mod request;
mod server;
mod service;
mod stats;
mod stock;
#[cfg(test)]
mod tests;
mod topic;
mod wire;

pub use faults::{FaultKind, Faults, FaultsError};
pub use options::{Options, SimulatorError};
pub use stats::Stats;

use service::Service;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};
use tokio::{net::TcpListener, runtime, sync::oneshot, time::Instant};

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
    /// A port that cannot be had, a limit of zero, or a machine out of threads or files.
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

    /// Where it listens: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it has counted so far.
    pub fn stats(&self) -> Stats {
        self.service.counts.now()
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
                    _ = server::serve(listener, service) => {}
                }
            }
            Err(source) => {
                let _ = bound.send(Err(SimulatorError::Listen { port, source }));
            }
        }
    });
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
