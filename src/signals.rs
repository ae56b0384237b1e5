//! Being asked to stop.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// SIGXFSZ: a file went over the limit of `ulimit -f`. The number is the same on Linux and macOS.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Who asks to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Somebody at the terminal, or its loss: SIGINT or SIGHUP.
    ByTerminal,
    /// Whoever looks after processes, and will not wait for ever: SIGTERM.
    BySystem,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// The terminal is gone, and with it whoever steered the run.
    Interrupts,
    /// Nothing, to a process without a terminal.
    IsIgnored,
}

/// Every SIGINT, SIGTERM and SIGHUP from now on, as a message each.
///
/// # Errors
/// Where the system lets nobody listen. Must be called inside a tokio runtime.
pub fn interrupts(hang_ups: HangUp) -> io::Result<mpsc::UnboundedReceiver<Interrupt>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (out, interrupts) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let by = tokio::select! {
                _ = interrupt.recv() => Interrupt::ByTerminal,
                _ = terminate.recv() => Interrupt::BySystem,
                _ = hang_up.recv() => match hang_ups {
                    HangUp::Interrupts => Interrupt::ByTerminal,
                    HangUp::IsIgnored => continue,
                },
            };
            if out.send(by).is_err() {
                return;
            }
        }
    });
    Ok(interrupts)
}

/// Turns a file-size limit from a sudden death into a failed write, which the store mends like a
/// full disk: answers are held until there is room.
///
/// # Errors
/// Where the system lets nobody listen. Must be called inside a tokio runtime.
pub fn survive_file_size_limit() -> io::Result<()> {
    signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED)).map(drop)
}
