//! The cells of the persona grid.

use crate::{
    model::InterviewStatus,
    ui::{
        state::{Face, GridView},
        theme::Role,
        view::Look,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// One cell a persona or bucket, in the order of the input, row by row.
pub fn persona_grid(
    frame: &mut Buffer,
    area: Rect,
    view: &GridView,
    statuses: &[InterviewStatus],
    look: &Look,
) {
    let area = area.intersection(frame.area);
    if area.is_empty() {
        return;
    }
    let styles: [Style; InterviewStatus::COUNT] =
        InterviewStatus::ALL.map(|status| look.style(Role::of(status)));
    let partly = look.style(Role::Done);
    let width = u32::from(area.width);
    let shown = view.filled().min(width * u32::from(area.height));
    let (mut x, mut y) = (area.x, area.y);
    for cell in 0..shown {
        let (glyph, style) = match view.face(cell, statuses) {
            Some(Face::Status(status)) => (look.glyphs.status(status), styles[status.ordinal()]),
            Some(Face::Partly(shade)) => (look.glyphs.shades[shade], partly),
            None => break,
        };
        frame[(x, y)].set_char(glyph).set_style(style);
        x += 1;
        if x == area.right() {
            (x, y) = (area.x, y + 1);
        }
    }
    if let Some(cell) = view.cursor_cell().filter(|&cell| cell < shown) {
        let (column, row) = (cell % width, cell / width);
        let x = area.x + u16::try_from(column).unwrap_or(0);
        let y = area.y + u16::try_from(row).unwrap_or(0);
        frame[(x, y)].set_style(look.style(Role::Selection));
    }
}
