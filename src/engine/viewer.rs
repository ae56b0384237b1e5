//! A finished run, or one that some other process carries on, shown but not run: the same updates
//! from the run file alone. Every command that would change the run is refused.

use super::{
    detail::detail,
    distribution,
    meters::{RunMeters, Terms},
    reading::PersonaRecord,
    talker::{TalkAccess, Talker},
};
use crate::{
    model::{LimitChange, LogLine, RunPhase},
    prompt::{PromptError, Prompts},
    protocol::{
        Command, CommandOutcome, Distribution, LIMIT_CHANGES, Meters, Order, Outlet,
        PROTOCOL_VERSION, RunHeader, Snapshot, Statuses, Update,
    },
    store::{RunReader, StoreError},
};
use futures_util::FutureExt;
use std::time::Duration;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

/// Why a run cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

/// Shows a run until its front end has gone. Where `show` is not set, the front end has the
/// picture of it already, and is shown personas only. `access` is for who talks with a persona.
///
/// # Errors
/// Where the run file cannot be read.
pub async fn view(
    header: RunHeader,
    reader: RunReader,
    outlet: &dyn Outlet,
    commands: &mut UnboundedReceiver<Command>,
    show: bool,
    access: TalkAccess,
) -> Result<(), ViewError> {
    let info = reader.run()?;
    let prompts = Prompts::compile(&info.survey)?;
    let statuses = reader.statuses()?;
    let mut meters = meters(&reader)?;
    let seconds = info.summary.as_ref().map_or(0.0, |summary| summary.seconds);
    meters.distribution = Distribution::of(&info.survey.grid);
    meters.elapsed = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let mut snapshot = Snapshot {
        version: PROTOCOL_VERSION,
        header,
        phase: info.phase.unwrap_or(RunPhase::Finished),
        statuses: Statuses(statuses.clone()),
        meters,
        history: Vec::new(),
        log: Vec::<LogLine>::new(),
        changes: last_changes(&reader)?,
        summary: info.summary,
        analysis: reader.analysis()?.map(Box::new),
    };
    if show {
        outlet.publish(Update::Snapshot(Box::new(snapshot.clone())));
    }
    let (count, counted) = oneshot::channel();
    distribution::count_apart(reader.path(), info.survey.grid, move |distribution| {
        let _ = count.send(distribution);
    })?;
    let mut counted = std::pin::pin!(counted.fuse());
    let mut talker = Talker::new(reader.path(), access);
    loop {
        let Command { id, order } = tokio::select! { biased;
            command = commands.recv() => match command {
                Some(command) => command,
                None => break,
            },
            fact = talker.fact() => {
                if let Some(talk) = talker.take_in(fact) {
                    outlet.publish(Update::Talk(Box::new(talk)));
                }
                continue;
            }
            counted = &mut counted => {
                // Where they cannot be counted, who waits for it waits no longer.
                if let Ok(distribution) = counted {
                    snapshot.meters.distribution = distribution;
                }
                if show {
                    outlet.publish(Update::Snapshot(Box::new(snapshot.clone())));
                }
                continue;
            }
        };
        match order {
            Order::OpenTalk { .. } | Order::Say { .. } | Order::CloseTalk { .. } => {
                let outcome = match in_talk(&mut talker, order, outlet) {
                    Ok(()) => CommandOutcome::Applied { what: "done".to_owned() },
                    Err(why) => CommandOutcome::Refused { why },
                };
                outlet.publish(Update::Applied { id, outcome });
            }
            Order::Inspect { persona } => {
                let outcome = match PersonaRecord::read(&reader, persona) {
                    Ok(Some(record)) => {
                        let status = statuses.get(persona.as_usize()).copied().unwrap_or_default();
                        let detail = detail(record, status, None, &prompts);
                        outlet.publish(Update::Detail(Box::new(detail)));
                        CommandOutcome::Applied { what: "looked up".to_owned() }
                    }
                    Ok(None) => {
                        CommandOutcome::Refused { why: format!("there is no persona {persona}") }
                    }
                    Err(error) => CommandOutcome::Refused { why: error.to_string() },
                };
                outlet.publish(Update::Applied { id, outcome });
            }
            Order::SendSnapshot => {
                outlet.publish(Update::Snapshot(Box::new(snapshot.clone())));
            }
            Order::FinishAndStop | Order::StopNow => break,
            Order::SetLimit { .. }
            | Order::SetAdaptation { .. }
            | Order::SetBatch { .. }
            | Order::CancelBatches
            | Order::Pause
            | Order::Resume
            | Order::ChangeSpeed { .. }
            | Order::RetryFailed => {
                let why = "this run is only looked at; `voxpop resume` and `voxpop retry` go on \
                           with it"
                    .to_owned();
                outlet.publish(Update::Applied { id, outcome: CommandOutcome::Refused { why } });
            }
        }
    }
    talker.close();
    Ok(())
}

/// Carries out an order in a talk.
fn in_talk(talker: &mut Talker, order: Order, outlet: &dyn Outlet) -> Result<(), String> {
    match order {
        Order::Say { persona, text } => {
            talker.say(persona, &text)?;
            outlet.publish(Update::Talk(Box::new(talker.open(persona)?)));
        }
        Order::OpenTalk { persona } => {
            outlet.publish(Update::Talk(Box::new(talker.open(persona)?)));
        }
        _ => talker.leave(),
    }
    Ok(())
}

/// The changes of limits that a snapshot has room for.
fn last_changes(reader: &RunReader) -> Result<Vec<LimitChange>, StoreError> {
    let mut changes = reader.limit_changes()?;
    let surplus = changes.len().saturating_sub(LIMIT_CHANGES);
    changes.drain(..surplus);
    Ok(changes)
}

/// What the attempts on file add up to. Rates are of the past and stay empty.
fn meters(reader: &RunReader) -> Result<Meters, StoreError> {
    let mut meters = RunMeters::new(Terms::default());
    reader.for_each_attempt(|attempt| meters.attempted(&attempt))?;
    reader.for_each_failed(|persona, failure| meters.failed(&failure, persona))?;
    Ok(meters.totals())
}
