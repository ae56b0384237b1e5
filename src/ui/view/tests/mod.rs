//! Screens, drawn at a fixed moment and read back as text and styles.
//!
//! `pictures` holds whole screens against stored ones, `words` says what must be readable when,
//! and `rules` what holds on every screen, whatever is shown.

mod pictures;
mod rules;
mod words;

use super::*;
use crate::{
    model::InterviewStatus as S,
    protocol::Update,
    ui::{action::Action, fixture, state::Input},
};
use ratatui::layout::Rect;
use std::fmt::Write;

const SIZES: [(u16, u16); 5] = [(200, 60), (120, 40), (80, 24), (60, 16), (40, 10)];

pub(super) fn drawn(state: &UiState, look: &Look) -> Buffer {
    let mut frame = Buffer::empty(Rect::new(0, 0, state.size.width, state.size.height));
    draw(&mut frame, state, look);
    frame
}

pub(super) fn text(frame: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..frame.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < frame.area.width {
            let symbol = frame[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap().max(1);
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// The usual picture: a run at a quarter, with a failed persona chosen.
fn usual(width: u16, height: u16) -> UiState {
    let mut state = fixture::state(width, height, 5_000);
    state.apply(Input::Act(Action::NextFailed));
    state.apply(Input::Update(Update::Detail(Box::new(fixture::detail(41, S::Failed)))));
    state
}
