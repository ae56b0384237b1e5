//! The names of the panels that take turns.

use super::Look;
use crate::ui::{
    state::{Panel, UiState},
    theme::Role,
    widget::{Piece, line},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the line.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let failed = state
        .run
        .as_ref()
        .map_or(0, |run| run.meters.failures.iter().map(|tally| tally.attempts).sum::<u64>());
    let pieces: Vec<Piece> = state
        .panels()
        .into_iter()
        .flat_map(|panel| {
            let mut name = panel.label().to_owned();
            if panel == Panel::Errors && failed > 0 {
                name.push_str(&format!(" {failed}"));
            }
            // Brackets, so that the open tab is not told by colour alone.
            if panel == state.focus {
                [(Role::Focus, format!("[{name}]")), (Role::Text, " ".to_owned())]
            } else {
                [(Role::Dim, format!(" {name} ")), (Role::Text, " ".to_owned())]
            }
        })
        .collect();
    line(frame, area, &pieces, look);
}
