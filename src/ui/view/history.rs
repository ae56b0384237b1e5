//! How the limits changed, by whom and why, newest first.

use super::Look;
use crate::{
    advice::{self, ChangeRow},
    model::{EndpointIndex, LimitName, LimitSetBy},
    ui::{
        format,
        state::{Mirror, UiState},
        text,
        theme::Role,
        widget::{Piece, boxed, clear, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// From this width on every column has room in full.
const WIDE: u16 = 96;
/// Below this width there is no column for the endpoint.
const NARROW: u16 = 50;
/// Cells for an endpoint's name at most, and where there is less room.
const LONGEST_NAME: usize = 16;
const SHORTENED_NAME: usize = 10;

/// Draws the history over what is there.
pub fn draw(frame: &mut Buffer, area: Rect, scroll: usize, state: &UiState, look: &Look) {
    clear(frame, area);
    let title = [(Role::Title, "History of limits".to_owned())];
    let Some(run) = &state.run else {
        boxed(frame, area, &title, &[], true, look);
        return;
    };
    let rows = advice::joined(&run.changes);
    let room = usize::from(area.height.saturating_sub(3));
    let scroll = scroll.min(rows.len().saturating_sub(room));
    let older = rows.len().saturating_sub(scroll + room);
    let right: Vec<Piece> = match older {
        0 => Vec::new(),
        older => vec![(Role::Dim, format!("{older} older below"))],
    };
    let inner = boxed(frame, area, &title, &right, true, look);
    if rows.is_empty() {
        for (words, n) in text::wrap(empty(run), usize::from(inner.width)).into_iter().zip(0..) {
            line(frame, row(inner, n), &[(Role::Dim, words)], look);
        }
        return;
    }
    let columns = Columns::of(run, inner.width);
    line(frame, row(inner, 0), &[(Role::Dim, columns.head(look))], look);
    for (change, n) in rows.iter().rev().skip(scroll).take(room).zip(1_u16..) {
        line(frame, row(inner, n), &columns.entry(change, run, look), look);
    }
}

/// Why there is no history.
fn empty(run: &Mirror) -> &'static str {
    if run.meters.adapting || !run.header.live {
        "no limit has changed: every one is as it was configured"
    } else {
        "no limit has changed, and adaptation is off: the keys change them, and headers where a \
         provider sends them"
    }
}

/// The columns of the table; the reason has the rest of the line.
struct Columns {
    /// Cells for the names of endpoints; 0 where there is but one, or no room.
    name: usize,
    wide: bool,
}

impl Columns {
    fn of(run: &Mirror, width: u16) -> Self {
        // A run that is only looked at tells nothing about its endpoints but that there were some.
        let several = run.meters.endpoints.len() > 1
            || run.changes.iter().any(|change| change.endpoint != EndpointIndex(0));
        let named = run.changes.iter().map(|change| run.endpoint_name(change.endpoint));
        let widest = named.map(|name| text::width(&name)).max().unwrap_or(0);
        let longest = if width >= WIDE { LONGEST_NAME } else { SHORTENED_NAME };
        let shown = several && width >= NARROW;
        Self {
            name: if shown { widest.clamp("endpoint".len(), longest) } else { 0 },
            wide: width >= WIDE,
        }
    }

    fn head(&self, look: &Look) -> String {
        let mut head = format!("{:<9}", "time");
        if self.name > 0 {
            head.push_str(&text::pad("endpoint", self.name + 1, look.glyphs.ellipsis));
        }
        let (limit, number, author) = self.widths();
        let to = number + 2;
        format!("{head}{:<limit$}{:>number$}    {:<to$}{:<author$}why", "limit", "from", "to", "by")
    }

    /// Cells for the limit's name, for a number, and for who it was.
    const fn widths(&self) -> (usize, usize, usize) {
        if self.wide { (13, 11, 12) } else { (6, 5, 7) }
    }

    fn entry(&self, change: &ChangeRow, run: &Mirror, look: &Look) -> Vec<Piece> {
        let mut pieces =
            vec![(Role::Dim, format!("{} ", format::time_of_day(change.at, &look.zone)))];
        if self.name > 0 {
            let name = run.endpoint_name(change.endpoint);
            let name = text::pad(&name, self.name, look.glyphs.ellipsis);
            pieces.push((Role::Text, format!("{name} ")));
        }
        let (limit, number, author) = self.widths();
        let name = if self.wide { change.limit.label() } else { short(change.limit) };
        let (from, to) = (self.value(change.from), self.value(change.to));
        let (arrow, to_width) = (look.glyphs.arrow, number + 2);
        pieces.push((
            Role::Text,
            format!("{name:<limit$}{from:>number$} {arrow:<2} {to:<to_width$}"),
        ));
        let (role, who) = match change.set_by {
            LimitSetBy::User => (Role::Info, "hand"),
            LimitSetBy::Header => (Role::Text, "header"),
            LimitSetBy::Adaptation if change.lowered => (Role::Warning, "adapt"),
            LimitSetBy::Adaptation => (Role::Good, "adapt"),
        };
        let who = if self.wide { advice::author(change.set_by) } else { who };
        pieces.push((role, format!("{who:<author$}")));
        if change.steps > 1 {
            pieces.push((Role::Text, format!("{} steps, ", change.steps)));
        }
        pieces.push((Role::Text, change.reason.clone()));
        pieces
    }

    fn value(&self, limit: Option<u32>) -> String {
        match limit {
            Some(limit) if !self.wide => format::compact(f64::from(limit)),
            None if !self.wide => "none".to_owned(),
            limit => advice::value(limit),
        }
    }
}

const fn short(limit: LimitName) -> &'static str {
    match limit {
        LimitName::Slots => "slots",
        LimitName::RequestsPerMinute => "req",
        LimitName::TokensPerMinute => "tok",
    }
}
