//! The signals a dashboard has to answer.

use futures_util::FutureExt;
use rustix::process::Signal as Number;
use std::io;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// What the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The terminal is gone.
    HungUp,
    /// SIGTERM or SIGINT.
    Stop,
    Suspend,
    Continued,
}

/// Listens to them.
#[derive(Debug)]
pub struct Signals {
    hang_up: Listener,
    terminate: Listener,
    interrupt: Listener,
    suspend: Listener,
    resume: Listener,
}

impl Signals {
    /// Starts to listen: from now on none of them does what it does by default.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            suspend: signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
            resume: signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
        })
    }

    /// The next one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.hang_up.recv() => Signal::HungUp,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.suspend.recv() => Signal::Suspend,
            _ = self.resume.recv() => Signal::Continued,
        }
    }

    /// Stops the whole process group, as the terminal's own Ctrl-Z does: a parent such as `cargo
    /// run` has to stop as well, or the shell does not come back. SIGSTOP, because a raised SIGTSTP
    /// is ignored in an orphaned group. Returns when somebody has continued the process.
    ///
    /// The end of the stop is SIGCONT and not the return of `kill`: in a process of several threads
    /// this one goes on for a moment, and had one time in eight taken the terminal back before it
    /// stopped.
    pub async fn stop_here(&mut self) -> io::Result<()> {
        // One that came before does not end this stop.
        let _ = self.resume.recv().now_or_never();
        rustix::process::kill_current_process_group(Number::STOP)?;
        self.resume.recv().await;
        Ok(())
    }
}
