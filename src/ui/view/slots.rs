//! Slots: held, target, waiting.

use super::{Look, rate};
use crate::{
    advice::SlotLoad,
    model::LimitName,
    ui::{
        format,
        state::UiState,
        theme::Role,
        widget::{Piece, boxed, gauge},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let name = (Role::Title, "Slots ".to_owned());
    let Some(run) = &state.run else {
        let inner = boxed(frame, area, &[name], &[], false, look);
        gauge(frame, inner, 0.0, look);
        return;
    };
    let slots = run.load(state.only).slots;
    let parts = rate::Parts {
        name,
        numbers: numbers(&slots, state, look),
        set: set(&slots, state),
        load: Some((Role::Text, waiting(&slots))),
        binds: rate::binds(state, LimitName::Slots),
        limit: LimitName::Slots,
    };
    let inner = parts.boxed(frame, area, run, state, look);
    gauge(frame, inner, slots.share(), look);
}

/// `41 of 50`, with what is asked for.
pub fn numbers(slots: &SlotLoad, state: &UiState, look: &Look) -> Vec<Piece> {
    let target = format::thousands(u64::from(slots.target));
    let held = format::thousands(u64::from(slots.held));
    let mut pieces = vec![(Role::Text, format!("{held:>5} of {target}"))];
    if let Some(asked) = rate::asked(state, LimitName::Slots) {
        pieces.push((Role::Info, format!(" {} {asked}", look.glyphs.arrow)));
    } else if slots.held > slots.target {
        pieces.push((Role::Warning, " (shrinking)".to_owned()));
    }
    pieces
}

/// ` (set 80)`, where another number is in force.
pub fn set(slots: &SlotLoad, state: &UiState) -> Option<Piece> {
    let configured = slots
        .configured
        .filter(|_| rate::asked(state, LimitName::Slots).is_none() && slots.held <= slots.target)?;
    Some((Role::Warning, format!(" (set {})", format::thousands(u64::from(configured)))))
}

/// `3 waiting`
pub fn waiting(slots: &SlotLoad) -> String {
    format!("{:>4} waiting", format::thousands(u64::from(slots.waiting)))
}
