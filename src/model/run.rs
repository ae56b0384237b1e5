//! A run as a whole: its phase and its end.

use super::{Failure, Usd};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// What the run as a whole is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum RunPhase {
    Running,
    /// Nothing new is sent; what is in flight goes on.
    Paused {
        reason: PauseReason,
    },
    /// A stop was asked for: nothing new is sent, and the run stops when nothing is in flight.
    Draining,
    /// Every interview is over.
    Finished,
    /// Ended before every interview was over; `resume` goes on.
    Stopped {
        reason: StopReason,
    },
}

/// Why a run is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum PauseReason {
    /// Somebody pressed the key.
    User,
    /// The provider will serve nobody: no quota left, or the key refused.
    ProviderRefuses { failure: Failure },
    /// No endpoint can be reached and nothing has been answered since.
    Unreachable { failure: Failure },
    /// The next call could cost more than is left of the budget.
    BudgetSpent { spent: Usd, budget: Usd },
    /// The run file cannot be written, as on a full disk. Answers are held in memory.
    CannotStore { message: String },
    /// A batch was refused or lost, or cannot be made; somebody must look before more are.
    Batch { message: String },
    /// The next personas cannot be read from the run file.
    CannotRead { message: String },
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("asked for"),
            Self::ProviderRefuses { failure } => {
                write!(f, "the provider refuses: {failure}")?;
                match failure.retry_after.map(|wait| wait.as_secs() / 3_600) {
                    Some(hours @ 1..) => write!(f, "; it asks for a wait of {hours} h or more"),
                    _ => Ok(()),
                }
            }
            Self::Unreachable { failure } => {
                write!(f, "the endpoint cannot be reached: {}", failure.message)
            }
            Self::BudgetSpent { spent, budget } => {
                write!(
                    f,
                    "{spent} of the budget of {budget} are spent: the next call could go beyond"
                )
            }
            Self::Batch { message } => f.write_str(message),
            Self::CannotStore { message } => write!(f, "answers cannot be stored: {message}"),
            Self::CannotRead { message } => write!(f, "personas cannot be read: {message}"),
        }
    }
}

/// Why a run stopped early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum StopReason {
    /// Somebody, or a signal, asked for it.
    Asked,
    /// It was paused for a reason that nobody was there to mend.
    Unmended { pause: PauseReason },
    /// The process died; found out on opening the run file.
    Crashed,
}

/// A run's result in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    pub run: String,
    pub run_file: PathBuf,
    pub total: u32,
    pub done: u32,
    pub failed: u32,
    pub refused: u32,
    /// Of those who are not over: in batches that the provider goes on with.
    #[serde(default)]
    pub in_batches: u32,
    /// Of those who are done: with something that the critics left unsettled.
    #[serde(default)]
    pub flagged: u32,
    /// Wall time of this process's part of the run.
    pub seconds: f64,
}

impl RunSummary {
    /// How many interviews are not over.
    pub const fn left(&self) -> u32 {
        self.total.saturating_sub(self.done + self.failed + self.refused)
    }
}
