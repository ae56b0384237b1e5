//! Requests, tokens, slots and latency together, for screens without room for a panel each.

use super::{Look, latency, rate, slots};
use crate::model::LimitName;
use crate::ui::{
    advice,
    layout::Tier,
    state::{Panel, UiState},
    text,
    theme::Role,
    widget::{Piece, boxed, gauge, line, row},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws two lines: requests and tokens, slots and latency.
pub fn draw_strip(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let half = area.width / 2;
    let left = Rect { width: half, ..area };
    let right = Rect { x: area.x + half, width: area.width - half, ..area };
    for (place, measure) in [
        (row(left, 0), Measure::Rate(rate::REQUESTS)),
        (row(right, 0), Measure::Rate(rate::TOKENS)),
        (row(left, 1), Measure::Slots),
        (row(right, 1), Measure::Latency),
    ] {
        draw_measure(frame, place, measure, state, look);
    }
}

/// Draws the panel: one line each where it is the only place for them, or both charts.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    if state.places.tier == Tier::Switched {
        let half = area.width / 2;
        let left = Rect { width: half, ..area };
        let right = Rect { x: area.x + half, width: area.width - half, ..area };
        rate::draw(frame, left, state, look, rate::REQUESTS);
        rate::draw(frame, right, state, look, rate::TOKENS);
        return;
    }
    let inner =
        boxed(frame, area, &[(Role::Title, Panel::Rates.label().to_owned())], &[], false, look);
    let measures = [
        Measure::Rate(rate::REQUESTS),
        Measure::Rate(rate::TOKENS),
        Measure::Slots,
        Measure::Latency,
    ];
    let gap = if inner.height >= 8 { 2 } else { 1 };
    for (measure, n) in measures.into_iter().zip(0_u16..) {
        draw_measure(frame, row(inner, n * gap), measure, state, look);
    }
}

#[derive(Clone, Copy)]
enum Measure {
    Rate(rate::Which),
    Slots,
    Latency,
}

/// A name, with a mark where it binds, a short bar, the numbers.
fn draw_measure(frame: &mut Buffer, area: Rect, measure: Measure, state: &UiState, look: &Look) {
    const NAME: usize = 13;
    const BAR: u16 = 5;
    let Some(run) = &state.run else { return };
    let load = advice::load(run);
    let mut binds = false;
    let (name, share, numbers): (&str, Option<f64>, Vec<Piece>) = match measure {
        Measure::Rate(which) => {
            let rate = (which.rate)(&load);
            binds = rate::binding(state, which.limit);
            (which.name, Some(rate.share()), rate::numbers(&rate, state, look, which))
        }
        Measure::Slots => {
            let mut numbers = slots::numbers(&load, state, look);
            numbers.push((Role::Text, format!(", {} wait", load.waiting)));
            binds = rate::binding(state, LimitName::Slots);
            ("Slots", Some(slots::share(&load)), numbers)
        }
        Measure::Latency => ("Latency", None, latency::quantiles(run, 1)),
    };
    let name = text::pad(name, NAME, look.glyphs.ellipsis);
    let (role, marker) = if binds { (Role::Warning, look.glyphs.marker) } else { (Role::Dim, ' ') };
    let mut x = area.x + line(frame, area, &[(role, format!("{marker}{name}"))], look);
    if let Some(share) = share {
        let bar = Rect { x, width: BAR.min(area.right().saturating_sub(x)), ..area };
        gauge(frame, bar, share, look);
        x = (bar.right() + 1).min(area.right());
    }
    let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
    line(frame, rest, &numbers, look);
}
