//! Everything a key can do, by name.

use serde::Deserialize;

/// What a key press asks for. What it means in detail depends on what is open: see
/// [`super::state::UiState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    MoveUp,
    MoveDown,
    MoveLeft,
    MoveRight,
    PageUp,
    PageDown,
    First,
    Last,
    NextFailed,
    PreviousFailed,
    Open,
    Back,
    MoreSlots,
    FewerSlots,
    MoreRequests,
    FewerRequests,
    MoreTokens,
    FewerTokens,
    TogglePause,
    Retry,
    Help,
    NextPanel,
    PreviousPanel,
    WriteFile,
    Copy,
    Freeze,
    Find,
    Erase,
    Quit,
    FinishAndStop,
    StopNow,
    Interrupt,
    Suspend,
    Redraw,
}

impl Action {
    /// Every action: the key table must name each of them.
    pub const ALL: [Self; 34] = [
        Self::MoveUp,
        Self::MoveDown,
        Self::MoveLeft,
        Self::MoveRight,
        Self::PageUp,
        Self::PageDown,
        Self::First,
        Self::Last,
        Self::NextFailed,
        Self::PreviousFailed,
        Self::Open,
        Self::Back,
        Self::MoreSlots,
        Self::FewerSlots,
        Self::MoreRequests,
        Self::FewerRequests,
        Self::MoreTokens,
        Self::FewerTokens,
        Self::TogglePause,
        Self::Retry,
        Self::Help,
        Self::NextPanel,
        Self::PreviousPanel,
        Self::WriteFile,
        Self::Copy,
        Self::Freeze,
        Self::Find,
        Self::Erase,
        Self::Quit,
        Self::FinishAndStop,
        Self::StopNow,
        Self::Interrupt,
        Self::Suspend,
        Self::Redraw,
    ];
}
