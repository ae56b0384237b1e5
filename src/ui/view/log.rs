//! The newest lines of the log.

use super::Look;
use crate::{
    model::{LogLevel, LogLine},
    ui::{
        format,
        layout::Tier,
        state::{Panel, UiState},
        theme::Role,
        widget::{Piece, boxed, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let focused = state.focus == Panel::Log && state.places.tier != Tier::Tabs;
    let mut title = vec![(Role::Title, "Log".to_owned())];
    if state.log_back > 0 {
        title.push((Role::Info, format!("  {} newer below", state.log_back)));
    }
    let inner = boxed(frame, area, &title, &[], focused, look);
    let Some(run) = state.run.as_ref().filter(|run| !run.log.is_empty()) else {
        line(frame, inner, &[(Role::Dim, "nothing was logged yet".to_owned())], look);
        return;
    };
    let room = usize::from(inner.height);
    let end = run.log.len().saturating_sub(state.log_back).max(room.min(run.log.len()));
    let start = end.saturating_sub(room);
    for (entry, n) in run.log.range(start..end).zip(0_u16..) {
        line(frame, row(inner, n), &pieces(entry, look), look);
    }
}

fn pieces(entry: &LogLine, look: &Look) -> Vec<Piece> {
    let (mark, role) = match entry.level {
        LogLevel::Info => (' ', Role::Text),
        LogLevel::Warn => ('!', Role::BackingOff),
        LogLevel::Error => ('x', Role::Bad),
    };
    vec![
        (Role::Dim, format!("{} ", format::time_of_day(entry.at, &look.zone))),
        (role, format!("{mark} {}", entry.text)),
    ]
}
