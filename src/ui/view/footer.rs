//! The last lines: the alert or the advice, what became of the last command, the keys.

use super::Look;
use crate::ui::{
    advice, alerts,
    alerts::Loudness,
    format,
    keymap::Context,
    state::{Notice, Overlay, Tone, UiState},
    text,
    theme::Role,
    widget::{Piece, line},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// How long an outcome takes the place of the advice where there is one line for both, in
/// milliseconds.
const FRESH_MS: i64 = 8_000;

/// Draws the lines.
pub fn draw(frame: &mut Buffer, state: &UiState, look: &Look) {
    let places = &state.places;
    draw_notice(frame, places.notice, state, look);
    if let Some(notice) = &state.notice {
        line(frame, places.outcome, &outcome(notice, look), look);
    }
    let bottom = match &state.overlay {
        Overlay::Find { typed } => {
            let mut pieces = vec![
                (Role::Key, " find ".to_owned()),
                (Role::Text, format!("{typed}_   ")),
                (Role::Dim, "a number, or a status such as failed   ".to_owned()),
            ];
            pieces.extend(keys(look, Context::Find));
            pieces
        }
        _ => fitting(keys(look, state.context()), places.keys.width),
    };
    line(frame, places.keys, &bottom, look);
}

/// Draws the most important line: alert, then a fresh outcome where it has no line of its own,
/// then advice.
pub fn draw_notice(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let own_line = !state.places.outcome.is_empty();
    let fresh = state.notice.as_ref().filter(|n| !own_line && state.now().0 - n.at.0 < FRESH_MS);
    let pieces: Vec<Piece> = match (alerts::alert(state, &look.keys), fresh) {
        (Some((Loudness::Alert, words)), _) => {
            let words = format!(" {words}");
            vec![(Role::Alert, text::pad(&words, usize::from(area.width), look.glyphs.ellipsis))]
        }
        (_, Some(notice)) => outcome(notice, look),
        (Some((Loudness::Warning, words)), None) => vec![(Role::Warning, format!(" {words}"))],
        (Some((Loudness::Good, words)), None) => vec![(Role::Good, format!(" {words}"))],
        (None, None) => state.run.as_ref().map_or_else(Vec::new, |run| {
            vec![(Role::Info, format!(" {}", advice::advice(run, state.now(), &look.keys)))]
        }),
    };
    line(frame, area, &pieces, look);
}

fn outcome(notice: &Notice, look: &Look) -> Vec<Piece> {
    let role = match notice.tone {
        Tone::Applied => Role::Good,
        Tone::Info => Role::Info,
        Tone::Refused => Role::Warning,
    };
    let mark = if notice.tone == Tone::Refused { "not done: " } else { "" };
    vec![
        (Role::Dim, format!(" {}  ", format::time_of_day(notice.at, &look.zone))),
        (role, format!("{mark}{}", notice.text)),
    ]
}

/// The keys of a context with their words.
pub fn keys(look: &Look, context: Context) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (keys, word) in look.keys.footer(context) {
        pieces.push((Role::Key, format!(" {keys}")));
        pieces.push((Role::Text, format!(" {word} ")));
    }
    pieces
}

/// As many keys as fit, each with its word or not at all.
fn fitting(pieces: Vec<Piece>, width: u16) -> Vec<Piece> {
    let mut used = 0;
    let mut fitting = Vec::with_capacity(pieces.len());
    for pair in pieces.chunks(2) {
        used += pair.iter().map(|(_, words)| text::width(words)).sum::<usize>();
        if used > usize::from(width) {
            break;
        }
        fitting.extend_from_slice(pair);
    }
    fitting
}
