//! How the program ends.

use crate::model::{PauseReason, RunPhase, RunSummary, StopReason, strip_controls_keep_lines};
use std::{fmt, process::ExitCode};

/// The exit codes that the help names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    AllAnswered,
    CouldNotRun,
    /// Usage or input.
    Usage,
    FinishedWithFailures,
    /// No quota, or the key refused.
    ProviderRefused,
    Interrupted,
}

impl Exit {
    /// What a run's end means for the shell.
    pub fn of_run(summary: &RunSummary, phase: &RunPhase) -> Self {
        match phase {
            RunPhase::Stopped { reason: StopReason::Unmended { pause } } => match pause {
                PauseReason::ProviderRefuses { .. } => Self::ProviderRefused,
                PauseReason::Unreachable { .. }
                | PauseReason::CannotStore { .. }
                | PauseReason::CannotRead { .. } => Self::CouldNotRun,
                PauseReason::BudgetSpent { .. } | PauseReason::Batch { .. } => {
                    Self::ProviderRefused
                }
                PauseReason::User => Self::Interrupted,
            },
            RunPhase::Stopped { .. } => Self::Interrupted,
            _ if summary.failed > 0 => Self::FinishedWithFailures,
            _ => Self::AllAnswered,
        }
    }
}

impl Exit {
    /// The exit that another process of this program ended with.
    pub const fn of_code(code: i32) -> Self {
        match code {
            0 => Self::AllAnswered,
            2 => Self::Usage,
            3 => Self::FinishedWithFailures,
            4 => Self::ProviderRefused,
            130 => Self::Interrupted,
            _ => Self::CouldNotRun,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::AllAnswered => 0,
            Exit::CouldNotRun => 1,
            Exit::Usage => 2,
            Exit::FinishedWithFailures => 3,
            Exit::ProviderRefused => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// An error on its way to the user, with the exit code it leads to. It is printed once, in `main`.
#[derive(Debug)]
pub struct Problem {
    message: String,
    exit: Exit,
}

impl Problem {
    /// The user's input or usage is wrong.
    pub fn input(error: impl fmt::Display) -> Self {
        Self { message: error.to_string(), exit: Exit::Usage }
    }

    /// The world would not have it.
    pub fn could_not_run(error: impl fmt::Display) -> Self {
        Self { message: error.to_string(), exit: Exit::CouldNotRun }
    }

    /// The provider would not have it.
    pub fn provider_refuses(error: impl fmt::Display) -> Self {
        Self { message: error.to_string(), exit: Exit::ProviderRefused }
    }

    /// The exit code that this leads to.
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

/// Harmless on a terminal: it may name a file, or cite one, that somebody else has written.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&strip_controls_keep_lines(&self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_cannot_reach_the_terminal_as_it_is() {
        let problem = Problem::input("\u{1b}[2J/runs/a\u{202e}.voxpop: no run\n  remedy");
        assert_eq!(problem.to_string(), "[2J/runs/a.voxpop: no run\n  remedy");
    }
}
