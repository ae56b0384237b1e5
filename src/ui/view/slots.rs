//! Slots: held, target, waiting.

use super::{Look, rate};
use crate::{
    model::LimitName,
    ui::{
        advice::{self, Load},
        format,
        state::UiState,
        theme::Role,
        widget::{Piece, boxed, gauge},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let mut title = vec![(Role::Title, "Slots ".to_owned())];
    let mut right = Vec::new();
    let mut load = Load::default();
    if let Some(run) = &state.run {
        load = advice::load(run);
        title.extend(numbers(&load, state, look));
        right.push((Role::Text, waiting(&load)));
        if rate::binding(state, LimitName::Slots) {
            right.push((Role::Warning, "  binds".to_owned()));
        }
    }
    let inner = boxed(frame, area, &title, &right, false, look);
    gauge(frame, inner, share(&load), look);
}

/// `41 of 50`, with what is asked for.
pub fn numbers(load: &Load, state: &UiState, look: &Look) -> Vec<Piece> {
    let target = format::thousands(u64::from(load.target));
    let held = format::thousands(u64::from(load.held));
    let mut pieces = vec![(Role::Text, format!("{held:>5} of {target}"))];
    if let Some(asked) = state.orders.asked(LimitName::Slots) {
        pieces.push((Role::Info, format!(" {} {asked}", look.glyphs.arrow)));
    } else if load.held > load.target {
        pieces.push((Role::Warning, " (shrinking)".to_owned()));
    }
    pieces
}

/// `3 waiting`
pub fn waiting(load: &Load) -> String {
    format!("{:>4} waiting", format::thousands(u64::from(load.waiting)))
}

/// The share of the slots that is held.
pub fn share(load: &Load) -> f64 {
    if load.target == 0 { 0.0 } else { f64::from(load.held) / f64::from(load.target) }
}
