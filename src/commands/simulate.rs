//! `voxpop simulate`: the simulated provider alone.

use crate::{
    cli::SimulateArgs,
    error::{Exit, Problem},
    signals,
    simulator::{Options, Simulator},
};

pub(super) fn simulate(args: SimulateArgs) -> Result<Exit, Problem> {
    let simulator = Simulator::start(Options {
        port: args.port,
        seed: args.seed,
        latency: args.latency,
        requests_per_minute: args.rpm,
        tokens_per_minute: args.tpm,
        faults: args.fault,
        ..Options::default()
    })
    .map_err(Problem::could_not_run)?;
    println!("{}", simulator.base_url());
    eprintln!("serving; use it with: OPENAI_BASE_URL={} voxpop run ...", simulator.base_url());
    eprintln!("Ctrl-C stops it");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::could_not_run)?;
    runtime.block_on(async {
        let mut interrupts = signals::interrupts().map_err(Problem::could_not_run)?;
        interrupts.recv().await;
        Ok(Exit::AllAnswered)
    })
}
