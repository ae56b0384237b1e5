//! Two frames and their difference: what has to be written so that the terminal shows the next
//! one. Where nothing changed that is nothing at all, not even a cursor movement; ratatui's own
//! `Terminal` writes resets and hides the cursor with every frame.

use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::Buffer,
    layout::{Rect, Size},
};

const BEGIN_SYNCHRONIZED: &[u8] = b"\x1b[?2026h";
/// Shows what was held back since the begin of a frame; without effect where nothing was.
pub const END_SYNCHRONIZED: &[u8] = b"\x1b[?2026l";
const RESET_AND_CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// What the terminal shows, and what it shall show next.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    /// Whether what the terminal shows is unknown.
    lost: bool,
}

impl Screen {
    /// A screen of which nothing is known but its size.
    pub fn new(size: Size) -> Self {
        let area = Rect::new(0, 0, size.width, size.height);
        Self { shown: Buffer::empty(area), next: Buffer::empty(area), lost: true }
    }

    /// The terminal has another size, or was written to by somebody else: the next frame is
    /// written as a whole.
    pub fn repaint(&mut self, size: Size) {
        *self = Self::new(size);
    }

    /// Draws the next frame, and returns the bytes that bring the terminal to it; `None` where it
    /// shows it already.
    pub fn compose(&mut self, draw: impl FnOnce(&mut Buffer)) -> Option<Vec<u8>> {
        self.next.reset();
        draw(&mut self.next);
        let mut bytes = BEGIN_SYNCHRONIZED.to_vec();
        if self.lost {
            bytes.extend_from_slice(RESET_AND_CLEAR);
        }
        let mut changes = self.shown.diff_iter(&self.next).peekable();
        if changes.peek().is_none() && !self.lost {
            return None;
        }
        // Writing into memory cannot fail, and half a frame is never sent.
        let written = CrosstermBackend::new(&mut bytes).draw(changes);
        debug_assert!(written.is_ok());
        bytes.extend_from_slice(END_SYNCHRONIZED);
        self.lost = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    fn screen() -> Screen {
        Screen::new(Size { width: 20, height: 4 })
    }

    fn put(text: &'static str) -> impl FnOnce(&mut Buffer) {
        move |frame| {
            frame.set_string(1, 1, text, Style::new());
        }
    }

    #[test]
    fn the_same_frame_again_is_no_byte() {
        let mut screen = screen();
        assert!(screen.compose(put("hello")).is_some());
        assert_eq!(screen.compose(put("hello")), None);
        assert_eq!(screen.compose(put("hello")), None);
    }

    #[test]
    fn only_what_changed_is_written_between_the_marks_of_one_frame() {
        let mut screen = screen();
        screen.compose(put("hello"));
        let bytes = screen.compose(put("hallo")).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"), "{text:?}");
        assert!(text.contains('a') && !text.contains('h') || !text.contains("hallo"), "{text:?}");
        assert!(text.len() < 80, "{text:?}");
    }

    #[test]
    fn a_repaint_writes_all_of_it() {
        let mut screen = screen();
        screen.compose(put("hello"));
        screen.repaint(Size { width: 20, height: 4 });
        let text = String::from_utf8(screen.compose(put("hello")).unwrap()).unwrap();
        assert!(text.contains("hello") && text.contains("\x1b[2J"), "{text:?}");
    }

    #[test]
    fn a_screen_without_cells_is_no_reason_to_fail() {
        let mut screen = Screen::new(Size { width: 0, height: 0 });
        assert!(screen.compose(|_| {}).is_some());
        assert_eq!(screen.compose(|_| {}), None);
    }
}
