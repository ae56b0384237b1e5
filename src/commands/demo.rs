//! `voxpop demo`: the bundled survey against a simulated provider, with no key and no file.

use super::{
    preparation::{NewRunFile, start_log},
    runs_folder::RunsFolder,
};
use crate::{
    cli::DemoArgs,
    config::{self, Flags},
    error::{Exit, Problem},
    launch::{self, FrontEnd},
    model::{Persona, PersonaIndex},
    personas,
    simulator::{Conduct, Options, Simulator},
};
use std::time::Duration;

/// How long SIGTERM waits for what is in flight.
const GRACE: Duration = Duration::from_secs(30);

pub(super) fn demo(args: &DemoArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let front_end = FrontEnd::choose(&args.display)?;
    let simulator = Simulator::start(Options {
        seed: args.seed,
        latency: args.latency,
        faults: args.fault,
        conduct: Conduct {
            contradictions: args.contradictions,
            topics_missed: args.topics_missed,
            off_topic: args.off_topic,
            ..Conduct::default()
        },
        ..Options::default()
    })
    .map_err(Problem::could_not_run)?;
    let config = config::load_demo(&Flags {
        concurrency: Some(args.concurrency),
        rpm: Some(args.rpm),
        tpm: Some(args.tpm),
        base_url: Some(simulator.base_url()),
        // Its provider is another one each time, and is to be seen at work.
        no_cache: true,
        ..Flags::default()
    })
    .map_err(Problem::input)?;
    let (_log_guard, log) = start_log(runs)?;
    let mut file = NewRunFile::create(runs, None, &config, "the bundled personas")?;
    for persona in repeated(personas::example(), args.personas) {
        file.add(&persona).map_err(Problem::could_not_run)?;
    }
    let prepared = file.prepared(config, log)?;
    launch::see_through(prepared, front_end, GRACE)
}

/// The first `many` personas; beyond the bundled ones they come round again under new ids.
fn repeated(bundled: Vec<Persona>, many: u32) -> impl Iterator<Item = Persona> {
    (0..many).map(move |index| {
        let place = index as usize % bundled.len();
        let round = index as usize / bundled.len();
        let mut persona = bundled[place].clone();
        persona.index = PersonaIndex(index);
        if round > 0 {
            persona.id = format!("{}-{}", persona.id, round + 1);
        }
        persona
    })
}
