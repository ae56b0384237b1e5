//! The persona under the cursor, in short: what the inspector shows in full.

use super::{Look, inspector};
use crate::ui::{action::Action, state::UiState, theme::Role};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let hint = format!("{} shows all", look.keys.name(Action::Open));
    inspector::draw_from(frame, area, state, look, 0, &[(Role::Dim, hint)]);
}
