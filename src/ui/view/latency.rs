//! How long answers take, and what they have cost in tokens so far.

use super::Look;
use crate::ui::{
    format,
    state::{Mirror, UiState},
    theme::Role,
    widget::{Piece, boxed, line, row},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let title = vec![(Role::Title, "Latency".to_owned())];
    let Some(run) = &state.run else {
        boxed(frame, area, &title, &[], false, look);
        return;
    };
    let count = format::thousands(run.meters.latency.count);
    let right = vec![(Role::Text, format!("{count} answers"))];
    let inner = boxed(frame, area, &title, &right, false, look);
    line(frame, row(inner, 0), &quantiles(run, 2), look);
    line(frame, row(inner, 1), &tokens(run), look);
}

/// p50, p90 and p99 in one unit, with so many blanks between them.
pub fn quantiles(run: &Mirror, gap: usize) -> Vec<Piece> {
    let latency = run.meters.latency;
    if latency.count == 0 {
        return vec![(Role::Dim, "no answer yet".to_owned())];
    }
    let unit = format::Unit::for_up_to(latency.p99);
    let gap = " ".repeat(gap);
    let mut pieces: Vec<Piece> = [("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99)]
        .into_iter()
        .flat_map(|(name, time)| {
            let name = (Role::Dim, format!("{name} "));
            [name, (Role::Text, format!("{:>3}{gap}", unit.number(time)))]
        })
        .collect();
    if let Some((_, last)) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
    pieces.push((Role::Dim, format!(" {}", unit.name())));
    pieces
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn tokens(run: &Mirror) -> Vec<Piece> {
    let tokens = run.meters.tokens;
    let compact = |n: u64| format::compact(n as f64);
    let mut pieces = vec![
        (Role::Dim, "tokens ".to_owned()),
        (Role::Text, format!("{} in", compact(tokens.prompt))),
    ];
    if tokens.cached > 0 {
        pieces.push((Role::Dim, format!(" ({} cached)", compact(tokens.cached))));
    }
    pieces.push((Role::Text, format!(", {} out", compact(tokens.completion))));
    pieces
}
