//! A finished run, or one that some other process carries on, shown but not run: the same updates
//! from the run file alone. Every command that would change the run is refused.

use super::{
    detail::detail,
    meters::{RunMeters, Terms},
    reading::PersonaRecord,
};
use crate::{
    model::{LimitChange, LogLine, RunPhase},
    prompt::{PromptError, Prompts},
    protocol::{
        Command, CommandOutcome, LIMIT_CHANGES, Meters, Order, Outlet, PROTOCOL_VERSION, RunHeader,
        Snapshot, Statuses, Update,
    },
    store::{RunReader, StoreError},
};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Why a run cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

/// Shows a run until its front end has gone. Where `show` is not set, the front end has the
/// picture of it already, and is shown personas only.
///
/// # Errors
/// Where the run file cannot be read.
pub async fn view(
    header: RunHeader,
    reader: RunReader,
    outlet: &dyn Outlet,
    commands: &mut UnboundedReceiver<Command>,
    show: bool,
) -> Result<(), ViewError> {
    let info = reader.run()?;
    let prompts = Prompts::compile(&info.survey)?;
    let statuses = reader.statuses()?;
    let mut meters = meters(&reader)?;
    let seconds = info.summary.as_ref().map_or(0.0, |summary| summary.seconds);
    meters.elapsed = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let snapshot = Snapshot {
        version: PROTOCOL_VERSION,
        header,
        phase: info.phase.unwrap_or(RunPhase::Finished),
        statuses: Statuses(statuses.clone()),
        meters,
        history: Vec::new(),
        log: Vec::<LogLine>::new(),
        changes: last_changes(&reader)?,
        summary: info.summary,
    };
    if show {
        outlet.publish(Update::Snapshot(Box::new(snapshot.clone())));
    }
    while let Some(Command { id, order }) = commands.recv().await {
        match order {
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
            Order::FinishAndStop | Order::StopNow => return Ok(()),
            Order::SetLimit { .. }
            | Order::SetAdaptation { .. }
            | Order::SetBatch { .. }
            | Order::CancelBatches
            | Order::Pause
            | Order::Resume
            | Order::RetryFailed => {
                let why = "this run is only looked at; `voxpop resume` and `voxpop retry` go on \
                           with it"
                    .to_owned();
                outlet.publish(Update::Applied { id, outcome: CommandOutcome::Refused { why } });
            }
        }
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
