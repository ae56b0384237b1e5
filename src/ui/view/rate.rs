//! What the panels of requests/min and tokens/min have in common.

use super::Look;
use crate::{
    model::{InterviewStatus, LimitName},
    protocol::RateSample,
    ui::{
        advice::{self, Binds, Rate},
        format,
        state::{Mirror, UiState},
        text,
        theme::Role,
        widget::{Chart, Piece, boxed, columns, line},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};
use std::time::Duration;

/// Cells for the numbers of the y axis.
const AXIS: u16 = 6;

/// One of the two rates.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    pub limit: LimitName,
    pub name: &'static str,
    pub role: Role,
    pub sample: fn(&RateSample) -> f32,
    pub rate: fn(&advice::Load) -> Rate,
}

/// Requests a minute.
pub const REQUESTS: Which = Which {
    limit: LimitName::RequestsPerMinute,
    name: "Requests/min",
    role: Role::Requests,
    sample: |s| s.requests,
    rate: |load| load.requests,
};

/// Tokens a minute.
pub const TOKENS: Which = Which {
    limit: LimitName::TokensPerMinute,
    name: "Tokens/min",
    role: Role::Tokens,
    sample: |s| s.tokens,
    rate: |load| load.tokens,
};

/// Draws the chart with the rate and its limit in the title.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look, which: Which) {
    let Some(run) = &state.run else {
        boxed(frame, area, &[(Role::Title, which.name.to_owned())], &[], false, look);
        return;
    };
    let rate = (which.rate)(&advice::load(run));
    let mut title = vec![(Role::Title, format!("{} ", which.name))];
    title.extend(numbers(&rate, state, look, which));
    let inner = boxed(frame, area, &title, &marks(&rate, state, which), false, look);
    let axis_row = u16::from(inner.height >= 4);
    let plot = Rect {
        x: inner.x + AXIS.min(inner.width),
        width: inner.width.saturating_sub(AXIS),
        height: inner.height - axis_row,
        ..inner
    };
    if run.history.is_empty() {
        line(frame, inner, &[(Role::Dim, "no second of the run is over yet".to_owned())], look);
        return;
    }
    let samples = run.history.iter().map(|s| f64::from((which.sample)(s)));
    let columns = columns(samples, run.samples_seen, plot.width);
    let chart = Chart { columns: &columns, limit: rate.limit, role: which.role };
    chart.draw(frame, plot, look);
    let top = chart.top();
    let bottom = plot.height.saturating_sub(1);
    let mut labels = vec![(0, top), (bottom, 0.0)];
    if plot.height >= 5 && plot.height % 2 == 1 {
        labels.push((plot.height / 2, top / 2.0));
    }
    for (y, value) in labels {
        let place = Rect { y: inner.y + y, height: 1.min(plot.height), width: AXIS, ..inner };
        let label = format!("{:>5} ", format::compact(value));
        line(frame, place.intersection(inner), &[(Role::Dim, label)], look);
    }
    if axis_row == 1 {
        let place = Rect { y: plot.bottom(), height: 1, ..plot };
        draw_axis(frame, place, columns.seconds, look);
        if which.limit == LimitName::RequestsPerMinute {
            mark_failures(frame, place, run, look);
        }
    }
}

/// How far back the chart goes, and a rule.
fn draw_axis(frame: &mut Buffer, area: Rect, seconds: usize, look: &Look) {
    let width = usize::from(area.width);
    let span = Duration::from_secs((width * seconds) as u64);
    let since = format!("-{} ", format::short_clock(span));
    let rule = look.glyphs.axis.to_string().repeat(width.saturating_sub(text::width(&since)));
    line(frame, area, &[(Role::Dim, format!("{since}{rule}"))], look);
}

/// Marks the columns on the axis in which attempts failed.
fn mark_failures(frame: &mut Buffer, area: Rect, run: &Mirror, look: &Look) {
    let area = area.intersection(frame.area);
    let failures = run.history.iter().map(|sample| f64::from(sample.failures));
    let failures = columns(failures, run.samples_seen, area.width);
    let style = look.style(Role::BackingOff);
    let glyph = look.glyphs.status(InterviewStatus::Failed);
    for (x, value) in (area.left()..area.right()).rev().zip(failures.values.iter().rev()) {
        if *value > 0.0 {
            frame[(x, area.y)].set_char(glyph).set_style(style);
        }
    }
}

/// `498 of 500`, with what is asked for and what was configured, where they differ.
pub fn numbers(rate: &Rate, state: &UiState, look: &Look, which: Which) -> Vec<Piece> {
    let now = format!("{:>5}", format::compact(rate.now));
    let mut pieces = vec![(Role::Text, now)];
    pieces.push(match rate.limit {
        Some(limit) => (Role::Text, format!(" of {}", format::compact(limit))),
        None => (Role::Dim, ", no limit".to_owned()),
    });
    if let Some(asked) = state.orders.asked(which.limit) {
        let asked = format::compact(f64::from(asked));
        pieces.push((Role::Info, format!(" {} {asked}", look.glyphs.arrow)));
    } else if let Some(configured) = rate.configured.filter(|c| Some(*c) != rate.limit) {
        pieces.push((Role::Warning, format!(" (set {})", format::compact(configured))));
    }
    pieces
}

/// The share of the limit, and whether this is what binds.
pub fn marks(rate: &Rate, state: &UiState, which: Which) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if rate.limit.is_some() {
        let share = (rate.share() * 100.0).round().min(999.0);
        pieces.push((Role::Text, format!("{share:>3.0} %")));
    }
    if binding(state, which.limit) {
        pieces.push((Role::Warning, "  binds".to_owned()));
    }
    pieces
}

/// Whether this limit is what holds the run back.
pub fn binding(state: &UiState, limit: LimitName) -> bool {
    state.verdict.shown() == Binds::Limit(limit)
}
