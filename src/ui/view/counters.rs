//! A small screen's only panel: the counters.

use super::{Look, grid};
use crate::ui::state::UiState;
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the counters.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    if let Some(run) = &state.run {
        let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        grid::draw_counters(frame, inner, run, look);
    }
}
