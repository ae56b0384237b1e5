//! The persona under the cursor, in short: the first lines of what the inspector shows in full.

use super::{Look, inspector};
use crate::ui::{
    action::Action,
    legend,
    state::UiState,
    theme::Role,
    widget::{boxed, line, row},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let width = usize::from(legend::inside(area).width);
    let (title, lines) = inspector::content(state, look, width);
    let hint = [(Role::Dim, format!("{} shows all", look.keys.name(Action::Open)))];
    let inner = boxed(frame, area, &title, &hint, false, look);
    // Few lines: none of them blank.
    let lines = lines.iter().filter(|pieces| !pieces.is_empty());
    for (pieces, n) in lines.zip(0..inner.height) {
        line(frame, row(inner, n), pieces, look);
    }
}
