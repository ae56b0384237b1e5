//! Bars of one line.

use crate::ui::{theme::Role, view::Look};
use ratatui::{buffer::Buffer, layout::Rect};

/// From which share on a gauge changes its colour.
const NEAR: f64 = 0.95;

/// A bar filled up to a share of 0 to 1, in the first row of the area. The share that is used of
/// something that can run out: near its end it changes colour.
pub fn gauge(frame: &mut Buffer, area: Rect, share: f64, look: &Look) {
    let role = if share >= NEAR { Role::BarNear } else { Role::Bar };
    let filled = scaled(share, area.width);
    segments(frame, area, &[(filled, role, look.glyphs.bar_full)], look);
}

/// So many cells of each kind, one after the other, and the empty ones behind them.
pub fn segments(frame: &mut Buffer, area: Rect, parts: &[(u16, Role, char)], look: &Look) {
    let area = area.intersection(frame.area);
    if area.is_empty() {
        return;
    }
    let mut x = area.x;
    for &(cells, role, glyph) in parts {
        let end = x.saturating_add(cells).min(area.right());
        for at in x..end {
            frame[(at, area.y)].set_char(glyph).set_style(look.style(role));
        }
        x = end;
    }
    for at in x..area.right() {
        frame[(at, area.y)].set_char(look.glyphs.bar_empty).set_style(look.style(Role::Dim));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u16")]
fn scaled(share: f64, cells: u16) -> u16 {
    (share.clamp(0.0, 1.0) * f64::from(cells)).round() as u16
}
