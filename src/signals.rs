//! Being asked to stop.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// SIGXFSZ: a file went over the limit of `ulimit -f`. The number is the same on Linux and macOS.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Every SIGINT, SIGTERM and SIGHUP from now on, as a message each.
///
/// # Errors
/// Where the system lets nobody listen. Must be called inside a tokio runtime.
pub fn interrupts() -> io::Result<mpsc::UnboundedReceiver<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (out, interrupts) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if out.send(()).is_err() {
                return;
            }
        }
    });
    Ok(interrupts)
}

/// A signal that asks a process without a terminal to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// Every SIGINT and SIGTERM from now on. SIGHUP does nothing any more: no terminal is to be lost.
///
/// # Errors
/// Where the system lets nobody listen. Must be called inside a tokio runtime.
pub fn stops() -> io::Result<mpsc::UnboundedReceiver<Stop>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (out, stops) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => continue,
            }
            if out.send(Stop).is_err() {
                return;
            }
        }
    });
    Ok(stops)
}

/// Turns a file-size limit from a sudden death into a failed write, which the store mends like a
/// full disk: answers are held until there is room.
///
/// # Errors
/// Where the system lets nobody listen. Must be called inside a tokio runtime.
pub fn survive_file_size_limit() -> io::Result<()> {
    signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED)).map(drop)
}
