//! A talk with one persona: what was said, how it stands, and the line that is typed into.

use super::Look;
use crate::{
    model::RunPhase,
    ui::{
        format,
        state::{Talk, UiState},
        talk_lines::{self, BELOW},
        text,
        theme::Role,
        widget::{Piece, boxed, clear, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};
use unicode_segmentation::UnicodeSegmentation;

/// In front of what is typed.
const PROMPT: &str = "> ";

/// Draws the talk over what is there.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let Some(talk) = &state.talk else { return };
    clear(frame, area);
    let mut title = format!("Talk with persona {}", talk.persona);
    if let Some(conversation) = &talk.conversation
        && conversation.id != talk.persona.to_string()
    {
        title.push_str(&format!("  id {}", conversation.id));
    }
    let back = match talk.back {
        0 => Vec::new(),
        back => vec![(Role::Dim, format!("{back} more below"))],
    };
    let inner = boxed(frame, area, &[(Role::Title, title)], &back, true, look);
    if inner.is_empty() {
        return;
    }
    let below = u16::try_from(BELOW).unwrap_or(0).min(inner.height);
    let said = Rect { height: inner.height - below, ..inner };
    draw_said(frame, said, talk, look);
    let standing = Rect { y: said.bottom(), height: below, ..inner };
    if below > 1 {
        line(frame, row(standing, 0), &[self::standing(talk, state, look)], look);
    }
    draw_input(frame, row(standing, below.saturating_sub(1)), talk, look);
}

fn draw_said(frame: &mut Buffer, area: Rect, talk: &Talk, look: &Look) {
    let width = usize::from(area.width);
    let Some(conversation) = &talk.conversation else { return };
    let lines = talk_lines::lines(conversation, width, &look.glyphs, &look.zone);
    if lines.is_empty() {
        let words = "Nothing has been said yet: ask about the answer, or about the life behind it.";
        for (words, n) in text::wrap(words, width).into_iter().zip(0..) {
            line(frame, row(area, n), &[(Role::Dim, words)], look);
        }
        return;
    }
    let room = usize::from(area.height);
    let end = lines.len().saturating_sub(talk.back);
    let start = end.saturating_sub(room);
    for (pieces, n) in lines[start..end].iter().zip(0_u16..) {
        line(frame, row(area, n), pieces, look);
    }
}

/// What the talk waits for, or why it cannot go on.
fn standing(talk: &Talk, state: &UiState, look: &Look) -> Piece {
    let persona = talk.persona;
    if let Some(since) = talk.thinking_since() {
        let paused = state
            .run
            .as_ref()
            .is_some_and(|run| matches!(run.phase, RunPhase::Paused { .. }) && !run.ended());
        if paused {
            return (Role::Warning, "the run is paused: the answer comes when it goes on".into());
        }
        let time = format::short_clock(state.now().since(since));
        let dots = look.glyphs.ellipsis;
        return (Role::Info, format!("persona {persona} is thinking{dots} {time}"));
    }
    if let Some(why) = talk.conversation.as_ref().and_then(|talk| talk.closed.as_deref()) {
        return (Role::Warning, why.to_owned());
    }
    match (&talk.refused, &talk.conversation) {
        (Some(why), _) => (Role::Warning, format!("not done: {why}")),
        (None, None) => (Role::Dim, "looking up what was said before".to_owned()),
        (None, Some(_)) if talk.waits() => (Role::Info, "asking".to_owned()),
        (None, Some(_)) => (Role::Dim, String::new()),
    }
}

fn draw_input(frame: &mut Buffer, area: Rect, talk: &Talk, look: &Look) {
    let area = area.intersection(frame.area);
    let used = line(frame, area, &[(Role::Key, PROMPT.to_owned())], look);
    let room = usize::from(area.width.saturating_sub(used));
    if area.is_empty() || room < 2 {
        return;
    }
    // One cell is the cursor's, behind the last character.
    let skipped = talk.input.visual_scroll(room - 1);
    let mut column = 0;
    let mut shown = String::new();
    let mut first = None;
    for grapheme in talk.input.value().graphemes(true) {
        let width = text::width(grapheme);
        if column >= skipped && column + width <= skipped + room {
            first.get_or_insert(column);
            shown.push_str(grapheme);
        }
        column += width;
    }
    let place = Rect { x: area.x + used, width: area.width - used, ..area };
    line(frame, place, &[(Role::Text, shown)], look);
    let at = talk.input.visual_cursor().saturating_sub(first.unwrap_or(skipped));
    let x = place.x + u16::try_from(at.min(room - 1)).unwrap_or(0);
    let cell = &mut frame[(x, place.y)];
    cell.set_style(look.style(Role::Text).add_modifier(Modifier::REVERSED));
}
