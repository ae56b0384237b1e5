//! Several endpoints, a line each: who serves, how much of the work each carries, and what its
//! limits have become.

use super::Look;
use crate::{
    advice::Load,
    model::{EndpointIndex, Service, UnixMillis},
    protocol::EndpointMeters,
    ui::{
        format,
        layout::Tier,
        state::{Mirror, Panel, UiState},
        text,
        theme::Role,
        widget::{Piece, boxed, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Cells for a name, a model or a group at most.
const LONGEST_WORD: usize = 16;
/// Cells for the state at least.
const STATE: usize = 16;
/// Blanks between two columns.
const GAP: usize = 2;

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let focused = state.focus == Panel::Endpoints && state.places.tier != Tier::Tabs;
    let mut title = vec![(Role::Title, "Endpoints".to_owned())];
    let Some(run) = state.run.as_ref().filter(|run| !run.meters.endpoints.is_empty()) else {
        let inner = boxed(frame, area, &title, &[], focused, look);
        line(frame, inner, &[(Role::Dim, "no endpoint has said anything yet".to_owned())], look);
        return;
    };
    title.push((Role::Title, format!("  {}", run.meters.endpoints.len())));
    if let Some(only) = state.only {
        title.push((Role::Info, format!("  {} alone is tuned", run.endpoint_name(only))));
    }
    let hint: Vec<Piece> = hint(state).into_iter().collect();
    let inner = boxed(frame, area, &title, &hint, focused, look);
    let table = Table::of(run, usize::from(inner.width));
    line(frame, row(inner, 0), &[(Role::Dim, table.head())], look);
    let room = usize::from(inner.height.saturating_sub(1)).max(1);
    // The selected one stays in sight.
    let at = if state.focus == Panel::Endpoints { state.endpoint_selected } else { 0 };
    let skip = (at + 1).saturating_sub(room);
    for ((index, endpoint), n) in run.endpoints().skip(skip).take(room).zip(1_u16..) {
        let selected =
            state.focus == Panel::Endpoints && index.as_usize() == state.endpoint_selected;
        let pieces = table.entry(index, endpoint, selected, state, look);
        line(frame, row(inner, n), &pieces, look);
    }
}

/// What the keys would do here.
fn hint(state: &UiState) -> Option<Piece> {
    let words = match state.only {
        _ if state.focus != Panel::Endpoints => return None,
        Some(_) => "Esc lets go of it",
        None => "Enter tunes one alone",
    };
    Some((Role::Dim, words.to_owned()))
}

/// A column that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Model,
    Group,
    State,
    Slots,
    Requests,
    Answered,
    Share,
    Failed,
    Adaptation,
    FirstByte,
}

impl Column {
    /// From left to right.
    const ALL: [Self; 10] = [
        Self::Model,
        Self::Group,
        Self::State,
        Self::Slots,
        Self::Requests,
        Self::Answered,
        Self::Share,
        Self::Failed,
        Self::Adaptation,
        Self::FirstByte,
    ];

    /// Where there is no room for all, these go first.
    const LEAST_FIRST: [Self; 9] = [
        Self::Model,
        Self::Group,
        Self::FirstByte,
        Self::Adaptation,
        Self::Answered,
        Self::Failed,
        Self::Share,
        Self::Requests,
        Self::Slots,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Group => "group",
            Self::State => "state",
            Self::Slots => "slots",
            Self::Requests => "req/min",
            Self::Answered => "answered",
            Self::Share => "share",
            Self::Failed => "failed",
            Self::Adaptation => "adapt",
            Self::FirstByte => "1st byte",
        }
    }

    /// Words stand to the left, numbers to the right.
    const fn is_text(self) -> bool {
        matches!(self, Self::Model | Self::Group | Self::State)
    }
}

/// The columns that have room, each with its cells.
struct Table {
    name: usize,
    columns: Vec<(Column, usize)>,
    /// All answers, for the shares.
    answered: u64,
}

impl Table {
    /// As many columns as fit; the state has what is left over. Their places go by the names of
    /// the endpoints alone, so they stay where they are while the run goes on.
    fn of(run: &Mirror, width: usize) -> Self {
        let endpoints = &run.meters.endpoints;
        let longest = |words: &dyn Fn(&EndpointMeters) -> usize, head: Column| {
            let widest = endpoints.iter().map(words).max().unwrap_or(0);
            widest.clamp(head.name().len(), LONGEST_WORD)
        };
        let cells = |column| match column {
            Column::Model => longest(&|e| text::width(&e.model), column),
            Column::Group => longest(&|e| e.group.as_deref().map_or(0, text::width), column),
            Column::State => STATE,
            // `100/100` and `999 of 1,000`
            Column::Slots => 7,
            Column::Requests => 13,
            Column::Answered => 8,
            Column::Share => 5,
            Column::Failed => 6,
            Column::Adaptation => 5,
            Column::FirstByte => 8,
        };
        let grouped = endpoints.iter().any(|endpoint| endpoint.group.is_some());
        let mut columns: Vec<(Column, usize)> = Column::ALL
            .into_iter()
            .filter(|&column| column != Column::Group || grouped)
            .map(|column| (column, cells(column)))
            .collect();
        let name = endpoints.iter().map(|e| text::width(&e.name)).max().unwrap_or(0);
        let name = name.clamp(4, LONGEST_WORD);
        let wanted = |columns: &[(Column, usize)]| {
            MARKS + name + columns.iter().map(|(_, cells)| GAP + cells).sum::<usize>()
        };
        for least in Column::LEAST_FIRST {
            if wanted(&columns) > width {
                columns.retain(|(column, _)| *column != least);
            }
        }
        let left_over = width.saturating_sub(wanted(&columns));
        for (column, cells) in &mut columns {
            if *column == Column::State {
                *cells += left_over.min(24);
            }
        }
        let answered = endpoints.iter().map(|endpoint| endpoint.answered).sum();
        Self { name, columns, answered }
    }

