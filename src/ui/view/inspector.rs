//! Everything about one persona, scrollable.

use super::Look;
use crate::ui::{
    detail, legend,
    state::{Mirror, UiState},
    theme::Role,
    widget::{Piece, boxed, clear, line, row},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the inspector over what is there.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let scroll = state.inspection.as_ref().map_or(0, |inspection| inspection.scroll);
    clear(frame, area);
    let inside = legend::inside(area);
    let (title, lines) = content(state, look, usize::from(inside.width));
    let room = usize::from(inside.height);
    let mut right = Vec::new();
    if lines.len() > room {
        let last = (scroll + room).min(lines.len());
        right.push((Role::Dim, format!("{} to {last} of {}", scroll + 1, lines.len())));
    }
    let inner = boxed(frame, area, &title, &right, true, look);
    for (pieces, n) in lines.iter().skip(scroll).zip(0..inner.height) {
        line(frame, row(inner, n), pieces, look);
    }
}

/// The title and the lines of the persona looked at, or why there are none.
pub fn content(state: &UiState, look: &Look, width: usize) -> (Vec<Piece>, Vec<detail::Line>) {
    let Some(inspection) = &state.inspection else {
        let why = "no persona is chosen: move to one, or press n for one that failed";
        return (
            vec![(Role::Title, "Persona".to_owned())],
            vec![vec![(Role::Dim, why.to_owned())]],
        );
    };
    let status = state.run.as_ref().and_then(|run| run.status(inspection.persona));
    if let Some(shown) = &inspection.detail {
        let about = state.run.as_ref().map_or_else(Default::default, Mirror::about);
        let role = status.map_or(Role::Title, Role::of);
        let lines = detail::lines(shown, about, width, &look.glyphs, &look.zone, state.now());
        return (vec![(role, detail::title(shown))], lines);
    }
    let title = vec![(Role::Title, format!("Persona {}", inspection.persona))];
    let line = match &inspection.refused {
        Some(why) => (Role::Warning, why.clone()),
        None if state.engine_gone => {
            (Role::Dim, "the run has ended: only its file knows more now".to_owned())
        }
        None => (Role::Dim, "asking the engine".to_owned()),
    };
    (title, vec![vec![line]])
}
