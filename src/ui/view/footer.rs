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

/// Draws the lines.
pub fn draw(frame: &mut Buffer, state: &UiState, look: &Look) {
    let places = &state.places;
    let alert = alerts::alert(state, &look.keys);
    match (alert, state.fresh_notice()) {
        // An alert may take both lines, while nobody waits for an outcome.
        (Some((loudness, words)), None) if !places.outcome.is_empty() => {
            let width = usize::from(places.notice.width).saturating_sub(2);
            let lines = text::wrap(&words, width);
            let (first, rest) = lines.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
            let second = rest.join(" ");
            draw_alert(frame, places.notice, loudness, first, look);
            if second.is_empty() {
                draw_outcome(frame, state, look);
            } else {
                draw_alert(frame, places.outcome, loudness, &second, look);
            }
        }
        _ => {
            draw_notice(frame, places.notice, state, look);
            draw_outcome(frame, state, look);
        }
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
    let fresh = state.fresh_notice().filter(|_| !own_line);
    match (alerts::alert(state, &look.keys), fresh) {
        (Some((Loudness::Alert, words)), _) => {
            draw_alert(frame, area, Loudness::Alert, &words, look);
        }
        (_, Some(notice)) => {
            line(frame, area, &outcome(notice, look), look);
        }
        (Some((loudness, words)), None) => draw_alert(frame, area, loudness, &words, look),
        (None, None) => {
            if let Some(run) = &state.run {
                let advice = advice::advice(state.verdict.shown(), run, state.now(), &look.keys);
                line(frame, area, &[(Role::Info, format!(" {advice}"))], look);
            }
        }
    }
}

fn draw_alert(frame: &mut Buffer, area: Rect, loudness: Loudness, words: &str, look: &Look) {
    let words = format!(" {words}");
    let piece = match loudness {
        Loudness::Alert => {
            (Role::Alert, text::pad(&words, usize::from(area.width), look.glyphs.ellipsis))
        }
        Loudness::Warning => (Role::Warning, words),
        Loudness::Good => (Role::Good, words),
    };
    line(frame, area, &[piece], look);
}

fn draw_outcome(frame: &mut Buffer, state: &UiState, look: &Look) {
    if let Some(notice) = &state.notice {
        line(frame, state.places.outcome, &outcome(notice, look), look);
    }
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
        // The blank behind the last word may be cut.
        if used > usize::from(width) + 1 {
            break;
        }
        fitting.extend_from_slice(pair);
    }
    if let Some((_, last)) = fitting.last_mut() {
        last.truncate(last.trim_end().len());
    }
    fitting
}
