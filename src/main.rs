//! The `voxpop` program: arguments in, exit code out.

use clap::Parser;
use std::process::ExitCode;
use voxpop::{cli::Cli, commands};

/// An interview allocates some 200 times. The system's allocator took a fifth of the CPU of a run
/// at full speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
