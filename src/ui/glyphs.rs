//! The two sets of characters that the screen is made of.

use crate::model::InterviewStatus;
use ratatui::symbols::border;

/// One set: every character that a view draws on its own account.
#[derive(Clone, Copy, Debug)]
pub struct Glyphs {
    /// By [`InterviewStatus::ordinal`]: each status has a character of its own, so that no state
    /// is told by colour alone.
    statuses: [char; InterviewStatus::COUNT],
    /// A bucket of which a part is done: up to a third, two thirds, nearly all.
    pub shades: [char; 3],
    pub border: border::Set<'static>,
    /// The corner pieces of a focused panel differ, so that focus is not told by colour alone.
    pub border_focused: border::Set<'static>,
    pub bar_full: char,
    pub bar_empty: char,
    /// From an empty cell to a full one.
    pub levels: &'static [char],
    pub limit: char,
    pub ellipsis: &'static str,
    pub arrow: &'static str,
    pub bullet: char,
    pub marker: char,
    pub axis: char,
    /// Whether everything on screen must be ASCII.
    pub ascii: bool,
}

impl Glyphs {
    /// For terminals that show UTF-8.
    pub const UNICODE: Self = Self {
        statuses: ['·', '◇', '△', '▽', '●', '↻', '▤', '□', '■', '▣', '⊘', '✗'],
        shades: ['░', '▒', '▓'],
        border: border::PLAIN,
        border_focused: border::THICK,
        bar_full: '█',
        bar_empty: '░',
        levels: &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        limit: '┄',
        ellipsis: "…",
        arrow: "→",
        bullet: '•',
        marker: '▶',
        axis: '─',
        ascii: false,
    };

    /// For everything else.
    pub const ASCII: Self = Self {
        statuses: ['.', ':', '%', '$', 'o', 'r', 'b', 'c', '#', '!', '-', 'x'],
        shades: [',', '+', '*'],
        border: ASCII_BORDER,
        border_focused: ASCII_BORDER_FOCUSED,
        bar_full: '#',
        bar_empty: '.',
        levels: &[' ', '.', ':', '|'],
        limit: '-',
        ellipsis: "..",
        arrow: "->",
        bullet: '*',
        marker: '>',
        axis: '-',
        ascii: true,
    };

    /// The character of a status.
    pub const fn status(&self, status: InterviewStatus) -> char {
        self.statuses[status.ordinal()]
    }
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
const ASCII_BORDER_FOCUSED: border::Set<'static> =
    border::Set { horizontal_top: "=", horizontal_bottom: "=", ..ASCII_BORDER };

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use unicode_width::UnicodeWidthChar;

    #[test]
    fn every_face_of_a_cell_has_a_character_of_its_own() {
        for glyphs in [Glyphs::UNICODE, Glyphs::ASCII] {
            let faces: BTreeSet<char> = glyphs.statuses.into_iter().chain(glyphs.shades).collect();
            assert_eq!(faces.len(), InterviewStatus::COUNT + 3);
            assert!(faces.into_iter().all(|c| c.width() == Some(1)));
        }
    }

    #[test]
    fn the_ascii_set_is_ascii() {
        let g = Glyphs::ASCII;
        let chars = g.statuses.iter().chain(&g.shades).chain(g.levels);
        assert!(chars.chain(&[g.bar_full, g.bar_empty, g.limit]).all(char::is_ascii));
        for set in [g.border, g.border_focused] {
            assert!(set.top_left.is_ascii() && set.horizontal_top.is_ascii());
            assert!(set.vertical_left.is_ascii() && set.bottom_right.is_ascii());
        }
    }
}
