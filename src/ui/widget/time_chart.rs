//! A chart of the last minutes, in columns of whole seconds that keep their place in time: it
//! moves once a second and redraws the past only when it shifts.

use crate::ui::{theme::Role, view::Look};
use ratatui::{buffer::Buffer, layout::Rect};

/// Values ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Oldest first; the last one is now.
    pub values: Vec<f64>,
    /// Seconds a column stands for.
    pub seconds: usize,
}

/// Gathers one value a second into at most `width` columns. `seen` is how many values there ever
/// were: a column always holds the same seconds, so that a chart shifts by whole columns instead
/// of changing its shape with every second.
pub fn columns(values: impl ExactSizeIterator<Item = f64>, seen: u64, width: u16) -> Columns {
    let width = usize::from(width.max(1));
    let len = values.len();
    let seconds = [1, 2, 5, 10, 15, 30, 60]
        .into_iter()
        .find(|seconds| len.div_ceil(*seconds) < width)
        .unwrap_or_else(|| len.div_ceil(width).max(1));
    let offset = usize::try_from(seen).unwrap_or(0).saturating_sub(len) % seconds;
    let mut gathered: Vec<(f64, u32)> = Vec::with_capacity(len / seconds + 2);
    for (n, value) in values.enumerate() {
        if n == 0 || (n + offset).is_multiple_of(seconds) {
            gathered.push((0.0, 0));
        }
        if let Some((sum, count)) = gathered.last_mut() {
            *sum += value;
            *count += 1;
        }
    }
    let surplus = gathered.len().saturating_sub(width);
    let values = gathered
        .into_iter()
        .skip(surplus)
        .map(|(sum, count)| sum / f64::from(count.max(1)))
        .collect();
    Columns { values, seconds }
}

/// A chart of columns under a limit.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    pub columns: &'a Columns,
    pub limit: Option<f64>,
    pub role: Role,
}

impl Chart<'_> {
    /// The value at the upper edge: the limit, or what sticks out above it, or a round number.
    pub fn top(&self) -> f64 {
        let highest = self.columns.values.iter().copied().fold(0.0, f64::max);
        match self.limit {
            Some(limit) if highest <= limit * 1.02 => limit.max(1.0),
            _ => round_up(highest),
        }
    }

    /// Draws the columns to the right edge of the area: the newest is always in the same place.
    pub fn draw(&self, frame: &mut Buffer, area: Rect, look: &Look) {
        let area = area.intersection(frame.area);
        if area.is_empty() {
            return;
        }
        let top = self.top();
        let levels = look.glyphs.levels;
        let steps = levels.len() - 1;
        let full = usize::from(area.height) * steps;
        if let Some(limit) = self.limit.filter(|&limit| limit < top) {
            let from_bottom = fill(limit / top, full) / steps;
            let from_bottom = u16::try_from(from_bottom).unwrap_or(0).min(area.height - 1);
            let y = area.bottom() - 1 - from_bottom;
            for x in area.left()..area.right() {
                frame[(x, y)].set_char(look.glyphs.limit).set_style(look.style(Role::Limit));
            }
        }
        let style = look.style(self.role);
        let newest_first = self.columns.values.iter().rev();
        for (x, value) in (area.left()..area.right()).rev().zip(newest_first) {
            let mut filled = fill(value / top, full);
            // What is more than nothing shows.
            if filled == 0 && *value > 0.0 {
                filled = 1;
            }
            for y in (area.top()..area.bottom()).rev() {
                let here = filled.min(steps);
                if here == 0 {
                    break;
                }
                frame[(x, y)].set_char(levels[here]).set_style(style);
                filled -= here;
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to `full`")]
#[expect(clippy::cast_precision_loss, reason = "a screen has few cells")]
fn fill(share: f64, full: usize) -> usize {
    (share.clamp(0.0, 1.0) * full as f64).round() as usize
}

/// The next round number, so that the scale seldom changes.
fn round_up(value: f64) -> f64 {
    const ROUND: [f64; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
    let mut power = 1.0;
    while power * 10.0 < value {
        power *= 10.0;
    }
    ROUND.into_iter().map(|m| m * power).find(|&v| v >= value).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: std::ops::Range<u32>, seen: u64, width: u16) -> Columns {
        columns(values.map(f64::from).collect::<Vec<_>>().into_iter(), seen, width)
    }

    #[test]
    fn the_window_grows_with_the_run() {
        assert_eq!(of(0..10, 10, 40).seconds, 1);
        assert_eq!(of(0..60, 60, 40).seconds, 2);
        assert_eq!(of(0..300, 300, 40).seconds, 10);
        assert_eq!(of(0..10, 10, 40).values.len(), 10);
        assert!(of(0..300, 300, 3).values.len() <= 3);
        assert!(of(0..0, 0, 0).values.is_empty());
    }

    #[test]
    fn a_column_keeps_its_seconds_while_time_goes_on() {
        // 60 values are kept of 100, then of 101: all but the outermost columns stay the same.
        let before = of(40..100, 100, 40);
        let after = of(41..101, 101, 40);
        assert_eq!((before.seconds, after.seconds), (2, 2));
        let inner = |c: &Columns| c.values[2..c.values.len() - 2].to_vec();
        assert!(after.values.windows(inner(&before).len()).any(|w| w == inner(&before)));
    }

    #[test]
    fn the_limit_is_the_upper_edge_until_something_sticks_out() {
        let columns = Columns { values: vec![10.0, 400.0], seconds: 1 };
        let top = |limit| Chart { columns: &columns, limit, role: Role::Requests }.top();
        assert!((top(Some(500.0)) - 500.0).abs() < 1e-9);
        assert!((top(Some(300.0)) - 400.0).abs() < 1e-9);
        assert!((top(None) - 400.0).abs() < 1e-9);
    }
}
