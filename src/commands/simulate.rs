//! `voxpop simulate`: the simulated provider alone.

use crate::{
    cli::SimulateArgs,
    error::{Exit, Problem},
    signals::{self, HangUp},
    simulator::{BatchOptions, Charge, Conduct, Kind, Options, Simulator, Support},
};
use std::time::Duration;

pub(super) fn simulate(args: SimulateArgs) -> Result<Exit, Problem> {
    let kind = args.kind;
    let simulator = Simulator::start(options(args)).map_err(|error| {
        if error.is_in_the_options() {
            Problem::input(error)
        } else {
            Problem::could_not_run(error)
        }
    })?;
    let url = simulator.base_url();
    println!("{url}");
    eprintln!("serving; use it with: OPENAI_BASE_URL={url} voxpop run ...");
    if kind == Kind::Azure {
        eprintln!("it wants a key in the header api-key, any unless --key names some");
    }
    eprintln!("change it meanwhile: curl -d capacity=x0.5 {}", simulator.do_url());
    eprintln!("its counts: curl {}", simulator.stats_url());
    eprintln!("Ctrl-C stops it");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::could_not_run)?;
    runtime.block_on(async {
        let mut interrupts =
            signals::interrupts(HangUp::Interrupts).map_err(Problem::could_not_run)?;
        interrupts.recv().await;
        Ok(Exit::AllAnswered)
    })
}

/// What the flags say, over what the kind of server does by itself.
fn options(args: SimulateArgs) -> Options {
    let kind = args.kind.options();
    let mut dialect = kind.dialect;
    for (refused, support) in [
        (args.no_json_schema, &mut dialect.json_schema),
        (args.no_json_object, &mut dialect.json_object),
        (args.no_max_completion_tokens, &mut dialect.max_completion_tokens),
        (args.no_max_tokens, &mut dialect.max_tokens),
    ] {
        if refused {
            *support = Support::Refused;
        }
    }
    Options {
        port: args.port,
        seed: args.seed,
        kind: args.kind,
        latency: args.latency,
        tokens_per_second: args.tokens_per_second,
        limit_shape: args.limit,
        requests_per_minute: args.rpm,
        tokens_per_minute: args.tpm,
        charge: if args.charge_cap { Charge::Cap } else { Charge::Output },
        quota: args.quota,
        keys: args.key,
        slots: args.slots.or(kind.slots),
        queue: args.queue.or(kind.queue),
        rate_headers: args.headers.unwrap_or(kind.rate_headers),
        retry_after: args.retry_after.unwrap_or(kind.retry_after),
        dialect,
        faults: args.fault,
        batch: BatchOptions {
            takes: Duration::from_secs_f64(args.batch_seconds),
            expired: args.batch_expired,
            failed: args.batch_failed,
            strange: args.batch_strange,
            unclear: args.batch_unclear,
            enqueued_tokens: args.batch_enqueued_tokens,
        },
        embeddings_failed: args.embeddings_failed,
        conduct: Conduct {
            contradictions: args.contradictions,
            topics_missed: args.topics_missed,
            off_topic: args.off_topic,
            numbers_dropped: args.numbers_dropped,
            critic_nonsense: args.critic_nonsense,
            critic_invents: args.critic_invents,
            critic_disagrees: args.critic_disagrees,
        },
        schedule: args.at,
    }
}
