//! The last lines: the alert or the advice, what became of the last command, the keys.

use super::Look;
use crate::ui::{
    alerts,
    alerts::Loudness,
    format,
    keymap::Context,
    state::{Notice, Overlay, Tone, UiState},
    text,
    theme::Role,
    widget::{Piece, line, width},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the lines.
pub fn draw(frame: &mut Buffer, state: &UiState, look: &Look) {
    let places = &state.places;
    let alert = alerts::alert(state, &look.keys, &look.zone);
    let advice = state.verdict.words(&look.keys);
    let said = match alert {
        Some((loudness, words)) => Some((Some(loudness), words)),
        None if !advice.is_empty() => Some((None, advice.clone())),
        None => None,
    };
    match (said, state.fresh_notice()) {
        // What is said may take both lines, while nobody waits for an outcome.
        (Some((loudness, words)), None) if !places.outcome.is_empty() => {
            let width = usize::from(places.notice.width).saturating_sub(2);
            let (first, second) = in_two(&words, width);
            draw_said(frame, places.notice, loudness, &first, look);
            if !second.is_empty() {
                draw_said(frame, places.outcome, loudness, &second, look);
            } else if loudness.is_some() && !advice.is_empty() {
                draw_said(frame, places.outcome, None, &advice, look);
            } else {
                draw_outcome(frame, state, look);
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
        _ => {
            // On small screens this is the only place that says it.
            let mut pieces: Vec<Piece> = tuned_alone(state).into_iter().collect();
            let used = u16::try_from(width(&pieces)).unwrap_or(u16::MAX);
            let room = places.keys.width.saturating_sub(used);
            pieces.extend(fitting(keys(look, state.context()), room));
            pieces
        }
    };
    line(frame, places.keys, &bottom, look);
}

/// The endpoint that the tuning keys act on, where it is one alone.
fn tuned_alone(state: &UiState) -> Option<Piece> {
    let tuning = matches!(state.context(), Context::Dashboard | Context::Inspector);
    let (only, run) = (state.only.filter(|_| tuning)?, state.run.as_ref()?);
    Some((Role::Warning, format!(" {} alone:", run.endpoint_name(only))))
}

/// Draws the most important line: alert, then a fresh outcome where it has no line of its own,
/// then advice.
pub fn draw_notice(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let own_line = !state.places.outcome.is_empty();
    let fresh = state.fresh_notice().filter(|_| !own_line);
    match (alerts::alert(state, &look.keys, &look.zone), fresh) {
        (Some((Loudness::Alert, words)), _) => {
            draw_said(frame, area, Some(Loudness::Alert), &words, look);
        }
        (_, Some(notice)) => {
            line(frame, area, &outcome(notice, look), look);
        }
        (Some((loudness, words)), None) => draw_said(frame, area, Some(loudness), &words, look),
        (None, None) => {
            let room = usize::from(area.width).saturating_sub(2);
            let advice = state.verdict.words(&look.keys);
            draw_said(frame, area, None, whole_clauses(&advice, room), look);
        }
    }
}

/// Words in two lines, the second empty where one is enough: between two clauses where both lines
/// have room, or else where the first is full.
fn in_two(words: &str, room: usize) -> (String, String) {
    let (first, second) = words.split_at(whole_clauses(words, room).len());
    if let Some(second) = second.strip_prefix([':', ';', ',']) {
        let (first, second) = (&words[..first.len() + 1], second.trim_start());
        if text::width(first) <= room && text::width(second) <= room {
            return (first.to_owned(), second.to_owned());
        }
    }
    let mut lines = text::wrap(words, room).into_iter();
    (lines.next().unwrap_or_default(), lines.collect::<Vec<_>>().join(" "))
}

/// As many clauses as fit; the first is cut where even that does not.
fn whole_clauses(words: &str, room: usize) -> &str {
    if text::width(words) <= room {
        return words;
    }
    let mut ends = words.rmatch_indices([':', ';', ',']).map(|(at, _)| at);
    let fits = |at: &usize| words[at + 1..].starts_with(' ') && text::width(&words[..*at]) <= room;
    ends.find(fits).map_or(words, |at| &words[..at])
}

/// Draws an alert, or without a loudness advice.
fn draw_said(frame: &mut Buffer, area: Rect, loudness: Option<Loudness>, words: &str, look: &Look) {
    let words = format!(" {words}");
    let piece = match loudness {
        Some(Loudness::Alert) => {
            (Role::Alert, text::pad(&words, usize::from(area.width), look.glyphs.ellipsis))
        }
        Some(Loudness::Warning) => (Role::Warning, words),
        Some(Loudness::Good) => (Role::Good, words),
        None => (Role::Info, words),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_part_between_clauses_where_both_have_room() {
        for (words, room, lines) in [
            ("one: two; three", 20, ("one: two; three", "")),
            ("one: two; three", 11, ("one: two;", "three")),
            ("one: two; three", 9, ("one: two;", "three")),
            ("one: two; three four five", 10, ("one: two;", "three four five")),
            ("onetwothree", 6, ("onetwo", "three")),
        ] {
            let (first, second) = in_two(words, room);
            assert_eq!((first.as_str(), second.as_str()), lines, "{words} in {room}");
        }
        assert_eq!(whole_clauses("one: two; three", 9), "one: two");
        assert_eq!(whole_clauses("onetwothree", 6), "onetwothree");
    }
}
