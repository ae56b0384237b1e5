//! What must not be overlooked: why the run stands still, and what to press.

use super::{
    Attachment,
    action::Action,
    format,
    keymap::Keymap,
    state::{Mirror, UiState, ending},
};
use crate::{
    advice::Cost,
    model::{
        EndpointIndex, FailureKind, InterviewStatus as S, PauseReason, RunPhase, Service,
        StopReason, strip_controls,
    },
    protocol::{Replay, ReplayState},
};
use jiff::tz::TimeZone;

/// How loud it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// All is well: the end.
    Good,
    Warning,
    Alert,
}

/// The most important thing to say now, if there is any.
pub fn alert(state: &UiState, keys: &Keymap, zone: &TimeZone) -> Option<(Loudness, String)> {
    let run = state.run.as_ref()?;
    let key = |action| keys.name(action);
    let (resume, retry, leave) = (key(Action::TogglePause), key(Action::Retry), key(Action::Quit));
    let run_name = &run.header.run;
    let failed = run.counts.get(S::Failed);
    if let Some(replay) = run.meters.replay.filter(|_| state.frozen.is_none()) {
        return self::replay(run, &replay, &leave);
    }
    Some(match &run.phase {
        _ if state.reconnecting => (
            Loudness::Alert,
            "RECONNECTING: the engine is not heard; what is shown is from before".to_owned(),
        ),
        _ if state.frozen.is_some() => (
            Loudness::Warning,
            format!("FROZEN: the run goes on unseen. {} shows it again", key(Action::Freeze)),
        ),
        RunPhase::Finished | RunPhase::Running | RunPhase::Paused { .. } | RunPhase::Draining
            if run.ended() =>
        {
            let again = match failed {
                0 => String::new(),
                _ if run.header.live => format!(". {retry} asks the failed again"),
                _ => format!(". `voxpop retry {run_name}` asks the failed again"),
            };
            let loud = if failed > 0 { Loudness::Warning } else { Loudness::Good };
            (loud, format!("{}{again}. {leave} leaves", format::sentence(&ending(run))))
        }
        RunPhase::Stopped { reason } => {
            let why = match reason {
                StopReason::Unmended { pause } => format!(": {}", pause_words(pause)),
                StopReason::Asked | StopReason::Crashed => String::new(),
            };
            let ending = format::sentence(&ending(run));
            let budget = match reason {
                StopReason::Unmended { pause: PauseReason::BudgetSpent { .. } } => " --budget USD",
                _ => "",
            };
            (
                Loudness::Warning,
                format!(
                    "{ending}{why}. `voxpop resume {run_name}{budget}` goes on. {leave} leaves"
                ),
            )
        }
        RunPhase::Paused { reason: PauseReason::User } => {
            (Loudness::Warning, format!("PAUSED. {resume} resumes"))
        }
        RunPhase::Paused { reason: PauseReason::BudgetSpent { spent, budget } } => {
            let end = run.meters.money.and_then(|money| Cost::of(&money).end);
            let end = end.map_or_else(String::new, |end| format!(" ({end})"));
            (
                Loudness::Alert,
                format!(
                    "PAUSED, the budget is spent: {spent} of {budget}, and the next call could go \
                     beyond{end}. {leave}, then `voxpop resume {run_name} --budget USD` with more \
                     goes on; {retry} resumes with what is left"
                ),
            )
        }
        RunPhase::Paused { reason } => {
            // The remedy comes first: the provider's words may be long, and are cut.
            let remedy = match reason {
                PauseReason::CannotStore { .. } => {
                    let held = u64::from(run.meters.unsaved);
                    let held = format::plural(held, "answer", "answers");
                    format!("{held} held; make room, then {retry} resumes")
                }
                PauseReason::Unreachable { .. } => {
                    format!("once it answers again, {retry} resumes")
                }
                PauseReason::ProviderRefuses { failure } => {
                    format!("{}, then {retry} resumes", mending(failure.kind))
                }
                PauseReason::CannotRead { .. }
                | PauseReason::Batch { .. }
                | PauseReason::BudgetSpent { .. }
                | PauseReason::User => format!("once mended, {retry} resumes"),
            };
            (Loudness::Alert, format!("PAUSED, {remedy}: {}", pause_words(reason)))
        }
        RunPhase::Running | RunPhase::Draining if state.unheard().is_some() => {
            let seconds = state.unheard().unwrap_or_default().as_secs();
            (
                Loudness::Alert,
                format!(
                    "NO NEWS for {seconds} s: the run's engine hangs or is stopped; what is shown \
                     is from before"
                ),
            )
        }
        RunPhase::Draining => {
            let left = run.counts.get(S::InFlight);
            let left = format::thousands(u64::from(left));
            let at_once = match state.attachment {
                Attachment::ReadOnly => String::new(),
                _ => format!(". {leave}, then {} stops now", key(Action::StopNow)),
            };
            (Loudness::Warning, format!("STOPPING: waiting for {left} in flight{at_once}"))
        }
        RunPhase::Running => {
            let silence = silence(run, state, zone).map(|words| (Loudness::Alert, words));
            silence.or_else(|| Some((Loudness::Warning, out_of_service(run, &retry)?)))?
        }
        RunPhase::Finished => return None,
    })
}

