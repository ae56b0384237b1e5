//! What went wrong, by kind.

use super::Look;
use crate::{
    model::InterviewStatus,
    protocol::FailureTally,
    ui::{
        format,
        layout::Tier,
        state::{Mirror, Panel, UiState},
        theme::Role,
        widget::{Piece, boxed, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let focused = state.focus == Panel::Errors && state.places.tier != Tier::Tabs;
    let title = vec![(Role::Title, "Errors".to_owned())];
    let Some(run) = &state.run else {
        boxed(frame, area, &title, &[], focused, look);
        return;
    };
    let tallies = &run.meters.failures;
    let right = if tallies.is_empty() { Vec::new() } else { totals(run) };
    let inner = boxed(frame, area, &title, &right, focused, look);
    if tallies.is_empty() {
        line(frame, inner, &[(Role::Dim, "no attempt has failed".to_owned())], look);
        return;
    }
    let head = format!("  {:<15} {:>8} {:>8} {:>8}  message", "", "attempts", "personas", "last");
    line(frame, row(inner, 0), &[(Role::Dim, head)], look);
    let selected = if focused {
        state.error_selected.or_else(|| tallies.first().map(|tally| tally.kind))
    } else {
        None
    };
    // The selected kind stays in sight.
    let room = usize::from(inner.height.saturating_sub(1));
    let at = tallies.iter().position(|tally| Some(tally.kind) == selected).unwrap_or(0);
    let skip = (at + 1).saturating_sub(room.max(1));
    for (tally, n) in tallies.iter().skip(skip).zip(1_u16..) {
        let chosen = Some(tally.kind) == selected;
        line(frame, row(inner, n), &entry(tally, chosen, look), look);
    }
}

fn entry(tally: &FailureTally, chosen: bool, look: &Look) -> Vec<Piece> {
    let marker = if chosen { look.glyphs.marker } else { ' ' };
    let role = if tally.personas > 0 { Role::Failed } else { Role::BackingOff };
    vec![
        (Role::Focus, format!("{marker} ")),
        (role, format!("{:<15} ", tally.kind)),
        (Role::Text, format!("{:>8} ", format::thousands(tally.attempts))),
        (
            if tally.personas > 0 { Role::Failed } else { Role::Dim },
            format!("{:>8} ", format::thousands(u64::from(tally.personas))),
        ),
        (Role::Dim, format!("{:>8}  ", format::time_of_day(tally.last_at, &look.zone))),
        (Role::Text, tally.last_message.clone()),
    ]
}

fn totals(run: &Mirror) -> Vec<Piece> {
    let attempts: u64 = run.meters.failures.iter().map(|tally| tally.attempts).sum();
    let failed = u64::from(run.counts.get(InterviewStatus::Failed));
    let role = if failed > 0 { Role::Failed } else { Role::Text };
    vec![
        (Role::Text, format::plural(attempts, "attempt", "attempts")),
        (Role::Text, ", ".to_owned()),
        (role, format!("{} failed", format::plural(failed, "persona", "personas"))),
    ]
}

/// Draws one line: the most frequent kind.
pub fn draw_top(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let Some(run) = &state.run else { return };
    let pieces = match run.meters.failures.first() {
        None => vec![(Role::Dim, " no attempt has failed".to_owned())],
        Some(tally) => vec![
            (Role::BackingOff, format!(" {} x {}", format::thousands(tally.attempts), tally.kind)),
            (Role::Text, format!(": {}", tally.last_message)),
        ],
    };
    line(frame, area, &pieces, look);
}
