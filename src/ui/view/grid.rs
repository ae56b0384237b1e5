//! The persona grid with its counters.

use super::Look;
use crate::ui::{
    format,
    layout::Tier,
    legend::{self, Legend},
    state::{Cursor, GridView, Mirror, Panel, UiState},
    theme::Role,
    widget::{Piece, boxed, line, persona_grid},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let focused = state.focus == Panel::Grid && state.places.tier != Tier::Tabs;
    let Some(run) = &state.run else {
        let inner = boxed(frame, area, &[(Role::Title, "Personas".to_owned())], &[], focused, look);
        let words = "waiting for the engine to say who is asked";
        line(frame, inner, &[(Role::Dim, words.to_owned())], look);
        return;
    };
    let view = &state.grid;
    let right = chosen(view, run);
    boxed(frame, area, &title(view, run), &right, focused, look);
    let (cells, counters) = legend::split(area, run.total());
    if run.total() == 0 {
        line(frame, cells, &[(Role::Dim, "no personas".to_owned())], look);
    }
    persona_grid(frame, cells, view, &run.statuses, look);
    draw_counters(frame, counters, run, look);
}

fn title(view: &GridView, run: &Mirror) -> Vec<Piece> {
    let total = format::thousands(u64::from(run.total()));
    let mut title = vec![(Role::Title, format!("Personas  {total}"))];
    let (first, end) = view.range();
    if (view.zoomed() || end - first < run.total()) && view.filled() > 0 {
        let last = u64::from(end.saturating_sub(1));
        title.push((
            Role::Info,
            format!("  {} to {}", format::thousands(u64::from(first)), format::thousands(last)),
        ));
    }
    if view.bucket() > 1 {
        let each = format::thousands(u64::from(view.bucket()));
        title.push((Role::Dim, format!("  {each} a cell, the worst shows")));
    }
    title
}

/// What the cursor is on.
fn chosen(view: &GridView, run: &Mirror) -> Vec<Piece> {
    let Some(Cursor { persona, exact }) = view.cursor else { return Vec::new() };
    if exact {
        let Some(status) = run.status(persona) else { return Vec::new() };
        return vec![(Role::of(status), format!("persona {persona}: {}", status.label()))];
    }
    let Some(cell) = view.cursor_cell() else { return Vec::new() };
    let (first, end) = view.personas(cell);
    vec![(Role::Info, format!("personas {first} to {}", end.saturating_sub(1)))]
}

/// Draws how many personas have each status, in columns.
pub fn draw_counters(frame: &mut Buffer, area: Rect, run: &Mirror, look: &Look) {
    let legend = Legend::arrange(area.width, run.total());
    for (n, (x, y, (status, word))) in legend.places().enumerate() {
        let column = n / usize::from(legend.rows);
        let room = u16::try_from(legend.column(column)).unwrap_or(0);
        if y >= area.height || x + room > area.width {
            continue;
        }
        let place = Rect { x: area.x + x, y: area.y + y, width: room, height: 1 };
        let count = run.counts.get(status);
        let quiet = if count == 0 { Role::Dim } else { Role::Text };
        let width = legend.words.get(column).copied().unwrap_or(0);
        let number = format::thousands(u64::from(count));
        line(
            frame,
            place,
            &[
                (Role::of(status), format!("{} ", look.glyphs.status(status))),
                (quiet, format!("{word:<width$} {number:>digits$}", digits = legend.digits)),
            ],
            look,
        );
    }
}
