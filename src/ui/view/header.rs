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

/// Cells for the run's name at most, and at least where it is shown.
const LONGEST_NAME: usize = 40;
const SHORTEST_NAME: usize = 8;

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
        (role, phase.to_owned()),
        (Role::Text, format!("  {}", format::clock(run.elapsed(state.now())))),
    ];
    if let Some(end) = ends(run, state, look, area.width >= 60) {
        pieces.push((Role::Text, format!("  {end}")));
    }
    // The name gives way to what changes.
    let taken: usize = pieces.iter().map(|(_, words)| text::width(words)).sum();
    let room = usize::from(area.width).saturating_sub(taken + 3).min(LONGEST_NAME);
    let name = if room >= SHORTEST_NAME {
        format!(" {}  ", text::fit(&run.header.run, room, look.glyphs.ellipsis))
    } else {
        " ".to_owned()
    };
    pieces.insert(0, (Role::Title, name));
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

/// When it will be over, with the time of day too where there is room; `None` where that means
/// nothing.
pub fn ends(run: &Mirror, state: &UiState, look: &Look, roomy: bool) -> Option<String> {
    if run.ended() || !matches!(run.phase, RunPhase::Running) {
        return None;
    }
    Some(match run.meters.remaining {
        None => "ends in --:--".to_owned(),
        Some(left) if !roomy => format!("ends in {}", format::short_clock(left)),
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
