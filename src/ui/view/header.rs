//! The first line: which run, what it is doing, since when, until when.

use super::Look;
use crate::{
    model::RunPhase,
    ui::{
        format,
        state::{Mirror, UiState},
        text,
        theme::Role,
        widget::{Piece, line},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the line.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let Some(run) = &state.run else {
        line(
            frame,
            area,
            &[(Role::Title, " voxpop".to_owned()), (Role::Dim, "  starting".to_owned())],
            look,
        );
        return;
    };
    let (role, phase) = phase(run);
    let mut pieces: Vec<Piece> = vec![
        (Role::Title, format!(" {}", text::fit(&run.header.run, 36, look.glyphs.ellipsis))),
        (Role::Text, "  ".to_owned()),
        (role, phase.to_owned()),
        (Role::Text, format!("  {}", format::clock(run.elapsed(state.now())))),
    ];
    if let Some(end) = ends(run, state, look) {
        pieces.push((Role::Text, format!("  {end}")));
    }
    let used = line(frame, area, &pieces, look);
    let right = asked(run);
    let width = u16::try_from(text::width(&right)).unwrap_or(u16::MAX).saturating_add(1);
    if used.saturating_add(width).saturating_add(2) <= area.width {
        let right_area = Rect { x: area.right() - width, width, ..area };
        line(frame, right_area, &[(Role::Dim, right)], look);
    }
}

/// The phase in one word, as the header shows it.
pub fn phase(run: &Mirror) -> (Role, &'static str) {
    match &run.phase {
        _ if !run.header.live => (Role::Info, "LOOKED AT"),
        RunPhase::Finished => (Role::Good, "FINISHED"),
        RunPhase::Stopped { .. } => (Role::Warning, "STOPPED"),
        _ if run.summary.is_some() => (Role::Good, "FINISHED"),
        RunPhase::Running => (Role::Good, "RUNNING"),
        RunPhase::Paused { .. } => (Role::Alert, " PAUSED "),
        RunPhase::Draining => (Role::Warning, "STOPPING"),
    }
}

/// When it will be over; `None` where that means nothing.
pub fn ends(run: &Mirror, state: &UiState, look: &Look) -> Option<String> {
    if run.ended() || !matches!(run.phase, RunPhase::Running) {
        return None;
    }
    Some(match run.meters.remaining {
        None => "ends in --:--".to_owned(),
        Some(left) => {
            let millis = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            let at = crate::model::UnixMillis(state.now().0.saturating_add(millis));
            let at = format::time_of_day(at, &look.zone);
            format!("ends in {} ({})", format::short_clock(left), &at[..5])
        }
    })
}

/// Which model, and where.
fn asked(run: &Mirror) -> String {
    match run.meters.endpoints.as_slice() {
        [] => String::new(),
        [one] => format!("{} at {}", one.model, one.name),
        [one, others @ ..] => format!("{} at {} and {} more", one.model, one.name, others.len()),
    }
}
