//! What went wrong, by kind.

use super::Look;
use crate::{
    model::InterviewStatus,
    protocol::FailureTally,
    ui::{
        format,
        layout::Tier,
        state::{Mirror, Panel, UiState},
        text,
        theme::Role,
        widget::{Piece, boxed, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Cells for the columns of the table.
const TABLE: usize = 44;

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
    let wide = usize::from(inner.width) > TABLE + 24;
    let mut head = format!("  {:<15} {:>8} {:>8} {:>8}", "", "attempts", "personas", "last");
    if wide {
        head.push_str("  message");
    }
    line(frame, row(inner, 0), &[(Role::Dim, head)], look);
    let selected = if focused {
        state.error_selected.or_else(|| tallies.first().map(|tally| tally.kind))
    } else {
        None
    };
    // Where a line has no room for the message, the selected or newest one stands below.
    let told = selected
        .and_then(|kind| tallies.iter().find(|tally| tally.kind == kind))
        .or_else(|| tallies.iter().max_by_key(|tally| tally.last_at.0));
    let message = match told {
        Some(tally) if !wide && inner.height >= 5 => {
            let words =
                format!("{}, persona {}: {}", tally.kind, tally.last_persona, tally.last_message);
            let mut lines = text::wrap(&words, usize::from(inner.width));
            lines.truncate(usize::from(inner.height / 3));
            lines
        }
        _ => Vec::new(),
    };
    let below = u16::try_from(message.len()).unwrap_or(0);
    for (words, n) in message.into_iter().zip(inner.height - below..) {
        line(frame, row(inner, n), &[(Role::Text, words)], look);
    }
    // The selected kind stays in sight.
    let room = usize::from(inner.height.saturating_sub(1 + below));
    let at = tallies.iter().position(|tally| Some(tally.kind) == selected).unwrap_or(0);
    let skip = (at + 1).saturating_sub(room.max(1));
    for (tally, n) in tallies.iter().skip(skip).take(room).zip(1_u16..) {
        let mut pieces = entry(tally, Some(tally.kind) == selected, look);
        if wide {
            pieces.push((Role::Text, format!("  {}", tally.last_message)));
        }
        line(frame, row(inner, n), &pieces, look);
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
        (Role::Dim, format::time_of_day(tally.last_at, &look.zone)),
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
