//! What the answers come to, over the whole screen.

use super::Look;
use crate::ui::{
    state::UiState,
    synopsis,
    theme::Role,
    widget::{Piece, boxed, clear, line, row},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws it over what is there.
pub fn draw(frame: &mut Buffer, area: Rect, scroll: usize, state: &UiState, look: &Look) {
    clear(frame, area);
    let title = [(Role::Title, "What the answers come to".to_owned())];
    let Some(run) = &state.run else {
        boxed(frame, area, &title, &[], true, look);
        return;
    };
    let width = usize::from(area.width.saturating_sub(2));
    let lines = synopsis::lines(run, width, look.glyphs.ellipsis);
    let room = usize::from(area.height.saturating_sub(2));
    let scroll = scroll.min(lines.len().saturating_sub(room));
    let below = lines.len().saturating_sub(scroll + room);
    let right: Vec<Piece> = match below {
        0 => Vec::new(),
        below => vec![(Role::Dim, format!("{below} more below"))],
    };
    let inner = boxed(frame, area, &title, &right, true, look);
    for (pieces, n) in lines.iter().skip(scroll).take(room).zip(0_u16..) {
        line(frame, row(inner, n), pieces, look);
    }
}
