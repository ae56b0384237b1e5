//! A talk as lines, for its panel.

use super::{format, glyphs::Glyphs, text, theme::Role, widget::Piece};
use crate::{
    model::{Turn, TurnBy},
    protocol::Conversation,
};
use jiff::tz::TimeZone;

/// Rows of the panel below what was said: how it stands, and the input.
pub const BELOW: usize = 2;

/// Everything that was said, oldest first, a blank line between two turns.
pub fn lines(
    conversation: &Conversation,
    width: usize,
    glyphs: &Glyphs,
    zone: &TimeZone,
) -> Vec<Vec<Piece>> {
    let width = width.max(8);
    let mut lines = Vec::new();
    for turn in &conversation.turns {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.push(head(turn, conversation, glyphs, zone));
        let role = if turn.by == TurnBy::Notice { Role::Warning } else { Role::Text };
        let room = width.saturating_sub(2).max(6);
        let said = text::wrap(&turn.text, room).into_iter();
        lines.extend(said.map(|line| vec![(role, format!("  {line}"))]));
    }
    lines
}

/// Who says it, when, and what it took.
fn head(turn: &Turn, conversation: &Conversation, glyphs: &Glyphs, zone: &TimeZone) -> Vec<Piece> {
    let (role, who) = match turn.by {
        TurnBy::Asker => (Role::Key, "you".to_owned()),
        TurnBy::Persona => (Role::Title, format!("persona {}", conversation.persona)),
        TurnBy::Notice => (Role::Warning, "voxpop".to_owned()),
    };
    let mut beside = format!("  {}", format::time_of_day(turn.at, zone));
    if let Some(usage) = &turn.usage {
        beside.push_str(&format!(
            "  {} {} + {} tokens",
            glyphs.bullet,
            format::thousands(usage.prompt_tokens),
            format::thousands(usage.completion_tokens)
        ));
    }
    vec![(role, who), (Role::Dim, beside)]
}