    fn head(&self) -> String {
        let mut head = format!("{:MARKS$}{:<name$}", "", "name", name = self.name);
        for &(column, cells) in &self.columns {
            head.push_str(&" ".repeat(GAP));
            head.push_str(&aligned(column, column.name(), cells, ""));
        }
        head
    }

    fn entry(
        &self,
        index: EndpointIndex,
        endpoint: &EndpointMeters,
        selected: bool,
        state: &UiState,
        look: &Look,
    ) -> Vec<Piece> {
        let ellipsis = look.glyphs.ellipsis;
        let marker = if selected { look.glyphs.marker } else { ' ' };
        let chosen = if state.only == Some(index) { look.glyphs.bullet } else { ' ' };
        let name = text::pad(&endpoint.name, self.name, ellipsis);
        let name_role = if selected { Role::Selection } else { Role::Text };
        let mut pieces = vec![(Role::Focus, format!("{marker}{chosen}")), (name_role, name)];
        for &(column, cells) in &self.columns {
            let (role, words) = self.cell(column, endpoint, state.now());
            pieces.push((Role::Text, " ".repeat(GAP)));
            pieces.push((role, aligned(column, &words, cells, ellipsis)));
        }
        pieces
    }

    fn cell(&self, column: Column, endpoint: &EndpointMeters, now: UnixMillis) -> Piece {
        let words = match column {
            Column::State => return standing(endpoint, now),
            Column::Model => endpoint.model.clone(),
            Column::Group => endpoint.group.clone().unwrap_or_else(|| "-".to_owned()),
            Column::Slots => format!("{}/{}", endpoint.slots.held, endpoint.slots.target),
            Column::Requests => {
                let rate = Load::of_one(endpoint).requests;
                match rate.limit {
                    Some(limit) => {
                        format!("{} of {}", format::compact(rate.now), format::compact(limit))
                    }
                    None => format::compact(rate.now),
                }
            }
            Column::Answered => format::thousands(endpoint.answered),
            Column::Share => format!("{} %", format::percent(endpoint.answered, self.answered)),
            Column::Failed => format::thousands(endpoint.failed),
            Column::Adaptation => format!("{:.2}", endpoint.adaptation),
            Column::FirstByte => {
                endpoint.first_byte.map_or_else(|| "-".to_owned(), format::seconds)
            }
        };
        let role = match column {
            Column::Adaptation if endpoint.adaptation < 0.999 => Role::Warning,
            Column::Failed if endpoint.failed > 0 => Role::BackingOff,
            _ => Role::Text,
        };
        (role, words)
    }
}

/// Cells for the marks before a name.
const MARKS: usize = 2;

fn aligned(column: Column, words: &str, cells: usize, ellipsis: &str) -> String {
    if column.is_text() {
        return text::pad(words, cells, ellipsis);
    }
    let words = text::fit(words, cells, ellipsis);
    format!("{}{words}", " ".repeat(cells - text::width(&words)))
}

/// Whether it serves, or why not and until when.
fn standing(endpoint: &EndpointMeters, now: UnixMillis) -> Piece {
    let left = |until: UnixMillis| format::short_clock(until.since(now));
    match &endpoint.service {
        Service::OutOfService { failure } => (Role::Bad, format!("out: {}", failure.kind)),
        Service::CoolingDown { until, failure } if until.0 > now.0 => {
            (Role::Warning, format!("cools {}: {}", left(*until), failure.kind))
        }
        Service::CoolingDown { .. } => (Role::Warning, "tried again".to_owned()),
        Service::InService => match endpoint.paused_until.filter(|until| until.0 > now.0) {
            Some(until) => (Role::Warning, format!("told to wait {}", left(until))),
            None => (Role::Good, "in service".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn what_matters_most_is_left_where_there_is_no_room_for_all() {
        let state = fixture::several(120, 40);
        let run = state.run.as_ref().unwrap();
        for (width, expected) in [(130, 10), (118, 10), (78, 5), (58, 3), (38, 1), (10, 1)] {
            let table = Table::of(run, width);
            assert_eq!(table.columns.len(), expected, "{width}: {:?}", table.columns);
            assert!(table.columns.iter().any(|(column, _)| *column == Column::State));
            assert!(width < 38 || text::width(&table.head()) <= width, "{}", table.head());
        }
    }
}
