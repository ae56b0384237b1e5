//! What must not be overlooked: why the run stands still, and what to press.

use super::{
    action::Action,
    format,
    keymap::Keymap,
    state::{Mirror, UiState, ending},
};
use crate::model::{InterviewStatus as S, PauseReason, RunPhase, StopReason};
use std::time::Duration;

/// After so long without an answer the run is said to hang.
const SILENCE: Duration = Duration::from_secs(60);

/// How loud it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// All is well: the end.
    Good,
    Warning,
    Alert,
}

/// The most important thing to say now, if there is any.
pub fn alert(state: &UiState, keys: &Keymap) -> Option<(Loudness, String)> {
    let run = state.run.as_ref()?;
    let key = |action| keys.name(action);
    let (resume, retry, leave) = (key(Action::TogglePause), key(Action::Retry), key(Action::Quit));
    let run_name = &run.header.run;
    let failed = run.counts.get(S::Failed);
    Some(match &run.phase {
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
            (loud, format!("{}{again}. {leave} leaves", sentence(&ending(run))))
        }
        RunPhase::Stopped { reason } => {
            let why = match reason {
                StopReason::Unmended { pause } => format!(": {}", pause_words(pause)),
                StopReason::Asked | StopReason::Crashed => String::new(),
            };
            (
                Loudness::Warning,
                format!(
                    "{}{why}. `voxpop resume {run_name}` goes on. {leave} leaves",
                    sentence(&ending(run))
                ),
            )
        }
        RunPhase::Paused { reason: PauseReason::User } => {
            (Loudness::Warning, format!("PAUSED. {resume} resumes"))
        }
        RunPhase::Paused { reason } => {
            // The remedy comes first: the provider's words may be long, and are cut.
            let remedy = match reason {
                PauseReason::CannotStore { .. } => {
                    let held = u64::from(run.meters.unsaved);
                    let held = format::plural(held, "answer", "answers");
                    format!("{held} held; make room, then press")
                }
                PauseReason::Unreachable { .. } => "when it answers again, press".to_owned(),
                PauseReason::BudgetSpent { .. } => {
                    "resume later with a higher --budget, or press".to_owned()
                }
                PauseReason::ProviderRefuses { .. }
                | PauseReason::CannotRead { .. }
                | PauseReason::User => "once mended, press".to_owned(),
            };
            (Loudness::Alert, format!("PAUSED, {remedy} {retry}: {}", pause_words(reason)))
        }
        RunPhase::Draining => {
            let left = run.counts.get(S::InFlight);
            (
                Loudness::Warning,
                format!(
                    "STOPPING: waiting for {} in flight. {leave} then stops now",
                    format::thousands(u64::from(left))
                ),
            )
        }
        RunPhase::Running => (Loudness::Alert, silence(run, state)?),
        RunPhase::Finished => return None,
    })
}

/// In flight, and nothing has come back for a minute.
fn silence(run: &Mirror, state: &UiState) -> Option<String> {
    let in_flight = run.counts.get(S::InFlight) + run.counts.get(S::BackingOff);
    let quiet = run.unanswered_for(state.now());
    if in_flight == 0 || quiet < SILENCE {
        return None;
    }
    let why = run.meters.failures.iter().max_by_key(|tally| tally.last_at.0).map_or_else(
        || format!("{in_flight} in flight and no word from the provider"),
        |tally| format!("{in_flight} under way, last error {}: {}", tally.kind, tally.last_message),
    );
    Some(format!("Nothing answered for {}: {why}", format::short_clock(quiet)))
}

fn pause_words(reason: &PauseReason) -> String {
    crate::model::strip_controls(&match reason {
        PauseReason::User => "paused by hand".to_owned(),
        PauseReason::ProviderRefuses { failure } => format!("the provider refuses: {failure}"),
        PauseReason::Unreachable { failure } => format!("nothing can be reached: {failure}"),
        PauseReason::BudgetSpent { .. } => reason.to_string(),
        PauseReason::CannotRead { message } => format!("cannot read the run file: {message}"),
        PauseReason::CannotStore { message } => format!("cannot write the run file: {message}"),
    })
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
