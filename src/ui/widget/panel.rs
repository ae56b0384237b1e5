//! Lines of text and boxes with titles.

use crate::ui::{legend, text, theme::Role, view::Look};
use ratatui::{buffer::Buffer, layout::Rect};

/// A piece of a line, and what it means.
pub type Piece = (Role, String);

/// One row of an area; an empty one beyond its end.
pub const fn row(area: Rect, n: u16) -> Rect {
    if n < area.height {
        Rect { y: area.y + n, height: 1, ..area }
    } else {
        Rect { height: 0, ..area }
    }
}

/// Writes pieces one after the other into the first row of an area; what does not fit is cut.
/// The number of cells used.
pub fn line(frame: &mut Buffer, area: Rect, pieces: &[Piece], look: &Look) -> u16 {
    let area = area.intersection(frame.area);
    if area.is_empty() {
        return 0;
    }
    let mut x = area.x;
    for (role, words) in pieces {
        let room = usize::from(area.right() - x);
        if text::width(words) <= room {
            x = frame.set_stringn(x, area.y, words, room, look.style(*role)).0;
        } else {
            let words = text::fit(words, room, look.glyphs.ellipsis);
            x = frame.set_stringn(x, area.y, words, room, look.style(*role)).0;
            break;
        }
    }
    x - area.x
}

/// Makes an area blank, for what lies over the rest.
pub fn clear(frame: &mut Buffer, area: Rect) {
    let area = area.intersection(frame.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            frame[(x, y)].reset();
        }
    }
}

/// A box with a title to the left and another one to the right where both fit; the area inside.
pub fn boxed(
    frame: &mut Buffer,
    area: Rect,
    title: &[Piece],
    right: &[Piece],
    focused: bool,
    look: &Look,
) -> Rect {
    let area = area.intersection(frame.area);
    if area.width < 2 || area.height < 2 {
        return Rect { height: 0, ..area };
    }
    let style = look.style(if focused { Role::Focus } else { Role::Border });
    let set = if focused { look.glyphs.border_focused } else { look.glyphs.border };
    let (left_x, right_x) = (area.left(), area.right() - 1);
    let (top, bottom) = (area.top(), area.bottom() - 1);
    for x in left_x + 1..right_x {
        frame[(x, top)].set_symbol(set.horizontal_top).set_style(style);
        frame[(x, bottom)].set_symbol(set.horizontal_bottom).set_style(style);
    }
    for y in top + 1..bottom {
        frame[(left_x, y)].set_symbol(set.vertical_left).set_style(style);
        frame[(right_x, y)].set_symbol(set.vertical_right).set_style(style);
    }
    for (x, y, symbol) in [
        (left_x, top, set.top_left),
        (right_x, top, set.top_right),
        (left_x, bottom, set.bottom_left),
        (right_x, bottom, set.bottom_right),
    ] {
        frame[(x, y)].set_symbol(symbol).set_style(style);
    }
    let room = usize::from(area.width.saturating_sub(4));
    put_title(frame, area.x + 1, top, room, title, look);
    if !right.is_empty() && both_fit(area, title, right) {
        let wanted = width(right) + 2;
        let x = right_x - u16::try_from(wanted).unwrap_or(0);
        put_title(frame, x, top, wanted, right, look);
    }
    legend::inside(area)
}

/// Writes into the lower border of a box.
pub fn under(frame: &mut Buffer, area: Rect, pieces: &[Piece], look: &Look) {
    let area = area.intersection(frame.area);
    if area.width >= 2 && area.height >= 2 {
        let room = usize::from(area.width.saturating_sub(4));
        put_title(frame, area.x + 1, area.bottom() - 1, room, pieces, look);
    }
}

/// Cells for pieces one after the other.
pub fn width(pieces: &[Piece]) -> usize {
    pieces.iter().map(|(_, words)| text::width(words)).sum()
}

/// The titles of a box, to the left and to the right.
pub type Titles = (Vec<Piece>, Vec<Piece>);

/// The place in the list of the first titles that both fit into a border; the last one, where
/// none do.
pub fn fitting(area: Rect, wanted: &[Titles]) -> usize {
    let fits = |(title, right): &Titles| both_fit(area, title, right);
    wanted.iter().position(fits).unwrap_or(wanted.len().saturating_sub(1))
}

fn both_fit(area: Rect, title: &[Piece], right: &[Piece]) -> bool {
    let right = if right.is_empty() { 0 } else { width(right) + 2 };
    width(title) + 2 + right < usize::from(area.width.saturating_sub(4))
}

fn put_title(frame: &mut Buffer, x: u16, y: u16, room: usize, title: &[Piece], look: &Look) {
    if title.is_empty() || room < 3 {
        return;
    }
    let wanted = width(title).min(room - 2);
    let used = u16::try_from(wanted).unwrap_or(0);
    let place = Rect { x, y, width: used + 2, height: 1 };
    clear(frame, place);
    line(frame, Rect { x: x + 1, width: used, ..place }, title, look);
}
