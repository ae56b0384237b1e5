//! Tokens a minute against their limit.

use super::{Look, rate};
use crate::ui::state::UiState;
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    rate::draw(frame, area, state, look, rate::TOKENS);
}