/// What a replay has to say: nobody can do anything about what is shown.
fn replay(run: &Mirror, replay: &Replay, leave: &str) -> Option<(Loudness, String)> {
    let words = match (&run.phase, replay.left_out) {
        _ if replay.state == ReplayState::Over => {
            format!("The replay is over: {}. {leave} leaves", ending(run))
        }
        (_, Some(time)) => {
            let time = format::clock(time);
            format!("LEFT OUT: {time} of the run, in which nothing happened")
        }
        (RunPhase::Paused { reason }, None) => {
            format!("The run was paused then: {}", pause_words(reason))
        }
        (RunPhase::Stopped { .. }, None) => {
            "The run was stopped then, and went on later".to_owned()
        }
        _ => return None,
    };
    Some((Loudness::Warning, words))
}

/// Calls are made, and nothing has come back for a minute.
fn silence(run: &Mirror, state: &UiState, zone: &TimeZone) -> Option<String> {
    let alarm = run.situation(state.now()).alarm()?;
    let since = format::time_of_day(alarm.since, zone);
    Some(format::sentence(&alarm.words(state.now(), Some(&since))))
}

/// An endpoint that serves nobody until a person has done something.
fn out_of_service(run: &Mirror, retry: &str) -> Option<String> {
    let out: Vec<_> = run
        .endpoints()
        .filter_map(|(index, endpoint)| match &endpoint.service {
            Service::OutOfService { failure } => Some((index, failure)),
            Service::InService | Service::CoolingDown { .. } => None,
        })
        .collect();
    let (first, failure) = out.first()?;
    let names: Vec<_> =
        out.iter().map(|(index, _): &(EndpointIndex, _)| run.endpoint_name(*index)).collect();
    let is = if out.len() == 1 { "is" } else { "are" };
    let whose =
        if out.len() == 1 { String::new() } else { format!("{}: ", run.endpoint_name(*first)) };
    Some(format!(
        "{} {is} OUT OF SERVICE: {}, then {retry} resumes: {whose}{failure}",
        names.join(", "),
        mending(failure.kind)
    ))
}

/// What a person has to do about a failure that waiting does not end.
const fn mending(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::QuotaExhausted => "add credit or raise the spending limit",
        FailureKind::KeyRefused => "mend the key or its rights at the provider",
        FailureKind::RateLimitedRequests | FailureKind::RateLimitedTokens => "wait as it asks",
        _ => "mend it",
    }
}

fn pause_words(reason: &PauseReason) -> String {
    strip_controls(&match reason {
        PauseReason::User => "paused by hand".to_owned(),
        PauseReason::ProviderRefuses { .. } => reason.to_string(),
        PauseReason::Unreachable { failure } => format!("nothing can be reached: {failure}"),
        PauseReason::BudgetSpent { .. } => reason.to_string(),
        PauseReason::Batch { message } => message.clone(),
        PauseReason::CannotRead { message } => format!("cannot read the run file: {message}"),
        PauseReason::CannotStore { message } => format!("cannot write the run file: {message}"),
    })
}
