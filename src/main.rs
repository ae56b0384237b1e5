//! The `voxpop` program: arguments in, exit code out.

use clap::Parser;
use std::process::ExitCode;
use voxpop::{cli::Cli, commands};

/// An interview allocates some 200 times. The system's allocator took a fifth of the CPU of a run
/// at full speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prefer_small_pages();
    if let Err(error) = color_eyre::install() {
        eprintln!("warning: crash reports will be plain: {error}");
    }
    match commands::carry_out(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(problem) => {
            eprintln!("error: {problem}");
            problem.exit().into()
        }
    }
}

/// The allocator asks for huge pages, of which the kernel clears 2 MiB at the first touch, once for
/// each thread and size: 75 of the 96 ms of CPU that a run of 200 personas took, most of it before
/// the first request, and memory that nobody uses. A run at full speed is as fast without.
#[cfg(target_os = "linux")]
fn prefer_small_pages() {
    // Where the kernel will not, the program is slower to start.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
const fn prefer_small_pages() {}
