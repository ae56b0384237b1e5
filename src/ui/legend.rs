//! The counters under the grid: which of them stand where. Columns line up and never move while
//! the run goes on, because they are made for the largest number there can be.

use super::{format, text};
use crate::model::InterviewStatus;
use ratatui::layout::{Rect, Size};

/// The counters in the order in which they are read, with a short word each.
pub const ENTRIES: [(InterviewStatus, &str); InterviewStatus::COUNT] = [
    (InterviewStatus::Done, "done"),
    (InterviewStatus::Flagged, "flagged"),
    (InterviewStatus::Failed, "failed"),
    (InterviewStatus::Refused, "refused"),
    (InterviewStatus::InFlight, "in flight"),
    // Here it is the one that the smallest screen has no room for.
    (InterviewStatus::Cached, "cached"),
    (InterviewStatus::BackingOff, "backing off"),
    (InterviewStatus::InBatch, "in a batch"),
    (InterviewStatus::WaitingForSlot, "slot wait"),
    (InterviewStatus::WaitingForRequests, "req wait"),
    (InterviewStatus::WaitingForTokens, "tok wait"),
    (InterviewStatus::Queued, "queued"),
];

/// Blanks between two columns.
const GAP: usize = 2;

/// The columns of the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legend {
    /// Cells for the word of each column.
    pub words: Vec<usize>,
    /// Cells for the number.
    pub digits: usize,
    pub rows: u16,
}

impl Legend {
    /// As many columns as the width has room for.
    pub fn arrange(width: u16, total: u32) -> Self {
        let digits = format::thousands(u64::from(total)).len();
        (1..=ENTRIES.len())
            .rev()
            .map(|columns| Self::with(columns, digits))
            .find(|legend| legend.width() <= usize::from(width))
            .unwrap_or_else(|| Self::with(1, digits))
    }

    fn with(columns: usize, digits: usize) -> Self {
        let rows = ENTRIES.len().div_ceil(columns);
        let word = |entry: &(InterviewStatus, &str)| text::width(entry.1);
        let words =
            ENTRIES.chunks(rows).map(|column| column.iter().map(word).max().unwrap_or(0)).collect();
        Self { words, digits, rows: u16::try_from(rows).unwrap_or(1) }
    }

    /// Cells for one column: glyph, word, number.
    pub fn column(&self, column: usize) -> usize {
        self.words.get(column).map_or(0, |word| 2 + word + 1 + self.digits)
    }

    fn width(&self) -> usize {
        let columns = self.words.len();
        (0..columns).map(|c| self.column(c)).sum::<usize>() + GAP * columns.saturating_sub(1)
    }

    /// The counters with the place of each, down the columns: (column offset, row, entry).
    pub fn places(&self) -> impl Iterator<Item = (u16, u16, (InterviewStatus, &'static str))> {
        let rows = usize::from(self.rows);
        let mut offset = 0;
        let mut offsets = Vec::with_capacity(self.words.len());
        for column in 0..self.words.len() {
            offsets.push(u16::try_from(offset).unwrap_or(u16::MAX));
            offset += self.column(column) + GAP;
        }
        ENTRIES.into_iter().enumerate().map(move |(n, entry)| {
            let row = u16::try_from(n % rows).unwrap_or(0);
            (offsets[n / rows], row, entry)
        })
    }
}

/// The grid panel, inside its border: the cells, and the counters under them where there is room
/// for both.
pub fn split(grid: Rect, total: u32) -> (Rect, Rect) {
    let inner = inside(grid);
    let legend = Legend::arrange(inner.width, total).rows;
    let legend = if inner.height >= legend + 2 { legend } else { 0 };
    let cells = Rect { height: inner.height - legend, ..inner };
    (cells, Rect { y: cells.bottom(), height: legend, ..inner })
}

/// How many cells the grid has.
pub fn cells(grid: Rect, total: u32) -> Size {
    split(grid, total).0.as_size()
}

/// An area without its border.
pub const fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_status_is_counted_once() {
        for status in InterviewStatus::ALL {
            assert_eq!(ENTRIES.iter().filter(|e| e.0 == status).count(), 1);
        }
    }

    proptest! {
        #[test]
        fn counters_stay_apart_and_inside(width in 24_u16..300, total in 0_u32..2_000_000) {
            let legend = Legend::arrange(width, total);
            let places: Vec<_> = legend.places().collect();
            prop_assert_eq!(places.len(), InterviewStatus::COUNT);
            let mut taken = std::collections::BTreeSet::new();
            for (n, (x, y, _)) in places.into_iter().enumerate() {
                let column = n / usize::from(legend.rows);
                for cell in x..x + u16::try_from(legend.column(column)).unwrap() {
                    prop_assert!(cell < width && y < legend.rows);
                    prop_assert!(taken.insert((cell, y)));
                }
            }
        }
    }
}
