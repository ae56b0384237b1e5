//! Requests, tokens, slots, latency and money together, for screens without room for a panel
//! each.

use super::{Look, latency, rate, slots};
use crate::{
    model::LimitName,
    ui::{
        layout::Tier,
        state::{Panel, UiState},
        text,
        theme::Role,
        widget::{Piece, boxed, gauge, line, row, width},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws two lines: requests and tokens, slots and latency; and a third for the money, where it
/// is known.
pub fn draw_strip(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let half = area.width / 2;
    let left = Rect { width: half, ..area };
    let right = Rect { x: area.x + half, width: area.width - half, ..area };
    for (place, measure) in [
        (row(left, 0), Measure::Rate(rate::REQUESTS)),
        (row(right, 0), Measure::Rate(rate::TOKENS)),
        (row(left, 1), Measure::Slots),
        (row(right, 1), Measure::Latency),
        (row(area, 2), Measure::Cost),
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
    let mut title = vec![(Role::Title, Panel::Rates.label().to_owned())];
    let mut right = Vec::new();
    if let Some(run) = &state.run {
        title.extend(state.only.map(|only| (Role::Info, format!(" {}", run.endpoint_name(only)))));
        right.push((Role::Info, super::header::mode(run).to_owned()));
    }
    let inner = boxed(frame, area, &title, &right, false, look);
    let measures = [
        Measure::Rate(rate::REQUESTS),
        Measure::Rate(rate::TOKENS),
        Measure::Slots,
        Measure::Latency,
        Measure::Cost,
    ];
    let gap = if inner.height >= 9 { 2 } else { 1 };
    for (measure, n) in measures.into_iter().zip(0_u16..) {
        draw_measure(frame, row(inner, n * gap), measure, state, look);
    }
}

#[derive(Clone, Copy)]
enum Measure {
    Rate(rate::Which),
    Slots,
    Latency,
    Cost,
}

/// A name, with a mark where it binds, a short bar, the numbers, and who holds the limit as far
/// as there is room.
fn draw_measure(frame: &mut Buffer, area: Rect, measure: Measure, state: &UiState, look: &Look) {
    const NAME: usize = 13;
    const BAR: u16 = 5;
    let Some(run) = &state.run else { return };
    let load = run.load(state.only);
    let mut binds = false;
    let mut held = None;
    let mut waiting = None;
    let (name, share, mut numbers): (&str, Option<f64>, Vec<Piece>) = match measure {
        Measure::Rate(which) => {
            let rate = (which.rate)(&load);
            binds = rate::binding(state, which.limit);
            held = Some((rate::set(&rate, state, which), which.limit));
            (which.name, Some(rate.share()), rate::numbers(&rate, state, look, which))
        }
        Measure::Slots => {
            let numbers = slots::numbers(&load.slots, state, look);
            waiting = Some((Role::Text, format!(", {} wait", load.slots.waiting)));
            binds = rate::binding(state, LimitName::Slots);
            held = Some((slots::set(&load.slots, state), LimitName::Slots));
            ("Slots", Some(load.slots.share()), numbers)
        }
        Measure::Latency => ("Latency", None, latency::quantiles(run, 1)),
        Measure::Cost => ("Cost", None, latency::cost(run)),
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
    if let Some((set, limit)) = held {
        let room = usize::from(rest.width).saturating_sub(width(&numbers));
        numbers.extend(set.into_iter().map(|set| fitting(set, room)));
        numbers.extend(waiting);
        if let Some(why) = run.held_by(state.only, limit)
            && usize::from(rest.width) > width(&numbers) + 12
        {
            numbers.push((Role::Dim, format!(", {why}")));
        }
    }
    line(frame, rest, &numbers, look);
}

/// ` (set 500)`, or ` (500)` where there is no room for more.
fn fitting((role, words): Piece, room: usize) -> Piece {
    if text::width(&words) <= room { (role, words) } else { (role, words.replace("set ", "")) }
}
