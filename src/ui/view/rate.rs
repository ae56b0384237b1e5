//! What the panels of requests/min and tokens/min have in common.

use super::Look;
use crate::{
    advice::{Binds, Load, Rate},
    model::{InterviewStatus, LimitName},
    protocol::RateSample,
    ui::{
        format,
        state::{Mirror, UiState},
        text,
        theme::Role,
        widget::{Chart, Piece, Titles, boxed, columns, fitting, line, under},
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
    pub rate: fn(&Load) -> Rate,
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
    let rate = (which.rate)(&run.load(state.only));
    let (share, binds) = (share(&rate), binds(state, which.limit));
    let parts = Parts {
        name: (Role::Title, format!("{} ", which.name)),
        numbers: numbers(&rate, state, look, which),
        set: set(&rate, state, which),
        load: share,
        binds,
        limit: which.limit,
    };
    let inner = parts.boxed(frame, area, run, state, look);
    let axis_row = u16::from(inner.height >= 4);
    let plot = Rect {
        x: inner.x + AXIS.min(inner.width),
        width: inner.width.saturating_sub(AXIS),
        height: inner.height - axis_row,
        ..inner
    };
    let seconds = run.seconds(state.only);
    if seconds.is_empty() {
        let why = match state.only {
            Some(_) => "no second of this endpoint alone was seen yet",
            None => "no second of the run is over yet",
        };
        line(frame, inner, &[(Role::Dim, why.to_owned())], look);
        return;
    }
    let samples = seconds.iter().map(|s| f64::from((which.sample)(s)));
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
            mark_failures(frame, place, run, state, look);
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
fn mark_failures(frame: &mut Buffer, area: Rect, run: &Mirror, state: &UiState, look: &Look) {
    let area = area.intersection(frame.area);
    let failures = run.seconds(state.only).iter().map(|sample| f64::from(sample.failures));
    let failures = columns(failures, run.samples_seen, area.width);
    let style = look.style(Role::BackingOff);
    let glyph = look.glyphs.status(InterviewStatus::Failed);
    for (x, value) in (area.left()..area.right()).rev().zip(failures.values.iter().rev()) {
        if *value > 0.0 {
            frame[(x, area.y)].set_char(glyph).set_style(style);
        }
    }
}

/// The name of the endpoint whose numbers these are, where it is one alone.
fn alone(state: &UiState, run: &Mirror) -> Option<Piece> {
    let only = state.only?;
    Some((Role::Info, format!("{} ", run.endpoint_name(only))))
}

/// `498 of 500`, with what is asked for.
pub fn numbers(rate: &Rate, state: &UiState, look: &Look, which: Which) -> Vec<Piece> {
    let now = format!("{:>5}", format::compact(rate.now));
    let mut pieces = vec![(Role::Text, now)];
    pieces.push(match rate.limit {
        Some(limit) => (Role::Text, format!(" of {}", format::compact(limit))),
        None => (Role::Dim, ", no limit".to_owned()),
    });
    if let Some(asked) = asked(state, which.limit) {
        let asked = format::compact(f64::from(asked));
        pieces.push((Role::Info, format!(" {} {asked}", look.glyphs.arrow)));
    }
    pieces
}

/// ` (set 500)`, where another limit is in force, or ` (found)`, where nobody has set or stated it.
pub fn set(rate: &Rate, state: &UiState, which: Which) -> Option<Piece> {
    if asked(state, which.limit).is_some() {
        return None;
    }
    match rate.configured {
        Some(set) => Some((Role::Warning, format!(" (set {})", format::compact(set)))),
        None => rate.found.then(|| (Role::Warning, " (found)".to_owned())),
    }
}

/// What a key press has asked for and the engine has not shown yet.
pub fn asked(state: &UiState, limit: LimitName) -> Option<u32> {
    state.orders.asked(limit, state.only, &state.run.as_ref()?.meters)
}

/// `set 500, held by adaptation: 429 requests`: the first part where it has no room elsewhere.
fn note(set: Option<Piece>, run: &Mirror, state: &UiState, limit: LimitName) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some((role, words)) = set {
        pieces.push((role, words.trim_matches([' ', '(', ')']).to_owned()));
    }
    if let Some(why) = run.held_by(state.only, limit) {
        let comma = if pieces.is_empty() { "" } else { ", " };
        pieces.push((Role::Dim, format!("{comma}{why}")));
    }
    pieces
}

/// The share of the limit that is used.
fn share(rate: &Rate) -> Option<Piece> {
    rate.limit?;
    let share = (rate.share() * 100.0).round().min(999.0);
    Some((Role::Text, format!("{share:>3.0} %")))
}

/// The mark of what binds.
pub fn binds(state: &UiState, limit: LimitName) -> Option<Piece> {
    binding(state, limit).then(|| (Role::Warning, "binds".to_owned()))
}

/// What the border of a limit's panel says.
pub struct Parts {
    pub name: Piece,
    pub numbers: Vec<Piece>,
    pub set: Option<Piece>,
    /// To the right, and before the mark of what binds, which is never left out.
    pub load: Option<Piece>,
    pub binds: Option<Piece>,
    pub limit: LimitName,
}

impl Parts {
    /// Draws the box; what has no room above goes below, or gives way to what binds. The area
    /// inside.
    pub fn boxed(
        self,
        frame: &mut Buffer,
        area: Rect,
        run: &Mirror,
        state: &UiState,
        look: &Look,
    ) -> Rect {
        let title = |alone: Option<Piece>, set: Option<Piece>| {
            let mut title = vec![self.name.clone()];
            title.extend(alone);
            title.extend(self.numbers.iter().cloned());
            title.extend(set);
            title
        };
        let binds: Vec<Piece> = self.binds.into_iter().collect();
        let mut marks: Vec<Piece> = self.load.into_iter().collect();
        if !marks.is_empty() && !binds.is_empty() {
            marks.push((Role::Text, "  ".to_owned()));
        }
        marks.extend(binds.iter().cloned());
        let alone = alone(state, run);
        let wanted: [Titles; 4] = [
            (title(alone.clone(), self.set.clone()), marks.clone()),
            (title(alone.clone(), None), marks),
            (title(alone, None), binds.clone()),
            (title(None, None), binds),
        ];
        let chosen = fitting(area, &wanted);
        let (title, right) = &wanted[chosen];
        let inner = boxed(frame, area, title, right, false, look);
        under(frame, area, &note(self.set.filter(|_| chosen > 0), run, state, self.limit), look);
        inner
    }
}

/// Whether this limit is what holds the run back.
pub fn binding(state: &UiState, limit: LimitName) -> bool {
    state.verdict.shown() == Binds::Limit(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn a_limit_that_was_found_out_is_not_called_set() {
        let mut state = fixture::several(200, 60);
        let meters = &mut state.run.as_mut().unwrap().meters;
        for endpoint in &mut meters.endpoints {
            (endpoint.requests.configured, endpoint.requests.found) = (None, true);
        }
        let rate = state.run.as_ref().unwrap().load(None).requests;
        assert_eq!(set(&rate, &state, REQUESTS), Some((Role::Warning, " (found)".to_owned())));
        let why = state.run.as_ref().unwrap().held_by(None, REQUESTS.limit).unwrap();
        assert!(why.starts_with("held by adaptation"), "{why}");
    }
}
