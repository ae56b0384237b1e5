//! The `voxpop` program: arguments in, exit code out.

use clap::Parser;
use std::process::ExitCode;
use voxpop::{cli::Cli, commands};

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
