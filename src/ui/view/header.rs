//! The first line: which run, what it is doing, since when, until when.

use super::Look;
use crate::{
    model::RunPhase,
    protocol::{Replay, ReplayState},
    ui::{
        format,
        state::{Mirror, UiState},
        text,
        theme::Role,
        widget::{Piece, line},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Cells for the run's name at most, and at least where it is shown.
const LONGEST_NAME: usize = 40;
const SHORTEST_NAME: usize = 8;

/// Draws the line.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let Some(run) = &state.run else {
        line(
            frame,
            area,
            &[(Role::Title, " voxpop".to_owned()), (Role::Dim, "  starting".to_owned())],
            look,
        );
        return;
    };
    let (role, phase) = phase(run);
    let mut pieces: Vec<Piece> = Vec::new();
    if let Some(replay) = &run.meters.replay {
        pieces.push(self::replay(replay));
        pieces.push((Role::Text, "  ".to_owned()));
    }
    pieces.push((role, phase.to_owned()));
    pieces.push((Role::Text, format!("  {}", format::clock(run.elapsed(state.now())))));
    if let Some(replay) = &run.meters.replay {
        let at = format::date_and_time(replay.at, &look.zone);
        pieces.push((Role::Info, format!("  {at}")));
    } else if let Some(end) = ends(run, state, look, area.width >= 60) {
        pieces.push((Role::Text, format!("  {end}")));
    }
    if run.header.pack > 1 && area.width >= 60 {
        pieces.push((Role::Warning, format!("  packed by {}", run.header.pack)));
    }
    // The name gives way to what changes.
    let taken: usize = pieces.iter().map(|(_, words)| text::width(words)).sum();
    let room = usize::from(area.width).saturating_sub(taken + 3).min(LONGEST_NAME);
    let name = if room >= SHORTEST_NAME {
        format!(" {}  ", text::fit(&run.header.run, room, look.glyphs.ellipsis))
    } else {
        " ".to_owned()
    };
    pieces.insert(0, (Role::Title, name));
    let used = line(frame, area, &pieces, look);
    // What does not fit gives way to what changes.
    let right = [both(asked(run, state), mode(run)), mode(run).to_owned(), asked(run, state)];
    let room = area.width.saturating_sub(used.saturating_add(2));
    let width = |words: &String| u16::try_from(text::width(words) + 1).unwrap_or(u16::MAX);
    if let Some(right) = right.into_iter().find(|words| !words.is_empty() && width(words) <= room) {
        let width = width(&right);
        let right_area = Rect { x: area.right() - width, width, ..area };
        let role = if state.only.is_some() { Role::Info } else { Role::Dim };
        line(frame, right_area, &[(role, right)], look);
    }
}

fn both(asked: String, mode: &str) -> String {
    if asked.is_empty() || mode.is_empty() { asked + mode } else { format!("{asked}  {mode}") }
}

/// Whether limits adapt to what the providers say; empty where there is nothing left to adapt.
pub fn mode(run: &Mirror) -> &'static str {
    match run.meters.adapting {
        _ if run.ended() || run.meters.replay.is_some() => "",
        _ if run.meters.endpoints.is_empty() => "",
        true => "adapting",
        false => "fixed limits",
    }
}

/// That this is no live run, and how fast it is played.
pub fn replay(replay: &Replay) -> Piece {
    let speed = replay.speed;
    match replay.state {
        ReplayState::Playing => (Role::Key, format!("REPLAY {speed}")),
        ReplayState::Paused => (Role::Alert, format!(" REPLAY {speed} PAUSED ")),
        ReplayState::Over => (Role::Key, "REPLAY OVER".to_owned()),
    }
}

/// The phase in one word, as the header shows it.
pub fn phase(run: &Mirror) -> (Role, &'static str) {
    match &run.phase {
        _ if !run.header.live => (Role::Info, "LOOKED AT"),
        RunPhase::Finished => (Role::Good, "FINISHED"),
        RunPhase::Stopped { .. } => (Role::Warning, "STOPPED"),
        _ if run.summary.is_some() => (Role::Good, "FINISHED"),
        RunPhase::Running => (Role::Good, "RUNNING"),
        RunPhase::Paused { .. } => (Role::Alert, " PAUSED "),
        RunPhase::Draining => (Role::Warning, "STOPPING"),
    }
}

/// When it will be over, with the time of day too where there is room; `None` where that means
/// nothing.
pub fn ends(run: &Mirror, state: &UiState, look: &Look, roomy: bool) -> Option<String> {
    let replay = run.meters.replay.is_some();
    if replay || run.ended() || !matches!(run.phase, RunPhase::Running) {
        return None;
    }
    if run.in_batches() {
        let long = "in batches: up to 24 h a stage";
        return Some(if roomy { long } else { "in batches" }.to_owned());
    }
    Some(match run.meters.remaining {
        None => "ends in --:--".to_owned(),
        Some(left) if !roomy => format!("ends in {}", format::short_clock(left)),
        Some(left) => {
            let millis = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            let at = crate::model::UnixMillis(state.now().0.saturating_add(millis));
            let at = format::time_of_day(at, &look.zone);
            format!("ends in {} ({})", format::short_clock(left), &at[..5])
        }
    })
}

/// Which model, and where; or which of the endpoints is tuned alone.
fn asked(run: &Mirror, state: &UiState) -> String {
    if let Some(only) = state.only {
        return format!("{} alone is tuned", run.endpoint_name(only));
    }
    match run.meters.endpoints.as_slice() {
        [] => String::new(),
        [one] => format!("{} at {}", one.model, one.name),
        [one, others @ ..] if others.iter().all(|other| other.model == one.model) => {
            format!("{} at {} endpoints", one.model, others.len() + 1)
        }
        all => format!("{} endpoints", all.len()),
    }
}
