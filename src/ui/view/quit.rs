//! The quit menu.

use super::Look;
use crate::{
    model::InterviewStatus,
    ui::{
        action::Action,
        format,
        keymap::Context,
        layout::centered,
        state::UiState,
        text,
        theme::Role,
        widget::{Piece, boxed, clear, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the menu over what is there.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    let batches = state.has_open_batches();
    for binding in look.keys.section(Context::Quit) {
        if binding.run == Action::CancelBatches && !batches {
            continue;
        }
        let keys = text::pad(&binding.keys(), 6, look.glyphs.ellipsis);
        lines.push(vec![(Role::Key, format!(" {keys}")), (Role::Text, binding.desc.clone())]);
    }
    let mut title = vec![(Role::Title, "Quit".to_owned())];
    if let Some(run) = &state.run {
        let in_flight = run.counts.get(InterviewStatus::InFlight);
        let left = run.total().saturating_sub(run.counts.over());
        title.push((
            Role::Text,
            format!(
                "  {} in flight, {} not over",
                format::thousands(u64::from(in_flight)),
                format::thousands(u64::from(left))
            ),
        ));
        lines.push(Vec::new());
        let later = format!(" `voxpop resume {}` goes on later", run.header.run);
        lines.push(vec![(Role::Dim, later)]);
    }
    let height = u16::try_from(lines.len()).unwrap_or(0) + 2;
    let area = centered(area, 64, height);
    clear(frame, area);
    let inner = boxed(frame, area, &title, &[], true, look);
    for (pieces, n) in lines.iter().zip(0_u16..) {
        line(frame, row(inner, n), pieces, look);
    }
}
